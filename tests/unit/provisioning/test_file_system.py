"""Files that are written whole or not at all, on a disk that becomes full in the middle."""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioning import file_system
from provisioning.compliance.archive import Archive
from provisioning.compliance.register_copies import check_copies
from provisioning.compliance.withdrawals import find_list
from provisioning.disclosure.mailbox import take_folder
from provisioning.file_system import NewFile, create_file, is_there, replace_file, replace_files
from provisioning.keys import keyset
from provisioning.release import affected, application_set
from provisioning.release.log import LogEntry, ReleaseLog

ROOM = 1000  # bytes that a file may have while the limit holds
LARGE = bytes(3 * ROOM)
ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Let no file of this process grow over ROOM bytes: write(2) then fails as on a full disk (setrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def failure(call: Callable[[], object]) -> OSError:
    with pytest.raises(OSError) as caught, limited():
        call()
    return caught.value


def test_a_file_that_does_not_fit_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "keyset.cose"
    path.write_bytes(b"old")
    error = failure(lambda: replace_file(path, LARGE))
    assert error.filename == str(path) and error.errno in file_system.FULL
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == [path.name]


def test_a_new_file_that_does_not_fit_is_named_and_removed(tmp_path: Path) -> None:
    error = failure(lambda: create_file(tmp_path / "new", LARGE))
    assert error.filename == str(tmp_path / "new") and os.listdir(tmp_path) == []


def test_of_files_that_belong_together_none_is_replaced_if_one_does_not_fit(tmp_path: Path) -> None:
    old, new = tmp_path / "author.pem", tmp_path / "retired.pem"
    old.write_bytes(b"old")
    files = [NewFile(old, b"fits", 0o600), NewFile(new, LARGE)]
    assert failure(lambda: replace_files(files)).filename == str(new)
    assert old.read_bytes() == b"old" and os.listdir(tmp_path) == [old.name]


def test_a_folder_that_is_missing_is_named_by_the_file_and_not_by_its_draft(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        replace_file(tmp_path / "missing" / "a", b"")
    assert caught.value.filename == str(tmp_path / "missing" / "a")


def test_the_mode_is_exact_from_the_first_byte(tmp_path: Path) -> None:
    replace_file(tmp_path / "key", b"1", mode=0o600)
    create_file(tmp_path / "statement", b"1", mode=0o444)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("key", "statement")] == [0o600, 0o444]


def test_an_existing_file_is_not_created_again_and_stays(tmp_path: Path) -> None:
    create_file(tmp_path / "a", b"1")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_link_is_followed_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replace_file(tmp_path / "link", b"1")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"1"
    replace_file(Path(os.devnull), b"1")
    assert Path(os.devnull).is_char_device()


def test_an_entry_that_does_not_fit_leaves_the_release_log_whole(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path / "releases.jsonl")
    fields = dict.fromkeys(LogEntry.__dataclass_fields__, "x" * 60)
    entry = LogEntry(**fields | {"sequence_number": 1, "security_counter": 1, "hss": {}})
    log.append(entry)
    with pytest.raises(OSError, match=str(log.path)), limited():
        while True:
            log.append(entry)
    assert all(one == entry for one in log.entries())


WRITERS = {  # that write without file_system, and why a full disk is handled there
    "provisioning/file_system.py",
    "provisioning/release/folder_store.py",  # a draft with a name of its own: publishers run side by side
    "provisioning/registry/fingerprint_key.py",  # a link, so that of two stations one wins
    "provisioning/compliance/site.py",  # whole folders
    "provisioning/keys/key_ring.py",
    "provisioning/keys/hss_signer.py",
    "provisioning/cli/keys_init.py",
}


@pytest.mark.parametrize("package", ["cli", "compliance", "keys", "registry", "release", "station"])
def test_every_file_that_a_command_writes_goes_through_one_place(package: str) -> None:
    found = set()
    for path in sorted((ROOT / "provisioning" / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if (
                    node.func.attr in ("write_bytes", "write_text", "mkstemp")
                    or ast.unparse(node.func) == "os.replace"
                ):
                    found.add(str(path.relative_to(ROOT)))
    assert found <= WRITERS


def test_a_full_disk_can_be_tried_again() -> None:
    assert {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} <= set(file_system.FULL)


def test_a_folder_that_cannot_be_written_whole_leaves_the_old_one_and_no_draft(tmp_path: Path) -> None:
    place = tmp_path / "site"
    file_system.replace_folder(place, {"a/one.txt": b"old"})
    with pytest.raises(OSError) as caught:
        file_system.replace_folder(place, {"a": b"a file", "a/one.txt": b"in a file of that name"})
    assert caught.value.filename == str(place)
    assert (place / "a" / "one.txt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose subfolder `locked` nobody may read, as for a user who is not root."""
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "a.json").write_text("{}")
    real = {name: getattr(os, name) for name in ("scandir", "listdir")}

    def refusing(name: str) -> Any:
        def refused(path: Any = ".") -> Any:
            if Path(path).name == "locked":
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real[name](path)

        return refused

    for name in real:
        monkeypatch.setattr(os, name, refusing(name))
    return tmp_path


def test_a_folder_that_cannot_be_read_is_no_empty_folder(locked: Path) -> None:
    with pytest.raises(PermissionError, match="locked"):
        file_system.paths_in(locked / "locked", "*.json")
    with pytest.raises(PermissionError, match="locked"):
        file_system.paths_below(locked, "*.json")


def test_a_folder_that_does_not_exist_has_no_paths(tmp_path: Path) -> None:
    assert file_system.paths_in(tmp_path / "no") == file_system.paths_below(tmp_path / "no") == []


def test_paths_are_sorted_at_every_depth_and_bounded(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "e.json").touch()
    assert [path.name for path in file_system.paths_in(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert [path.name for path in file_system.paths_below(tmp_path, "*.json")] == [
        "a.json",
        "b.json",
        "e.json",
    ]
    assert len(file_system.paths_below(tmp_path, most=2)) == 3


@pytest.mark.parametrize(
    "read",
    [
        application_set.collect,
        affected.read_bills,
        keyset.root_signers,
        lambda folder: list(take_folder(None, folder / "locked")),  # type: ignore[arg-type]
        lambda folder: find_list(folder / "locked", [], "", dt.date.min),
    ],
)
def test_nobody_takes_a_folder_that_cannot_be_read_for_an_empty_one(
    read: Callable[[Path], object], locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "ROOTS", "locked")
    with pytest.raises(PermissionError, match="locked"):
        read(locked)


def test_only_the_firmware_build_reads_folders_in_a_way_that_hides_one_that_cannot_be_read() -> None:
    found = set()
    for path in sorted((ROOT / "provisioning").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and (
                node.attr in ("glob", "rglob") or ast.unparse(node) == "os.walk"
            ):
                found.add(path.relative_to(ROOT / "provisioning").as_posix())
    assert {name for name in found if not name.startswith("firmware/")} == {
        "cli/firmware.py",  # files of the package itself
        "file_system.py",
    }


def test_a_link_to_nowhere_is_there_and_a_missing_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"")
    assert is_there(tmp_path / "link") and is_there(tmp_path / "file")
    assert not is_there(tmp_path / "other") and not is_there(tmp_path / "file" / "below")


def test_a_path_that_cannot_be_looked_at_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(PermissionError):
        is_there(tmp_path / "ledger.jsonl")
    with pytest.raises(PermissionError):
        check_copies([], [tmp_path / "register.jsonl"])
    with pytest.raises(PermissionError):
        assert Archive(tmp_path).is_there
