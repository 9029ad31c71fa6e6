#!/usr/bin/env bash
# Runs every test of this repository, on a machine that may have nothing but Debian and Rust.
#
#   bash tests/run.sh            every suite
#   bash tests/run.sh --quick    without engines: unit tests, doc tests, `core`, `cli`, `tidy`, and
#                                whether the source builds alone
#   bash tests/run.sh --long     and what takes long: hostile sandboxes, answers that go wrong, a load,
#                                engines in trouble, and the guides on the second engine, too
#
# Installs what is missing, starts a Docker and a Podman of its own (tests/engines.sh: a running
# engine is never touched), makes the images with no registry (tests/base-images.sh), builds the
# minimal-python image on both engines and runs code in it, runs the same `live` suites on both, the
# guides included, and stops what it started, whatever happens. The last line is the sum:
# `N passed, N failed`, with `, N skipped` when tests were; the exit code is 0 only when nothing
# failed. Needs root for the engines.
# Keeps nothing but the target directory and the Debian tree in
# ${XDG_CACHE_HOME:-$HOME/.cache}/pocketdock-tests.
#
# The live suites read: POCKETDOCK_TEST_ENGINE (docker or podman), POCKETDOCK_TEST_SOCKET, and the
# images POCKETDOCK_TEST_IMAGE (busybox), POCKETDOCK_TEST_DEBIAN_IMAGE (bash and dash) and
# POCKETDOCK_TEST_PYTHON_IMAGE.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# shellcheck source=tests/engines.sh
. tests/engines.sh
# shellcheck source=tests/base-images.sh
. tests/base-images.sh
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/results.sh
. tests/results.sh

ENGINES=(docker podman)

passed=0
failed=0
skipped=0
scratch=
preparing_pid=

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

clean_up() {
    [ -n "$scratch" ] || return 0
    # Interrupted while the engines start: nothing more may start behind our back.
    if [ -n "$preparing_pid" ]; then
        kill "$preparing_pid" 2>/dev/null || true
        wait "$preparing_pid" 2>/dev/null || true
    fi
    stop_engines "$scratch/engines"
    stop_engines "$scratch/small"
    rm -rf "$scratch"
    scratch=
}

# Runs cargo and adds its result lines to the sum. A run that fails with no failed test did not even
# compile, or died: it counts as one failure.
cargo_test() { # ARGUMENT...
    local log=$scratch/cargo.log status=0 run_passed run_failed run_skipped some=0
    # What is left out by --skip, or by a name, is our own doing.
    case " $* " in *" -- "*) some=1 ;; esac
    cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
    read -r run_passed run_failed run_skipped < <(count_results "$log" "$some")
    if [ "$status" -ne 0 ] && [ "$run_failed" -eq 0 ]; then run_failed=1; fi
    passed=$((passed + run_passed))
    failed=$((failed + run_failed))
    skipped=$((skipped + run_skipped))
}

# One test that is a command.
check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$scratch/check.log" 2>&1; then
        if grep -m 1 '^SKIPPED: ' "$scratch/check.log"; then
            skipped=$((skipped + 1))
            return 0
        fi
        passed=$((passed + 1))
        echo "test $name ... ok"
    else
        failed=$((failed + 1))
        echo "test $name ... FAILED"
        tail -n 30 "$scratch/check.log"
    fi
}

# Engines and images get ready while cargo compiles.
prepare_engines() {
    local engine
    start_engines "$scratch/engines"
    for engine in "${ENGINES[@]}"; do
        busybox_image "$scratch/engines/$engine.sock"
        debian_image "$scratch/engines/$engine.sock"
    done
}

pocketdock() { # SOCKET ARGUMENT...
    local socket=$1
    shift
    "${CARGO_TARGET_DIR:-target}/debug/pocketdock" --socket "$socket" "$@"
}

python_builds() { # SOCKET
    pocketdock "$1" build minimal-python && image_exists "$1" pocketdock/minimal-python:latest
}

# The main job: exact output and the exit code of real code, and nothing left.
python_runs() { # SOCKET
    local output status=0
    output=$(pocketdock "$1" run --profile minimal-python -- \
        python3 -c 'import sys, ssl, sqlite3, ctypes; print(6 * 7); sys.exit(3)') || status=$?
    echo "$output"
    [ "$output" = 42 ] && [ "$status" -eq 3 ] && [ "$(pocketdock "$1" list --json)" = '[]' ]
}

