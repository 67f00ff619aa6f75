"""Port a board: a new board's folder, and the checklist that runs on the board (docs/porting.md).

checklist  the steps and their checks, read from device/boards/checklist
lines      ways to a board's prompt: serial line, console of the emulated board, MicroPython's unix port
prompt     run code at a raw prompt
targets    boards with what the checks need around them: restart, button, light, a server
session    run checks on a board
peer       the TLS server of the checks
folder     make a board's folder
"""
