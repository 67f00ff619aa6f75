"""The measured rows, with the figures to reach and the best known ones.

Add a row here, and its measurement in `board/` (runs on the board), in `rom/` or in a new module with a function that
`run.py` calls. Figures that are not reached stay in the table and are marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INSTRUCTIONS, BYTES, TIMES = "instructions", "bytes", "times"
TREND: Final = "trend."  # figures that are drawn and are not rows (trends.py)
TICK: Final = 40  # instructions: 1 GHz of guest time over 25 MHz of SysTick


@dataclass(frozen=True)
class Row:
    """One figure: `name` of the measurement, the value to reach (None: no value), the best known figure in words.

    At most `reach`, unless `is_floor`: then at least.
    """

    number: int
    name: str
    unit: str
    reach: float | None
    anchor: str
    is_floor: bool = False


ROWS: Final = (
    Row(1, "lms-w4-python", INSTRUCTIONS, 2.9e6, "3.83 M, earlier plain MicroPython; 2.23 M in C"),
    Row(1, "lms-w8-python", INSTRUCTIONS, 22e6, "30.5 M, earlier plain MicroPython; 17.3 M in C"),
    Row(1, "lms-w4-python.heap", BYTES, 6 * 1024, "-"),
    Row(1, "lms-w8-python.heap", BYTES, 6 * 1024, "-"),
    Row(1, "lms-w4-c", INSTRUCTIONS, None, "2.23 M, C"),
    Row(1, "lms-w8-c", INSTRUCTIONS, None, "17.3 M, C"),
    Row(
        2,
        "p256-c",
        INSTRUCTIONS,
        None,
        "7.98 M, micro-ecc; 976 k cycles, assembler on M4; 21 M cycles, TinyCrypt",
    ),
    Row(2, "p256-c.over-bare", TIMES, 1.1, "the bare library calls in the boot ROM (boot-p256-bare)"),
    Row(2, "p256-python", INSTRUCTIONS, 50e6, "83.7 M, earlier plain MicroPython"),
    Row(2, "ed25519-python", INSTRUCTIONS, None, "93.3 M, earlier plain MicroPython; 1.72 M, Monocypher"),
    Row(3, "slot-digest", "instructions/byte", 66.5, "64.6 in C, 66.4 through hashlib"),
    Row(3, "slot-digest.growth", BYTES, 0, "-"),
    Row(
        4,
        "manifest",
        INSTRUCTIONS,
        500e3,
        "228 k, naive Python parse of 288 B; ours decides about manifest.bytes",
    ),
    Row(4, "manifest.bytes", BYTES, None, "288 B"),
    Row(4, "manifest.heap", BYTES, 1024, "-"),
    Row(4, "manifest.allocated", BYTES, None, "3.4 kB of garbage, the same naive parse"),
    Row(
        4,
        "manifest-general",
        INSTRUCTIONS,
        None,
        "of a release in another form: with an application set or a delta",
    ),
    Row(4, "manifest-general.heap", BYTES, None, "-"),
    Row(4, "malformed", INSTRUCTIONS, 60e3, "-"),
    Row(5, "boot-hash", INSTRUCTIONS, 6.7e6, "64.6 instructions/byte, C"),
    Row(5, "boot-copy", INSTRUCTIONS, None, "-"),
    Row(
        5,
        "boot-p256-bare",
        INSTRUCTIONS,
        None,
        "7.98 M, micro-ecc; wolfBoot, STM32H7: hash 0.388 s, with ECC256 0.584 s",
    ),
    Row(5, "boot-p256.over-bare", TIMES, 1.05, "the bare library calls"),
    Row(5, "boot-lms-w4-bare", INSTRUCTIONS, None, "2.23 M, C"),
    Row(5, "boot-lms-w4.over-bare", TIMES, 1.05, "the bare call"),
    Row(5, "boot-lms-w8-bare", INSTRUCTIONS, None, "17.3 M, C"),
    Row(5, "boot-lms-w8.over-bare", TIMES, 1.05, "the bare call"),
    Row(
        6,
        "boot-rom",
        BYTES,
        None,
        "wolfBoot in its CI: LMS 8 116, Ed25519 12 224, ECC256 13 952 B; MCUboot with P-256: 80 432 B",
    ),
    Row(6, "update-stack", BYTES, 40 * 1024, "complete update: < 128 kB flash (Zandberg et al. 2019)"),
    Row(6, "update-mqtt.heap", BYTES, 16 * 1024, "complete update: < 32 kB RAM (the same)"),
    Row(6, "update-coap.heap", BYTES, 16 * 1024, "the same"),
    Row(7, "coap", "instructions/KiB", 265e3, "2.5 times AES-CCM in C"),
    Row(7, "coap.share", "of block / round trip", 0.98, "0.988: libcoap, 64 KiB in 6.48 s at 100 ms", True),
    Row(8, "mqtt", "instructions/KiB", None, "-"),
    Row(8, "mqtt.share-100k", "of the link", 0.9, "link of 100 kB/s, round trip 100 ms", True),
    Row(8, "mqtt.share-250k", "of the link", 0.9, "link of 250 kB/s, round trip 100 ms", True),
    Row(8, "mqtt.growth", BYTES, 0, "over 10 048 chunks of 4 KiB"),
    Row(
        9,
        "cuts-sim",
        "cuts/s",
        1000,
        "wall time of this machine, two processes; every seventh cut, with the recording of the flows",
        True,
    ),
    Row(9, "cuts-sim.harm", "units", 0, "bricked, open, mixed, lost, nonce used twice"),
    Row(
        9,
        "cuts-qemu",
        "cuts/s",
        2,
        "wall time of this machine, two processes; twenty cuts, with the recording of the flows",
        True,
    ),
    Row(9, "cuts-qemu.harm", "units", 0, "the same"),
)


@dataclass(frozen=True)
class Result:
    """A row and its measured value, or None."""

    row: Row
    value: float | None

    @property
    def verdict(self) -> str:
        """Return "reached", "NOT REACHED", "not measured" or "-" (no figure to reach)."""
        if self.value is None:
            return "not measured"
        if self.row.reach is None:
            return "-"
        is_reached = self.value >= self.row.reach if self.row.is_floor else self.value <= self.row.reach
        return "reached" if is_reached else "NOT REACHED"


def results(measured: dict[str, float]) -> list[Result]:
    """Return every row with its value. Raises ValueError for a measurement without a row, which would be lost."""
    derived = {**measured, **_derived(measured)}
    names = {row.name for row in ROWS} | _PARTS
    unknown = sorted(name for name in set(derived) - names if not name.startswith(TREND))
    if unknown:
        raise ValueError(f"no row for {', '.join(unknown)}")
    return [Result(row, derived.get(row.name)) for row in ROWS]


_PARTS: Final = frozenset(
    ["boot-load-p256", "boot-load-p256-lms-w4", "boot-load-p256-lms-w8"]
    + [
        f"{name}.heap"
        for name in ("lms-w4-c", "lms-w8-c", "p256-python", "p256-c", "ed25519-python", "slot-digest")
    ]
    + ["slot-digest.bytes", "malformed.ticks", "mqtt.ticks", "coap.ticks", "transfer.bytes"]
)


def _derived(measured: dict[str, float]) -> dict[str, float]:
    """Return the figures for each byte or KiB, and the ratios to other figures."""
    found = _over_bare(measured)
    if "slot-digest" in measured:
        found["slot-digest"] = measured["slot-digest"] / measured["slot-digest.bytes"]
    if "malformed.ticks" in measured:
        found["malformed"] = measured["malformed.ticks"] * TICK
    for name in ("mqtt", "coap"):
        if f"{name}.ticks" in measured:
            found[name] = measured[f"{name}.ticks"] * TICK * 1024 / measured["transfer.bytes"]
    return found


def _over_bare(measured: dict[str, float]) -> dict[str, float]:
    """Return the ratios to the bare library calls: of the ROM's own checks (load without copy and hash), of Python."""
    found: dict[str, float] = {}
    if "boot-load-p256" not in measured:
        return found
    p256 = measured["boot-load-p256"] - measured["boot-hash"] - measured["boot-copy"]
    found["boot-p256.over-bare"] = p256 / measured["boot-p256-bare"]
    for width in ("w4", "w8"):
        more = measured[f"boot-load-p256-lms-{width}"] - measured["boot-load-p256"]
        found[f"boot-lms-{width}.over-bare"] = more / measured[f"boot-lms-{width}-bare"]
    if "p256-c" in measured:
        found["p256-c.over-bare"] = measured["p256-c"] / measured["boot-p256-bare"]
    return found


