#!/usr/bin/env bash
# Runs the live suites on every engine pocketdock supports, old and new, with root and without.
#
#   bash tests/matrix.sh                        all of them, one after the other: an hour
#   bash tests/matrix.sh docker-sid podman-sid  these
#
#   docker-host     podman-host      what this machine has (Debian 12: Docker 20.10, Podman 4.3)
#   docker-trixie   podman-trixie    Debian 13 (Docker 26.1, Podman 5.4)
#   docker-sid      podman-sid       the newest in Debian (Docker 28.5, Podman 5.8)
#   podman-rootless                  what this machine has, as an ordinary user
#
# Installs what is missing, builds the suites once, in a copy of the sources that every user may
# read, and starts engines of its own (tests/engines.sh), those of another Debian in a tree
# (tests/trees.sh). On each it makes the images (tests/base-images.sh, `pocketdock build`), runs the
# suites `live` and `cli_live`, and at last takes the engine away under a running command. Stops and
# removes what it started and made, whatever happens: engines, trees, the ordinary user. It keeps the
# archives of the trees, half a gigabyte each, in ${XDG_CACHE_HOME:-$HOME/.cache}/pocketdock-tests.
#
# The last lines are a table; the exit code is 0 only when no test failed on any engine. Needs root.
# POCKETDOCK_MATRIX_FILTER is a name that only tests with it in theirs are run of; what the suites
# print is kept in POCKETDOCK_MATRIX_LOGS, if that names a directory. No part of tests/run.sh.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/engines.sh
. tests/engines.sh
# shellcheck source=tests/base-images.sh
. tests/base-images.sh
# shellcheck source=tests/trees.sh
. tests/trees.sh
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/results.sh
. tests/results.sh

ALL=(
    docker-host podman-host docker-trixie podman-trixie docker-sid podman-sid podman-rootless
)
ROOTLESS_TOOLS=(newuidmap:uidmap slirp4netns:slirp4netns)
# A suite that takes this long hangs.
SUITE_WITHIN_S=1800
BUILD_WITHIN_S=900

passed=0
failed=0
skipped=0
failed_in_all=0
scratch=
user=
tun_mode=
live=
cli_live=
table=()
# What has been counted of each engine: its versions, and the numbers so far.
declare -A about=()
declare -A counted=()
# The engines that run now.
running=

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

clean_up() {
    # Goes on after a step that fails, so that what can be removed is.
    set +e
    [ -n "$scratch" ] || return 0
    stop_running
    rm -rf "$scratch"
    scratch=
}

stop_running() {
    local pid
    [ -z "$running" ] || stop_engines "$running"
    running=
    [ -n "$user" ] || return 0
    # What Podman keeps for its user beside itself: nobody else has this user.
    for pid in $(processes_of "$user"); do end_process "$pid" 1; done
    userdel "$user" || true
    user=
    [ -z "$tun_mode" ] || chmod "$tun_mode" /dev/net/tun
    tun_mode=
}

processes_of() { # USER
    local uid status
    uid=$(id -u "$1")
    for status in /proc/[0-9]*/status; do
        awk -v uid="$uid" '/^Pid:/ { pid = $2 } /^Uid:/ && $2 == uid { print pid }' "$status" \
            2>/dev/null || true
    done
}

# A copy, because an ordinary user may not be allowed to read where the repository lies.
build_suites() {
    local source=$scratch/source
    mkdir -p "$source"
    git ls-files -z | tar --null --files-from=- -c | tar -C "$source" -x
    (
        cd "$source"
        export CARGO_TARGET_DIR=$scratch/target
        cargo build --locked --quiet --workspace --bins --examples
        cargo test --locked --no-run -p pocketdock-core --test live
        cargo test --locked --no-run -p pocketdock-cli --test cli_live
    ) 2>&1 | tee "$scratch/build.log"
    live=$(suite_binary live)
    cli_live=$(suite_binary cli_live)
    chmod -R a+rX "$source" "$scratch/target"
}

