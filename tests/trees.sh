#!/usr/bin/env bash
# Trees of other releases of Debian, to run their programs in: newer engines, a bare machine.
#
#   bash tests/trees.sh enter TREE COMMAND...    runs COMMAND in the tree, as this process
#
# A tree entered so has a mount namespace and a root of its own (runc refuses a mere chroot), a /run
# of its own, and the /tmp, /dev, /sys and /proc of this machine: sockets, and directories that a
# container is to see, lie under /tmp and have the same path on both sides. Processes, users and the
# network are this machine's, too. Also a library: `source` it and call the functions.
#
# What debootstrap makes is kept as an archive in ${XDG_CACHE_HOME:-$HOME/.cache}/pocketdock-tests,
# so that the second time takes seconds; remove it there to have newer packages. Needs root,
# debootstrap, and the network the first time.
set -euo pipefail

# What Docker and Podman need to run, of which only a part is a hard dependency.
ENGINE_PACKAGES=(
    aardvark-dns ca-certificates catatonit conmon docker.io fuse-overlayfs iproute2 iptables
    netavark nftables passt podman procps runc slirp4netns tini uidmap
)

tree_archive() { # SUITE NAME
    printf '%s/pocketdock-tests/tree-%s-%s.tar' "${XDG_CACHE_HOME:-$HOME/.cache}" "$1" "$2"
}

# Makes the archive of a tree with these packages unless it is there.
tree_make() { # SUITE NAME PACKAGE...
    local suite=$1 archive tree
    archive=$(tree_archive "$1" "$2")
    shift 2
    [ ! -e "$archive" ] || return 0
    mkdir -p "$(dirname "$archive")"
    tree=$(mktemp -d)
    echo "trees: debootstrap $suite with $* (minutes, once)" >&2
    # Keeps the services of the packages from being started, which would be on this machine.
    if ! debootstrap --variant=minbase --include="$(IFS=,; echo "$*")" "$suite" "$tree" \
        >"$archive.log" 2>&1; then
        tail -n 20 "$archive.log" >&2
        rm -rf "$tree"
        return 1
    fi
    tar -C "$tree" -c --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' \
        --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' . >"$archive.partial"
    mv "$archive.partial" "$archive"
    rm -rf "$tree"
}

# Unpacks such a tree and gives it this machine's idea of the network.
tree_unpack() { # SUITE NAME TREE
    mkdir -p "$3"
    tar -C "$3" -x --numeric-owner <"$(tree_archive "$1" "$2")"
    cp -L /etc/resolv.conf /etc/hosts "$3/etc/"
    # The certificates that this machine was told to trust.
    cp -L /etc/ssl/certs/ca-certificates.crt "$3/etc/ssl/certs/"
}

# A tree with both engines in it.
engine_tree() { # SUITE TREE
    tree_make "$1" engines "${ENGINE_PACKAGES[@]}"
    tree_unpack "$1" engines "$2"
    # The init of Docker. The one linked with shared libraries would need them in every image.
    ln -sf tini-static "$2/usr/bin/docker-init"
}

# Never returns. The mounts are gone with the last process in the tree.
enter_tree() { # TREE COMMAND...
    TREE=$(realpath "$1")
    export TREE
    shift
    # shellcheck disable=SC2016 # Expanded by the inner shell.
    exec unshare --mount --propagation private bash -euc '
        here=$PWD
        mount --bind "$TREE" "$TREE"
        mkdir -p "$TREE/.outside"
        mount -t proc proc "$TREE/proc"
        mount --rbind /sys "$TREE/sys"
        mount --rbind /dev "$TREE/dev"
        mount -t tmpfs tmpfs "$TREE/run"
        mkdir -p "$TREE/run/lock"
        mount --bind /tmp "$TREE/tmp"
        cd "$TREE"
        pivot_root . .outside
        umount -l /.outside
        mount --make-rshared /
        cd "$here" 2>/dev/null || cd /
        unset TREE
        export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        exec "$@"' enter "$@"
}

# Run, not sourced.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1-}:${2-}:${3-} in
        enter:?*:?*) enter_tree "${@:2}" ;;
        *)
            echo "usage: tests/trees.sh enter TREE COMMAND..." >&2
            exit 2
            ;;
    esac
fi
