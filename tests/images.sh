#!/usr/bin/env bash
# Builds the images of the profiles and tries what each is for, on a Docker and a Podman of its own.
#
#   bash tests/images.sh                       all profiles on Docker, the minimal ones on Podman
#   bash tests/images.sh agent minimal-bun     these, on the same engines
#   bash tests/images.sh podman embedded       these on Podman
#   bash tests/images.sh docker podman         all profiles on both
#
# Builds by `pocketdock build` on the base that tests/base-images.sh makes and runs every check by
# `pocketdock run --profile`. Ends with a table of sizes and times and with the sum; the exit code
# is 0 only when nothing failed. Needs root, the network (Debian's packages, npm's and PyPI's) and
# the programs that tests/run.sh installs; half an hour and 8 GB for everything, which are free
# again at its end. No part of tests/run.sh.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/engines.sh
. tests/engines.sh
# shellcheck source=tests/base-images.sh
. tests/base-images.sh

PROFILES=(minimal-python minimal-node minimal-bun dev agent embedded)
MINIMAL_PROFILES=(minimal-python minimal-node minimal-bun)
# Whether a sandbox of it has a network unless told otherwise.
declare -A NETWORK=([dev]=on [embedded]=on)
# The first thing a user would type, for the time it takes to answer.
declare -A HELLO=(
    [minimal-python]='python3 -c "print(\"hello\")"'
    [minimal-node]='node -e "console.log(\"hello\")"'
    [minimal-bun]='bun -e "console.log(\"hello\")"'
    [dev]='python3 -c "print(\"hello\")"'
    [agent]='python3 -c "import pandas; print(\"hello\")"'
    [embedded]='arm-none-eabi-gcc -dumpversion >/dev/null && echo hello'
)
START_ROUNDS=5
# Installing and compiling on a busy machine.
TIMEOUT=10m
# Process 1 that ignores the signal would be waited for, for this long.
STOP_GRACE_S=20

passed=0
failed=0
scratch=
engine=
profile=
socket=
table=()
engines=()
profiles=()
create_ms=()
run_ms=()

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

clean_up() {
    [ -n "$scratch" ] || return 0
    stop_engines "$scratch/engines"
    rm -rf "$scratch"
    scratch=
}

