"""Every property test that decodes CBOR compares the C module's verdicts with those of the reference."""

from collections.abc import Iterator

import pytest

from tests import cbor_in_c


@pytest.fixture(autouse=True, scope="module")
def _both_decoders() -> Iterator[None]:
    with cbor_in_c.comparing():
        yield
