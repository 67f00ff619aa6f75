"""The origin of the C sources: apt's own configuration, pins, cache, and messages if they are not available."""

import hashlib
import io
import os
import tarfile

import pytest

from provisioning.firmware import aptsource, sources
from provisioning.firmware.errors import MissingToolError, SourcesError

DEB822 = """# a comment
Types: deb
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def apt_folder(tmp_path):
    folder = tmp_path / "apt"
    (folder / "sources.list.d").mkdir(parents=True)
    return folder


def test_the_mirror_is_found_in_deb822_form(apt_folder):
    (apt_folder / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert aptsource.mirrors(apt_folder) == ["http://mirror.test/debian"]


def test_the_mirror_is_found_in_one_line_form(apt_folder):
    (apt_folder / "sources.list").write_text(
        "deb [arch=amd64 signed-by=/k.gpg] http://one.test/debian bookworm main # comment\n"
        "deb-src http://two.test/debian/ bookworm main\n"
    )
    assert aptsource.mirrors(apt_folder) == ["http://one.test/debian", "http://two.test/debian/"]


@pytest.mark.parametrize(
    "line",
    [
        "# deb http://off.test/debian bookworm main",
        "deb http://other.test/packages stable main",
        "deb http://mirror.test/debian bookworm-security main",
        "deb http://mirror.test/debian ./",
        "nonsense",
        "",
    ],
)
def test_what_is_no_debian_archive_is_left_out(apt_folder, line):
    (apt_folder / "sources.list").write_text(line + "\n")
    assert aptsource.mirrors(apt_folder) == []


def test_a_disabled_stanza_is_left_out(apt_folder):
    (apt_folder / "sources.list.d" / "debian.sources").write_text("Enabled: no\n" + DEB822.split("\n", 1)[1])
    assert aptsource.mirrors(apt_folder) == []


def test_continued_fields_belong_to_their_field(apt_folder):
    (apt_folder / "sources.list.d" / "a.sources").write_text(
        "Types: deb\nURIs:\n http://a.test/debian\n http://b.test/debian\nSuites: bookworm\n"
    )
    assert aptsource.mirrors(apt_folder) == ["http://a.test/debian", "http://b.test/debian"]


def test_no_message_carries_the_mirrors_address():
    line = "E: Failed to fetch http://user:secret@mirror.test/debian/x 404"
    text = aptsource._redacted(line, "http://user:secret@mirror.test/debian")
    assert "secret" not in text and "mirror.test" not in text and "404" in text


def tarball(name, files, mode):
    """Return a tarball with one folder as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def pinned(monkeypatch):
    """Small tarballs of the three packages with their own pins; {file name: bytes}."""
    contents = {
        "micropython": tarball("micropython-1", {"py/mpconfig.h": b"m", "lib/lwip/old": b"x"}, "w:xz"),
        "lwip": tarball("lwip-2", {"src/core/tcp.c": b"l"}, "w:xz"),
        "mbedtls": tarball("mbedtls-3", {"library/ssl_tls.c": b"t"}, "w:bz2"),
    }
    pins = tuple(
        sources.Pin(pin.package, pin.file_name, hashlib.sha256(contents[pin.package]).hexdigest(), pin.place)
        for pin in sources.PINS
    )
    monkeypatch.setattr(sources, "PINS", pins)
    monkeypatch.delenv("FIRSTBOOT_CACHE", raising=False)
    monkeypatch.delenv("FIRSTBOOT_MICROPYTHON", raising=False)
    return {pin.file_name: contents[pin.package] for pin in pins}


def fill_cache(root, pinned, leave_out=()):
    folder = root / ".cache" / "sources"
    folder.mkdir(parents=True)
    for name, content in pinned.items():
        if name not in leave_out:
            (folder / name).write_bytes(content)
    return folder


def no_network(*arguments, **options):
    raise SourcesError("mirror unreachable")


def quiet(text):
    pass


def test_with_a_full_cache_no_network_is_used(tmp_path, pinned, monkeypatch):
    fill_cache(tmp_path, pinned)
    monkeypatch.setattr(aptsource, "download", no_network)
    tree = sources.source_tree(tmp_path, quiet)
    assert (tree.path / "lib/lwip/src/core/tcp.c").read_bytes() == b"l"
    assert (tree.mbedtls / "library/ssl_tls.c").read_bytes() == b"t"
    assert not (tree.path / "lib/lwip/old").exists()
    assert tree.is_pinned


def test_an_unpacked_tree_needs_no_tarball(tmp_path, pinned, monkeypatch):
    folder = fill_cache(tmp_path, pinned)
    first = sources.source_tree(tmp_path, quiet)
    for name in pinned:
        (folder / name).unlink()
    monkeypatch.setattr(aptsource, "download", no_network)
    assert sources.source_tree(tmp_path, quiet) == first


def test_without_network_and_cache_the_message_says_what_helps(tmp_path, pinned, monkeypatch):
    monkeypatch.setattr(aptsource, "download", no_network)
    with pytest.raises(SourcesError, match=r"not in the cache .* FIRSTBOOT_MICROPYTHON"):
        sources.source_tree(tmp_path, quiet)


