"""The roots undo a time that a tracker signed by mistake, without a new key for the tracker (docs/signing.md)."""

from __future__ import annotations

import pytest

from device.errors import FreshnessError
from provisioning.keys import keyset
from provisioning.release.drill import BUILD_S, DAY_S, DrillUnit, Maker


def test_a_key_set_of_the_roots_undoes_a_time_that_was_signed_30_days_ahead() -> None:
    maker = Maker()
    unit = DrillUnit(maker)
    tracker, now_s = maker.roles["tracker"], BUILD_S + 50 * DAY_S
    unit.take_time(tracker, now_s + 30 * DAY_S)
    with pytest.raises(FreshnessError):
        unit.take_time(tracker, now_s)
    maker.plan = maker.plan.changed()
    unit.take_key_set(keyset.sign_key_set(maker.content(now_s), maker.roots))
    unit.take_time(tracker, now_s + 60)
    assert unit.progress.time_floor_s == now_s + 60
