"""The project's build backend (PEP 517): setuptools, on a tree that is laid out first.

Rules:
1. A wheel has one import package, `firstboot`: the four packages of the checkout are below it, renamed
   (firstboot/renaming.py). `firstboot/_source` has the device code as the firmware's build reads it.
2. Two builds of the same files give the same bytes. All dates are SOURCE_DATE_EPOCH or, without it, a fixed day;
   modes, owners and the order of files do not depend on the machine.
3. An editable installation uses the checkout as it is.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setuptools import build_meta

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from firstboot.renaming import PACKAGES, copy_renamed, is_reference, module_names  # noqa: E402

DATE = "1580601600"  # 2020-02-02, where no SOURCE_DATE_EPOCH is given
NOT_OURS = {".git", ".venv", ".cache", "build", "dist", "keys"}  # at the top of the tree
WHEEL_FILES = ("README.md", "LICENSE")

get_requires_for_build_wheel = build_meta.get_requires_for_build_wheel
get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
get_requires_for_build_editable = build_meta.get_requires_for_build_editable
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable
build_editable = build_meta.build_editable


def build_wheel(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel. PEP 517."""
    target = str(Path(wheel_directory).absolute())
    with _in_folder(lay_out):
        return build_meta.build_wheel(target, config_settings)


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    """Write the metadata that the wheel will have. PEP 517."""
    target = str(Path(metadata_directory).absolute())
    with _in_folder(lay_out):
        return build_meta.prepare_metadata_for_build_wheel(target, config_settings)


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build the source archive: every file that git tracks. PEP 517."""
    target = Path(sdist_directory).absolute()
    with _in_folder(copy_sources):
        name = build_meta.build_sdist(str(target), config_settings)
    _repack(target / name)
    return name


@contextlib.contextmanager
def _in_folder(fill: Any) -> Iterator[None]:
    """Run the block in a temporary folder that `fill` has filled, with a fixed date."""
    before, had = Path.cwd(), os.environ.get("SOURCE_DATE_EPOCH")
    with tempfile.TemporaryDirectory(prefix="firstboot-build-") as folder:
        fill(Path(folder))
        for path in Path(folder).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.environ["SOURCE_DATE_EPOCH"] = had or DATE
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
            if had is None:
                del os.environ["SOURCE_DATE_EPOCH"]


def lay_out(folder: Path) -> None:
    """Write the tree of which the wheel is built."""
    package = folder / "firstboot"
    copy_renamed(ROOT, ["firstboot"], folder)
    copy_renamed(ROOT, PACKAGES, package, keep=_is_imported)
    for name in ("device", "examples"):
        shutil.copytree(ROOT / name, package / "_source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in WHEEL_FILES:
        shutil.copyfile(ROOT / name, folder / name)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(_without_local_links(readme), encoding="utf-8")
    modules = module_names(ROOT)

    def below(match: re.Match[str]) -> str:
        return f'"firstboot.{match[1]}"' if is_reference(match[1], modules) else match[0]

    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(re.sub(r'"([\w.:]+)"', below, text), encoding="utf-8")


def _without_local_links(text: str) -> str:
    """Return Markdown without images and links that lead to a file of the checkout, which an index does not have."""
    text = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*", "", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?:|#|mailto:)[^)]*\)", r"\1", text)


def _is_imported(path: Path) -> bool:
    """Return whether a file is used from its package: the boards' C files are used from `_source` only."""
    return path.relative_to(ROOT).parts[0] != "device" or path.suffix in (".py", ".typed")


def copy_sources(folder: Path) -> None:
    """Copy what the source archive contains, with a manifest that names all of it."""
    for path in _tracked():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    names = sorted(folder.iterdir())
    lines = [f"{'graft' if path.is_dir() else 'include'} {path.name}\n" for path in names]
    (folder / "MANIFEST.in").write_text("".join(lines), encoding="utf-8")


def _tracked() -> list[Path]:
    if (ROOT / ".git").exists():
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
        found = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if path.is_file()]
    made = {"PKG-INFO", "setup.cfg", "MANIFEST.in"}
    return sorted(
        path
        for path in found
        if path.is_file()
        and path.relative_to(ROOT).parts[0] not in NOT_OURS
        and not any(
            part.endswith((".egg-info", "__pycache__", "_cache")) for part in path.relative_to(ROOT).parts
        )
        and (path.parent != ROOT or path.name not in made)
    )


def _repack(path: Path) -> None:
    """Write a tar.gz again: members sorted, without owners, with one date."""
    date = int(os.environ.get("SOURCE_DATE_EPOCH") or DATE)
    with tarfile.open(path) as old:
        members = [(member, (file := old.extractfile(member)) and file.read()) for member in old.getmembers()]
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member, content in sorted(members, key=lambda one: one[0].name):
            fresh = tarfile.TarInfo(member.name)
            fresh.type, fresh.size, fresh.mtime = member.type, len(content or b""), date
            fresh.mode = 0o755 if member.isdir() else 0o644
            new.addfile(fresh, io.BytesIO(content or b""))
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=date) as packed:
        packed.write(plain.getvalue())
