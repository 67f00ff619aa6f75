"""Scenarios are parsed completely or refused with every problem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fleet import scenario as made
from simulator.fleet.errors import ScenarioError

SMALL = "[fleet]\nseed = 1\nunits = 2\nhours = 3\n"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as error:
        made.parse(text)
    return error.value.problems


def test_a_small_scenario_has_the_defaults() -> None:
    found = made.parse(SMALL)
    assert (found.seed, found.units, found.end_s, found.check_interval_s) == (1, 2, 3 * 3600, 3600)
    assert found.regions == (made.Region("all", 1.0),)
    assert (found.releases, found.outages, found.attacks) == ((), (), ())


def test_releases_are_in_the_order_of_their_time() -> None:
    text = SMALL + "[[release]]\nnumber = 3\nat_s = 20\n[[release]]\nnumber = 2\nat_s = 10\nhangs = 1\n"
    assert made.parse(text).releases == (made.Published(2, 10, 1.0), made.Published(3, 20))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("drift_ppm = true", "[fleet] drift_ppm must be a number from 0 to 10000"),
        ("drift_ppm = nan", "[fleet] drift_ppm must be a number from 0 to 10000"),
        ("updates_off = 1.1", "[fleet] updates_off must be a number from 0 to 1"),
        ("check_interval_s = 1", "[fleet] check_interval_s must be a whole number from 30 to 2592000"),
        ("speed = 1", "[fleet] speed is not known here"),
        ("[weather]\nrain = 1", "[weather] is not known"),
        ("[link]\nloss = 1.0", "[link] loss must be a number from 0 to 0.9"),
        ("[[release]]\nnumber = 1\nat_s = 0", "[release no. 1] number must be a whole number from 2 to 5"),
        (
            "[[release]]\nnumber = 3\nat_s = 0\n[[release]]\nnumber = 2\nat_s = 9",
            "[[release]] a later release must have a higher number",
        ),
        (
            "[[outage]]\nfrom_s = 5\nto_s = 5",
            "[outage no. 1] to_s must be after from_s",
        ),
        (
            '[[outage]]\nregion = "moon"\nfrom_s = 5\nto_s = 6',
            "[outage no. 1] region is not one of the regions",
        ),
        (
            '[[hostile]]\nfrom_s = 5\nto_s = 6\ndoes = "steal"',
            "[hostile no. 1] does must be one of withhold, tamper, tamper-chunks, replay, mute",
        ),
        (
            "[rollout]\nrelease = 2\n[[stage]]\nshare = 1\nleast_s = 0",
            "[rollout] release is not one of the releases",
        ),
        ("[[stage]]\nshare = 1\nleast_s = 0", "[[stage]] belongs to a [rollout]"),
        (
            "[[release]]\nnumber = 2\nat_s = 0\n[rollout]\nrelease = 2\n[[stage]]\nshare = 0.5\nleast_s = 0",
            "[[stage]] each share must be larger than the one before, and the last must be 1",
        ),
        ('[[region]]\nname = "a"\nshare = 0.5', "[[region]] the shares of all regions must add up to 1"),
        (
            '[[region]]\nname = "a"\nshare = 0.5\n[[region]]\nname = "a"\nshare = 0.5',
            "[[region]] two regions have one name",
        ),
    ],
)
def test_a_wrong_field_is_named(more: str, problem: str) -> None:
    assert problems(SMALL + more) == (problem,)


def test_every_problem_is_reported_at_once() -> None:
    assert len(problems("[fleet]\nseed = -1\nunits = 0\nhours = 0\n")) == 3


def test_what_is_not_toml_is_refused() -> None:
    assert problems("[fleet")[0].startswith("this is not TOML: ")


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        made.parse(SMALL + text)
    except ScenarioError as error:
        assert error.problems
