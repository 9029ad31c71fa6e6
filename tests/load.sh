#!/usr/bin/env bash
# Runs the `load` suite in full, on a Docker and a Podman of its own.
#
#   bash tests/load.sh                    100 sandboxes, 500 commands at once, 1,000 rounds, a soak
#   bash tests/load.sh docker             on one of them
#   POCKETDOCK_LOAD_SECONDS=36000 bash tests/load.sh     a soak of ten hours
#   POCKETDOCK_TEST_FLOOD_BYTES=10737418240 bash tests/load.sh     ten gibibytes of output each way
#
# Takes about half an hour on two cores. Needs root and what tests/run.sh installs. What it prints
# are the figures, one line for each load; the exit code is 0 only when nothing failed.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# shellcheck source=tests/engines.sh
. tests/engines.sh
# shellcheck source=tests/base-images.sh
. tests/base-images.sh

ENGINES=("$@")
[ "${#ENGINES[@]}" -gt 0 ] || ENGINES=(docker podman)

scratch=$(mktemp -d /tmp/pocketdock-load.XXXXXX)
# shellcheck disable=SC2317 # Called by the trap.
clean_up() {
    stop_engines "$scratch/engines"
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_engines "$scratch/engines"
status=0
for engine in "${ENGINES[@]}"; do
    export POCKETDOCK_TEST_ENGINE=$engine
    export POCKETDOCK_TEST_SOCKET=$scratch/engines/$engine.sock
    export POCKETDOCK_TEST_IMAGE=localhost/busybox:latest POCKETDOCK_LOAD=full
    # Not used by these suites, and asked for by what they share.
    export POCKETDOCK_TEST_DEBIAN_IMAGE=none POCKETDOCK_TEST_PYTHON_IMAGE=none
    busybox_image "$POCKETDOCK_TEST_SOCKET"
    printf '\n== %s (%s s)\n' "$engine" "$SECONDS"
    cargo test --locked --quiet -p pocketdock-core --test load -- --nocapture --test-threads=1 ||
        status=1
    cargo test --locked --quiet -p pocketdock-core --test live -- --nocapture hostile::flood ||
        status=1
done
exit "$status"
