"""Every flow of a unit's life, cut at its flash operations: it starts, stays closed, loses no fact (UP-04, PW-04).

The ordinary run makes every cut of most flows and a part of those of the longest; `make powercut` and the nightly run
make all of them.
"""

from __future__ import annotations

import warnings

import pytest

from simulator.powercut import sectors
from simulator.powercut.bench import Bench
from simulator.powercut.campaign import Campaign
from simulator.powercut.explore import Plan
from simulator.powercut.flows import FLOWS
from simulator.powercut.sweep import run_jobs, sweep

# The cost of a cut differs: three trials without a server are 500 virtual seconds of polling.
STRIDES = {"provision": 4, "revert": 10}
ORDINARY_STRIDE = 1


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(Bench(tmp_path_factory.mktemp("bench")))


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")  # of a unit whose power was cut
@pytest.mark.parametrize("name", sorted(FLOWS))
def test_a_cut_leaves_a_unit_that_starts_stays_closed_and_comes_to_its_end(
    campaign: Campaign, name: str, is_nightly: bool
) -> None:
    stride = 1 if is_nightly else STRIDES.get(name, ORDINARY_STRIDE)
    report = sweep(campaign, [name], plan=Plan(stride=stride), workers=1)
    assert report.points >= 10
    assert not report.findings.texts, "\n".join(report.findings.texts)


def test_a_damaged_sector_never_opens_a_unit(campaign: Campaign, is_nightly: bool) -> None:
    jobs = sectors.sector_jobs(campaign)
    assert len(jobs) > 250
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        reports = run_jobs(
            campaign,
            jobs[:: 1 if is_nightly else 2],
            workers=1,
            run_by={sectors.NAME: sectors.run_sector},
        )
    report = reports[sectors.NAME]
    assert not report.findings.texts, "\n".join(report.findings.texts)
