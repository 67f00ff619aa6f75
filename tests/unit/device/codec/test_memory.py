"""A parser of foreign bytes that runs out of memory refuses them by type."""

import pytest

from device.codec import cbor
from device.errors import LimitError


class NoMemory(bytes):
    """Bytes of which no part can be copied, as on a full heap."""

    def __getitem__(self, part):
        if isinstance(part, slice):
            raise MemoryError
        return super().__getitem__(part)


def test_decoder_without_memory_refuses_the_message_as_too_large():
    with pytest.raises(LimitError) as refusal:
        cbor.decode(NoMemory(b"\x43abc"))
    assert refusal.value.fields["what"] == "memory for CBOR"
