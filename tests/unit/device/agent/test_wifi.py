"""The unit's network in the simulated air: when the access point is open, how faults are distinguished, what is
kept."""

from __future__ import annotations

import asyncio

import pytest

from device.errors import LinkError, WifiError
from device.limits import WIFI_LINGER_S, WIFI_PAUSE_CAP_S, WIFI_WINDOW_S
from device.net import wifi
from device.records.store import USER, find
from tests.radio_faults import FAULTS, WITHOUT_WPA3, Fault
from tests.radio_faults import KEY as KEY_OF_THE_OWNER
from tests.unit.device.agent.wifi_bench import HOME, HOME_KEY, KEY, NAME, Bench, run

# the access point -----------------------------------------------------------------------------------------------


def test_a_unit_without_a_network_opens_its_access_point_with_the_passphrase_of_its_label() -> None:
    async def scenario(bench: Bench) -> None:
        await asyncio.sleep(1)
        assert bench.air.phone_joins(NAME, KEY)
        assert not bench.air.phone_joins(NAME, "") and not bench.air.phone_joins(NAME, KEY[:-1])

    run(scenario)


def test_a_unit_without_a_passphrase_never_opens_an_access_point() -> None:
    async def scenario(bench: Bench) -> None:
        bench.host.pressed()
        await asyncio.sleep(3600)
        assert bench.air.units == {}

    run(scenario, key="")


def test_after_a_join_the_access_point_stays_for_the_owner_to_read_it_and_then_closes() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        assert await bench.choose() == wifi.JOINED
        await asyncio.sleep(WIFI_LINGER_S - 5)
        assert bench.is_open
        await asyncio.sleep(10)
        assert not bench.is_open and bench.host.is_joined()

    run(scenario)


def test_the_owner_closes_the_access_point_at_once_but_not_without_a_network() -> None:
    async def scenario(bench: Bench) -> None:
        await asyncio.sleep(1)
        bench.host.finish()
        await asyncio.sleep(5)
        assert bench.is_open
        bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        bench.host.finish()
        await asyncio.sleep(3)
        assert not bench.is_open

    run(scenario)


def test_a_unit_on_its_network_opens_no_access_point_whoever_presses_the_button() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        await asyncio.sleep(WIFI_LINGER_S + 5)
        bench.host.pressed()
        await asyncio.sleep(5)
        assert not bench.is_open

    run(scenario)


# faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_has_a_cause_of_its_own_and_stores_nothing(fault: Fault) -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.weak_fails = 1.0
        bench.air.routers.append(fault.router())
        bench.host.rescan()
        await asyncio.sleep(5)
        assert await bench.choose(fault.name, KEY_OF_THE_OWNER) == fault.cause
        assert bench.records.read("wifi") is None
        assert bench.is_open and not bench.host.is_joined()

    run(scenario, securities=WITHOUT_WPA3)


def test_a_network_with_wpa3_alone_is_refused_before_the_radio_tries_it() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY, security=wifi.WPA3)
        with pytest.raises(WifiError, match="security"):
            bench.host.choose(HOME.encode(), HOME_KEY.encode(), wifi.WPA3)
        assert bench.radio.joins == [] and bench.host.attempt is None

    run(scenario, securities=WITHOUT_WPA3)


def test_a_weak_signal_works_now_and_then() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY, signal_dbm=-88)
        bench.host.rescan()
        await asyncio.sleep(5)
        results = [await bench.choose() for _ in range(12)]
        assert set(results) == {wifi.WEAK, wifi.JOINED}

    run(scenario, seed=3)


@pytest.mark.parametrize("key", [KEY, ""])
def test_a_search_that_the_owner_asks_for_renews_the_list_with_and_without_an_access_point(key: str) -> None:
    async def scenario(bench: Bench) -> None:
        await asyncio.sleep(5)
        assert bench.host.networks == []
        bench.air.add(HOME, HOME_KEY)
        bench.host.rescan()
        assert bench.host.is_looking()
        await bench.until(lambda: not bench.host.is_looking(), 5)
        assert [one.ssid for one in bench.host.networks] == [HOME.encode()]

    run(scenario, key=key)


