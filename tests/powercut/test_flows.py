"""Every flow of a unit's life, cut at its flash operations: it starts, it is closed, it forgets nothing (UP-04, PW-04).

The ordinary run takes a part of the cuts of each flow, other ones of each kind; `make powercut` and the nightly run
take every one.
"""

from __future__ import annotations

import warnings

import pytest

from simulator.powercut import sectors
from simulator.powercut.bench import Bench
from simulator.powercut.campaign import Campaign, run_cases, sweep
from simulator.powercut.flows import FLOWS

# What one cut costs differs: three trials without a server are 500 virtual seconds of polling.
STRIDES = {"provision": 10, "revert": 23}
ORDINARY_STRIDE = 4


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(Bench(tmp_path_factory.mktemp("bench")))


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")  # of a unit whose power went
@pytest.mark.parametrize("name", sorted(FLOWS))
def test_a_cut_leaves_a_unit_that_starts_stays_closed_and_comes_to_its_end(
    campaign: Campaign, name: str, is_nightly: bool
) -> None:
    stride = 1 if is_nightly else STRIDES.get(name, ORDINARY_STRIDE)
    report = sweep(campaign, [name], stride=stride, workers=1)
    assert report.points >= 10
    assert not report.findings.places, "\n".join(report.findings.places)


def test_a_damaged_sector_never_opens_a_unit(campaign: Campaign, is_nightly: bool) -> None:
    cases = sectors.sector_cases()
    assert len(cases) > 250
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        report = run_cases(campaign, cases[:: 1 if is_nightly else 4], sectors.run_sector, workers=1)
    assert not report.findings.places, "\n".join(report.findings.places)