suite_binary() { # NAME
    sed -n 's/.*(\(.*\))$/\1/p' "$scratch/build.log" | grep "/deps/$1-[0-9a-f]*\$"
}

# Runs a program with the rights of those whom the engine serves.
as_user() { # COMMAND...
    if [ -n "$user" ]; then
        setpriv --reuid "$user" --regid "$user" --init-groups env "HOME=$running/home" "$@"
    else
        "$@"
    fi
}

add() { # PASSED FAILED SKIPPED
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
}

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$scratch/check.log" 2>&1; then
        add 1 0 0
        echo "test $name ... ok"
    else
        add 0 1 0
        echo "test $name ... FAILED"
        tail -n 30 "$scratch/check.log"
    fi
}

suite() { # LOG_NAME BINARY PACKAGE ARGUMENT...
    local log=$logs/$1.log status=0 counts some=0
    if [ -n "${POCKETDOCK_MATRIX_FILTER-}" ] || [[ $1 == *-loss ]]; then some=1; fi
    (
        cd "$scratch/source/$3"
        as_user timeout --kill-after=20 "$SUITE_WITHIN_S" "$2" "${@:4}"
    ) >"$log" 2>&1 || status=$?
    read -r -a counts < <(count_results "$log" "$some")
    # One that ends with no result has died, or was ended because it hung.
    if [ "$status" -ne 0 ] && [ "${counts[1]}" -eq 0 ]; then counts[1]=1; fi
    add "${counts[@]}"
    if [ "$status" -ne 0 ]; then
        sed -n '/^failures:$/,$p' "$log" | tail -n 300
        echo "exit code $status"
    fi
    grep -e '^test result: ' -e 'SKIPPED' "$log" || true
}

# What the suites read (tests/run.sh says what it means).
point_at() { # KIND
    local other=docker
    [ "$1" = podman ] || other=podman
    export POCKETDOCK_TEST_ENGINE=$1 POCKETDOCK_TEST_SOCKET=$running/$1.sock
    export POCKETDOCK_TEST_IMAGE=localhost/busybox:latest
    export POCKETDOCK_TEST_DEBIAN_IMAGE=debian:trixie-slim
    export POCKETDOCK_TEST_PYTHON_IMAGE=pocketdock/minimal-python:latest
    export POCKETDOCK_TEST_OTHER_SOCKET=$running/$other.sock
    unset POCKETDOCK_TEST_ENGINE_PID
    # Rootless, there is one engine.
    [ -e "$POCKETDOCK_TEST_OTHER_SOCKET" ] || unset POCKETDOCK_TEST_OTHER_SOCKET
}

python_builds() {
    as_user timeout "$BUILD_WITHIN_S" "$scratch/target/debug/pocketdock" \
        --socket "$POCKETDOCK_TEST_SOCKET" build minimal-python &&
        image_exists "$POCKETDOCK_TEST_SOCKET" "$POCKETDOCK_TEST_PYTHON_IMAGE"
}

# The process to take the engine away by. Rootless, the first one only waits for one in a user
# namespace, which is the engine.
engine_pid() { # KIND
    local pid
    pid=$(cat "$running/$1.pid")
    if [ -n "$user" ]; then pid=$(ps --ppid "$pid" -o pid= | tr -d ' ' | head -n 1); fi
    echo "$pid"
}

