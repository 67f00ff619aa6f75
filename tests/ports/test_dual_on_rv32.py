"""The dual tests with the C module `_fbcrypto` on a 32-bit RISC-V: MicroPython's qemu port, machine `virt`.

Its stack has 10 KiB, a sixth of the emulated board's, so the tests also show what needs more.
"""

import subprocess
import threading

import pytest

from provisioning.firmware.errors import FirmwareError
from tests.dual_results import check, check_summary, dual_tests, results_of
from tests.ports.builds import RV32, program

pytestmark = pytest.mark.nightly  # more than a minute of processor time

RUN_TIMEOUT_S = 1800  # the machine may be busy
QEMU = "qemu-system-riscv32 -machine virt -bios none -nographic -monitor none -serial stdio -display none".split()


@pytest.fixture(scope="module")
def output():
    """Return what the machine printed up to the summary; skip the test without its tools or the sources."""
    try:
        built = program(RV32)
    except FirmwareError as error:
        if "is not installed" in str(error) or "sources" in str(error):
            pytest.skip(f"RV32: {error}")
        raise
    return run(built, "import dual")


def run(built, line):
    """Type `line` at the machine's prompt; return its output until the tests' summary, or until the time is over."""
    machine = subprocess.Popen(
        [*QEMU, "-kernel", str(built)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    ender = threading.Timer(RUN_TIMEOUT_S, machine.kill)
    ender.start()
    lines = []
    try:
        machine.stdin.write(line.encode() + b"\r")
        machine.stdin.flush()
        for read in machine.stdout:
            lines.append(read.decode(errors="replace"))
            if lines[-1].startswith("dual: "):
                break
    finally:
        ender.cancel()
        machine.kill()
        machine.communicate()
    return "".join(lines)


@pytest.fixture(scope="module")
def results(output):
    """Return the results of the whole run."""
    return results_of(output)


@pytest.mark.parametrize("name", list(dual_tests()))
def test_on_rv32(results, name):
    check(results, name)


def test_rv32_counts_no_failure_and_nothing_else_was_run(results):
    check_summary(results)
