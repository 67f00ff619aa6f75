"""The wheel, built from this checkout and installed in an environment of its own, beside a project of a maker.

The environment finds the packages that Firstboot needs in the environment of the tests, so no network is used.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """An installed wheel: its file, its environment and its package."""

    wheel: Path
    python: Path
    package: Path

    def run(self, *arguments: str, cwd: Path, timeout: float = 600, **variables: str) -> str:
        """Run the environment's Python in `cwd`; return what it printed. Fails the test if it fails."""
        done = self.try_run(*arguments, cwd=cwd, timeout=timeout, **variables)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def try_run(
        self, *arguments: str, cwd: Path, timeout: float = 600, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the environment's Python in `cwd`, whatever its result."""
        return self._run([str(self.python), *arguments], cwd, timeout, variables)

    def shell(self, text: str, cwd: Path, timeout: float = 600) -> str:
        """Run lines of a page in `cwd`, with the environment active. Fails the test if one fails."""
        path = os.pathsep.join([str(self.python.parent), os.environ["PATH"]])
        done = self._run(["sh", "-e", "-c", text], cwd, timeout, {"PATH": path})
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    @staticmethod
    def _run(
        command: list[str], cwd: Path, timeout: float, variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))
        }
        kept |= {"FIRSTBOOT_CACHE": str(ROOT / ".cache"), "PYTHONDONTWRITEBYTECODE": "1", **variables}
        return run(command, timeout, cwd=cwd, env=kept, stderr=subprocess.STDOUT)


def build(kind: str, target: Path, source: Path = ROOT, **variables: str) -> Path:
    """Build `kind`, wheel or sdist, of the tree `source` with its own backend; return the file."""
    target.mkdir(parents=True, exist_ok=True)
    program = f"import wheel_backend, sys; print(wheel_backend.build_{kind}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(target)],
        cwd=source,
        env={**os.environ, "PYTHONPATH": "tools", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return target / done.stdout.split()[-1]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a fresh environment."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build("wheel", folder / "dist")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    places = sysconfig.get_paths(vars={"base": str(folder / "env"), "platbase": str(folder / "env")})
    packages = Path(places["purelib"])
    (packages / "zz_packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*command, str(wheel)], check=True)
    return Installed(wheel, python, packages / "firstboot")


@pytest.fixture
def maker_folder(tmp_path: Path) -> Path:
    """A maker's project with packages that have the names of ours. Importing one of them ends the process."""
    for name in ("device", "provisioning", "simulator", "renode", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f'raise SystemExit("imported the maker\'s {name}")\n')
    return tmp_path
