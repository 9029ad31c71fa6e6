# shellcheck shell=bash
# Installs what the tests need on a machine that may have nothing but Debian and Rust. A library for
# tests/run.sh and tests/matrix.sh, and no more than they need themselves.
set -euo pipefail

RUST_VERSION_MIN=1.85
# A command and the Debian package that has it.
# shellcheck disable=SC2034 # Read by those that source this.
TOOLS=(
    awk:mawk bsdtar:libarchive-tools curl:curl debootstrap:debootstrap fish:fish git:git
    groff:groff-base ip:iproute2 iptables:iptables man:man-db mandoc:mandoc ps:procps python3:python3
    tar:tar zsh:zsh
    catatonit:catatonit conmon:conmon dockerd:docker.io netavark:netavark podman:podman runc:runc
)

# Tools Debian keeps off the path, too.
installed() { # COMMAND
    command -v "$1" >/dev/null || [ -x "/usr/libexec/podman/$1" ] || [ -x "/usr/lib/podman/$1" ]
}

apt_install() { # PACKAGE...
    printf '\n== installing %s\n' "$*"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install_packages() { # COMMAND:PACKAGE...
    local tool missing=()
    for tool in "$@"; do
        installed "${tool%:*}" || missing+=("${tool#*:}")
    done
    # The readers that ours is compared with, for the Python of Debian.
    if ! /usr/bin/python3 -c 'import yaml, ruamel.yaml' 2>/dev/null; then
        missing+=(python3-yaml python3-ruamel.yaml)
    fi
    if ! command -v cc >/dev/null || [ ! -e /usr/include/stdlib.h ]; then
        missing+=(gcc libc6-dev)
    fi
    # A busybox that needs shared libraries would not run in an image of its own.
    if [ ! -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then missing+=(busybox-static); fi
    [ "${#missing[@]}" -gt 0 ] || return 0
    apt-get update -qq
    apt_install "${missing[@]}"
}

rust_is_recent() {
    command -v cargo >/dev/null || return 1
    dpkg --compare-versions "$(cargo --version | awk '{print $2}')" ge "$RUST_VERSION_MIN"
}

# Debian 13 and later have a Rust that is recent enough; before that it is the user's to choose.
install_rust() {
    rust_is_recent && return
    local candidate
    candidate=$(apt-cache policy rustc | awk '/Candidate:/ {print $2}')
    if command -v cargo >/dev/null ||
        ! dpkg --compare-versions "${candidate:-0}" ge "$RUST_VERSION_MIN"; then
        echo "tests: needs Rust $RUST_VERSION_MIN or later, see https://rustup.rs" >&2
        return 1
    fi
    apt_install rustc cargo
}
