"""Every vector that is CBOR is judged by the C module too, and the verdicts are compared."""

from collections.abc import Iterator

import pytest

from tests import cbor_in_c


@pytest.fixture(autouse=True, scope="module")
def _both_decoders() -> Iterator[None]:
    with cbor_in_c.comparing():
        yield
