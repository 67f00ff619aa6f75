"""Known bugs that the campaign must find: wrong orders and missing checks, planted one at a time.

A bug replaces a function of the device code or of a port while its campaign runs; plant.py puts everything back. No
file is edited. score.py runs the campaign with each bug and prints how many were found.
"""
