"""A parser of untrusted bytes that runs out of memory refuses them with a typed error."""

import pytest

from device.codec import cbor
from device.errors import LimitError


class NoMemory(bytes):
    """Bytes that cannot be copied, as on a full heap."""

    def __getitem__(self, part):
        if isinstance(part, slice):
            raise MemoryError
        return super().__getitem__(part)


def test_decoder_without_memory_refuses_the_message_as_too_large():
    with pytest.raises(LimitError) as refusal:
        cbor.decode(NoMemory(b"\x43abc"))
    assert refusal.value.fields["what"] == "memory for CBOR"
