"""QEMU and Renode run the same board: a factory run with the same seeds and requests gives the same log and flash.

The station provisions a board on QEMU. A board on Renode then gets the same power-on page and the same requests, and
its answers, console and flash are compared with those of QEMU, byte by byte.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from device.layout import MPS2
from provisioning.station.link import FactoryLink
from renode import install
from renode.machine import Board, HostLines
from renode.renode import RenodeBoard
from simulator.story.world import World

pytestmark = pytest.mark.emulated

START_S = 600  # Renode runs the firmware at a third of the speed of QEMU
SETTLED_S = 3  # of the guest's time after the last restart: by then everything is stored


class SamePage(RenodeBoard):
    """A board on Renode that starts with the power-on page, and so the seed, of another run."""

    def __init__(self, directory: Path, page: bytes) -> None:
        super().__init__(directory)
        self._page = page

    def _start(self, page: bytes) -> HostLines:
        return super()._start(self._page)


class Call:
    """One request of the station and the unit's answer."""

    def __init__(self, operation: str, arguments: dict[str, Any], results: dict[str, Any]) -> None:
        self.operation, self.arguments, self.results = operation, arguments, results


def noted_pages(machine: Any, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list that gets the page of each power-on."""
    pages: list[bytes] = []
    start = machine._start

    def noting(page: bytes) -> HostLines:
        pages.append(page)
        return start(page)

    monkeypatch.setattr(machine, "_start", noting)
    return pages


def noted_calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Return a list that gets each answered request up to the one that locks the unit."""
    calls: list[Call] = []
    call = FactoryLink.call

    def noting(
        link: FactoryLink, operation: str, arguments: dict[str, Any], note: str = ""
    ) -> dict[str, Any]:
        results = call(link, operation, arguments, note)
        if not calls or calls[-1].operation != "lock":
            calls.append(Call(operation, dict(arguments), results))
        return results

    monkeypatch.setattr(FactoryLink, "call", noting)
    return calls


def end(board: Board) -> tuple[str, bytes]:
    """Switch the board off once it waits for its owner; return its console and its flash."""
    board.console.wait_for(r"^firstboot \S+ on mps2_an385: factory default\n", START_S)
    board._let_pass(SETTLED_S)
    board.cut_power()
    return board.console.text, board.nvm.path.read_bytes()


def different_sectors(flash: bytes, other: bytes) -> list[str]:
    """Return the addresses of the sectors that differ."""
    size = MPS2.sector_bytes
    return [
        hex(at) for at in range(0, MPS2.size_bytes, size) if flash[at : at + size] != other[at : at + size]
    ]


@pytest.mark.skipif(install.find() is None, reason="Renode is not installed: see python -m renode.run")
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
def test_the_same_factory_run_gives_the_same_answers_log_and_flash_on_qemu_and_on_renode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with World("qemu", ("mqtt",), tmp_path / "world", lambda text: None) as world:
        world.build()
        with monkeypatch.context() as noting:
            pages, calls = noted_pages(world.machine, noting), noted_calls(noting)
            world.provision()
        log, flash = end(world.machine)
        with SamePage(tmp_path / "renode", pages[0]) as board:
            board.program(world.images.rom, world.images.signed[1])
            board.power_on()
            board.console.wait_for(r": unprovisioned\n", START_S)
            link = FactoryLink(board.factory_port(), timeout_s=60.0)
            for one in calls:
                assert link.call(one.operation, one.arguments) == one.results, one.operation
            other_log, other_flash = end(board)
    assert calls[-1].operation == "lock"
    assert other_log == log
    assert different_sectors(flash, other_flash) == []
