"""The campaign itself: its recordings are real cuts, its numbers name them, and its checks can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.agent.facade import Facade
from device.codec.image import parse_image
from device.crypto import backend
from device.layout import MPS2
from device.records.store import Store
from device.update.slots import BootState
from simulator.ports.flash import CUTS, TORN, PowerCut, SimFlash
from simulator.powercut import checks, remember, sectors
from simulator.powercut.bench import LAYOUT, Bench
from simulator.powercut.campaign import Campaign
from simulator.powercut.engine import cuts, record, tear_seed
from simulator.powercut.errors import BrickedError, LostError
from simulator.powercut.flows import FLOWS, Flow, register
from simulator.powercut.sweep import flow_jobs


def two_writes(flash: SimFlash) -> None:
    flash.write(0, b"a" * 64)
    flash.erase(4096)
    flash.write(8192, b"b" * 32)


def test_the_recorded_cut_leaves_the_flash_that_a_real_cut_leaves() -> None:
    start = SimFlash()
    start.corrupt(4096, bytes(range(256)))
    for case, after in cuts(start.snapshot(), MPS2, two_writes):
        real = SimFlash(seed=tear_seed(case))
        real.restore(start.snapshot())
        real.cut_at(case.operation, case.when)
        with pytest.raises(PowerCut):
            two_writes(real)
        real.power_on()
        assert real.image() == after.image(), case


def test_every_number_is_a_cut_and_the_first_ones_are_all_of_them() -> None:
    flash = SimFlash()
    recording = record(flash, lambda: two_writes(flash), MPS2)
    seen = {(case.operation, case.when) for case in recording.cases()}
    assert seen == {(operation, when) for operation in (1, 2, 3) for when in CUTS}
    assert recording.case(9 + 4).tear == 1
    assert [case.when for case in recording.cases(tears=3)].count(TORN) == 9


def test_an_action_that_writes_nothing_is_no_campaign() -> None:
    with pytest.raises(ValueError, match="nothing to cut"):
        next(cuts(SimFlash().snapshot(), MPS2, lambda flash: None))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(Bench(tmp_path_factory.mktemp("bench")))


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_a_replayed_case_finds_the_flash_of_the_recording(campaign: Campaign, name: str) -> None:
    recording = campaign.recorded(name).recording
    for seed in (1, 3 * (recording.total // 2), 3 * recording.total - 2):
        case = recording.case(seed)
        quick, world_then = campaign.state_after(name, case)
        slow, world_again = campaign.state_after_rerun(name, case)
        assert quick.snapshot() == slow.snapshot(), case
        assert [item.what for item in world_then.history] == [item.what for item in world_again.history], case


def test_cuts_that_leave_the_same_unit_are_run_once_and_counted_each(campaign: Campaign) -> None:
    recording = campaign.recorded("set-up").recording
    jobs = flow_jobs(campaign, ["set-up"])
    assert sum(len(job.cuts) for job in jobs) == 3 * recording.total > len(jobs)
    for job in jobs:
        flash, world = campaign.state_after("set-up", recording.case(job.seed))
        for cut in job.cuts:
            seed = int(cut.split()[3])
            same, world_then = campaign.state_after("set-up", recording.case(seed))
            assert same.snapshot() == flash.snapshot(), cut
            assert world_then.history == world.history, cut


def test_a_campaign_that_remembers_answers_finds_what_one_that_computes_them_finds(
    fresh: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The uncut run of the same flows with device.crypto's own functions ends in the same flash."""
    for name in (*remember.FUNCTIONS, "Pbkdf2"):
        monkeypatch.setattr(backend, name, getattr(backend, name))  # put back at the end
    plain = fresh.recorded("set-up").end
    remember.remember_answers()
    again = Campaign(fresh.bench)
    assert again.recorded("set-up").end == plain
    assert again.recorded("set-up").recording == fresh.recorded("set-up").recording


