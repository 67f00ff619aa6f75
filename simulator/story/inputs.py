"""The inputs of a maker, in place of the examples of a story: product, application, image, keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from provisioning.product.example import EXAMPLE
from simulator.ports.air import Air
from simulator.story.errors import WorldError

# Of a product definition: a run replaces these sections by its own servers.
_REPLACED: Final = ("[update]", "[[servers]]")
_SECTION: Final = re.compile(r"^(?=\[)", re.MULTILINE)
_WIFI: Final = re.compile(r"^\[wifi\]", re.MULTILINE)
_ACCESS_POINT: Final = "\n[wifi]\naccess_point = true\n"
_BOARD: Final = re.compile(r"^board *=.*$", re.MULTILINE)


@dataclass(frozen=True)
class Inputs:
    """None is the example. `has_power_cuts`: an emulated board has firmware that stops at an ordered flash operation.
    `air`: what is around units with a radio; without it they have none.

    `product`: product definition (TOML). `app`: folder of an application, which releases 2, 3 and 5 then contain.
    `image`: a signed boot image that the station finds on the board. `keys`: folder with development keys.
    `check_interval_s`: seconds between two checks for updates. `board`: which board an emulator emulates.
    """

    product: Path | None = None
    app: Path | None = None
    image: Path | None = None
    keys: Path | None = None
    has_power_cuts: bool = False
    check_interval_s: int | None = None
    board: EmulatedBoard = DEFAULT
    air: Air | None = None

    @property
    def variant(self) -> str:
        """Return the variant of the emulated board's firmware."""
        if self.air is not None:
            return "radio"
        return "cut" if self.has_power_cuts else "release"

    def product_base(self) -> str:
        """Return the text of the product definition. Raises WorldError."""
        try:
            text = EXAMPLE if self.product is None else self.product.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WorldError(f"The product definition {self.product} cannot be read: {error}") from None
        has_section = _WIFI.search(text) is not None
        return text if self.air is None or has_section else text + _ACCESS_POINT


def without_servers(text: str) -> str:
    """Return a product definition without its update section and its servers."""
    parts = _SECTION.split(text)
    return "".join(part for part in parts if not part.startswith(_REPLACED))


def for_board(text: str, board: str) -> str:
    """Return a product definition for `board`."""
    return _BOARD.sub(f'board = "{board}"', text, count=1)
