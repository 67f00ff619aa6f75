"""Random numbers (interfaces.Entropy)."""

from device.boards.checklist.expect import expect
from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_SAMPLE = const(256)


def the_generator_is_ready(port: "Any", bench: "Any") -> None:
    expect(
        port.entropy().is_ready() is True,
        "is_ready() is not True: the generator has no seed or failed its tests",
    )


def random_bytes_have_the_length_that_was_asked_for(port: "Any", bench: "Any") -> None:
    entropy = port.entropy()
    for length in (0, 1, 16, 100):
        data = entropy.random_bytes(length)
        expect(isinstance(data, bytes), "random_bytes() does not return bytes")
        expect(len(data) == length, "random_bytes({}) returns {} bytes".format(length, len(data)))


def two_random_numbers_differ(port: "Any", bench: "Any") -> None:
    first, second = port.entropy().random_bytes(32), port.entropy().random_bytes(32)
    expect(
        first != second,
        "two numbers of 32 bytes are equal: this is a constant or a generator that starts again",
    )


def no_byte_value_is_far_too_frequent(port: "Any", bench: "Any") -> None:
    """A generator that is stuck or counts shows here; this does not test randomness (docs/porting.md)."""
    data = port.entropy().random_bytes(_SAMPLE)
    most = max([data.count(bytes([value])) for value in range(256)])
    # 256 random bytes: more than 16 of one value happen once in 10**11 samples
    expect(most <= 16, "one value is {} of {} bytes".format(most, _SAMPLE))
    steps = [(data[at + 1] - data[at]) % 256 for at in range(_SAMPLE - 1)]
    most = max([steps.count(step) for step in range(256)])
    expect(most <= 16, "the bytes grow by the same step {} times: they are counted".format(most))


def the_numbers_differ_from_those_before_a_restart(port: "Any", bench: "Any") -> None:
    print("KEEP", port.entropy().random_bytes(16).hex())


def the_numbers_differ_from_those_before_a_restart_after(port: "Any", bench: "Any") -> None:
    now = port.entropy().random_bytes(16).hex()
    expect(now != bench["kept"], "the same numbers come after every restart: the seed is a constant")


RESTARTS = {
    "the_numbers_differ_from_those_before_a_restart": "the_numbers_differ_from_those_before_a_restart_after",
}