def table(found: list[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| # | what | measured | to reach | | best known |", "|---|---|---:|---:|---|---|"]
    for one in found:
        row = one.row
        bound = "" if row.reach is None else (">= " if row.is_floor else "<= ")
        lines.append(
            f"| {row.number} | {row.name} | {_shown(one.value, row.unit)} {row.unit if one.value is not None else ''} "
            f"| {bound}{_shown(row.reach, row.unit)} | {one.verdict} | {row.anchor} |"
        )
    return "\n".join(lines)


def summary(found: list[Result], absent: dict[str, str]) -> str:
    """Return how many are reached, which are not, and the reason for each missing one; `absent`: name -> reason."""
    verdicts = [one.verdict for one in found]
    asked = [verdict for verdict in verdicts if verdict != "-"]
    lines = [f"bench: {asked.count('reached')} of {len(asked)} figures reached"]
    missed = [one.row.name for one in found if one.verdict == "NOT REACHED"]
    lines.append(f"not reached: {', '.join(missed) or 'none'}")
    unmeasured = [one.row.name for one in found if one.value is None]
    lines.append(f"not measured: {', '.join(unmeasured) or 'none'}")
    lines += [f"  {name}: {reason}" for name, reason in absent.items()]
    return "\n".join(lines)


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == TIMES or unit.startswith("of "):
        return f"{value:.3f}"
    return f"{value:.1f}" if value % 1 and value < 1000 else f"{value:,.0f}".replace(",", " ")
