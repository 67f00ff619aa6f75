"""A unit's update service over real brokers that pass on the tracker's records and withhold what they name (UP-13)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import memory_unit
import pytest
import test_update_keys as fakes

from device.errors import WithheldError
from device.limits import STALE_TICK_S, WITHHELD_S
from device.owner.settings import Consent, Settings
from device.records.events import Events
from device.records.store import DEVICE, USER, Store
from device.records.timekeeper import TimeKeeper
from device.suit import report
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, ROLE_TRACKER, Anchors, Key
from device.update import trial_state
from device.update.journal import Journal
from device.update.releases import Releases
from device.update.service import Hooks, Profile, UpdateService
from device.update.trusted_state import TrustedState
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.servers.broker import Broker
from provisioning.servers.tracker import MqttTracker, Tracker
from tests.interop.support.maker import CLASS_ID, NOW_S, VENDOR_ID, Maker
from tests.patience import until

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]


class Application(fakes.NoApplication):
    """A unit without an application set."""

    def lacks(self, manifest: object) -> bool:
        return False


class WholeUnit:
    """The update service of a unit with release 1 and a clock that a test moves."""

    def __init__(self, maker: Maker, broker: Broker) -> None:
        keys = tuple(
            Key(signer.key_id, signer.algorithm, role, signer.public)
            for signer, role in ((maker.author, ROLE_AUTHOR), (maker.tracker_signer, ROLE_TRACKER))
        )
        anchors = Anchors(VENDOR_ID, CLASS_ID, keys, 2 * NOW_S, 0, NO_RULES)
        self.clock = fakes.Clock()
        time = TimeKeeper(self.clock, 0)
        user = Store(memory_unit.MemoryRecords(), USER)
        journal = Journal(Events(user), time)
        progress = fakes.FakeProgress()
        progress.value = trial_state.Progress(1, 0, 0)
        self.trusted = TrustedState(
            Store(memory_unit.MemoryRecords(), DEVICE),
            anchors,
            time,
            memory_unit.CountingEntropy(),
            progress,
            journal,
        )
        pending = SimpleNamespace(
            is_trial=False,
            confirm=lambda: None,
            known_sequence=lambda named: 0,
            is_void=False,
            renew_keys=lambda ceiling: None,
            is_waiting=lambda manifest: False,
            is_held=lambda manifest: False,
            verdict=lambda manifest, is_asked: 0,
        )
        self.consent = Consent(user, time, lambda: None)
        self.consent.settings = Settings(False, 0)
        self.service = UpdateService(
            Profile(None, "1.0.0+1"),
            Releases(fakes.FakeImage(), Application(), pending, progress),
            self.trusted,
            self.consent,
            journal,
            Hooks(fakes.pause, lambda: False),
        )
        unit = maker.unit()
        self.device_id = unit.device_id
        self.source = maker.mqtt_source(unit, broker.port)

    def check(self) -> None:
        assert asyncio.run(self.service.check(self.source)) is None

    def run(self, seconds: int) -> None:
        for _ in range(seconds // STALE_TICK_S):
            self.clock.ms += STALE_TICK_S * 1000
            self.trusted.withheld.tick()


@pytest.fixture
def tracker(maker: Maker, broker: Broker) -> Iterator[Tracker]:
    """It names release 7, support record 3 and key set 2."""
    made = maker.tracker()
    made.classes[CLASS_ID].raise_to(keyset=2)
    with MqttTracker(made, maker.access(broker.port, "tracker")):
        yield made


def withheld(tracker: Tracker, unit: WholeUnit) -> list[int | None]:
    """Return what each report of a unit that arrived so far names as withheld, None if it names nothing."""
    device = unit.device_id.hex()
    return [one.suit().extensions.get(report.WITHHELD) for one in tracker.reports if one.device == device]


@pytest.mark.parametrize("replayed", [None, 1])
def test_a_broker_that_withholds_what_the_tracker_names_is_reported(
    maker: Maker, broker: Broker, tracker: Tracker, replayed: int | None
) -> None:
    unit = WholeUnit(maker, broker)
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_raw(f"fb/{CLASS_ID.hex()}/manifest", b"")
        if replayed is not None:
            publisher.publish_release(maker.release(sequence_number=replayed))
        unit.check()
        unit.run(WITHHELD_S)
        unit.check()
        assert unit.trusted.withheld.bits == 7
        assert [entry[1] for entry in unit.service.journal.entries] == [WithheldError.code] * 3
        assert until("a report that names all three", lambda: 7 in withheld(tracker, unit))
        publisher.publish_release(maker.release(sequence_number=7))
        unit.check()
    assert unit.consent.offered is not None and unit.consent.offered.sequence == 7
    assert unit.trusted.withheld.bits == 6, "the release arrived and waits for its owner"
