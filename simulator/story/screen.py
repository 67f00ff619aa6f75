"""Shows the story on standard error: with a spinner on a terminal, else with plain lines."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from simulator.story.requirements import sentences
from simulator.story.runner import FAILED, PASSED, Step, StepResult

WHERE = {
    "qemu": "the real firmware, on an emulated board (QEMU {machine})",
    "renode": "the real firmware, on an emulated board (Renode)",
    "sim": "the same device code on CPython, with a simulated flash and boot ROM",
}
MARKS = {PASSED: ("PASS", "bold green"), FAILED: ("FAIL", "bold red")}
NOT_CLAIMED = (
    "Limit: this board stores the security counter, the lock and the keys in plain NVM. They withstand network\n"
    "attackers and bad updates, but not someone who reads or writes the flash chip."
)


class PlainScreen:
    """Plain lines, for logs."""

    def __init__(self, on: str, board: EmulatedBoard = DEFAULT) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._console.print(f"[bold]Firstboot[/bold]: {WHERE[on].format(machine=board.machine)}")
        self._console.print(NOT_CLAIMED, style="dim")

    def begin(self, step: Step, number: int, total: int) -> None:
        """Show that a step begins."""
        self._console.print(f"{number:2}/{total} {step.title} ...", style="bold")

    def note(self, text: str) -> None:
        """Ignore progress inside a step: a log does not need it."""

    def end(self, result: StepResult) -> None:
        """Show the result of a step."""
        mark, style = MARKS.get(result.status, ("SKIP", "bold yellow"))
        line = Text(f"      {mark} ", style=style)
        line.append(f"{result.name} ", style="default")
        line.append(f"({result.seconds:.1f} s) ", style="dim")
        self._console.print(line)
        self._console.print(f"      {result.detail}", markup=False)
        if result.status == FAILED:
            for text in sentences(result.requirements):
                self._console.print(f"      not shown: {text}", style="red", markup=False)

    def facts(self, facts: dict[str, Any]) -> None:
        """Show the figures of the run."""
        for name, value in facts.items():
            self._console.print(f"      {name}: {value}", style="dim", markup=False)

    def finish(self, is_passed: bool, seconds: float) -> None:
        """Show the result of the run."""
        if is_passed:
            self._console.print(f"PASSED in {seconds:.0f} s", style="bold green")
        else:
            self._console.print(f"FAILED after {seconds:.0f} s", style="bold red")


class RichScreen(PlainScreen):
    """Shows the progress of the running step, for people at a terminal."""

    def __init__(self, on: str, board: EmulatedBoard = DEFAULT) -> None:
        super().__init__(on, board)
        self._live: Live | None = None
        self._title = ""

    def begin(self, step: Step, number: int, total: int) -> None:
        """As PlainScreen.begin."""
        self._title = f"{number:2}/{total} {step.title}"
        self._live = Live(self._spinner(""), console=self._console, transient=True, refresh_per_second=8)
        self._live.start()

    def note(self, text: str) -> None:
        """Show progress inside a step."""
        if self._live is not None:
            self._live.update(self._spinner(text))

    def end(self, result: StepResult) -> None:
        """As PlainScreen.end."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._console.print(self._title, style="bold", markup=False)
        super().end(result)

    def _spinner(self, text: str) -> Spinner:
        return Spinner("dots", Text(f"{self._title}  {text}"))
