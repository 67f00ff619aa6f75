"""The dual tests with the C module `_fbcrypto`, run by MicroPython's unix port. It is built as a maker builds it."""

import pytest

from provisioning.firmware.errors import FirmwareError
from tests.dual_results import check, check_summary, dual_tests, results_of
from tests.patience import run
from tests.ports.builds import UNIX, program

RUN_TIMEOUT_S = 1200  # 17 s of processor time; the machine may be busy
FROZEN_ONLY = {
    "MICROPYPATH": ".frozen"
}  # else the working folder comes first, and device/ would be read from there


@pytest.fixture(scope="module")
def unix():
    """Return the built program; skip the test without a compiler or the sources."""
    try:
        return program(UNIX)
    except FirmwareError as error:
        if "is not installed" in str(error) or "sources" in str(error):
            pytest.skip(f"unix port: {error}")
        raise


@pytest.fixture(scope="module")
def results(unix):
    """Return the results of the whole run."""
    command = [unix, "-X", "heapsize=8m", "-m", "dual"]
    done = run(command, RUN_TIMEOUT_S, env=FROZEN_ONLY)
    return results_of(done.stdout if done.returncode == 0 else done.stdout + done.stderr)


@pytest.mark.parametrize("name", list(dual_tests()))
def test_on_the_unix_port(results, name):
    check(results, name)


def test_the_unix_port_counts_no_failure_and_nothing_else_was_run(results):
    check_summary(results)


def test_the_unix_port_computes_with_the_c_module(unix):
    code = "from device.crypto import backend; import _fbcrypto; print(backend.p256_verify is _fbcrypto.p256_verify)"
    done = run([unix, "-c", code], 60, env=FROZEN_ONLY)
    assert done.stdout == "True\n", done.stderr
