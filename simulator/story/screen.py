"""How the story looks: on a terminal with a line that moves, elsewhere one plain line a step. Standard error."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from simulator.story.runner import FAILED, PASSED, Step, StepResult

WHERE = {
    "qemu": "the real firmware, on an emulated board (QEMU mps2-an385)",
    "renode": "the real firmware, on an emulated board (Renode)",
    "sim": "the same device code on CPython, with a simulated flash and boot ROM",
}
MARKS = {PASSED: ("PASS", "bold green"), FAILED: ("FAIL", "bold red")}
NOT_CLAIMED = (
    "Not claimed: on this board security counter, lock and keys lie in plain NVM. They hold against peers and the\n"
    "update path, not against someone who reads or writes the flash chip (docs/threat-model.md)."
)


class PlainScreen:
    """For logs: nothing moves."""

    def __init__(self, on: str) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._console.print(f"[bold]Firstboot[/bold]: {WHERE[on]}")
        self._console.print(NOT_CLAIMED, style="dim")

    def begin(self, step: Step, number: int, total: int) -> None:
        self._console.print(f"{number:2}/{total} {step.title} ...", style="bold")

    def note(self, text: str) -> None:
        """Progress inside a step; a log has no use for it."""

    def end(self, result: StepResult) -> None:
        mark, style = MARKS.get(result.status, ("SKIP", "bold yellow"))
        line = Text(f"      {mark} ", style=style)
        line.append(f"{result.name} ", style="default")
        line.append(f"({result.seconds:.1f} s) ", style="dim")
        self._console.print(line)
        self._console.print(f"      {result.detail}", markup=False)

    def facts(self, facts: dict[str, Any]) -> None:
        """Numbers worth keeping."""
        for name, value in facts.items():
            self._console.print(f"      {name}: {value}", style="dim", markup=False)

    def finish(self, is_passed: bool, seconds: float) -> None:
        if is_passed:
            self._console.print(f"PASSED: the whole story, in {seconds:.0f} s", style="bold green")
        else:
            self._console.print(f"FAILED after {seconds:.0f} s", style="bold red")


class RichScreen(PlainScreen):
    """For people: the running step shows what it is doing."""

    def __init__(self, on: str) -> None:
        super().__init__(on)
        self._live: Live | None = None
        self._title = ""

    def begin(self, step: Step, number: int, total: int) -> None:
        self._title = f"{number:2}/{total} {step.title}"
        self._live = Live(self._spinner(""), console=self._console, transient=True, refresh_per_second=8)
        self._live.start()

    def note(self, text: str) -> None:
        if self._live is not None:
            self._live.update(self._spinner(text))

    def end(self, result: StepResult) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._console.print(self._title, style="bold", markup=False)
        super().end(result)

    def _spinner(self, text: str) -> Spinner:
        return Spinner("dots", Text(f"{self._title}  {text}"))