field() { # JSON_FIELD of the version
    curl -s --max-time 20 --unix-socket "$POCKETDOCK_TEST_SOCKET" http://localhost/version |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

try() { # ENGINE
    local kind=${1%-*} began=$SECONDS version api
    passed=0 failed=0 skipped=0
    point_at "$kind"
    version=$(field Version)
    api=$(field ApiVersion)
    step "$1: $kind $version"
    check python_builds python_builds
    # The faults of one test are leftovers to another (tests/run.sh runs them alone).
    suite "$1-live" "$live" pocketdock-core --skip engine_loss --skip faults:: ${POCKETDOCK_MATRIX_FILTER:+"$POCKETDOCK_MATRIX_FILTER"}
    suite "$1-cli" "$cli_live" pocketdock-cli ${POCKETDOCK_MATRIX_FILTER:+"$POCKETDOCK_MATRIX_FILTER"}
    about[$1]="$version | $api | ${user:+yes}"
    counted[$1]="$passed $failed $skipped $((SECONDS - began))"
}

# The last test on an engine ends it, when no other one needs it any more.
lose() { # ENGINE
    local kind=${1%-*} began=$SECONDS took
    read -r passed failed skipped took <<<"${counted[$1]}"
    if [ -z "${POCKETDOCK_MATRIX_FILTER-}" ]; then
        step "$1: the engine is lost"
        point_at "$kind"
        POCKETDOCK_TEST_ENGINE_PID=$(engine_pid "$kind")
        export POCKETDOCK_TEST_ENGINE_PID
        suite "$1-loss" "$live" pocketdock-core engine_loss
    fi
    took=$((took + SECONDS - began))
    failed_in_all=$((failed_in_all + failed))
    table+=("| $1 | ${about[$1]} | $passed | $failed | $skipped | $took |")
}

# The engines of one place, so that each can carry images to the other.
try_place() { # PLACE ENGINE...
    local place=$1 engine kind kinds=(docker podman)
    shift
    running=$scratch/$place
    case $place in
        trixie | sid)
            step "a tree of Debian $place"
            engine_tree "$place" "$scratch/tree-$place"
            export ENGINE_TREE=$scratch/tree-$place
            ;;
        rootless)
            make_user
            kinds=(podman)
            ;;
    esac
    if start_engines "$running" "${kinds[@]}"; then
        # On all of them, because images are carried from one to the other.
        for kind in "${kinds[@]}"; do
            busybox_image "$running/$kind.sock"
            debian_image "$running/$kind.sock"
        done
        for engine in "$@"; do try "$engine"; done
        for engine in "$@"; do lose "$engine"; done
    else
        failed_in_all=$((failed_in_all + 1))
        table+=("| $place | did not start | | | | | | |")
    fi
    stop_running
    rm -rf "$scratch/tree-$place"
    unset ENGINE_TREE ENGINE_USER
}

make_user() {
    user=pdtest$$
    useradd --no-create-home --shell /bin/sh "$user"
    export ENGINE_USER=$user
    # What gives the containers of a user their network; many machines let nobody else have it.
    tun_mode=$(stat -c %a /dev/net/tun)
    chmod 666 /dev/net/tun
}

chosen_of() { # PLACE CHOSEN...
    local place=$1 engine
    shift
    for engine in "$@"; do
        if [ "${engine#*-}" = "$place" ]; then echo "$engine"; fi
    done
}

for engine in "$@"; do
    if [[ " ${ALL[*]} " != *" $engine "* ]]; then
        echo "matrix: '$engine' is none of ${ALL[*]}" >&2
        exit 2
    fi
done
[ "$#" -gt 0 ] || set -- "${ALL[@]}"
if [ "$(id -u)" -ne 0 ]; then
    echo "matrix: needs root to start engines" >&2
    exit 2
fi
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
scratch=$(mktemp -d /tmp/pd-matrix.XXXXXX)
chmod 755 "$scratch"
logs=${POCKETDOCK_MATRIX_LOGS:-$scratch/logs}
mkdir -p "$logs"
install_packages "${TOOLS[@]}" "${ROOTLESS_TOOLS[@]}"
install_rust
step "building the suites"
build_suites
for place in host trixie sid rootless; do
    mapfile -t chosen < <(chosen_of "$place" "$@")
    [ "${#chosen[@]}" -eq 0 ] || try_place "$place" "${chosen[@]}"
done
step "stopping what was started"
clean_up

printf '\n| engine | version | API | rootless | passed | failed | skipped | seconds |\n'
printf '|---|---|---|---|---|---|---|---|\n'
printf '%s\n' "${table[@]}"
[ "$failed_in_all" -eq 0 ]