pocketdock() { # ARGUMENT...
    "${CARGO_TARGET_DIR:-target}/debug/pocketdock" --socket "$socket" "$@"
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

check() { # NAME COMMAND...
    local name=$engine::$profile::$1
    shift
    if "$@" >"$scratch/check.log" 2>&1; then
        passed=$((passed + 1))
        echo "test $name ... ok"
    else
        failed=$((failed + 1))
        echo "test $name ... FAILED"
        tail -n 30 "$scratch/check.log"
    fi
}

says() { # WANTED RUN_ARGUMENT...
    local wanted=$1 output
    shift
    output=$(pocketdock run --profile "$profile" --timeout "$TIMEOUT" "$@") || return 1
    printf 'wanted: %s\nprinted: %s\n' "$wanted" "$output"
    [ "$output" = "$wanted" ]
}

# One test: what a command in a new sandbox prints.
prints() { # NAME WANTED RUN_ARGUMENT...
    local name=$1
    shift
    check "$name" says "$@"
}

has() { # PROGRAM...
    prints "has $*" '' "for program in $*; do command -v \$program >/dev/null || echo \$program; done"
}

api() { # METHOD PATH [CURL_ARGUMENT...]
    local method=$1 path=$2
    shift 2
    curl -sf -X "$method" --unix-socket "$socket" "http://localhost/v1.40/$path" "$@"
}

# A field of the JSON on stdin, as `["State"]["ExitCode"]`.
field() { # PYTHON_INDEX
    python3 -c "import json, sys; print(json.load(sys.stdin)$1)"
}

# The image's own command, as `docker run` would start it, with no init.
stops_at_once() {
    local id began took_ms code
    id=$(api POST containers/create -H 'Content-Type: application/json' \
        -d "{\"Image\": \"pocketdock/$profile:latest\"}" | field '["Id"]')
    api POST "containers/$id/start"
    began=$(now_ms)
    api POST "containers/$id/stop?t=$STOP_GRACE_S"
    took_ms=$(($(now_ms) - began))
    code=$(api GET "containers/$id/json" | field '["State"]["ExitCode"]')
    api DELETE "containers/$id?force=true" >/dev/null
    echo "stopped after $took_ms ms with code $code"
    [ "$code" -eq 0 ] && [ "$took_ms" -lt $((STOP_GRACE_S * 500)) ]
}

listed_as_built() {
    pocketdock profiles --json | python3 -c '
import json, sys
[found] = [one for one in json.load(sys.stdin) if one["name"] == sys.argv[1]]
print(found)
assert found["built"] is True
assert found["network_default"] is (sys.argv[2] == "on")
assert abs(found["size_estimate"] / int(sys.argv[3]) - 1) < 0.15, sys.argv[3]
' "$profile" "${NETWORK[$profile]-off}" "$(image_size)"
}

image_size() { api GET "images/pocketdock/$profile:latest/json" | field '["Size"]'; }

checks_of_all() {
    local routes=0
    [ "${NETWORK[$profile]-off}" = off ] || routes=1
    check 'profiles says so' listed_as_built
    prints 'user and home' '1000 1000 /home/sandbox /home/sandbox' \
        "touch \"\$HOME/file\" && echo \$(id -u) \$(id -g) \$HOME \$(pwd)"
    prints 'network as the profile says' "$routes" \
        "grep -c '^[^[:space:]]*[[:space:]]00000000' /proc/net/route || true"
    prints 'UTF-8 and UTC' 'C.UTF-8 UTC' "echo \$LANG \$(date +%Z)"
    prints 'works hardened' 'hello' --hardened "${HELLO[$profile]}"
    check 'stops at once' stops_at_once
    has awk find grep gzip head ps sed sort tar wc xargs
}

checks_of_minimal_python() {
    prints 'standard library' '42' -- python3 -c \
        'import bz2, ctypes, decimal, lzma, sqlite3, ssl, zlib; print(6 * 7)'
    prints 'a wheel with a C extension' '_speedups &lt;' --network "pip install -q markupsafe &&
        python3 -c 'import markupsafe._speedups as s; from markupsafe import escape
print(s.__name__.split(\".\")[1], escape(\"<\"))'"
    prints 'a wheel with C++' '[4.0, 6.0]' --network --mem-limit 1g "pip install -q numpy &&
        python3 -c 'import numpy; print((numpy.array([1., 2.]) + numpy.array([3., 4.])).tolist())'"
    prints 'a virtual environment' 'True' \
        "python3 -m venv v && v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'"
    has pip python
}

checks_of_minimal_node() {
    prints 'code by --lang' '42' --lang node 'console.log(6 * 7)'
    prints 'modules, crypto, Intl' '1.234,5 32 object' --lang node "
        const { createHash } = require('crypto');
        import('node:fs').then(fs => console.log(new Intl.NumberFormat('de').format(1234.5),
            createHash('sha256').update('').digest().length, typeof fs));"
    prints 'npm install' '1m' --network \
        "npm install --silent ms >/dev/null && node -p 'require(\"ms\")(60000)'"
    prints 'a package with a binary' 'let x = 1;' --network \
        "npm install --silent -g esbuild >/dev/null && echo 'let x: number = 1' | esbuild --loader=ts"
    has node npm npx
}

checks_of_minimal_bun() {
    prints 'TypeScript by --lang' '42' --lang bun 'const x: number = 6 * 7; console.log(x)'
    prints 'a TypeScript file' 'true' "echo 'enum E { A } const e: E = E.A; console.log(e === 0)' \
        > a.ts && bun a.ts"
    prints 'its test runner' '1 pass' "printf '%s\n' 'import { expect, test } from \"bun:test\";' \
        'test(\"a\", () => expect(6 * 7).toBe(42));' > a.test.ts && bun test 2>&1 |
        grep -o '1 pass'"
    prints 'bun add' '1m' --network \
        "bun add ms >/dev/null 2>&1 && bun -e 'console.log(require(\"ms\")(60000))'"
    prints 'fetch over TLS' 'true' --network --lang bun \
        "console.log((await fetch('https://deb.debian.org/')).status < 500)"
    has bun bunx node
}

# Root needs a sandbox of its own: in one of another user Docker gives it no capabilities.
apt_works() {
    pocketdock create --quiet --profile "$profile" --user root --name of-root || return 1
    pocketdock run of-root --timeout "$TIMEOUT" 'apt-get update && apt-get install -y bc'
    [ "$(pocketdock run of-root --user sandbox 'echo "6 * 7" | bc; id -un' | xargs)" = '42 sandbox' ]
    local status=$?
    pocketdock shutdown --quiet --yes of-root
    return "$status"
}

checks_of_dev() {
    prints 'C by make' '42' "printf '%s\n' '#include <stdio.h>' \
        'int main(void) { printf(\"%d\\n\", 6 * 7); }' > a.c && make -s a && ./a"
    prints 'C++' 'abc' "printf '%s\n' '#include <iostream>' '#include <set>' \
        'int main() { for (char c : std::set<char>{99, 97, 98}) std::cout << c; }' > a.cpp &&
        g++ -std=c++20 -o a a.cpp && ./a"
    prints 'a CMake build' '42' "printf '%s\n' 'int main() { return 42; }' > a.c &&
        printf '%s\n' 'cmake_minimum_required(VERSION 3.20)' 'project(a C)' \
            'add_executable(a a.c)' > CMakeLists.txt &&
        cmake -G Ninja -B b >/dev/null && cmake --build b >/dev/null; b/a; echo \$?"
    prints 'a debugger' '= 42' "echo 'int answer = 42; int main(void) { return 0; }' > a.c &&
        gcc -g -o a a.c && gdb -q -batch -ex 'break main' -ex run -ex 'print answer' a 2>/dev/null |
        grep -o -m 1 '= 42'"
    prints 'git' 'first' "git init -q . && git config user.email a@b && git config user.name a &&
        touch a && git add a && git commit -qm first && git log --format=%s"
    prints 'IPython' '42' "ipython3 --no-banner --colors NoColor -c 'print(6 * 7)'"
    prints 'a wheel built here' '&lt;' "pip install -q --no-binary :all: markupsafe 2>/dev/null &&
        python3 -c 'from markupsafe import escape; print(escape(\"<\"))'"
    prints 'curl over TLS' 'https' "curl -sSL -o /dev/null -w '%{scheme}' https://deb.debian.org/ |
        tr A-Z a-z"
    check 'apt in a sandbox of root' apt_works
    has bash cmake gdb git ipython3 jq less make ninja python rg ssh strace vi vim zstd
}

checks_of_agent() {
    prints 'pandas and NumPy' '6.0' -- python3 -c \
        'import numpy, pandas; print(pandas.DataFrame({"a": numpy.ones(6)})["a"].sum())'
    prints 'spreadsheets' '[1, 2]' -- python3 -c 'import pandas
pandas.DataFrame({"a": [1, 2]}).to_excel("a.xlsx")
print(pandas.read_excel("a.xlsx")["a"].tolist())'
    prints 'Beautiful Soup' 'b' -- python3 -c \
        'import bs4; print(bs4.BeautifulSoup("<a><b>b</b></a>", "lxml").b.text)'
    prints 'Requests, over TLS' 'True' --network -- python3 -c \
        'import requests; print(requests.get("https://deb.debian.org/").status_code < 500)'
    prints 'pip' '&lt;' --network "pip install -q markupsafe 2>/dev/null &&
        python3 -c 'from markupsafe import escape; print(escape(\"<\"))'"
    prints 'git' 'first' "git init -q . && git config user.email a@b && git config user.name a &&
        touch a && git add a && git commit -qm first && git log --format=%s"
    has bash curl file git jq less python rg sqlite3 unzip zip
}

checks_of_embedded() {
    prints 'ARM: an object, a program with newlib, its kind' 'ARM 42' "echo '
        #include <stdio.h>
        int main(void) { char text[9]; sprintf(text, \"%d\", 42); return text[0]; }' > a.c &&
        arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -Os -c a.c &&
        arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb --specs=nano.specs --specs=nosys.specs a.o -o a \
            2>/dev/null && arm-none-eabi-objcopy -O binary a a.bin && test -s a.bin &&
        echo \$(arm-none-eabi-readelf -h a | grep -o 'ARM\$') 42"
    prints 'ARM: the whole newlib, floating point' 'VFP registers' "echo '
        #include <math.h>
        #include <stdio.h>
        int main(int n, char **v) { printf(\"%f\", sin(n)); }' > a.c &&
        arm-none-eabi-gcc -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16 -mthumb a.c \
            --specs=rdimon.specs -lm -o a && arm-none-eabi-readelf -A a | grep -o 'VFP registers'"
    prints 'ARM: C++ without its standard library' 'ARM' "echo '
        template <class T> struct Twice { T of(T x) { return x + x; } };
        int main() { return Twice<int>().of(21); }' > a.cpp &&
        arm-none-eabi-g++ -mcpu=cortex-m0 -mthumb -fno-exceptions -fno-rtti -nostdlib++ \
            --specs=nosys.specs a.cpp -o a 2>/dev/null && arm-none-eabi-readelf -h a |
        grep -o 'ARM\$'"
    prints 'AVR: an object, a program, its hex file' 'AVR :00000001FF' "echo '
        #define F_CPU 16000000UL
        #include <avr/io.h>
        #include <util/delay.h>
        int main(void) { DDRB = 32; for (;;) { PORTB ^= 32; _delay_ms(500); } }' > a.c &&
        avr-gcc -mmcu=atmega328p -Os -c a.c && avr-gcc -mmcu=atmega328p a.o -o a &&
        avr-objcopy -O ihex a a.hex &&
        echo \$(avr-readelf -h a | grep -o AVR | head -n 1) \$(tail -n 1 a.hex | tr -d '\r')"
    prints 'a CMake build for ARM' 'ARM' "echo 'int main(void) { return 0; }' > a.c &&
        printf '%s\n' 'cmake_minimum_required(VERSION 3.20)' 'set(CMAKE_SYSTEM_NAME Generic)' \
            'set(CMAKE_C_COMPILER arm-none-eabi-gcc)' \
            'set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)' 'project(a C)' \
            'add_compile_options(-mcpu=cortex-m3 -mthumb)' 'add_executable(a.elf a.c)' \
            'target_link_options(a.elf PRIVATE -mcpu=cortex-m3 -mthumb --specs=nosys.specs)' \
            > CMakeLists.txt && cmake -G Ninja -B b >/dev/null &&
        cmake --build b >/dev/null 2>&1 && arm-none-eabi-readelf -h b/a.elf | grep -o 'ARM\$'"
    prints 'groups of serial ports and programmers' 'dialout plugdev' \
        "id -Gn | tr ' ' '\n' | grep -x -e dialout -e plugdev | sort | xargs"
    prints 'pyserial' 'loop' -- python3 -c \
        'import serial; s = serial.serial_for_url("loop://"); s.write(b"loop"); print(s.read(4).decode())'
    has avrdude bash cmake gdb-multiarch git make ninja openocd picocom python srec_cat vim
}

median() { # NUMBER...
    printf '%s\n' "$@" | sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

# A sandbox from nothing to `hello`: how long `create` takes, and the first `run` after it.
start_rounds() {
    local round began created
    create_ms=()
    run_ms=()
    for round in $(seq "$START_ROUNDS"); do
        began=$(now_ms)
        pocketdock create --quiet --profile "$profile" --name "round-$round" || return 1
        created=$(now_ms)
        [ "$(pocketdock run "round-$round" "${HELLO[$profile]}")" = hello ] || return 1
        run_ms+=($(($(now_ms) - created)))
        create_ms+=($((created - began)))
        pocketdock shutdown --quiet --yes "round-$round" || return 1
    done
}

add_to_table() { # BUILD_SECONDS
    local size
    size=$(awk -v bytes="$(image_size)" 'BEGIN { printf "%.1f", bytes / 1e6 }')
    table+=("| $profile | $engine | $size | $1 | $(median "${create_ms[@]}") |\
 $(median "${run_ms[@]}") |")
}

try() {
    local began=$SECONDS build_s
    step "$engine: $profile"
    check builds pocketdock build --quiet "$profile"
    build_s=$((SECONDS - began))
    image_exists "$socket" "pocketdock/$profile:latest" || return 0
    checks_of_all
    "checks_of_${profile//-/_}"
    check 'starts and says hello' start_rounds
    add_to_table "$build_s"
    check 'nothing is left' nothing_is_left
}

nothing_is_left() { [ "$(pocketdock list --json)" = '[]' ]; }

# Unless it says so itself, Podman is for the minimal ones.
try_chosen() {
    for engine in docker podman; do
        contains "$engine" "${engines[@]:-docker}" "${engines[@]:-podman}" || continue
        socket=$scratch/engines/$engine.sock
        debian_image "$socket"
        for profile in "${profiles[@]:-${PROFILES[@]}}"; do
            if [ "${#engines[@]}" -gt 0 ] || [ "$engine" = docker ] ||
                contains "$profile" "${MINIMAL_PROFILES[@]}"; then
                try
            fi
        done
    done
}

contains() { # WORD WORD...
    local word
    for word in "${@:2}"; do [ "$word" != "$1" ] || return 0; done
    return 1
}

for word in "$@"; do
    if contains "$word" docker podman; then
        engines+=("$word")
    elif contains "$word" "${PROFILES[@]}"; then
        profiles+=("$word")
    else
        echo "images: '$word' is neither docker nor podman nor one of ${PROFILES[*]}" >&2
        exit 2
    fi
done
if [ "$(id -u)" -ne 0 ]; then
    echo "images: needs root to start engines" >&2
    exit 2
fi
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
scratch=$(mktemp -d /tmp/pocketdock-images.XXXXXX)

step "the program, the engines and their base"
cargo build --locked --quiet -p pocketdock-cli
start_engines "$scratch/engines"
try_chosen
step "stopping what was started"
clean_up

printf '\n| profile | engine | size, MB | build, s | create, ms | first run, ms |\n'
printf '|---|---|---|---|---|---|\n'
if [ "${#table[@]}" -gt 0 ]; then printf '%s\n' "${table[@]}"; fi
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
