#!/bin/sh
# The Makefile's targets, one function each: tools/ci.sh check | test [ARGS] | demo [ARGS] | ...
set -eu
cd "$(dirname "$0")/.."

venv=.venv
python=$venv/bin/python
missing_list=$venv/missing-packages

say() { printf '\n== %s\n' "$*"; }

setup() { sh tools/setup.sh "$1"; }

has_all_tools() { [ ! -s "$missing_list" ]; }

# The emulated board runs without these: amqtt replaces the broker, and only tests use the others.
has_board_tools() { [ -z "$(tr ' ' '\n' <"$missing_list" | grep -v -e '^$' -e '^mosquitto$' -e '^libcoap3-bin$' -e '^postgresql$' -e '^softhsm2$' -e '^chromium$' -e '^pysequoia$' -e '^gpgv$' -e '^gpg$' -e '^gpg-agent$' -e '^python3-dev$' -e '^detools$' -e '^qemu-system-misc$' -e 'riscv64-unknown-elf$')" ]; }

# --- check ------------------------------------------------------------------------------------------------
# Stubs of one chip's MicroPython (requirements/stubs-CHIP.txt), kept out of the environment's own packages:
# their `time`, `socket` and `machine` are for that chip only.
install_stubs() {  # chip
    pins=requirements/stubs-$1.txt
    target=$venv/typings/$1
    stamp=$(sha256sum <"$pins")
    if [ "$(cat "$target/stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "$target"
        PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$python" -m pip install -qq --no-input \
            --no-deps --require-hashes --target "$target" -r "$pins" || return 1
        printf '%s\n' "$stamp" >"$target/stamp"
    fi
}

check_chip() {  # chip, files: against the stubs of that chip's MicroPython
    chip=$1
    shift
    install_stubs "$chip" || return 1
    MYPYPATH=$venv/typings/$chip "$python" -m mypy --strict --config-file tools/mypy-chip.ini \
        --custom-typeshed-dir "$venv/typings/$chip" --cache-dir ".mypy_cache/$chip" "$@"
}

check() {
    setup dev
    failed=
    run() {  # title, command: all checks run, and the failed ones are listed at the end
        say "$1"
        title=$1
        shift
        "$@" || failed="$failed  $title
"
    }
    run "ruff format --check" "$python" -m ruff format --check .
    run "ruff check" "$python" -m ruff check .
    run "mypy --strict: device" "$python" -m mypy --strict device
    run "mypy --strict: provisioning, simulator, renode" "$python" -m mypy --strict provisioning simulator renode firstboot
    run "mypy --strict: esp32 port, against its stubs" check_chip esp32 device/ports/esp32.py device/ports/esp32_wifi.py device/ports/wlan.py device/ports/access_point.py device/ports/ble.py device/ports/rtc.py device/ports/sockets.py device/ports/socket_group.py
    run "mypy --strict: rp2 port, against its stubs" check_chip rp2 device/ports/rp2.py device/ports/rp2_otp.py device/ports/rp2_wifi.py device/ports/wlan.py device/ports/access_point.py device/ports/ble.py device/ports/rtc.py
    run "import-linter: who may import whom" "$venv/bin/lint-imports" --no-logo --no-cache
    run "zizmor: workflows and actions" "$venv/bin/zizmor" --offline --quiet .github examples/product
    run "hadolint: container recipes" "$venv/bin/hadolint" Containerfile provisioning/servers/deploy/Containerfile
    run "architecture: import rules, dialect, mpy-cross, limits, documents, prose, vocabulary" "$python" -m pytest -q -p no:cacheprovider tests/architecture
    if [ -n "$failed" ]; then
        say "FAILED"
        printf '%s' "$failed"
        return 1
    fi
    say "all checks passed"
}

quick() {  # the checks and tests that a change is most likely to break, in under a minute
    setup dev
    "$python" -m ruff format --check -q .
    "$python" -m ruff check -q .
    "$python" -m pytest -q -n 2 -p no:cacheprovider tests/architecture tests/dual "$@"
}

docs() {  # the documentation site; strict: a broken link fails
    setup docs
    NO_MKDOCS_2_WARNING=1 "$python" -m mkdocs build --quiet "$@"
    echo "build/site/index.html"
}

picture() {
    setup run
    "$python" tools/demo_picture.py "$@"
}

# --- test -------------------------------------------------------------------------------------------------
# The firmware is built before the tests start, so that no two of them build it at the same time.
firmware() {
    setup run
    "$venv/bin/firstboot" firmware build "$@"
}

run_tests() {
    built=yes
    if has_all_tools; then
        # A test that skips because a tool is missing is then a failure.
        set -- --tools-present "$@"
    else
        say "not installed: $(cat "$missing_list")- tests that need them skip"
    fi
    if has_board_tools; then
        say "building the firmware"
        firmware || built=no
    fi
    say "pytest"
    status=0
    failed_list=build/failed-tests.txt
    rm -f "$failed_list"
    "$python" -m pytest -n 3 --dist loadfile --no-loadscope-reorder --failed-to "$failed_list" "$@" || status=$?
    if [ "$built" = no ]; then
        echo "the firmware was NOT built (see above): tests of the board cannot pass" >&2
        status=1
    fi
    return "$status"
}

# A test that fails beside others and passes alone is printed as UNSTABLE, and is not a verdict on the change; a nightly
# run fails for it.
test_() {
    setup dev
    status=0
    run_tests "$@" || status=$?
    if [ "$status" = 1 ] && [ "$built" = yes ]; then
        status=0
        if has_all_tools; then set -- --tools-present; else set --; fi
        "$python" tools/second_run.py "$failed_list" "$@" || status=1
    fi
    return "$status"
}

fuzz() {  # [seconds for each parser]
    setup dev
    found=0
    for target in cbor cose suit coap mqtt delta; do
        say "fuzzing $target"
        "$python" tests/fuzz/fuzz.py "$target" "${1:-20}" || found=1
    done
    return "$found"
}

# Tests of the firmware that do not name the AN385's addresses or figures.
an505_tests="tests/emulated/test_firmware_import.py tests/emulated/test_firmware_start.py
    tests/emulated/test_firmware_nvm.py tests/emulated/test_firmware_entropy.py tests/emulated/test_firmware_network.py
    tests/emulated/test_dual_on_board.py"

nightly() {  # the long runs one after the other; all run, so that one failure does not hide another
    setup dev
    failed=0
    run_tests --nightly "$@" || failed=1
    say "the second emulated board: the tests of the firmware"
    FIRSTBOOT_TEST_BOARD=mps2_an505 "$python" -m pytest -q $an505_tests || failed=1
    say "power cuts: each planted bug must be found"
    "$venv/bin/firstboot" powercut bugs || failed=1
    say "power cuts: depth two of every flow"
    "$venv/bin/firstboot" powercut run --depth 2 || failed=1
    return "$failed"
}

mutation() {  # [module ...]; tools/mutation.py says how to read the report
    setup dev
    nice "$python" tools/mutation.py "$@"
}

powercut() {
    setup run
    "$venv/bin/firstboot" powercut run "$@"
}

renode() {
    setup dev
    "$python" -m renode.run "$@"
}

coverage() {  # which lines of device/ run on CPython, and which on the emulated board
    setup dev
    mkdir -p build/coverage
    say "CPython: the dual, property and device tests"
    COVERAGE_FILE=build/coverage/.coverage.host "$venv/bin/coverage" run --context=cpython --source=device \
        -m pytest -q tests/dual tests/property tests/unit/device
    say "the emulated board: the dual tests, traced"
    "$python" -m pytest -q --nightly tests/emulated/test_lines_on_board.py
    say "lines of device/ that ran"
    "$python" tools/line_coverage.py "$@"
}

killsweep() {
    setup dev
    "$python" -m tests.powercut.killsweep "$@"
}

# --- demo, size, clean ------------------------------------------------------------------------------------
demo() {
    setup run
    if [ $# -gt 0 ]; then
        exec "$venv/bin/firstboot" demo "$@"
    fi
    if has_board_tools; then
        exec "$venv/bin/firstboot" demo --on qemu --transport both
    fi
    echo "demo: not installed: $(cat "$missing_list")- running on the simulator, not on the emulated board" >&2
    exec "$venv/bin/firstboot" demo --on sim --transport both
}

size() {
    setup run
    "$venv/bin/firstboot" firmware size "$@"
    # The heap is measured, not read from the map; another output or variant was asked for if there are arguments.
    if [ $# = 0 ] && has_board_tools; then
        say "Python heap of the loaded modules, by package (measured on the emulated board)"
        "$python" -m tests.benchmarks.heap
    fi
}

dist() {  # tools/wheel_backend.py
    setup run
    rm -rf build/dist
    mkdir -p build/dist
    PYTHONPATH=tools "$python" -c 'import wheel_backend as one; one.build_sdist("build/dist"); one.build_wheel("build/dist")' >build/dist.log
    (cd build/dist && sha256sum -- *)
}

evidence() {  # arguments of `firstboot evidence run`
    setup dev
    PYTHONPATH=. "$python" tools/own_evidence.py "$@"
}

bench() {
    setup dev
    "$python" -m tests.benchmarks.run "$@"
}

clean() {
    rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
    find . -name __pycache__ -type d -not -path './.venv/*' -not -path './.cache/*' -prune -exec rm -rf {} +
    echo "removed build output; .venv and .cache stay (make distclean removes them too)"
}

distclean() {
    clean
    rm -rf .venv .cache ./*.egg-info
}

case ${1:-} in
    bench | check | dist | evidence | demo | docs | picture | quick | killsweep | coverage | firmware | fuzz | mutation | nightly | powercut | renode | size | clean | dist | distclean | setup) command=$1 ;;
    test) command=test_ ;;
    *) echo "usage: tools/ci.sh bench|check|evidence|test|demo|docs|picture|quick|firmware|nightly|renode|size|powercut|fuzz|setup|killsweep|mutation|coverage|clean|distclean [ARGS]" >&2; exit 2 ;;
esac
shift
"$command" "$@"
