"""The owner's broker in campaigns: what a cut may leave of the choice, and the checks that can fail (ADR 41)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from device.owner import home, lifecycle
from device.records.store import USER, Store
from simulator.ports.flash import SimFlash
from simulator.powercut import bench as made
from simulator.powercut import checks
from simulator.powercut import home as flows
from simulator.powercut.campaign import Campaign
from simulator.powercut.home_brokers import CHOICES, ERASED, LINKED, PASSWORDS
from simulator.powercut.planted.bugs import BUGS
from simulator.powercut.planted.plant import planted
from simulator.powercut.remember import remember_answers


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    remember_answers()
    return Campaign(made.Bench(tmp_path_factory.mktemp("bench")))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a unit whose power was cut
        yield


def unit_after(campaign: Campaign, name: str) -> SimFlash:
    flash = SimFlash(made.LAYOUT)
    flash.restore(campaign.recorded(name).end)
    return flash


def stored(flash: SimFlash) -> home.Broker | None:
    data = Store(checks.Mounts(flash).mount(USER), USER).read(home.RECORD)
    return None if data is None else home.decode(data)


def test_cuts_leave_each_choice_and_the_password_that_belongs_to_it(campaign: Campaign) -> None:
    seen = set()
    for name in ("home-link", "home-erase"):
        for case in campaign.recorded(name).recording.cases():
            flash, world = campaign.state_after(name, case)
            assert checks.check_at_rest(flash, world).texts == [], campaign.describe(name, case.seed)
            seen.add(stored(flash))
    assert seen == set(CHOICES)


def test_pw_03_after_a_reset_no_password_of_a_broker_is_in_flash(campaign: Campaign) -> None:
    linked, fresh = (unit_after(campaign, name) for name in ("home-link", "home-reset"))
    assert any(password.encode() in linked.image() for password in PASSWORDS)
    assert not any(password.encode() in fresh.image() for password in PASSWORDS)
    assert checks.state_of(fresh)[0] == lifecycle.FACTORY_DEFAULT


def test_a_choice_that_nobody_made_is_found(campaign: Campaign) -> None:
    flash = unit_after(campaign, "home-link")
    facts = campaign.recorded("home-link").after.facts()
    assert flows.check(flash, lifecycle.INITIALISED, facts) is None
    for step in (0, 1, LINKED - 1, ERASED):
        wrong = flows.check(flash, lifecycle.INITIALISED, {**facts, flows.STEP: step, flows.TRIED: step})
        assert wrong is not None and wrong[0] == checks.LOST


def test_a_broker_that_learns_the_password_of_another_one_is_found(campaign: Campaign) -> None:
    campaign.recorded("home-link")
    with planted(BUGS["home-password-stays"]):
        found = campaign.run_case("home-link", 0)
    assert found.counts[checks.OPEN] > 0
    assert not any(password in text for text in found.texts for password in PASSWORDS)
