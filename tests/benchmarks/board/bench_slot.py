"""Row 3: the streaming digest of a slot, over the bytes of the benchmark firmware in slot 0."""

from bench import growth

from device.ports.mps2 import Mps2Flash, layout
from device.update.slots import BootState

SIZE = 262144
BOOT = BootState(Mps2Flash(), layout)


def digest():
    BOOT.digest(0, SIZE)


MEASUREMENTS = (("slot-digest", digest),)
FIGURES = (("slot-digest.bytes", lambda: SIZE), ("slot-digest.growth", lambda: growth(digest)))
