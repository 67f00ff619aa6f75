"""Main of the `hang` firmware: release firmware whose main never feeds the watchdog.

A bad release to show and test: it must lose its trial, by the watchdog, on every unit (UP-04).
"""

print("hang: this release does nothing and feeds no watchdog")
while True:
    pass
