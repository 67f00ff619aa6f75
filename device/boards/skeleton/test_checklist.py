"""The porting checklist of this board: `pytest --firstboot-board qemu`, or a serial port in place of `qemu`.

Every step of docs/porting.md is a test. A step that is not done yet says what is missing and which page tells how. Add
tests of your own below.
"""


def test_step(porting_check):
    porting_check.run()
