"""The checkout as data: its root, its tracked files, and its modules as syntax trees."""

import ast
import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {".git", ".venv", ".cache", "build", "keys", "node_modules"}


def _listed_files() -> list[Path]:
    """Return tracked and new files as git lists them; without git (an unpacked archive), all but build output."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=_ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return [
            path
            for path in _ROOT.rglob("*")
            if path.is_file()
            and not _NOT_OURS & set(path.relative_to(_ROOT).parts)
            and "__pycache__" not in path.parts
        ]
    return [_ROOT / name for name in listing.split("\0") if name and (_ROOT / name).is_file()]


@pytest.fixture(scope="module", autouse=True)
def no_collection() -> Iterator[None]:
    """No collection while syntax trees are built: on CPython 3.11, code that one runs then makes ast.parse fail."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def root() -> Path:
    return _ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file of the project, without build output."""
    found = _listed_files()
    assert len(found) > 30, "the listing of the checkout is broken"
    return found


@pytest.fixture(scope="session")
def modules(files: list[Path]) -> dict[str, ast.Module]:
    """The syntax trees of the four packages by dotted module name."""
    trees = {}
    for path in filter(Path.is_file, files):  # another test's temporary file may be gone since the listing
        parts = path.relative_to(_ROOT).with_suffix("").parts
        if path.suffix == ".py" and parts[0] in ("device", "provisioning", "simulator", "renode"):
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            trees[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return trees
