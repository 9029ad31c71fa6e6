#!/usr/bin/env bash
# From nothing to code that ran in a sandbox, in one go.
#
#   bash docs/quickstart.sh
#
# Uses the container engine that answers, or installs Podman and starts it for as long as this
# script runs; builds the command line; makes the minimal-python image, and where no registry can be
# reached first its Debian base; runs Python in a sandbox; checks that nothing is left; says what to
# try next. Says what it does before it does it. Run again, it does only what is missing.
#
# Changes no file of yours: what it writes is the target directory, its own settings and logs in
# ${XDG_STATE_HOME:-$HOME/.local/state}/pocketdock-quickstart, the Debian tree in
# ${XDG_CACHE_HOME:-$HOME/.cache}/pocketdock-tests, and the images in the engine. Packages are
# installed with apt, through sudo when you are not root; where there is no apt it says what to
# install.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STATE=${XDG_STATE_HOME:-$HOME/.local/state}/pocketdock-quickstart
POCKETDOCK=${CARGO_TARGET_DIR:-$ROOT/target}/release/pocketdock
PROFILE=minimal-python
BASE_IMAGE=debian:trixie-slim
PODMAN_PACKAGES=(
    podman runc catatonit netavark aardvark-dns iptables nftables # as root
    uidmap slirp4netns passt fuse-overlayfs                       # as another user
)
READY_WITHIN_S=30

socket=
service_pid=

# shellcheck source=tests/base-images.sh
. "$ROOT/tests/base-images.sh"

say() { printf '\n== %s\n' "$*"; }

fail() {
    printf '\nquickstart: %s\n' "$*" >&2
    exit 1
}

pocketdock() { "$POCKETDOCK" --socket "$socket" "$@"; }

install_packages() { # PACKAGE...
    local package known=()
    command -v apt-get >/dev/null || fail "cannot install packages without apt; please install: $*"
    as_root apt-get update -qq
    for package in "$@"; do
        # Not every release of Debian and Ubuntu has every one of them.
        if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); fi
    done
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${known[@]}" >"$STATE/apt.log" 2>&1 || {
        tail -n 10 "$STATE/apt.log" >&2
        fail "apt-get could not install: ${known[*]}"
    }
}

# Which Rust is recent enough is checked by cargo itself.
require_tools() {
    local missing=()
    command -v curl >/dev/null || missing+=(curl)
    if ! command -v cc >/dev/null || [ ! -e /usr/include/stdlib.h ]; then
        missing+=(gcc libc6-dev)
    fi
    if [ "${#missing[@]}" -gt 0 ]; then
        say "Installing ${missing[*]}"
        install_packages "${missing[@]}"
    fi
    command -v cargo >/dev/null ||
        fail "needs Rust 1.85 or later: apt-get install cargo on Debian 13, or https://rustup.rs"
}

build_command_line() {
    say "Building the command line"
    echo "\$ cargo build --release --package pocketdock-cli"
    (cd "$ROOT" && cargo build --release --locked --quiet --package pocketdock-cli)
}

answers() { # SOCKET
    [ "$(curl -s --max-time 5 --unix-socket "$1" http://localhost/_ping 2>/dev/null)" = OK ]
}

podman_socket() {
    if [ "$(id -u)" -eq 0 ]; then
        echo /run/podman/podman.sock
    else
        echo "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/podman/podman.sock"
    fi
}

