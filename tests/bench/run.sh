#!/usr/bin/env bash
# Measures all that the budgets speak of, in one run, and prints it as one Markdown table.
#
#   bash tests/bench/run.sh                       on a Docker and a Podman of its own; needs root
#   bash tests/bench/run.sh docker=SOCKET podman=SOCKET
#                                                 on engines that run: one of them or both
#
# Only what it makes is removed again. POCKETDOCK_BENCH_SCALE=20 takes a fifth of the rounds.
# POCKETDOCK_BENCH_DOCKER and POCKETDOCK_BENCH_PODMAN name the clients to compare with, if they are
# not those on the path. What a row means: docs/performance.md. The exit code does not depend on
# whether a budget is met: on a machine with other work to do, many are not.
set -euo pipefail
export PATH=$PATH:$HOME/.cargo/bin

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/engines.sh
. tests/engines.sh
# shellcheck source=tests/base-images.sh
. tests/base-images.sh

BINARY_BYTES_MAX=$((3 * 512 * 1024))
BUILD_SECONDS_MAX=30

scratch=$(mktemp -d /tmp/pocketdock-bench.XXXXXX)

clean_up() {
    if [ -d "$scratch/engines" ]; then stop_engines "$scratch/engines"; fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

row() { # WORK VALUE UNIT BOUND
    awk -v value="$2" -v bound="$4" -v work="$1" -v unit="$3" 'BEGIN {
        verdict = value + 0 <= bound + 0 ? "met" : "missed"
        printf "| %s | | %s %s | | | <= %s %s | %s |\n", work, value, unit, bound, unit, verdict }'
}

# With an empty target directory. Where others use the processors, too, the elapsed time says less
# than the processor time, which is what an idle machine with one core would take.
build() {
    local elapsed processor
    TIMEFORMAT='%R %U'
    read -r elapsed processor < <({ time cargo build --release --locked --quiet \
        --target-dir "$scratch/target" 2>"$scratch/build.log"; } 2>&1)
    row "clean release build, elapsed" "$elapsed" s "$BUILD_SECONDS_MAX"
    row "clean release build, processor time" "$processor" s "$BUILD_SECONDS_MAX"
    row "stripped binary" "$(stat -c %s "$scratch/target/release/pocketdock")" bytes \
        "$BINARY_BYTES_MAX"
}

bench() { # PACKAGE BENCH
    cargo bench --quiet --locked -p "$1" --bench "$2"
}

measure_on() { # ENGINE SOCKET
    local client=POCKETDOCK_BENCH_${1^^}
    busybox_image "$2" >&2
    export POCKETDOCK_TEST_ENGINE=$1 POCKETDOCK_TEST_SOCKET=$2
    export POCKETDOCK_TEST_IMAGE=localhost/busybox:latest
    export POCKETDOCK_BENCH_CLI=${!client-}
    bench pocketdock-core engine
    bench pocketdock-cli program
}

for pair in "$@"; do
    case $pair in
        docker=/* | podman=/*) ;;
        *)
            echo "usage: tests/bench/run.sh [docker=SOCKET] [podman=SOCKET]" >&2
            exit 2
            ;;
    esac
done
if [ "$#" -eq 0 ]; then
    start_engines "$scratch/engines"
    set -- "docker=$scratch/engines/docker.sock" "podman=$scratch/engines/podman.sock"
fi
echo "| work | on | pocketdock | compared with | ratio | budget | |"
echo "|---|---|---|---|---|---|---|"
build
bench pocketdock-core wire
for pair in "$@"; do
    measure_on "${pair%%=*}" "${pair#*=}"
done
printf '\nmeasured with %s processors, at a load of %s\n' "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
