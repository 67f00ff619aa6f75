"""The power-cut campaign on the emulated board: the real firmware cuts its own power, then must start again.

bench.py provisions a unit and builds the NVM images that flows begin with. flows.py lists what people and servers do.
cases.py cuts and checks. sample.py selects cases at random and runs them in parallel.

What one cut exercises: the NVM driver in C stops inside the flow, at the operation that the case names, with the
program or erase not begun, torn or done. The emulator is killed, NVM is what its file holds. The file is read as the
simulator reads it (what boots, which state follows, what is still known); then the board starts from it, and its boot
ROM and its firmware have to say the same; its pages are tried by somebody without a session, with a wrong password
and with the dead set-up code, and by the owner. What it does not exercise: the one unit that the boot ROM itself
programs, *tried*, is not cut here (it is in the simulator); of flows only the station's is gone on with; doors that
rest on the same records as doors which were tried before are not tried again, so most cases end with the first page.
"""
