"""The one place that knows that `micropython.const` does not exist on CPython."""

try:
    from micropython import const as const
except ImportError:

    def const(value: int) -> int:
        """Give `value` back; mpy-cross folds the name away on a board."""
        return value
