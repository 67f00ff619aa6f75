"""A number with its noun."""

from __future__ import annotations

from provisioning.counted import counted


def test_one_has_the_singular_and_every_other_number_the_plural() -> None:
    assert [counted(n, "unit") for n in (0, 1, 2)] == ["0 units", "1 unit", "2 units"]


def test_a_plural_without_an_s_is_named() -> None:
    assert [counted(n, "advisory", "advisories") for n in (1, 2)] == ["1 advisory", "2 advisories"]
