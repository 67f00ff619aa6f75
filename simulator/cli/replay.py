"""`firstboot replay`: repeat a recorded run of an emulated board exactly, and compare what it does."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_json, print_line

if TYPE_CHECKING:
    from renode.recording import Recording


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording (`firstboot record`).")],
    repeat: Annotated[int, typer.Option(help="Number of replays.", min=1, max=1000)] = 1,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep console, network and factory bytes and the flash image in this folder."
        ),
    ] = None,
    is_inputs: Annotated[
        bool, typer.Option("--inputs", help="List what the unit received and when; replay nothing.")
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Repeat a recorded run: the same instructions, the same console, network and factory bytes, the same flash.

    A replay needs FILE and the version of QEMU that recorded it. It uses no server, no network and no clock, and it
    does not wait: it is as fast as the emulator. Each replay prints its fingerprint. Exit code 1 if one is not the
    recorded one; the lines before it name each difference.

    Example: `firstboot replay update.recording --repeat 3`
    """
    from renode import recording

    recorded = recording.load(file)
    if is_inputs:
        _show_inputs(recorded, is_json=is_json)
        return
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firstboot-replay-")))
        results = [_once(recorded, folder, number, is_json=is_json) for number in range(1, repeat + 1)]
    if is_json:
        print_json(recording.summary(recorded) | {"replays": results})
    if any(one["differences"] for one in results):
        raise typer.Exit(int(ExitCode.FAILED))


def _once(recorded: Recording, folder: Path, number: int, *, is_json: bool) -> dict[str, Any]:
    from renode.qemu_replay import replay as replay_on_qemu

    replayed = replay_on_qemu(recorded, folder)
    differences = replayed.differences(recorded)
    if not is_json:
        for text in differences:
            print_line(text)
        verdict = "not the recorded one" if differences else "as recorded"
        print_line(f"replay {number}: {replayed.fingerprint} ({verdict})")
    return {"fingerprint": replayed.fingerprint, "differences": differences}


def _show_inputs(recorded: Recording, *, is_json: bool) -> None:
    rows = [
        {
            "run": number,
            "instruction": action.at,
            "kind": action.kind,
            "line": action.line,
            "bytes": len(action.data),
        }
        for number, run in enumerate(recorded.runs, 1)
        for action in run.actions
    ]
    if is_json:
        print_json(rows)
        return
    print_line(f"{'run':>3} {'instruction':>15}  {'kind':6} {'line':8} bytes")
    for row in rows:
        print_line(
            f"{row['run']:3} {row['instruction']:15}  {row['kind']:6} {row['line']:8} {row['bytes']:5}"
        )
