"""The page of an application: bounds of what it declares, checks of what the owner sets, actions in order."""

import asyncio

from memory_unit import MemoryRecords, refused

from device.agent.app_page import Action, AppPage, Reading, Setting, choice, number, switch
from device.codec import cbor
from device.errors import SettingsError
from device.limits import APP_ACTIONS, APP_CHOICES, APP_NUMBER, APP_READINGS, APP_SETTINGS, APP_WAITING
from device.records.store import USER, Store

SETTINGS = (
    number("dim", "Brightness", 80, 0, 100, "%"),
    switch("night", "Dim at night", True),
    choice("tone", "Colour", "warm", ("warm", "cold")),
)
READINGS = (Reading("now", "Brightness now", "%"),)
ACTIONS = (Action("toggle", "Switch on or off"), Action("test", "Test the lamp"))


def made(records=None):
    page = AppPage(Store(records or MemoryRecords(), USER))
    page.declare("Lamp", SETTINGS, READINGS, ACTIONS)
    return page


def values(page):
    return [page.value(setting.name) for setting in SETTINGS]


def test_without_a_declaration_there_is_no_page():
    assert AppPage(Store(MemoryRecords(), USER)).status() is None


def test_a_setting_is_its_default_until_the_owner_sets_it():
    records = MemoryRecords()
    page = made(records)
    assert values(page) == [80, True, "warm"] and records.names() == []
    page.change({"dim": 5, "night": False, "tone": "cold"})
    assert values(page) == [5, False, "cold"]
    assert values(made(records)) == [5, False, "cold"]


def test_a_part_of_the_settings_leaves_the_others():
    page = made()
    page.change({"dim": 5})
    page.change({"night": False})
    assert values(page) == [5, False, "warm"]


def test_what_a_setting_does_not_allow_changes_nothing():
    records = MemoryRecords()
    page = made(records)
    for name, wrong in (
        ("dim", (-1, 101, True, None, "5", 5.0, 2**40)),
        ("night", (0, 1, None, "on")),
        ("tone", ("", "hot", None, 0, b"warm")),
    ):
        for value in wrong:
            error = refused(SettingsError, page.change, {"dim": 5, name: value})
            assert error.fields["reason"] == "app value" and error.fields["setting"] == name
    assert refused(SettingsError, page.change, {"dim": 5, "other": 1}).fields["reason"] == "app setting"
    assert values(page) == [80, True, "warm"] and records.names() == []


def test_both_bounds_of_a_number_are_allowed():
    page = made()
    for value in (0, 100):
        page.change({"dim": value})
        assert page.value("dim") == value


def test_a_stored_value_that_no_longer_fits_is_the_default():
    records = MemoryRecords()
    made(records).change({"dim": 90, "night": False, "tone": "cold"})
    page = AppPage(Store(records, USER))
    page.declare(
        "Lamp", (number("dim", "Brightness", 10, 0, 50), choice("night", "Night", "a", ("a",))), (), ()
    )
    assert page.value("dim") == 10 and page.value("night") == "a"
    page.change({"dim": 20})
    assert cbor.decode(Store(records, USER).read("app")) == {"dim": 20, "night": "a"}


def test_a_damaged_or_foreign_record_gives_the_defaults():
    for content in (cbor.encode([1, 2]), cbor.encode({1: 2}), b"\xff"):
        records = MemoryRecords()
        Store(records, USER).write("app", content)
        assert values(made(records)) == [80, True, "warm"]
    records = MemoryRecords()
    made(records).change({"dim": 1})
    records.damage("app")
    assert values(made(records)) == [80, True, "warm"]


def test_the_same_values_again_write_nothing():
    records = MemoryRecords()
    page = made(records)
    page.change({"dim": 5})
    page.change({"dim": 5, "night": True})
    assert records.log == ["write app"]


