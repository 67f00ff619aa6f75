"""`firstboot doctor`: show what this machine has and lacks for each use of Firstboot, and what installs it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_json, print_line
from simulator.cli.needs import USES, Found, Use, missing

UseName = StrEnum("UseName", {name: name for name in USES})  # type: ignore[misc]  # mypy wants a literal


def doctor(
    uses: Annotated[
        list[UseName] | None,
        typer.Option("--for", help="A use to look at. Repeat it for more. Default: all."),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Show what this machine has and lacks for each use of Firstboot, and the command that installs it.

    Nothing is installed or changed. The exit code is 0, or 75 if a use named with `--for` lacks something; without
    `--for`, 75 means that even the simulator cannot run here.

    Example: `firstboot doctor --for qemu`
    """
    names = [one.value for one in uses or list(UseName)]
    found = {name: [need.check() for need in USES[name].needs] for name in names}
    if is_json:
        print_json({name: _document(USES[name], rows) for name, rows in found.items()})
    else:
        for name, rows in found.items():
            _print(name, USES[name], rows)
    wanted = names if uses else ["simulator"]
    if any(missing(found[name]) for name in wanted):
        raise typer.Exit(int(ExitCode.TRY_LATER))


def _document(use: Use, rows: Sequence[Found]) -> dict[str, Any]:
    return {
        "title": use.title,
        "command": use.command,
        "ready": not missing(rows),
        "needs": [
            {
                "name": one.need.name,
                "present": one.detail is not None,
                "optional": one.need.is_optional,
                "detail": one.detail or "",
                "why": one.need.why,
                "install": one.need.remedy if one.detail is None else "",
            }
            for one in rows
        ],
    }


def _print(name: str, use: Use, rows: Sequence[Found]) -> None:
    lacks = missing(rows)
    print_line(f"{use.title} ({name}): {f'{len(lacks)} missing' if lacks else 'ready'}")
    width = max(len(one.need.name) for one in rows)
    for one in rows:
        mark = "MISSING" if one.is_missing else "no     " if one.detail is None else "ok     "
        print_line(f"  {mark}  {one.need.name:{width}}  {one.detail or one.need.why}")
    packages = [need.package for need in lacks if need.package]
    if packages:
        print_line(f"  to install: sudo apt-get install {' '.join(dict.fromkeys(packages))}")
    for need in lacks:
        if need.command:
            print_line(f"  to install {need.name}: {need.command}")
    print_line(f"  {'then' if lacks else 'try'}: {use.command}\n")