def is_found(campaign: Campaign, name: str, kind: str) -> bool:
    """Return whether some cut of the flow gives a finding of this kind."""
    recording = campaign.recorded(name).recording
    return any(campaign.run_case(name, case.seed).counts[kind] for case in reversed(list(recording.cases())))


@pytest.fixture
def fresh(tmp_path: Path) -> Campaign:
    """A campaign of its own for a test that breaks the unit."""
    return Campaign(Bench(tmp_path))


def test_a_counter_raised_before_the_confirm_is_found(
    fresh: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = BootState.confirm

    def early(self: BootState, slot: int) -> None:
        self.raise_security_counter(2)
        confirm(self, slot)

    fresh.recorded("set-up")
    monkeypatch.setattr(BootState, "confirm", early)
    assert is_found(fresh, "update-mqtt", checks.BRICKED)


def test_a_sender_sequence_that_is_not_stored_is_found(
    fresh: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.recorded("set-up")
    monkeypatch.setattr("device.agent.sources._save_sequence", lambda store, upto: None)
    assert is_found(fresh, "update-coap", checks.NONCE_REUSE)


def test_a_half_written_lock_that_counts_as_open_is_found(
    fresh: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.recorded(sectors.AFTER)
    monkeypatch.setattr(BootState, "is_locked", lambda self: False)
    damage = sectors.damages()[0]
    assert sectors.run_damage(fresh, damage).counts[checks.OPEN] > 0


def test_a_changed_application_that_is_run_is_found(fresh: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that does not check the files of its application set runs an unsigned application."""
    fresh.recorded(sectors.AFTER)
    place = LAYOUT.set_offsets[0] // LAYOUT.sector_bytes
    spoilt = next(one for one in sectors.damages() if (one.sector, one.mode) == (place, "corrupt"))
    assert sectors.run_damage(fresh, spoilt).counts[checks.MIXED] == 0
    monkeypatch.setattr("simulator.powercut.app_sets.running", lambda *about: (b"another", 4))
    assert sectors.run_damage(fresh, spoilt).counts[checks.MIXED] > 0


def test_an_unsigned_image_is_found(fresh: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """A boot ROM that does not check the digest starts a changed image; the campaign compares the bytes itself."""
    recorded = fresh.recorded("set-up")
    flash = SimFlash(LAYOUT)
    flash.restore(recorded.end)
    at = LAYOUT.slot_offsets[0] + 4000
    flash.corrupt(at, bytes((flash.read(at, 1)[0] ^ 1,)))
    monkeypatch.setattr("simulator.boot.verify_slot", _no_digest)
    assert checks.check_at_rest(flash, recorded.after).counts[checks.MIXED] > 0


def _no_digest(boot: BootState, slot: int, keys: object) -> tuple[object, int]:
    """Return any well-formed image and the number of its key, as a boot ROM without a digest check would."""
    return parse_image(lambda offset, length: boot.read(slot, offset, length), boot.slot_limit_bytes), 0


def test_a_new_password_that_is_answered_before_it_is_stored_is_found(
    fresh: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told_only(self: Facade, current: str, new: str, is_normalised: bool = False) -> None:
        await self.login(current)

    fresh.recorded("set-up")
    with pytest.raises(LostError):
        monkeypatch.setattr(Facade, "change_password", told_only)
        fresh.recorded("password-change")


def test_a_release_on_trial_that_writes_its_own_form_of_a_record_is_found(
    fresh: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.recorded("set-up")
    monkeypatch.setattr(
        Store, "is_settled", property(lambda self: True, lambda self, value: None), raising=False
    )
    assert is_found(fresh, "migrate", checks.BRICKED)


def test_a_migration_that_never_comes_is_found(fresh: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.recorded("set-up")
    monkeypatch.setattr(Store, "migrate", lambda self: 0)
    with pytest.raises(BrickedError, match="records of the new form"):
        fresh.recorded("migrate")


def test_a_flow_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="exists"):
        register(Flow("set-up", None, FLOWS["set-up"].script))
