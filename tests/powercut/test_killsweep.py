"""A short sample of `make killsweep`; the nightly run makes its thousand kills."""

from __future__ import annotations

import multiprocessing

import pytest

from tests.patience import next_of
from tests.postgres import missing_reason
from tests.powercut import killsweep


def _sweep(database: str, kills: int, seed: int, answers) -> None:  # type: ignore[no-untyped-def]
    with killsweep.places(database) as place:
        found = killsweep.sweep(place, kills, seed)
    answers.put((found.kills, found.problems))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_stations_leave_every_unit_with_one_identity(database: str, is_nightly: bool) -> None:
    """The sweep runs in a new process, because it forks stations, and pytest's threads must not be forked."""
    if database == "postgresql" and (reason := missing_reason()):
        pytest.skip(reason)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    kills = 1000 if is_nightly else 12
    process = context.Process(target=_sweep, args=(database, kills, 7, answers))
    process.start()
    counted, problems = next_of(answers, 3600)
    process.join()
    assert counted >= kills and problems == ()
