"""The power-cut campaign: every flow of a unit, cut at every flash operation, checked after each start.

engine.py records a run and makes every state that a cut leaves; bench.py draws what all runs share; machine.py runs
the firmware's own agent in virtual time; flows.py says what people and servers do; checks.py what must hold.
"""
