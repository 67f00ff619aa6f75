"""Compliance ledgers: any history is read back, any change to its bytes is found, a torn end is cut off."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.compliance.ledger import Ledger, LedgerError, check_continues, parse

ENTRIES = st.lists(
    st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=20), max_size=4),
    min_size=1,
    max_size=6,
)


def written(entries: list[dict[str, object]]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.jsonl")
        for entry in entries:
            ledger.append(entry)
        assert ledger.entries() == entries
        return ledger.path.read_bytes()


@given(ENTRIES)
def test_one_append_of_all_gives_the_bytes_of_many_appends(entries: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.jsonl")
        ledger.append(*entries)
        assert ledger.path.read_bytes() == written(entries)


@given(ENTRIES, st.data())
def test_a_changed_byte_never_reads_as_the_same_history(
    entries: list[dict[str, object]], data: st.DataObject
) -> None:
    original = written(entries)
    at = data.draw(st.integers(0, len(original) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != original[at]))
    changed = original[:at] + bytes([value]) + original[at + 1 :]
    try:
        lines = parse(changed)
    except LedgerError:
        return
    # A missing newline removes its line (rule 2); the rest is a shorter ledger, which rule 3 finds.
    before = parse(original)
    assert lines == before[: len(lines)] and len(lines) < len(before)
    with pytest.raises(LedgerError, match="is missing"):
        check_continues(before, lines)


@given(ENTRIES, st.data())
def test_a_dropped_or_swapped_line_is_found(entries: list[dict[str, object]], data: st.DataObject) -> None:
    lines = written(entries).splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    dropped = lines[:at] + lines[at + 1 :]
    if at < len(lines) - 1:
        with pytest.raises(LedgerError):
            parse(b"".join(dropped))
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        with pytest.raises(LedgerError):
            parse(b"".join(swapped))
    else:
        with pytest.raises(LedgerError, match="is missing"):
            check_continues(parse(b"".join(lines)), parse(b"".join(dropped)))


@given(ENTRIES, st.binary(min_size=1, max_size=40).filter(lambda tail: b"\n" not in tail))
def test_a_torn_end_is_no_entry_and_is_cut_off_by_the_next_append(
    entries: list[dict[str, object]], tail: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.jsonl")
        ledger.append(*entries)
        with ledger.path.open("ab") as file:
            file.write(tail)
        assert ledger.entries() == entries
        ledger.append({"last": True})
        assert ledger.entries() == [*entries, {"last": True}]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_ledger_or_a_typed_refusal(data: bytes) -> None:
    try:
        parse(data)
    except LedgerError as error:
        assert "line" in str(error)
