#!/bin/sh
# Set the checkout up: Debian packages, a virtual environment with hash-pinned packages, and the project itself.
#
#   tools/setup.sh run     what `make demo` needs
#   tools/setup.sh dev     the same and what `make check` and `make test` need
#   tools/setup.sh docs    what `make docs` needs: the first line, and the site's packages
#
# It can be repeated: if everything is installed, it starts no package manager. A Debian package that cannot be
# installed is not a failure: its name goes to .venv/missing-packages, and each command that needs it reports that.
set -eu
cd "$(dirname "$0")/.."

level=${1:-run}
venv=.venv
packages="qemu-system-arm gcc-arm-none-eabi libnewlib-arm-none-eabi libslirp0 mosquitto libcoap3-bin
          dpkg-dev xz-utils bzip2 make gcc libc6-dev python3-dev"
# Programs that only the tests use.
if [ "$level" = dev ]; then
    packages="$packages postgresql softhsm2 chromium gpgv gpg gpg-agent
              qemu-system-misc gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
fi

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- Debian packages --------------------------------------------------------------------------------------
is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing_packages() {
    command -v dpkg-query >/dev/null 2>&1 || { echo "$packages" | tr -s ' \n' ' '; return; }
    for package in $packages; do
        is_installed "$package" || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}

apt_install() {
    # Services (mosquitto, postgresql) are not started by their installation: the tests start a broker of their own.
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e "$policy" ] && printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null 2>&1; then
        made_policy=yes
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM
        as_root chmod 755 "$policy"
    fi
    status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
        >"$log" 2>&1 </dev/null || status=$?
    if [ -n "$made_policy" ]; then as_root rm -f "$policy"; trap - EXIT INT TERM; fi
    return $status
}

install_packages() {  # names
    if ! can_install; then
        say "cannot install Debian packages here (no apt-get, or neither root nor sudo without a password)"
        return 0
    fi
    say "installing Debian packages: $*"
    log=$(mktemp)
    had_services=
    for service in mosquitto postgresql; do
        if is_installed "$service"; then had_services="$had_services $service "; fi
    done
    # Package lists can be missing or old on a fresh machine: they are refreshed once, if the first try fails.
    if ! apt_install "$@"; then
        as_root apt-get update -qq >>"$log" 2>&1 </dev/null || true
        if ! apt_install "$@"; then
            say "apt-get failed:"
            tail -n 5 "$log" | sed 's/^/setup:   /' >&2
        fi
    fi
    rm -f "$log"
    for service in mosquitto postgresql; do  # the tests start servers of their own, on ports of their own
        case $had_services in *" $service "*) continue ;; esac
        if [ -d /run/systemd/system ]; then as_root systemctl disable --quiet "$service" 2>/dev/null || true; fi
    done
}

# --- Python -----------------------------------------------------------------------------------------------
python_is_fit() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in ${PYTHON:+"$PYTHON"} python3.11 python3 python3.12 python3.13 \
        /usr/bin/python3.11 /usr/bin/python3 /usr/local/bin/python3; do
        if python_is_fit "$name"; then echo "$name"; return 0; fi
    done
    for name in "${HOME:-/nonexistent}"/.pyenv/versions/3.1[1-9]*/bin/python3; do
        if python_is_fit "$name"; then echo "$name"; return 0; fi
    done
    return 1
}

make_venv() {
    if ! python=$(find_python); then
        install_packages python3 python3-venv
        python=$(find_python) || die "no Python 3.11 or newer with venv found; install python3 and python3-venv"
    fi
    say "making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
}

wanted_stamp() {  # level: changes if the interpreter, the pins or the path of the checkout change
    {
        pwd
        "$venv/bin/python" -c 'import sys; print(sys.version, sys.prefix)'
        cat pyproject.toml requirements/runtime.txt requirements/delta.txt
        if [ "$1" = dev ]; then cat requirements/dev.txt requirements/fleet.txt requirements/openpgp.txt; fi
        if [ "$1" = docs ]; then cat requirements/docs.txt; fi
    } | sha256sum
}