def test_only_what_is_missing_is_fetched(tmp_path, pinned, monkeypatch):
    lwip = "lwip_2.2.1+dfsg1.orig.tar.xz"
    fill_cache(tmp_path, pinned, leave_out=[lwip])

    def deliver(packages, work, *, apt_folder):
        assert packages == ["lwip"]
        (work / lwip).write_bytes(pinned[lwip])
        return [work / lwip]

    monkeypatch.setattr(aptsource, "download", deliver)
    assert sources.source_tree(tmp_path, quiet).is_pinned


def test_a_damaged_tarball_in_the_cache_is_fetched_again(tmp_path, pinned, monkeypatch):
    folder = fill_cache(tmp_path, pinned)
    name = next(iter(pinned))
    (folder / name).write_bytes(pinned[name][:-1])
    monkeypatch.setattr(aptsource, "download", no_network)
    with pytest.raises(SourcesError, match="micropython"):
        sources.source_tree(tmp_path, quiet)


@pytest.mark.parametrize(
    ("offered", "says"),
    [
        ("lwip_2.3.0.orig.tar.xz", "it offers lwip_2.3.0.orig.tar.xz"),
        ("lwip_2.2.1+dfsg1.orig.tar.xz", "with another content"),
        ("lwip_2.2.1.dsc", "it offers nothing"),
    ],
)
def test_a_mirror_that_moved_on_is_quoted(tmp_path, pinned, monkeypatch, offered, says):
    fill_cache(tmp_path, pinned, leave_out=["lwip_2.2.1+dfsg1.orig.tar.xz"])

    def deliver(packages, work, *, apt_folder):
        (work / offered).write_bytes(b"other")
        return [work / offered]

    monkeypatch.setattr(aptsource, "download", deliver)
    with pytest.raises(SourcesError, match="another version") as caught:
        sources.source_tree(tmp_path, quiet)
    assert says in str(caught.value)


def test_a_tarball_that_leaves_its_folder_is_refused(tmp_path, pinned, monkeypatch):
    evil = tarball("micropython-1", {"../../evil": b"x"}, "w:xz")
    name = sources.PINS[0].file_name
    pins = (
        sources.Pin("micropython", name, hashlib.sha256(evil).hexdigest(), ""),
        *sources.PINS[1:],
    )
    monkeypatch.setattr(sources, "PINS", pins)
    fill_cache(tmp_path, {**pinned, name: evil})
    with pytest.raises(sources.SourcesError, match="outside its folder"):
        sources.source_tree(tmp_path, quiet)
    assert not list(tmp_path.rglob("evil"))


def test_the_cache_can_lie_elsewhere(tmp_path, pinned, monkeypatch):
    monkeypatch.setenv("FIRSTBOOT_CACHE", str(tmp_path / "elsewhere"))
    assert sources.cache_folder(tmp_path) == tmp_path / "elsewhere"


def test_a_named_checkout_replaces_the_tarballs(tmp_path, monkeypatch):
    for name in (
        "py/mpconfig.h",
        "lib/lwip/src/core/tcp.c",
        "lib/mbedtls/library/ssl_tls.c",
        "lib/littlefs/lfs2.c",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setenv("FIRSTBOOT_MICROPYTHON", str(tmp_path))
    tree = sources.source_tree(tmp_path, quiet)
    assert tree.path == tmp_path and not tree.is_pinned
    (tmp_path / "py/mpconfig.h").write_text("2")
    assert sources.source_tree(tmp_path, quiet).key != tree.key


def test_a_checkout_without_its_libraries_is_refused(tmp_path, monkeypatch):
    (tmp_path / "py").mkdir()
    (tmp_path / "py/mpconfig.h").write_text("")
    monkeypatch.setenv("FIRSTBOOT_MICROPYTHON", str(tmp_path))
    with pytest.raises(SourcesError, match="lacks lib/lwip"):
        sources.source_tree(tmp_path, quiet)


def test_a_machine_without_apt_gets_a_message(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="apt-get"):
        aptsource.download(["lwip"], tmp_path)


def test_a_machine_without_a_debian_mirror_gets_a_message(tmp_path, apt_folder, monkeypatch):
    tool = tmp_path / "apt-get"
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(aptsource, "KEYRING", tool)
    with pytest.raises(SourcesError, match="no Debian mirror"):
        aptsource.download(["lwip"], tmp_path, apt_folder=apt_folder)


def test_a_mirror_that_answers_404_gives_apts_words_without_its_address(tmp_path, apt_folder, monkeypatch):
    (apt_folder / "sources.list").write_text("deb http://user:pw@mirror.test/debian bookworm main\n")
    tool = tmp_path / "apt-get"
    tool.write_text(
        "#!/bin/sh\necho 'E: http://user:pw@mirror.test/debian trixie 404  Not Found' >&2\nexit 100\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(aptsource, "KEYRING", tool)
    with pytest.raises(SourcesError, match="404") as caught:
        aptsource.download(["lwip"], tmp_path / "work", apt_folder=apt_folder)
    assert "mirror.test" not in str(caught.value) and "pw" not in str(caught.value)
