"""`--board` names an emulated board as QEMU or a unit spells it; a machine that does not emulate it is refused."""

from __future__ import annotations

import pytest

from provisioning.cli.errors import InputError
from provisioning.firmware.emulated import AN385, AN505
from simulator.cli.options import On, chosen_board
from simulator.story.inputs import Inputs
from simulator.story.machine import make_machine
from simulator.story.product import product_text


@pytest.mark.parametrize("name", ["mps2-an505", "mps2_an505"])
def test_both_spellings_name_the_board(name: str) -> None:
    assert chosen_board(On.qemu, name) is AN505


@pytest.mark.parametrize("on", list(On))
def test_without_the_option_it_is_the_first_board(on: On) -> None:
    assert chosen_board(on, None) is AN385 is Inputs().board


@pytest.mark.parametrize(
    ("on", "name", "reason"),
    [
        (
            On.qemu,
            "mps2-an500",
            "There is no emulated board 'mps2-an500'. Use one of: mps2-an385, mps2-an505.",
        ),
        (On.renode, "mps2-an505", "Renode does not emulate mps2-an505 here. Use --on qemu."),
        (On.sim, "mps2-an385", "--board is for emulated boards."),
    ],
)
def test_a_board_that_the_machine_does_not_have_is_refused(on: On, name: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        chosen_board(on, name)
    assert reason in str(error.value)


def test_the_product_of_a_story_is_for_its_board() -> None:
    assert 'board = "mps2_an505"' in product_text("qemu", "10.0.2.2", {}, board=AN505)
    assert 'board = "simulator"' in product_text("sim", "127.0.0.1", {}, board=AN505)


def test_a_machine_of_the_second_board_is_qemus(tmp_path) -> None:
    with make_machine("qemu", tmp_path, None, board=AN505) as machine:
        assert machine.kind is AN505