# Every suite but the live ones, which would only say that they have no engine.
suites_without_engine() {
    awk '/^\[\[test\]\]/ { test = 1 }
        test && $1 == "name" { gsub(/"/, "", $3); print "--test=" $3; test = 0 }' \
        pocketdock-core/Cargo.toml pocketdock-cli/Cargo.toml | grep -v -e live -e load
}

# Which engine the suites are for.
point_at() { # ENGINE OTHER
    export POCKETDOCK_TEST_ENGINE=$1 POCKETDOCK_TEST_SOCKET=$scratch/engines/$1.sock
    # To carry images to and from.
    export POCKETDOCK_TEST_OTHER_SOCKET=$scratch/engines/$2.sock
    export POCKETDOCK_TEST_IMAGE=localhost/busybox:latest
    export POCKETDOCK_TEST_DEBIAN_IMAGE=debian:trixie-slim
    export POCKETDOCK_TEST_PYTHON_IMAGE=pocketdock/minimal-python:latest
}

run_live() { # ENGINE OTHER, --long or something else
    step "$1: minimal-python"
    check "$1::python_builds" python_builds "$scratch/engines/$1.sock"
    check "$1::python_runs" python_runs "$scratch/engines/$1.sock"
    point_at "$1" "$2"
    step "$1: live suites"
    local skipped_tests=(--skip engine_loss --skip engine_trouble --skip faults::)
    [ "$3" = --long ] || skipped_tests+=(--skip hostile)
    cargo_test -p pocketdock-core --test live -- "${skipped_tests[@]}"
    cargo_test -p pocketdock-cli --test cli_live
    # What guides show is the same on both, and takes two minutes.
    if [ "$1" = "${ENGINES[0]}" ] || [ "$3" = --long ]; then
        cargo_test -p pocketdock-cli --test documents_live
    fi
    [ "$3" = --long ] || return 0
    # In the end they remove whatever sandbox of the suite is left, so no other test may run.
    step "$1: answers that go wrong"
    cargo_test -p pocketdock-core --test live -- faults::
    step "$1: a small load"
    cargo_test -p pocketdock-core --test load -- --test-threads=1
}

# A pair on a small disk, for those tests alone that freeze, kill and fill up an engine.
trouble() {
    local engine
    step "engines in trouble"
    if ! ENGINES_DATA_SIZE=300m start_engines "$scratch/small"; then
        failed=$((failed + 1))
        return
    fi
    for engine in "${ENGINES[@]}"; do
        point_at "$engine" "$engine"
        export POCKETDOCK_TEST_SOCKET=$scratch/small/$engine.sock
        busybox_image "$POCKETDOCK_TEST_SOCKET"
        POCKETDOCK_TEST_ENGINE_DIR=$scratch/small \
            cargo_test -p pocketdock-core --test live -- --test-threads=1 engine_trouble
    done
    stop_engines "$scratch/small"
}

# The last test on an engine ends it.
lose() { # ENGINE OTHER
    point_at "$1" "$2"
    step "$1: the engine is lost"
    POCKETDOCK_TEST_ENGINE_PID=$(cat "$scratch/engines/$1.pid") \
        cargo_test -p pocketdock-core --test live -- engine_loss
}

run_all() { # --quick, --long or nothing
    local engine suites
    if [ "${1-}" != --quick ]; then
        prepare_engines >"$scratch/prepare.log" 2>&1 &
        preparing_pid=$!
    fi
    step "unit tests, doc tests, core, cli, tidy"
    mapfile -t suites < <(suites_without_engine)
    cargo_test --workspace --lib --bins --examples "${suites[@]}"
    cargo_test --workspace --doc
    cargo build --locked --quiet -p pocketdock-core --example yaml_to_json
    check builds_with_no_network_and_no_registry bash tests/vendor.sh
    check yaml_means_the_same_to_others /usr/bin/python3 tests/yaml_differential.py \
        "${CARGO_TARGET_DIR:-target}/debug/examples/yaml_to_json"
    [ "${1-}" != --quick ] || return 0
    step "engines and images"
    if ! wait "$preparing_pid"; then
        failed=$((failed + 1))
        tail -n 40 "$scratch/prepare.log"
        return
    fi
    grep '^engines: ' "$scratch/prepare.log" || true
    # The binary and the examples, which the live suites run.
    if ! cargo build --locked --quiet --workspace --bins --examples; then
        failed=$((failed + 1))
        return
    fi
    run_live docker podman "${1-}"
    run_live podman docker "${1-}"
    if [ "${1-}" = --long ]; then trouble; fi
    lose docker podman
    lose podman docker
}

if [ "${1-}" != --quick ] && [ "$(id -u)" -ne 0 ]; then
    echo "tests: needs root to start engines; without: bash tests/run.sh --quick" >&2
    exit 2
fi
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if [ "${1-}" != --quick ]; then install_packages "${TOOLS[@]}"; fi
install_rust
scratch=$(mktemp -d /tmp/pocketdock-tests.XXXXXX)
run_all "$@"
step "stopping what was started"
clean_up

printf '\n%s passed, %s failed' "$passed" "$failed"
if [ "$skipped" -gt 0 ]; then printf ', %s skipped' "$skipped"; fi
printf '\n'
[ "$failed" -eq 0 ]
