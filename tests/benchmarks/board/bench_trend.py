"""The growth of costs with the size of an envelope, the authors, the chunks of a transfer, and the events of a log.

A figure `trend.SERIES.X` is the ticks at X. tests/benchmarks/trends.py draws them.
"""

import bench_transfer
import test_trust
from bench import ticks
from bench_manifest import GOOD, Believing, decide

from device.codec import cbor
from device.errors import SignatureError
from device.records.events import Events
from device.suit import envelope, manifest
from device.trust import verify
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, Anchors, Key

SIZES = (0, 500, 1000, 2000, 4000, 7000)  # bytes of text that are added to the envelope
KEYS = (1, 2, 4, 8, 16)
CHUNKS = (2, 8, 32, 64)
ENTRIES = (0, 2, 4, 6, 8)


def of_size(more):
    """Return an envelope with a text that is `more` bytes longer."""
    text = manifest.encode_text(manifest.Text("1.0.0", "n" * more, "restarts"))
    return test_trust.signed(test_trust.content(severed={23: envelope.digest_of(text)}), severed={23: text})


def with_keys(count):
    """Return anchors with `count` authors, of which the last one signs."""
    keys = [Key(b"author %d" % at, -9, ROLE_AUTHOR, test_trust.AUTHOR.public) for at in range(count - 1)]
    keys.append(test_trust.AUTHOR)
    return Anchors(test_trust.VENDOR, test_trust.CLASS, tuple(keys), 0, 0, NO_RULES)


class Store:
    """Keeps one record in memory."""

    def __init__(self, content):
        self.content = content

    def read(self, _name):
        return self.content

    def write(self, _name, content):
        self.content = content


def log_of(count):
    """Return what adds an event to a log of `count` others."""
    entries = [[1700000000 + at, 12, "SignatureError reason=wrong signature"] for at in range(count)]

    def add():
        Events(Store(cbor.encode(entries))).add(SignatureError(reason="no such key"), 1700000000)

    return add


def transfer(count):
    """Return the ticks of `count` chunks over MQTT, on the unit's side."""
    digests = bench_transfer.payload_digest(count)
    return bench_transfer.ticks_of_transfer(
        bench_transfer.over_mqtt, bench_transfer.Broker(bench_transfer.contents(digests)), digests, count
    )


def figure(series, at, function):
    return f"trend.{series}.{at}", lambda: ticks(function)


def figures():
    """Return pairs of a name and a function that measures."""
    found = []
    for more in SIZES:
        data = of_size(more)
        found.append(figure("envelope", len(data), lambda data=data: decide(data)))
        found.append(figure("general", len(data), lambda data=data: decide(bytearray(data))))
    for count in KEYS:
        anchors = with_keys(count)
        found.append(
            figure("keys", count, lambda anchors=anchors: verify.verify_envelope(GOOD, anchors, Believing))
        )
    for count in CHUNKS:
        found.append((f"trend.chunks.{count}", lambda count=count: transfer(count)))
    for count in ENTRIES:
        found.append(figure("log", count, log_of(count)))
    return tuple(found)


FIGURES = figures()
