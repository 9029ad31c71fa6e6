#!/usr/bin/env bash
# Builds from this source alone: an empty Cargo home, no registry, and no network where the kernel
# lets us go without (as root, unshare).
#
#   bash tests/vendor.sh
#
# Everything is done to a copy with no repository around it. A new program takes the library by path
# and runs; `cargo package` makes both packages and builds what is in them; another program takes
# the library from its package. Takes half a minute and leaves nothing. Called by tests/run.sh.
set -euo pipefail
export PATH=$PATH:$HOME/.cargo/bin

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SCRATCH=$(mktemp -d /tmp/pocketdock-vendor.XXXXXX)
trap 'rm -rf "$SCRATCH"' EXIT
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml" | head -n 1)
SAID='1267650600228229401496703205376 bytes and one Dockerfile'

fail() {
    echo "vendor: $*" >&2
    exit 1
}

# A toolchain that rustup keeps is found through its home, which has to stay.
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export CARGO_HOME=$SCRATCH/home CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=$SCRATCH/target
export CARGO_PROFILE_DEV_DEBUG=0
unset RUSTFLAGS
mkdir "$CARGO_HOME"
alone=()
if unshare --net true 2>/dev/null; then alone=(unshare --net); fi

# A program that uses what is compiled in, the wire formats, and a check that needs no engine.
new_program() { # NAME PATH_OF_THE_LIBRARY
    mkdir -p "$SCRATCH/$1/src"
    cat >"$SCRATCH/$1/Cargo.toml" <<MANIFEST
[package]
name = "$1"
version = "0.0.0"
edition = "2024"

[dependencies]
pocketdock-core = { path = "$2" }
MANIFEST
    cat >"$SCRATCH/$1/src/main.rs" <<'PROGRAM'
use pocketdock_core::{CreateOptions, Error, resolve_profile, wire::json};

fn main() -> Result<(), Error> {
    let profile = resolve_profile("minimal-python")?;
    assert!(profile.dockerfile.contains("FROM scratch"));
    assert!(CreateOptions::new().mem_limit("lots").check().is_err());
    let text = json::parse(br#"{"n": "1267650600228229401496703205376"}"#).expect("JSON");
    println!("{} bytes and one Dockerfile", text.str_at(&["n"]).unwrap_or("no"));
    Ok(())
}
PROGRAM
}

runs() { # NAME
    local said
    said=$(cd "$SCRATCH/$1" && "${alone[@]}" cargo run --quiet)
    [ "$said" = "$SAID" ] || fail "$1 said '$said'"
    [ "$(grep -c '^name = ' "$SCRATCH/$1/Cargo.lock")" -eq 2 ] || fail "$1 needs more than the library"
    echo "vendor: $1 runs"
}

# With verification: what is in the package is unpacked and built.
package() { # NAME OPTION...
    local name=$1
    shift
    (cd "$SCRATCH/source" && "${alone[@]}" cargo package --quiet -p "$name" "$@") ||
        fail "cargo package -p $name"
    tar -xzf "$CARGO_TARGET_DIR/package/$name-$VERSION.crate" -C "$SCRATCH/unpacked"
    echo "vendor: the package $name builds"
}

mkdir "$SCRATCH/source" "$SCRATCH/unpacked"
tar -c -C "$ROOT" --exclude=./.git --exclude=./target . | tar -x -C "$SCRATCH/source"
new_program by_path ../source/pocketdock-core
runs by_path

package pocketdock-core
for file in LICENSE README.md images/minimal-python/Dockerfile; do
    [ -s "$SCRATCH/unpacked/pocketdock-core-$VERSION/$file" ] || fail "the package lacks $file"
done
new_program by_package "../unpacked/pocketdock-core-$VERSION"
runs by_package

# No registry has the library; its package stands in for what one would give.
package pocketdock-cli --config \
    "patch.crates-io.pocketdock-core.path='$SCRATCH/unpacked/pocketdock-core-$VERSION'"

if find "$CARGO_HOME" -path '*registry*' -type f | grep -q .; then
    fail "something came from a registry"
fi
