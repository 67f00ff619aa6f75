"""The power supply of a rig's unit: on, off, and a cut at a flash operation."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any, Final

from simulator.story.runner import wait_until
from simulator.story.world import World

CUT_S: Final = 120
_LOOK_S: Final = 0.05
_CUT_LINE: Final = r"^nvm: power cut"


class RigPower:
    """The power supply. One thread uses it."""

    def __init__(self, world: World, wait_for_page: Callable[[], None]) -> None:
        self._world = world
        self._wait_for_page = wait_for_page
        self._machine: Any = world.machine
        self._printed = 0  # characters on the console when the cut was planned
        self._watch: threading.Thread | None = None
        self._is_unwatched = threading.Event()

    def off(self) -> None:
        """Switch the power off at once."""
        self._end_watch()
        self._machine.cut_power()

    def on(self, *, button_held: bool = False) -> None:
        """Switch the power on; return once the first page answers."""
        self.off()  # of a board that a planned cut stopped
        self._machine.power_on(button_held=button_held)
        self._wait_for_page()

    def note_console(self) -> None:
        """Let wait_until_cut look only at text that is printed from now on."""
        self._printed = len(self._machine.console.text)

    def cut_at(self, operation: int, when: str = "torn") -> None:
        """Cut the power at flash operation `operation` of the running unit, counted from now (1 is the next).

        `when`: before, torn or after, in relation to the operation. Raises MachineError, ValueError for an impossible
        cut. An emulated board has firmware of the variant `cut`, which stops there, and is switched off a moment later.
        """
        self._end_watch()
        self.note_console()
        self._machine.plan_cut(operation, when)
        if self._world.on != "sim":
            self._is_unwatched.clear()
            self._watch = threading.Thread(target=self._switch_off_after_cut, daemon=True)
            self._watch.start()

    def wait_until_cut(self, seconds: float = CUT_S) -> None:
        """Wait until the planned cut came, then switch off. Raises StepFailed."""
        wait_until("the planned power cut", self._is_cut, seconds, _LOOK_S)
        self.off()

    def _switch_off_after_cut(self) -> None:
        """Switch a board off that has stopped, so that its peers do not wait for it."""
        while not self._is_unwatched.wait(_LOOK_S) and self._machine.is_powered:
            if self._is_cut():
                self._machine.cut_power()
                return

    def _end_watch(self) -> None:
        self._is_unwatched.set()
        if self._watch is not None:
            self._watch.join()
            self._watch = None

    def _is_cut(self) -> bool | None:
        if self._world.on == "sim":
            return not self._machine.is_powered or None
        printed = self._machine.console.text[self._printed :]
        return re.search(_CUT_LINE, printed, re.MULTILINE) is not None or None
