"""Main of the `hang` firmware: release firmware whose main never feeds the watchdog.

It is a bad release for demo and tests: on every unit the watchdog must end its trial (UP-04).
"""

print("hang: this release does nothing and feeds no watchdog")
while True:
    pass
