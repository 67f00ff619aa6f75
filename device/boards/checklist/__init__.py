"""The checks of the porting checklist, one module for each step (docs/porting.md). They run on the board.

`firstboot board check` sends a step to a board with an open console and calls its functions there. The ports that run
on CPython are tested with the same functions (tests/unit/device/ports/test_port_contract.py). No firmware has them.

Each function takes the board's module `port` and `bench`, a dictionary of what the host offers (simulator/porting), and
returns if the port keeps the promise. A module may also have:

NEEDS     function -> "burn" (writes what cannot be erased), "host" (a TLS server that the board reaches),
          "hand" (a person presses the button)
LOOKS     function -> what a person or the emulator sees after it
RESTARTS  function -> the function that continues after the board has restarted
"""
