"""The installation of the pinned Renode: from a real HTTP server on loopback, with archives made here."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from renode import install as installer
from renode import release
from renode.install import DownloadError, InstallError, install
from renode.release import ARCHIVES, Archive

PROGRAM = b"#!/bin/sh\necho Renode v1.16.1\n"
Members = list[tuple[tarfile.TarInfo, bytes]]


def _file(name: str, content: bytes = PROGRAM, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def _link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info, b""


def _tar(path: Path, members: Members) -> Archive:
    with tarfile.open(path, "w:gz") as archived:
        for info, content in members:
            archived.addfile(info, io.BytesIO(content))
    return Archive(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


class _Quiet(SimpleHTTPRequestHandler):
    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        outputfile.write(data[: len(data) // 2] if self.path.endswith("broken.tar.gz") else data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served, and a cache of the test's own."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(release, "ADDRESS", f"http://127.0.0.1:{server.server_address[1]}/")
        monkeypatch.setenv("FIRSTBOOT_CACHE", str(tmp_path / "cache"))
        yield folder
        server.shutdown()


def _ignore(_done: int, _total: int) -> None:
    pass


def _entries(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_the_program_is_installed_with_its_links_and_can_be_run(site: Path, tmp_path: Path) -> None:
    members = [_file("renode_1.16.1/renode"), _file("renode_1.16.1/lib/a.dll", b"a", 0o644)]
    chosen = _tar(site / "a.tar.gz", [*members, _link("renode_1.16.1/lib/b.dll", "a.dll")])
    seen: list[tuple[int, int]] = []
    program = install(lambda done, total: seen.append((done, total)), chosen=chosen)
    assert program == installer.folder() / "renode" and program.stat().st_mode & 0o111
    assert (program.parent / "lib" / "b.dll").read_bytes() == b"a"
    assert seen[-1][0] == seen[-1][1] == (site / "a.tar.gz").stat().st_size
    assert _entries(tmp_path) == ["a.dll", "b.dll", "renode"]  # the archive itself is gone


def test_an_installed_release_is_not_downloaded_again(site: Path) -> None:
    chosen = _tar(site / "a.tar.gz", [_file("r/renode")])
    install(_ignore, chosen=chosen)
    (site / "a.tar.gz").unlink()
    assert install(_ignore, chosen=chosen).is_file()


def test_a_zip_archive_is_installed(site: Path) -> None:
    with zipfile.ZipFile(site / "a.zip", "w") as archived:
        archived.writestr("renode_1.16.1/renode.exe", PROGRAM)
    digest = hashlib.sha256((site / "a.zip").read_bytes()).hexdigest()
    assert install(_ignore, chosen=Archive("a.zip", digest, "renode.exe")).read_bytes() == PROGRAM


def test_another_content_is_refused_and_nothing_stays(site: Path, tmp_path: Path) -> None:
    _tar(site / "a.tar.gz", [_file("r/renode")])
    with pytest.raises(InstallError, match="not the pinned archive"):
        install(_ignore, chosen=Archive("a.tar.gz", "0" * 64))
    assert _entries(tmp_path) == []


def test_an_address_that_cannot_be_reached_names_the_way_without_internet(site: Path) -> None:
    with pytest.raises(DownloadError, match=r"absent\.tar\.gz.*--file FILE"):
        install(_ignore, chosen=Archive("absent.tar.gz", "0" * 64))


def test_a_download_that_breaks_off_is_not_called_another_archive(site: Path) -> None:
    chosen = _tar(site / "broken.tar.gz", [_file("r/renode")])
    with pytest.raises(DownloadError, match=r"it ended after \d+ of \d+ bytes"):
        install(_ignore, chosen=chosen)


def test_an_archive_from_another_machine_is_used_without_a_download(site: Path, tmp_path: Path) -> None:
    chosen = _tar(tmp_path / "carried.tar.gz", [_file("r/renode")])
    assert install(_ignore, file=tmp_path / "carried.tar.gz", chosen=chosen).read_bytes() == PROGRAM
    assert (tmp_path / "carried.tar.gz").is_file()


def test_an_archive_that_is_too_long_is_refused_while_it_arrives(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = _tar(site / "a.tar.gz", [_file("r/renode")])
    monkeypatch.setattr(installer, "MAX_ARCHIVE_BYTES", 10)
    with pytest.raises(InstallError, match="more than 10 bytes"):
        install(_ignore, chosen=chosen)


HOSTILE: dict[str, Callable[[], Members]] = {
    "a parent folder": lambda: [_file("r/../../outside")],
    "an absolute name": lambda: [_file("/r/outside")],
    "a link to a parent": lambda: [_link("r/out", "../../..")],
    "an absolute link": lambda: [_link("r/out", "/etc/passwd")],
    "a file through a link": lambda: [_link("r/lib", "."), _link("r/lib/up", ".."), _file("r/up/outside")],
    "a device": lambda: [_link("r/dev", "", tarfile.CHRTYPE)],
    "a hard link": lambda: [_link("r/hard", "/etc/passwd", tarfile.LNKTYPE)],
    "no program": lambda: [_file("r/other")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_that_leads_out_of_its_folder_is_refused(site: Path, tmp_path: Path, name: str) -> None:
    chosen = _tar(site / "a.tar.gz", [*HOSTILE[name](), _file("r/late")])
    with pytest.raises(InstallError):
        install(_ignore, chosen=chosen)
    assert _entries(tmp_path) == []
    assert not list(tmp_path.rglob("outside"))


def test_a_damaged_archive_is_a_clear_error(site: Path) -> None:
    (site / "a.tar.gz").write_bytes(b"no archive")
    digest = hashlib.sha256(b"no archive").hexdigest()
    with pytest.raises(InstallError, match="cannot be unpacked"):
        install(_ignore, chosen=Archive("a.tar.gz", digest))


def test_a_machine_without_an_archive_is_told_what_to_do(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "archive", lambda: None)
    with pytest.raises(InstallError, match="put `renode` on PATH"):
        install(_ignore)


def test_a_renode_on_the_path_comes_before_the_installed_one(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installer.find() is None
    program = install(_ignore, chosen=_tar(site / "a.tar.gz", [_file("r/renode")]))
    assert installer.find() == program
    own = tmp_path / "renode"
    own.write_bytes(PROGRAM)
    own.chmod(0o755)
    assert installer.find() == own


def test_every_pin_is_a_whole_sha256_of_an_archive_of_that_version() -> None:
    assert len(ARCHIVES) == len({one.sha256 for one in ARCHIVES.values()})
    for one in ARCHIVES.values():
        assert len(bytes.fromhex(one.sha256)) == 32 and release.VERSION in one.name