def test_a_search_on_the_owners_network_keeps_the_link_and_opens_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        await bench.restart()
        await bench.until(bench.host.is_joined)
        assert bench.host.networks == []  # nobody asked
        bench.host.rescan()
        await bench.until(lambda: not bench.host.is_looking(), 5)
        assert [one.ssid for one in bench.host.networks] == [HOME.encode()]
        assert bench.host.is_joined() and not bench.is_open and bench.joined == 2

    run(scenario)


def test_a_search_that_fails_is_not_repeated_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(bench: Bench) -> None:
        await asyncio.sleep(5)
        tries = []

        async def fail() -> list[wifi.Seen]:
            tries.append(1)
            raise LinkError(reason="scan")

        monkeypatch.setattr(bench.radio, "scan", fail)
        bench.host.rescan()
        await asyncio.sleep(60)
        assert len(tries) == 1 and not bench.host.is_looking()

    run(scenario)


def test_a_hidden_network_is_joined_by_its_name() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY, is_hidden=True)
        await asyncio.sleep(5)
        assert bench.host.networks == []
        assert await bench.choose() == wifi.JOINED

    run(scenario)


def test_a_captive_network_gives_an_address_and_reaches_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add("Hotel", is_captive=True)
        assert await bench.choose("Hotel", "") == wifi.JOINED
        assert not bench.radio.reaches_internet

    run(scenario)


def test_a_wrong_passphrase_is_followed_by_the_right_one_and_nothing_else_is_asked_again() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        assert await bench.choose(key="correct horse 8") == wifi.PASSPHRASE
        assert await bench.choose() == wifi.JOINED
        assert bench.joined == 1

    run(scenario)


