"""The lamp's brightness: a table of 24 values in percent, one for each hour, and straight lines between them."""


def brightness(table, minute):
    """Percent at `minute` of the day (0 to 1439)."""
    hour, rest = divmod(minute, 60)
    first, second = table[hour], table[(hour + 1) % 24]
    return first + (second - first) * rest // 60
