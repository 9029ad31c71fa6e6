#!/usr/bin/env bash
# Counts the instructions of what the program does, and compares them with those on record.
#
#   bash tests/bench/instructions.sh SOCKET IMAGE            a table; fails if one count has grown by
#                                                            more than a tenth
#   bash tests/bench/instructions.sh SOCKET IMAGE --record   writes the record anew
#
# Unlike seconds, instructions are the same on a busy machine: what grows here has become slower.
# They do depend on the compiler, the C library and the processor, so a new toolchain wants a new
# record. IMAGE has a shell and tar (busybox will do). An engine's answers differ a little from run
# to run; of five runs the smallest counts. The engine's own work is not counted.
#
# The record, tests/bench/instructions.tsv: the kind of engine, the operation, thousands of
# instructions. Needs valgrind, and builds the release binary. No part of tests/run.sh.
set -euo pipefail
export PATH=$PATH:$HOME/.cargo/bin

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
RECORD=tests/bench/instructions.tsv
ROUNDS=5
GROWN_PERCENT=110

socket=${1:?usage: tests/bench/instructions.sh SOCKET IMAGE [--record]}
image=${2:?an image with a shell and tar}
mode=${3-}
command -v valgrind >/dev/null || { echo "instructions: needs valgrind" >&2; exit 2; }

cargo build --locked --quiet --release -p pocketdock-cli
program=${CARGO_TARGET_DIR:-target}/release/pocketdock
scratch=$(mktemp -d /tmp/pocketdock-instructions.XXXXXX)
box=pd-instructions-$$

pocketdock() { "$program" --socket "$socket" "$@"; }

clean_up() {
    pocketdock shutdown "$box" --yes >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap clean_up EXIT

pocketdock --quiet create --image "$image" --name "$box" >/dev/null
head -c 1048576 /dev/zero >"$scratch/file"
pocketdock --quiet push "$box" "$scratch/file" /tmp/file
# Which fails where anything is wrong, as with what others do on this engine.
kind=$({ pocketdock doctor --json || true; } | sed -n 's/.*"kind":"\([a-z]*\)".*/\1/p')

# Thousands of instructions of one command, with all its threads.
count() { # ARGUMENT...
    local least= n log=$scratch/valgrind.log
    for ((n = 0; n < ROUNDS; n++)); do
        valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$log" \
            "$program" --socket "$socket" "$@" >/dev/null 2>"$scratch/stderr" ||
            { cat "$scratch/stderr" >&2; return 1; }
        n_now=$(awk '/Collected/ { print int($NF / 1000) }' "$log")
        if [ -z "$least" ] || [ "$n_now" -lt "$least" ]; then least=$n_now; fi
    done
    echo "$least"
}

# The operation's name and the command; what it leaves is removed at the end.
operations() {
    cat <<END
version	--version
list	list
info	info $box
run true	run $box true
run with 1 MiB of output	run $box head -c 1048576 /dev/zero
run with JSON	run $box --json true
push of 1 MiB	push $box $scratch/file /tmp/file
pull of 1 MiB	pull $box /tmp/file $scratch/back
END
}

recorded() { # OPERATION
    [ ! -e "$RECORD" ] ||
        awk -F '\t' -v kind="$kind" -v name="$1" '$1 == kind && $2 == name { print $3 }' "$RECORD"
}

failed=0
rows=()
echo "| $kind: operation | instructions, thousands | on record | % |"
echo "|---|---|---|---|"
while IFS=$'\t' read -r name words; do
    # shellcheck disable=SC2086 # words of our own
    now=$(count $words)
    rows+=("$kind"$'\t'"$name"$'\t'"$now")
    before=$(recorded "$name")
    if [ -z "$before" ] || [ "$mode" = --record ]; then
        echo "| $name | $now | | |"
        continue
    fi
    percent=$((100 * now / before))
    echo "| $name | $now | $before | $percent |"
    if [ "$percent" -gt "$GROWN_PERCENT" ]; then failed=1; fi
done < <(operations)

if [ "$mode" = --record ]; then
    { awk -F '\t' -v kind="$kind" '$1 != kind' "$RECORD" 2>/dev/null || true; printf '%s\n' "${rows[@]}"; } \
        >"$scratch/record"
    sort "$scratch/record" >"$RECORD"
fi
exit "$failed"