def test_a_reading_is_shown_as_it_was_measured_last():
    page = made()
    assert page.status()["readings"][0]["value"] is None
    for value, shown in (
        (5, 5),
        (True, True),
        (0.12345, 0.123),
        ("x" * 65, "x" * 64),
        ("<b>", "<b>"),
        (APP_NUMBER, APP_NUMBER),
        (APP_NUMBER + 1, None),
        (1e30, None),
        (float("inf"), None),
        (float("nan"), None),
        (None, None),
    ):
        page.measure("now", value)
        found = page.status()["readings"][0]["value"]
        assert found == shown or abs(found - shown) < 0.0001
    refused(TypeError, page.measure, "now", b"bytes")
    refused(TypeError, page.measure, "now", [1])
    refused(KeyError, page.measure, "other", 1)


def test_actions_arrive_in_order_and_no_more_than_may_wait():
    page = made()
    assert refused(SettingsError, page.act, "other").fields["reason"] == "app action"
    for at in range(APP_WAITING):
        page.act(("toggle", "test")[at % 2])
    assert refused(SettingsError, page.act, "toggle").fields["reason"] == "app busy"

    async def take():
        found = []
        for _ in range(APP_WAITING):
            found.append(await page.next_action(5))
        return found

    assert asyncio.run(take()) == ["toggle", "test"] * (APP_WAITING // 2)


def test_an_application_that_waits_notices_an_action_and_a_changed_setting():
    async def script():
        page = made()
        waiting = asyncio.create_task(page.next_action(60))
        await asyncio.sleep(0)
        page.act("test")
        first = await waiting
        waiting = asyncio.create_task(page.next_action(60))
        await asyncio.sleep(0)
        page.change({"dim": 5})
        return first, await waiting, await page.next_action(0.01)

    assert asyncio.run(script()) == ("test", None, None)


def test_a_new_declaration_drops_what_waited_for_the_old_one():
    page = made()
    page.act("test")
    page.measure("now", 1)
    page.declare("Lamp", SETTINGS, READINGS, ())
    assert page.status()["readings"][0]["value"] is None and page.status()["actions"] == []

    async def take():
        return await page.next_action(0.01)

    assert asyncio.run(take()) is None


def test_a_declaration_past_the_bounds_is_refused_and_changes_nothing():
    page = made()
    before = page.status()

    def settings(*some):
        refused(ValueError, page.declare, "Lamp", some, (), ())

    for title in ("", "x" * 21):
        refused(ValueError, page.declare, title, (), (), ())
    refused(TypeError, page.declare, None, (), (), ())
    for name in ("", "Dim", "1a", "a-b", "a b", "x" * 13, "ä"):
        settings(number(name, "Label", 0, 0, 1))
    settings(number("a", "", 0, 0, 1))
    settings(number("a", "x" * 41, 0, 0, 1))
    settings(number("a", "A", 0, 0, 1, "x" * 13))
    settings(number("a", "A", 2, 0, 1))
    settings(number("a", "A", 0, 1, 0))
    settings(number("a", "A", 0, 0, APP_NUMBER + 1))
    settings(switch("a", "A", 1))
    settings(choice("a", "A", "x", ()))
    settings(choice("a", "A", "x", ("y",)))
    settings(choice("a", "A", "x", ("x", "x")))
    settings(choice("a", "A", "0", [str(at) for at in range(APP_CHOICES + 1)]))
    settings(Setting("a", "A", "text", "", 0, 0, (), ""))
    settings(switch("a", "A", True), switch("a", "B", True))
    settings(*[switch("a" + str(at), "A", True) for at in range(APP_SETTINGS + 1)])
    many = [Reading("r" + str(at), "R", "") for at in range(APP_READINGS + 1)]
    refused(ValueError, page.declare, "Lamp", (), many, ())
    refused(ValueError, page.declare, "Lamp", (), (Reading("r", "R", "x" * 13),), ())
    many = [Action("a" + str(at), "A") for at in range(APP_ACTIONS + 1)]
    refused(ValueError, page.declare, "Lamp", (), (), many)
    refused(ValueError, page.declare, "Lamp", (switch("a", "A", True),), (Reading("a", "A", ""),), ())
    assert page.status() == before
