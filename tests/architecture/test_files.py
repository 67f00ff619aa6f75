"""Rules for all files: their size, unique numbers, no trace of the machine that wrote them."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import device.errors
import renode.release

MAX_LINES = 400
# The address of a public release is a pin of the product; a machine may use the same host for packages.
RELEASE_ADDRESSES = {f"renode/release.py: {urlsplit(renode.release.ADDRESS).hostname}"}
SOURCE = {".py", ".c", ".h", ".sh", ".cs", ".js", ".css"}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def test_no_source_file_is_longer_than_400_lines(files: list[Path], root: Path) -> None:
    sizes = {path: len(_text(path).splitlines()) for path in files if path.suffix in SOURCE}
    long = [f"{path.relative_to(root)}: {lines} lines" for path, lines in sizes.items() if lines > MAX_LINES]
    assert not long, "\n" + "\n".join(sorted(long))


def _error_classes() -> list[type[device.errors.FirstbootError]]:
    found: list[type[device.errors.FirstbootError]] = []
    todo = [device.errors.FirstbootError]
    while todo:
        found.append(todo.pop())
        todo += found[-1].__subclasses__()
    return [cls for cls in found if cls.__module__ == "device.errors"]


def test_every_error_has_a_number_of_its_own() -> None:
    classes = _error_classes()
    assert len(classes) > 30
    assert all("code" in vars(cls) for cls in classes), "an error inherits its number"
    repeated = [code for code, count in Counter(cls.code for cls in classes).items() if count > 1]
    assert not repeated


def _hosts(text: str) -> set[str]:
    return set(re.findall(r"https?://(?:[^@/\s]*@)?([A-Za-z0-9.-]+\.[A-Za-z]{2,})", text))


def _hosts_of_this_machine() -> set[str]:
    """Return the hosts that this machine's package managers use, and the public registries."""
    config = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    for pattern in ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*", "/etc/apt/apt.conf.d/*"):
        for path in Path("/").glob(pattern.lstrip("/")):
            if path.is_file():
                config += _text(path)
    # Written in two parts, so that this file does not contain them.
    return _hosts(config) | {"pypi" + ".org", "files.pythonhosted" + ".org", "deb.debian" + ".org"}


def _findings(files: list[Path], root: Path, words: set[str]) -> list[str]:
    found = []
    for path in files:
        text = _text(path)
        found += [f"{path.relative_to(root)}: {word}" for word in words if word in text]
    return found


def test_no_file_names_a_place_on_this_machine(files: list[Path], root: Path) -> None:
    # A folder that every machine has (a checkout in /tmp) does not identify this one.
    ordinary = {Path(name) for name in ("/", "/tmp", "/var/tmp", "/opt", "/srv", "/src", "/home", "/usr/src")}
    places = {f"{place}/" for place in {root, root.parent, Path.home()} - ordinary}
    assert not _findings(files, root, places)


def test_no_file_names_a_package_registry(files: list[Path], root: Path) -> None:
    assert not set(_findings(files, root, _hosts_of_this_machine())) - RELEASE_ADDRESSES


def test_the_search_for_hosts_sees_one_with_credentials() -> None:
    assert _hosts("index-url = https://user:word@mirror.example.net/simple") == {"mirror.example.net"}


def test_no_binary_or_private_key_is_tracked(files: list[Path], root: Path) -> None:
    begin = "-----BEGIN "
    keys = [
        path.relative_to(root)
        for path in files
        if re.search(begin + r"(?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=]{16}", _text(path))
    ]
    assert not keys
    binaries = [
        path.relative_to(root) for path in files if path.suffix in {".mpy", ".elf", ".o", ".a", ".so", ".whl"}
    ]
    assert not binaries


@pytest.mark.parametrize("name", ["runtime", "ci", "dev", "stubs-esp32", "stubs-rp2"])
def test_every_python_package_is_pinned_with_a_hash(root: Path, name: str) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    assert all(re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in lines)