# one choice at a time, no state change before the check --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key", "reason"),
    [
        ("", HOME_KEY, "name"),
        ("n" * 33, HOME_KEY, "name"),
        (HOME, "seven77", "passphrase length"),
        (HOME, "k" * 64, "passphrase length"),
        (HOME, "schlüssel!", "passphrase character"),
    ],
)
def test_a_choice_that_no_radio_can_join_changes_nothing(name: str, key: str, reason: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(WifiError) as caught:
            bench.host.choose(name.encode(), key.encode())
        assert caught.value.fields["reason"] == reason
        await asyncio.sleep(5)
        assert bench.radio.joins == [] and bench.host.attempt is None

    run(scenario)


def test_a_second_choice_waits_for_the_first() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        bench.host.choose(HOME.encode(), HOME_KEY.encode())
        with pytest.raises(WifiError, match="busy"):
            bench.host.choose(b"Other", b"another passphrase")
        await bench.until(lambda: bench.result == wifi.JOINED)

    run(scenario)


def test_the_same_choice_again_while_it_is_tried_is_no_second_one() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        for _ in range(3):
            bench.host.choose(HOME.encode(), HOME_KEY.encode())
            await asyncio.sleep(0.3)
            bench.host.again()
        with pytest.raises(WifiError, match="busy"):
            bench.host.choose(HOME.encode(), b"another passphrase")
        await bench.until(lambda: bench.result == wifi.JOINED)
        assert len(bench.radio.joins) == 1

    run(scenario)


# what is kept -----------------------------------------------------------------------------------------------------


def test_a_restart_joins_the_stored_network_and_opens_no_access_point() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        await bench.restart()
        await bench.until(bench.host.is_joined)
        assert not bench.is_open

    run(scenario)


def test_a_network_that_fails_leaves_the_one_that_works() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        bench.air.add("Other", "another passphrase")
        await bench.choose()
        before = bench.records.read("wifi")
        assert await bench.choose("Other", "not its passphrase") == wifi.PASSPHRASE
        assert bench.records.read("wifi") == before
        await bench.until(bench.host.is_joined, 60)

    run(scenario)


def test_a_damaged_record_opens_the_access_point_and_names_the_damage() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        await bench.stop()
        bench.records.damage("wifi")
        bench.start()
        await asyncio.sleep(2)
        assert bench.is_open and any("RecordDamaged" in line for line in bench.said)

    run(scenario)


def test_the_network_is_in_the_region_that_a_factory_reset_erases() -> None:
    entry = find(wifi.RECORD)
    assert entry is not None and entry.region == USER and not entry.from_station


def test_neither_passphrase_is_ever_said() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        await bench.choose(key="correct horse 8")
        await bench.choose()
        told = " ".join(bench.said) + str(bench.host.status())
        assert HOME_KEY not in told and KEY not in told and "correct horse" not in told

    run(scenario)


# lost and found -----------------------------------------------------------------------------------------------------


def test_a_lost_network_is_found_again_with_pauses_that_grow_to_a_cap() -> None:
    async def scenario(bench: Bench) -> None:
        router = bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        await asyncio.sleep(WIFI_LINGER_S + 5)
        router.is_on = False
        tries = len(bench.radio.joins)
        await asyncio.sleep(3600)
        tries = len(bench.radio.joins) - tries
        assert 12 <= tries <= 25 and not bench.is_open
        router.is_on = True
        assert await bench.until(bench.host.is_joined) < 1.25 * WIFI_PAUSE_CAP_S + 30
        assert bench.joined == 2

    run(scenario)


def test_a_router_that_was_off_for_a_day_is_joined_again_without_its_owner() -> None:
    async def scenario(bench: Bench) -> None:
        router = bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        await asyncio.sleep(WIFI_LINGER_S + 5)
        router.is_on = False
        for _ in range(24):
            await asyncio.sleep(3600)
            assert not bench.is_open and bench.host.lost_for == wifi.NOT_FOUND
        router.is_on = True
        assert await bench.until(bench.host.is_joined) < 1.25 * WIFI_PAUSE_CAP_S + 30
        assert bench.host.lost_for == "" and not bench.is_open

    run(scenario)


def test_a_unit_roams_to_the_other_router_of_its_network() -> None:
    async def scenario(bench: Bench) -> None:
        near = bench.air.add(HOME, HOME_KEY)
        far = bench.air.add(HOME, HOME_KEY, signal_dbm=-70)
        await bench.choose()
        assert bench.radio.router is near
        near.signal_dbm = -95
        await bench.until(lambda: bench.radio.router is far, 60)
        await bench.until(bench.host.is_joined, 60)

    run(scenario)


def test_a_changed_passphrase_is_told_after_a_press_of_the_button() -> None:
    async def scenario(bench: Bench) -> None:
        router = bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        await asyncio.sleep(WIFI_LINGER_S + 5)
        router.passphrase = b"a new passphrase"
        await bench.until(lambda: bench.host.lost_for == wifi.PASSPHRASE)
        assert not bench.is_open
        bench.host.pressed()
        await asyncio.sleep(2)
        assert bench.air.phone_joins(NAME, KEY)
        assert await bench.choose(key="a new passphrase") == wifi.JOINED
        await asyncio.sleep(WIFI_LINGER_S + 5)
        assert not bench.is_open and bench.host.is_joined()

    run(scenario)


def test_a_press_that_nobody_follows_closes_the_access_point_again() -> None:
    async def scenario(bench: Bench) -> None:
        router = bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        router.is_on = False
        await bench.until(lambda: not bench.host.is_joined())
        bench.host.pressed()
        await asyncio.sleep(WIFI_WINDOW_S - 10)
        assert bench.is_open
        await asyncio.sleep(20)
        assert not bench.is_open

    run(scenario)


def test_an_evil_twin_without_the_passphrase_gets_neither_the_link_nor_the_passphrase() -> None:
    async def scenario(bench: Bench) -> None:
        router = bench.air.add(HOME, HOME_KEY)
        await bench.choose()
        router.is_on = False
        bench.air.add(HOME, security=wifi.OPEN, signal_dbm=-30)
        bench.air.add(HOME, "guessed at random", signal_dbm=-40)
        await asyncio.sleep(1800)
        assert not bench.host.is_joined()
        stored = wifi.load(bench.user)
        assert stored is not None and all(one == stored for one in bench.radio.joins)

    run(scenario)
