"""The file of a recording: what it keeps, who can read it, and that a hostile one is refused with its reason."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from renode import recording as format_
from renode.recording import Action, RecordingError, load, parse_head, save
from tests.unit.renode.recordings import LOG, NVM, ROM, outputs, recording

Head = dict[str, Any]


def saved(path: Path, *actions: Action) -> Path:
    save(recording(*actions, runs=2), path)
    return path


def head_of(path: Path) -> Head:
    with zipfile.ZipFile(path) as archive:
        found: Head = json.loads(archive.read(format_.HEAD))
    return found


def rewritten(path: Path, head: object, members: dict[str, bytes] | None = None) -> Path:
    """Write an archive with this head and the members of a good one, or `members`."""
    contents = {format_.digest_of(data): data for data in (NVM, ROM, LOG)} if members is None else members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(format_.HEAD, head if isinstance(head, bytes) else json.dumps(head))
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def test_a_recording_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    actions = (
        Action(5, "input", "network", data=b"\xc0\x00"),
        Action(5, "reset"),
        Action(9, "write", "", 64, b"x"),
    )
    found = load(saved(tmp_path / "r", *actions))
    assert found.runs == recording(*actions, runs=2).runs
    assert found.content(found.runs[0].log) == LOG
    assert found.fingerprint == recording(*actions, runs=2).fingerprint


def test_equal_recordings_are_equal_files(tmp_path: Path) -> None:
    assert saved(tmp_path / "one").read_bytes() == saved(tmp_path / "two").read_bytes()


def test_only_the_owner_can_read_a_recording_because_it_contains_seeds(tmp_path: Path) -> None:
    assert stat.S_IMODE(saved(tmp_path / "r").stat().st_mode) == 0o600


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = saved(tmp_path / "r")
    before = path.read_bytes()
    broken = recording()
    broken.contents.clear()
    with pytest.raises(RecordingError, match="has no content"):
        save(broken, path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_the_fingerprint_depends_on_every_output_of_every_run() -> None:
    found = [outputs("0"), outputs("1")]
    seen = {format_.fingerprint_of(found)}
    for run in (0, 1):
        for name in format_.OUTPUTS:
            changed = [dict(one) for one in found]
            changed[run][name] = "0" * 64
            seen.add(format_.fingerprint_of(changed))
    assert len(seen) == 9


def test_a_summary_names_no_seed() -> None:
    shown = json.dumps(format_.summary(recording()))
    assert b"page".hex() not in shown and "page" not in shown


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive at all", bytes(100)])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="is not a recording"):
        load(path)


def change(head: Head, **values: object) -> Head:
    return {**head, **values}


def in_run(**values: object) -> Callable[[Head], Head]:
    return lambda head: change(head, runs=[{**head["runs"][0], **values}, *head["runs"][1:]])


WRONG_HEADS: dict[str, tuple[Callable[[Head], object], str]] = {
    "a list": (lambda head: [], "is not an object"),
    "no runs": (lambda head: change(head, runs=[]), "first run has no flash"),
    "another format": (lambda head: change(head, format="x"), "the format is not"),
    "a later version": (lambda head: change(head, version=2), "the format is not"),
    "a version that is true": (lambda head: change(head, version=True), "version must be an integer"),
    "an unknown field": (lambda head: change(head, more=1), "unknown field 'more'"),
    "a control character": (lambda head: change(head, title="a\x1b[2J"), "printable"),
    "a wrong fingerprint": (lambda head: change(head, fingerprint="0" * 64), "fingerprint"),
    "an upper-case digest": (in_run(rom="A" * 64), "64 hexadecimal digits"),
    "a digest that is a path": (in_run(log="../" * 20), "64 hexadecimal digits"),
    "a negative count": (in_run(instructions=-1), "instructions must be"),
    "a count that is no integer": (in_run(instructions=1.5), "instructions must be"),
    "a long page": (in_run(page="00" * 300), "page must be"),
    "no flash at first": (in_run(nvm=None), "first run has no flash"),
    "a missing output": (in_run(outputs={}), "has no field 'console'"),
    "an action of another kind": (
        in_run(actions=[{"at": 1, "kind": "run", "line": "", "address": 0, "data": ""}]),
        "an action is",
    ),
    "an input on no line": (
        in_run(actions=[{"at": 1, "kind": "input", "line": "", "address": 0, "data": ""}]),
        "an input has a line",
    ),
    "an action after the end": (
        in_run(actions=[{"at": 1001, "kind": "reset", "line": "", "address": 0, "data": ""}]),
        "at must be an integer",
    ),
    "actions out of order": (
        in_run(actions=[{"at": at, "kind": "reset", "line": "", "address": 0, "data": ""} for at in (2, 1)]),
        "not in the order",
    ),
    "an address beyond memory": (
        in_run(actions=[{"at": 1, "kind": "write", "line": "", "address": 1 << 32, "data": ""}]),
        "address must be",
    ),
}


@pytest.mark.parametrize("name", WRONG_HEADS)
def test_a_wrong_head_is_refused_with_its_reason(name: str) -> None:
    spoil, reason = WRONG_HEADS[name]
    good = json.loads(json.dumps(format_._head(recording(runs=2))))
    with pytest.raises(RecordingError, match=reason):
        parse_head(json.dumps(spoil(good)).encode())


def test_a_head_is_refused_in_a_file_as_well(tmp_path: Path) -> None:
    path = saved(tmp_path / "r")
    with pytest.raises(RecordingError, match="the format is not"):
        load(rewritten(path, change(head_of(path), version=2)))


def test_a_deeply_nested_head_is_refused() -> None:
    with pytest.raises(RecordingError, match="is not JSON"):
        parse_head(b"[" * 200_000)


def test_a_head_longer_than_allowed_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "r")
    monkeypatch.setattr(format_, "HEAD_MAX_BYTES", 100)
    with pytest.raises(RecordingError, match="more than 100 bytes"):
        load(path)


def test_contents_that_together_are_too_large_are_refused_before_one_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "r")
    monkeypatch.setattr(format_, "TOTAL_MAX_BYTES", len(NVM))
    monkeypatch.setattr(format_, "_read", lambda *_: pytest.fail("a member was unpacked"))
    with pytest.raises(RecordingError, match="more than"):
        load(path)


def test_a_damaged_content_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "r")
    members = {format_.digest_of(data): data for data in (NVM, ROM, LOG)}
    members[format_.digest_of(LOG)] = b"fog"
    with pytest.raises(RecordingError, match="is damaged"):
        load(rewritten(path, head_of(path), members))


@pytest.mark.parametrize("extra", ["../../etc/passwd", "0" * 64])
def test_a_member_that_no_run_names_is_refused(tmp_path: Path, extra: str) -> None:
    path = saved(tmp_path / "r")
    members = {format_.digest_of(data): data for data in (NVM, ROM, LOG)} | {extra: b"x"}
    with pytest.raises(RecordingError, match="not those that its runs name"):
        load(rewritten(path, head_of(path), members))


def test_a_missing_content_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "r")
    with pytest.raises(RecordingError, match="not those that its runs name"):
        load(rewritten(path, head_of(path), {format_.digest_of(NVM): NVM}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "r")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(format_.HEAD, "{}")
    with pytest.raises(RecordingError, match="same name"):
        load(path)


def test_a_flash_image_of_another_size_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "r")
    head = head_of(path)
    small = b"\xff" * 4096
    head["runs"][0]["nvm"] = format_.digest_of(small)
    members = {format_.digest_of(data): data for data in (small, ROM, LOG)}
    with pytest.raises(RecordingError, match="a flash image must have"):
        load(rewritten(path, head, members))


def test_too_many_runs_are_refused() -> None:
    head = json.loads(json.dumps({"runs": [{}] * (format_.RUNS_MAX + 1)}))
    head |= {"format": format_.FORMAT, "version": 1}
    with pytest.raises(RecordingError, match="a list of at most"):
        parse_head(json.dumps(head).encode())
