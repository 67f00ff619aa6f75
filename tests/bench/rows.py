"""What is measured, against what: the rows of shared/performance.md, with the figures to reach and their anchors.

A row is added here and its measurement below `board/` (runs on the board), `rom/` or in a module of its own with a
function `measure() -> dict[str, int]` that `run.py` calls. Figures not reached stay in the table and are said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INSTRUCTIONS, BYTES = "instructions", "bytes"


@dataclass(frozen=True)
class Row:
    """One figure: `name` of the measurement, most to be reached (None: no figure), best known floor in words."""

    number: int
    name: str
    unit: str
    reach: float | None
    anchor: str


ROWS: Final = (
    Row(1, "lms-w4-python", INSTRUCTIONS, 2.9e6, "3.83 M, earlier plain MicroPython; 2.23 M in C"),
    Row(1, "lms-w8-python", INSTRUCTIONS, 22e6, "30.5 M, earlier plain MicroPython; 17.3 M in C"),
    Row(1, "lms-w4-python.heap", BYTES, 6 * 1024, "-"),
    Row(1, "lms-w8-python.heap", BYTES, 6 * 1024, "-"),
    Row(1, "lms-w4-c", INSTRUCTIONS, None, "2.23 M, C"),
    Row(1, "lms-w8-c", INSTRUCTIONS, None, "17.3 M, C"),
    Row(2, "p256-c", INSTRUCTIONS, None, "7.98 M, micro-ecc; 976 k cycles, assembler on M4"),
    Row(2, "p256-python", INSTRUCTIONS, 50e6, "83.7 M, earlier plain MicroPython"),
    Row(2, "ed25519-python", INSTRUCTIONS, None, "93.3 M, earlier plain MicroPython; 1.72 M, Monocypher"),
    Row(5, "boot-hash", INSTRUCTIONS, 6.7e6, "64.6 instructions/byte, C"),
    Row(5, "boot-copy", INSTRUCTIONS, None, "-"),
    Row(5, "boot-p256-bare", INSTRUCTIONS, None, "7.98 M, micro-ecc"),
    Row(5, "boot-p256.over-bare", "times", 1.05, "the bare library calls"),
    Row(5, "boot-lms-w4-bare", INSTRUCTIONS, None, "2.23 M, C"),
    Row(5, "boot-lms-w4.over-bare", "times", 1.05, "the bare call"),
    Row(5, "boot-lms-w8-bare", INSTRUCTIONS, None, "17.3 M, C"),
    Row(5, "boot-lms-w8.over-bare", "times", 1.05, "the bare call"),
    Row(
        6,
        "boot-rom",
        BYTES,
        None,
        "wolfBoot in its CI: LMS 8 116 or ECC256 13 952 B; MCUboot with P-256: 80 432 B",
    ),
    Row(
        6,
        "update-stack",
        BYTES,
        40 * 1024,
        "complete update: < 128 kB flash, < 32 kB RAM (Zandberg et al. 2019)",
    ),
)


@dataclass(frozen=True)
class Result:
    """A row and what was measured; None where nothing was."""

    row: Row
    value: float | None

    @property
    def verdict(self) -> str:
        """One of "reached", "NOT REACHED", "not measured", "-" (no figure to reach)."""
        if self.value is None:
            return "not measured"
        if self.row.reach is None:
            return "-"
        return "reached" if self.value <= self.row.reach else "NOT REACHED"


def results(measured: dict[str, float]) -> list[Result]:
    """Every row with its value. Raises ValueError for a measurement that no row asks for: it would be lost."""
    derived = {**measured, **_derived(measured)}
    names = {row.name for row in ROWS} | _PARTS
    unknown = sorted(set(derived) - names)
    if unknown:
        raise ValueError(f"no row for {', '.join(unknown)}")
    return [Result(row, derived.get(row.name)) for row in ROWS]


_PARTS: Final = frozenset(
    ["boot-load-p256", "boot-load-p256-lms-w4", "boot-load-p256-lms-w8"]
    + [f"{name}.heap" for name in ("lms-w4-c", "lms-w8-c", "p256-python", "p256-c", "ed25519-python")]
)


def _derived(measured: dict[str, float]) -> dict[str, float]:
    """How much the ROM's own checks add to the bare library calls: load less copy and hash, over the bare call."""
    if "boot-load-p256" not in measured:
        return {}
    p256 = measured["boot-load-p256"] - measured["boot-hash"] - measured["boot-copy"]
    found = {"boot-p256.over-bare": p256 / measured["boot-p256-bare"]}
    for width in ("w4", "w8"):
        more = measured[f"boot-load-p256-lms-{width}"] - measured["boot-load-p256"]
        found[f"boot-lms-{width}.over-bare"] = more / measured[f"boot-lms-{width}-bare"]
    return found


def table(found: list[Result]) -> str:
    """The results as a Markdown table."""
    lines = ["| # | what | measured | to reach | | best known |", "|---|---|---:|---:|---|---|"]
    for one in found:
        row = one.row
        lines.append(
            f"| {row.number} | {row.name} | {_shown(one.value, row.unit)} | {_shown(row.reach, row.unit)} "
            f"| {one.verdict} | {row.anchor} |"
        )
    return "\n".join(lines)


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.3f} {unit}" if unit == "times" else f"{value:,.0f} {unit}".replace(",", " ")