is_current() { [ -f "$venv/stamp-$1" ] && [ "$(cat "$venv/stamp-$1")" = "$(wanted_stamp "$1")" ]; }

pip_install() {
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        "$venv/bin/python" -m pip install -qq --no-input "$@"
}

install_python_packages() {
    if is_current "$level"; then return 0; fi
    if [ "$level" = docs ] && is_current run; then
        say "installing the documentation site's packages, every one checked against its hash"
        pip_install --require-hashes -r requirements/docs.txt
        wanted_stamp docs >"$venv/stamp-docs"
        return 0
    fi
    say "installing Python packages ($level), every one checked against its hash"
    if [ "$level" = dev ]; then
        pip_install --require-hashes -r requirements/runtime.txt -r requirements/dev.txt
    else
        pip_install --require-hashes -r requirements/runtime.txt
    fi
    if [ "$level" = docs ]; then pip_install --require-hashes -r requirements/docs.txt; fi
    # detools is published only as source and needs a C compiler with Python's headers. The rest works without it.
    if ! pip_install --require-hashes -r requirements/delta.txt >"$venv/detools.log" 2>&1; then
        say "detools could not be built (see $venv/detools.log): releases will have no delta payloads"
        say "after you install a C compiler, run: $venv/bin/pip install --require-hashes -r requirements/delta.txt"
    fi
    if [ "$level" = dev ] && ! pip_install --require-hashes -r requirements/fleet.txt; then
        say "Dask could not be installed: the tests of \`firstboot fleet run --engine dask\` are skipped"
    fi
    if [ "$level" = dev ] && ! pip_install --require-hashes --only-binary :all: -r requirements/openpgp.txt; then
        say "pysequoia could not be installed: the tests of \`firstboot advisory build --openpgp-key\` are skipped"
    fi
    pip_install --no-deps --no-build-isolation --editable .
    wanted_stamp run >"$venv/stamp-run"
    if [ "$level" != run ]; then wanted_stamp "$level" >"$venv/stamp-$level"; fi
}

# If the same packages could not be installed within the last hour, the script does not try again.
failed_lately() {  # names
    [ -n "$(find .cache/packages-failed -mmin -60 2>/dev/null)" ] && [ "$(cat .cache/packages-failed)" = "$1" ]
}

provide_packages() {
    missing=$(missing_packages)
    if [ -z "$missing" ] || failed_lately "$missing"; then return 0; fi
    # shellcheck disable=SC2086  # a list of names
    install_packages $missing
    missing=$(missing_packages)
    mkdir -p .cache
    if [ -n "$missing" ]; then printf '%s' "$missing" >.cache/packages-failed; else rm -f .cache/packages-failed; fi
}

main() {
    case $level in run | dev | docs) ;; *) die "usage: tools/setup.sh run|dev|docs" ;; esac
    provide_packages
    # A moved or incomplete environment is made again, because its scripts contain the path it was made for.
    "$venv/bin/python" -c 'import sys, os; sys.exit(os.path.realpath(sys.prefix) != os.path.realpath(".venv"))' \
        2>/dev/null || make_venv
    install_python_packages
    missing_packages >"$venv/missing-packages"
    if ! "$venv/bin/python" -c 'import detools' 2>/dev/null; then printf 'detools ' >>"$venv/missing-packages"; fi
    if [ "$level" = dev ] && ! "$venv/bin/python" -c 'import pysequoia' 2>/dev/null; then
        printf 'pysequoia ' >>"$venv/missing-packages"
    fi
    if [ -s "$venv/missing-packages" ]; then
        say "NOT INSTALLED: $(cat "$venv/missing-packages")(parts that need them are skipped and reported)"
    fi
}

# One set-up at a time in one checkout; util-linux's flock is on every Debian.
if [ -z "${FIRSTBOOT_SETUP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
    mkdir -p .cache
    FIRSTBOOT_SETUP_LOCKED=1 exec flock .cache/setup.lock sh tools/setup.sh "$level"
fi
main
