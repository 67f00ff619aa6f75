"""A small recording for the tests of its format."""

from __future__ import annotations

from device.layout import MPS2
from renode.recording import LINES, Action, Recording, Run, digest_of

NVM = b"\xff" * MPS2.size_bytes
ROM, LOG = b"\x7fELF rom", b"log"


def outputs(text: str = "") -> dict[str, str]:
    return {name: digest_of(f"{name}{text}".encode()) for name in (*LINES, "nvm")}


def recording(*actions: Action, runs: int = 1) -> Recording:
    """Return a recording whose first run has these actions."""
    contents = {digest_of(data): data for data in (NVM, ROM, LOG)}
    made = tuple(
        Run(
            rom=digest_of(ROM),
            nvm=digest_of(NVM) if number == 0 else None,
            page=b"page",
            has_network=True,
            log=digest_of(LOG),
            instructions=1000,
            actions=actions if number == 0 else (),
            outputs=outputs(str(number)),
        )
        for number in range(runs)
    )
    return Recording("a test", "qemu", "QEMU 7.2", 8, made, dict(contents))