# The sockets pocketdock looks at, in its order. One that you named must answer.
find_engine() {
    local name candidate context=
    for name in POCKETDOCK_SOCKET DOCKER_HOST CONTAINER_HOST; do
        candidate=${!name-}
        [ -n "$candidate" ] || continue
        candidate=${candidate#unix://}
        answers "$candidate" || fail "$name is set, but no engine answers on $candidate"
        socket=$candidate
        return
    done
    if command -v docker >/dev/null; then
        context=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
    fi
    for candidate in "${context#unix://}" "$(podman_socket)" /run/podman/podman.sock \
        "${XDG_RUNTIME_DIR:-/nonexistent}/docker.sock" /var/run/docker.sock; do
        if answers "$candidate"; then
            socket=$candidate
            return
        fi
    done
    return 1
}

# Settings for machines on which Podman's own do not work; a file of yours, when there is one, is
# left to rule.
write_podman_settings() {
    local config=${XDG_CONFIG_HOME:-$HOME/.config} file nproc nofile
    for file in /etc/containers/containers.conf "$config/containers/containers.conf"; do
        if [ -e "$file" ]; then
            rm -f "$STATE/containers.conf"
            return
        fi
    done
    nofile=$(ulimit -Hn)
    nproc=$(ulimit -Hu)
    {
        if [ "$nofile" != unlimited ] && [ "$nofile" -lt 1048576 ]; then
            # Podman would ask for 1048576. Soft and hard are equal, because 4.3 swaps them.
            if [ "$nproc" = unlimited ] || [ "$nproc" -gt 4096 ]; then nproc=4096; fi
            if [ "$nofile" -gt 4096 ]; then nofile=4096; fi
            printf '[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n' \
                "$nofile" "$nofile" "$nproc" "$nproc"
        fi
        echo '[engine]'
        # The built-in 300 s keep two processes alive after every command in a sandbox.
        echo 'exit_command_delay = 30'
        if [ ! -d /run/systemd/system ]; then
            printf 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        fi
        # crun refuses cgroup v1 and v2 side by side.
        if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && command -v runc >/dev/null; then
            echo 'runtime = "runc"'
        fi
    } >"$STATE/containers.conf"
}

service_command() {
    local settings=
    if [ -e "$STATE/containers.conf" ]; then settings="CONTAINERS_CONF=$STATE/containers.conf "; fi
    printf '%spodman system service --time=0 unix://%s' "$settings" "$(podman_socket)"
}

start_podman() {
    local deadline=$((SECONDS + READY_WITHIN_S))
    write_podman_settings
    socket=$(podman_socket)
    say "Starting Podman for as long as this script runs"
    echo "\$ $(service_command)"
    mkdir -p "$(dirname "$socket")"
    if [ -e "$STATE/containers.conf" ]; then export CONTAINERS_CONF=$STATE/containers.conf; fi
    # In a directory of its own, because conmon leaves a file `oom` where its Podman was started.
    env --chdir="$STATE" podman system service --time=0 "unix://$socket" \
        </dev/null >"$STATE/podman.log" 2>&1 &
    service_pid=$!
    until answers "$socket"; do
        if ! kill -0 "$service_pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 10 "$STATE/podman.log" >&2
            fail "Podman did not start"
        fi
        sleep 0.1
    done
}

stop_podman() {
    [ -n "$service_pid" ] || return 0
    kill "$service_pid" 2>/dev/null || true
    wait "$service_pid" 2>/dev/null || true
    rm -f "$(podman_socket)"
}

choose_engine() {
    if find_engine; then
        say "Using the engine that answers on $socket"
        return
    fi
    if [ "$(uname -s)" != Linux ]; then
        fail "no engine answers; start one (podman machine start, Docker Desktop, colima) first"
    fi
    if ! command -v podman >/dev/null; then
        say "No container engine answers: installing Podman"
        install_packages "${PODMAN_PACKAGES[@]}"
    fi
    start_podman
}

image_is_built() {
    pocketdock profiles --json | tr '}' '\n' | grep "\"name\":\"$PROFILE\"" | grep -q '"built":true'
}

# Without a registry the base image cannot be pulled, but it can be made of Debian's packages.
make_base_image() {
    say "No registry answered: making $BASE_IMAGE from Debian's packages"
    if ! command -v debootstrap >/dev/null; then
        install_packages debootstrap debian-archive-keyring
    fi
    debian_image "$socket"
}

try_build() {
    echo "\$ pocketdock build $PROFILE   (log: $STATE/build.log)"
    pocketdock build "$PROFILE" >"$STATE/build.log" 2>&1
}

build_image() {
    if image_is_built; then
        say "The $PROFILE image is there already"
        return
    fi
    say "Building the $PROFILE image"
    if try_build; then return; fi
    if ! image_exists "$socket" "$BASE_IMAGE"; then
        make_base_image
        if try_build; then return; fi
    fi
    tail -n 20 "$STATE/build.log" >&2
    fail "the image did not build"
}

# Shows the output and the exit code as they come out of the sandbox, and checks both.
run_code() {
    local code='import platform, sys
print("Hello from Python", platform.python_version())
print("2 ** 100 =", 2 ** 100)
sys.exit(7)'
    local name=quickstart-$$ status=0 left
    say "Running code in a sandbox: no network, gone afterwards"
    echo "\$ pocketdock run --profile $PROFILE --name $name -- python3 -c '$code'"
    pocketdock run --profile "$PROFILE" --name "$name" -- python3 -c "$code" \
        >"$STATE/output" || status=$?
    cat "$STATE/output"
    echo "(exit code $status)"
    grep -qx '2 \*\* 100 = 1267650600228229401496703205376' "$STATE/output" ||
        fail "the output is not what it should be"
    [ "$status" -eq 7 ] || fail "the exit code should be 7"
    # By its name, because others may use the same engine at the same time.
    left=$(pocketdock list --quiet)
    if grep -qx "$name" <<<"$left"; then fail "the sandbox was left behind"; fi
}

try_next() {
    say "Done in $SECONDS s. Nothing is left of the sandbox. Try next:"
    if [ -n "$service_pid" ]; then
        echo "  $(service_command) &      # Podman again, it is stopped now"
    fi
    cat <<NEXT
  alias pocketdock=$POCKETDOCK
  export POCKETDOCK_SOCKET=$socket
  pocketdock run --profile $PROFILE -- python3 -c 'print(6 * 7)'
  pocketdock create --profile $PROFILE --name box      # one that stays
  pocketdock run box 'echo hello > note; ls -l'
  pocketdock info box
  pocketdock shutdown box --yes
  pocketdock --help
NEXT
}

trap stop_podman EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$STATE"
require_tools
build_command_line
choose_engine
build_image
run_code
try_next
