#!/usr/bin/env bash
# Makes the images the tests and docs/quickstart.sh start from, with no registry.
#
#   bash tests/base-images.sh busybox SOCKET   localhost/busybox:latest, from busybox-static: 0.5 s
#   bash tests/base-images.sh debian SOCKET    debian:trixie-slim, from debootstrap: 30 s, then 2 s
#
# The tree debootstrap makes is kept as an archive in
# ${XDG_CACHE_HOME:-$HOME/.cache}/pocketdock-tests, so the second time takes seconds. It trusts the
# certificates this machine was told to trust, so that builds and sandboxes work behind a proxy
# that reads TLS. Loaded over the engine's API (SOCKET), so the engine's own programs are not
# needed. Also a library: `source` it and call the functions. Needs curl, tar and busybox-static;
# debian needs debootstrap, root or sudo, and the network the first time.
set -euo pipefail

DEBIAN_SUITE=trixie
# Where Debian keeps the certificates of this machine's own choice.
OWN_CERTIFICATES=/usr/local/share/ca-certificates

# A machine that trusts something else needs another tree.
debian_cache() {
    local trusted
    trusted=$({ [ ! -d "$OWN_CERTIFICATES" ] || find "$OWN_CERTIFICATES" -name '*.crt' -print0; } |
        sort -z | xargs -0 -r cat | cksum)
    printf '%s/pocketdock-tests/debian-%s-slim-%s.tar' "${XDG_CACHE_HOME:-$HOME/.cache}" \
        "$DEBIAN_SUITE" "${trusted%% *}"
}
DEBIAN_CACHE=$(debian_cache)

# debootstrap makes device files, and its tree has files only root may read.
as_root() { # COMMAND...
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

image_exists() { # SOCKET NAME
    curl -sf -o /dev/null --unix-socket "$1" "http://localhost/v1.40/images/$2/json"
}

# Reads the archive of a root file system on stdin. Tagged in a second step, because Podman 4.3
# ignores the tag of an import and puts a name with no host under its own, where a Dockerfile's FROM
# does not look.
import_image() { # SOCKET REPOSITORY TAG
    local api=http://localhost/v1.40/images staging=localhost/pocketdock-import:latest answer
    answer=$(curl -s --show-error --unix-socket "$1" -X POST -T - \
        -H 'Content-Type: application/x-tar' -H 'Expect:' \
        "$api/create?fromSrc=-&repo=${staging%:*}&tag=latest")
    curl -s -o /dev/null --unix-socket "$1" -X POST "$api/$staging/tag?repo=$2&tag=$3"
    curl -s -o /dev/null --unix-socket "$1" -X DELETE "$api/$staging"
    if ! image_exists "$1" "$2:$3"; then
        # The engine reports a failure inside a 200 answer.
        printf 'base-images: import of %s:%s failed: %s\n' "$2" "$3" "$answer" >&2
        return 1
    fi
}

# /bin with every applet, and a user file with root, nobody and a user 1000.
busybox_tree() { # DIR
    local applet
    mkdir -p "$1"/{bin,dev,etc,home/sandbox,proc,root,run,sys,tmp,usr/bin,var/tmp}
    chmod 1777 "$1"/tmp "$1"/var/tmp
    cp /bin/busybox "$1/bin/busybox"
    for applet in $(/bin/busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
    done
    ln -s ../../bin/env "$1/usr/bin/env"
    cat >"$1/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/sh
PASSWD
    cat >"$1/etc/group" <<'GROUP'
root:x:0:
nogroup:x:65534:
sandbox:x:1000:
GROUP
    chown 1000:1000 "$1/home/sandbox"
}

busybox_image() { # SOCKET
    local tree
    image_exists "$1" localhost/busybox:latest && return
    tree=$(mktemp -d)
    busybox_tree "$tree"
    tar -C "$tree" -c . | import_image "$1" localhost/busybox latest
    rm -rf "$tree"
}

# What the official slim image leaves out: manuals, translations, package lists.
slim_archive() { # TREE
    as_root tar -C "$1" -c --exclude='./dev/*' --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/info/*' --exclude='./usr/share/locale/*' \
        --exclude='./usr/share/man/*' --exclude='./var/cache/apt/*' \
        --exclude='./var/lib/apt/lists/*' .
}

# As the official slim image is set up: no manuals, and no waiting for the disk.
configure_dpkg() { # TREE
    as_root tee "$1/etc/dpkg/dpkg.cfg.d/slim" >/dev/null <<'SETTINGS'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
SETTINGS
}

trust_own_certificates() { # TREE
    [ -d "$OWN_CERTIFICATES" ] || return 0
    as_root find "$OWN_CERTIFICATES" -name '*.crt' -exec cp -L -t "$1$OWN_CERTIFICATES" {} +
    as_root chroot "$1" update-ca-certificates >&2
}

debian_archive() {
    local tree
    [ -e "$DEBIAN_CACHE" ] && return
    mkdir -p "$(dirname "$DEBIAN_CACHE")"
    tree=$(mktemp -d)
    echo "base-images: debootstrap $DEBIAN_SUITE (a minute, once)" >&2
    as_root debootstrap --variant=minbase --include=ca-certificates "$DEBIAN_SUITE" "$tree" \
        >"$DEBIAN_CACHE.log" 2>&1 || {
        tail -n 20 "$DEBIAN_CACHE.log" >&2
        as_root rm -rf "$tree"
        return 1
    }
    configure_dpkg "$tree"
    trust_own_certificates "$tree" 2>>"$DEBIAN_CACHE.log"
    slim_archive "$tree" >"$DEBIAN_CACHE.partial"
    mv "$DEBIAN_CACHE.partial" "$DEBIAN_CACHE"
    as_root rm -rf "$tree"
}

debian_image() { # SOCKET
    image_exists "$1" "debian:$DEBIAN_SUITE-slim" && return
    debian_archive
    import_image "$1" debian "$DEBIAN_SUITE-slim" <"$DEBIAN_CACHE"
}

# Run, not sourced.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1-}:${2-} in
        busybox:?*) busybox_image "$2" ;;
        debian:?*) debian_image "$2" ;;
        *)
            echo "usage: tests/base-images.sh busybox|debian SOCKET" >&2
            exit 2
            ;;
    esac
fi
