#!/usr/bin/env bash
# Fuzzes every decoder with libFuzzer, guided by coverage, under AddressSanitizer.
#
#   bash tests/fuzz.sh                 a minute for each target
#   bash tests/fuzz.sh 600 tar json    ten minutes for each of these
#
# The targets and their properties are those of tests/core/fuzz.rs, the seeds those of tests/corpus.
# `cargo fuzz` and `libfuzzer-sys` come from the registry and stay outside the workspace: the crate
# that uses them is written to a scratch directory, which is removed in the end. The last lines are a
# table; what is found is kept in the working directory as `fuzz-TARGET-*`, and the exit code is 1.
# What a find is worth keeping for belongs into tests/corpus. No part of tests/run.sh.
set -euo pipefail
export PATH=$PATH:$HOME/.cargo/bin

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SECONDS_EACH=${1:-60}
TARGETS=("${@:2}")
if [ "${#TARGETS[@]}" -eq 0 ]; then
    mapfile -t TARGETS < <(ls "$ROOT/tests/corpus")
fi
# The sanitizer's options are not for the stable compiler.
export RUSTC_BOOTSTRAP=1

scratch=$(mktemp -d /tmp/pocketdock-fuzz.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

crate() {
    local target fuzz=$scratch/fuzz
    mkdir -p "$fuzz/src"
    {
        printf '[package]\nname = "pocketdock-fuzz"\nversion = "0.0.0"\nedition = "2024"\n'
        printf 'publish = false\n[package.metadata]\ncargo-fuzz = true\n[workspace]\n'
        printf '[dependencies]\nlibfuzzer-sys = "0.4"\n'
        printf 'pocketdock-core = { path = "%s/pocketdock-core" }\n' "$ROOT"
        printf '[profile.release]\ndebug-assertions = true\noverflow-checks = true\n'
        for target in "${TARGETS[@]}"; do
            printf '[[bin]]\nname = "%s"\npath = "src/%s.rs"\ntest = false\n' "$target" "$target"
        done
    } >"$fuzz/Cargo.toml"
    for target in "${TARGETS[@]}"; do
        program "$target" >"$fuzz/src/$target.rs"
    done
}

program() { # TARGET
    cat <<RUST
#![no_main]
#![allow(dead_code)]
#[path = "$ROOT/tests/core/fuzz.rs"]
mod fuzz;
#[path = "$ROOT/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // Whatever is chosen at random is chosen by the input, so that a find can be repeated.
    let seed = input.iter().fold(0_u64, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let target = fuzz::TARGETS.iter().find(|(name, _)| *name == "$1");
    let (_, target) = target.expect("a target of tests/core/fuzz.rs");
    target(input, &mut support::rng::Rng::new(seed));
});
RUST
}

command -v cargo-fuzz >/dev/null || cargo install --quiet --locked --root "$scratch/tools" cargo-fuzz
PATH=$PATH:$scratch/tools/bin
crate
status=0
table=()
for target in "${TARGETS[@]}"; do
    printf '\n== %s (%s s)\n' "$target" "$SECONDS"
    log=$scratch/$target.log
    mkdir -p "$scratch/corpus/$target" "$scratch/artifacts"
    verdict=ok
    (
        cd "$scratch"
        cargo fuzz run --fuzz-dir fuzz --target-dir "$scratch/target" "$target" \
            "$scratch/corpus/$target" "$ROOT/tests/corpus/$target" -- \
            -max_total_time="$SECONDS_EACH" -max_len=65536 -rss_limit_mb=1024 -timeout=10 \
            -print_final_stats=1 -artifact_prefix="$scratch/artifacts/fuzz-$target-"
    ) >"$log" 2>&1 || verdict=FOUND
    if [ "$verdict" != ok ]; then
        status=1
        tail -n 40 "$log"
        # None, if it did not even compile.
        find "$scratch/artifacts" -name "fuzz-$target-*" -exec cp {} . \;
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    memory=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    table+=("| $target | ${runs:-?} | ${covered:-?} | ${memory:-?} MiB | $verdict |")
done
printf '\n| target | runs | edges covered | peak memory | result |\n|---|---|---|---|---|\n'
printf '%s\n' "${table[@]}"
exit "$status"
