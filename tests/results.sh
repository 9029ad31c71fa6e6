# shellcheck shell=bash
# Reads what a test suite has printed. A library for tests/run.sh and tests/matrix.sh.
#
# A test that cannot do its work on this machine prints SKIPPED and passes: it counts as skipped. So
# do all tests of a suite that prints SKIPPED SUITE.
set -euo pipefail

# Prints `PASSED FAILED SKIPPED`. A test that runs itself in a process of its own prints a result
# line, too, which leaves out all others and does not count, unless SOME says that the run was to
# leave out others.
count_results() { # LOG SOME(0 or 1)
    awk -v some="$2" '
        /SKIPPED: / { skipped++ }
        /SKIPPED SUITE: / { suite_skipped = 1 }
        /^test result: / && (some || / [0-9] filtered out/) {
            for (i = 2; i <= NF; i++) {
                if (suite_skipped && $i == "passed;") skipped += $(i - 1)
                if ($i == "passed;") passed += $(i - 1)
                if ($i == "failed;") failed += $(i - 1)
                if ($i == "ignored;") ignored += $(i - 1)
            }
            suite_skipped = 0
        }
        END { print passed - skipped, failed + 0, ignored + skipped }' "$1"
}
