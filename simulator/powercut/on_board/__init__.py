"""The power-cut campaign on the emulated board: the real firmware cuts its own power, then must start again.

bench.py provisions a unit and builds the NVM images that flows begin with. flows.py lists the actions of people and
servers. cases.py cuts and checks. sample.py selects cases at random and runs them in parallel.

One case:
1. The NVM driver in C stops inside the flow, at the operation that the case names. The program or erase has not begun,
   is torn, or is done. Then the emulator is killed.
2. The simulator's code reads the NVM file: the image that boots, the life-cycle state, the records.
3. The board starts from the file. Its boot ROM and firmware must report the same.
4. The pages are tried without a session, with a wrong password, with the used set-up code, and by the owner. Units
   whose access depends on the same records are tried only once, so most cases end with the first page.

Not covered: the mark *tried*, which the boot ROM programs, is cut in the simulator only. Of the flows, only the
station's is continued after the cut.
"""
