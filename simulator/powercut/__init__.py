"""The power-cut campaign: every flow of a unit, cut at every flash operation, checked after each start.

engine.py records a run and builds every state that a cut leaves. bench.py generates what all runs share. machine.py
runs the firmware's own agent in virtual time, with the servers of world.py and servers.py. flows.py lists the actions
of people and servers (owner_scripts.py, station_script.py). checks.py has the conditions that hold after every cut.
"""
