"""Replaces the driver of a temperature sensor: values that rise and fall, without hardware."""

_STEPS = 48


def celsius(count):
    """Return the temperature of measurement number `count` (0, 1, ...) in °C, one decimal: 18.0 to 25.2."""
    step = count % _STEPS
    return round(18.0 + 0.3 * min(step, _STEPS - step), 1)
