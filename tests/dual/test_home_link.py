"""The link to the owner's broker: when it opens, what it takes from a broker, when it goes."""

import asyncio
import json

import test_home
from home_bench import COMMAND, CONFIGURATION, NAME, UNIT, Bench
from memory_unit import refused

from device.agent import home_link
from device.agent.home_link import HomeLink
from device.errors import CertificateError, HomeError, LinkError
from device.limits import HOME_COMMANDS
from device.owner import home

PASSWORD = test_home.BROKER.password


def changed(**changes):
    return home.altered(test_home.BROKER, **changes)


def test_without_a_choice_there_is_no_link():
    bench = Bench()

    async def work(bench):
        await asyncio.sleep(0.05)
        assert bench.broker.opened == 0 and bench.link.status() is None

    bench.run(work)
    for call in (bench.link.test, bench.link.forget, lambda: bench.link.switch(True)):
        assert refused(HomeError, call).fields["reason"] == "nothing"


def test_a_choice_that_is_off_opens_nothing():
    async def work(bench):
        await asyncio.sleep(0.05)
        assert bench.broker.opened == 0 and bench.link.status()["state"] == "off"

    Bench(changed(is_on=False)).run(work)


def test_a_saved_choice_is_published_with_a_will_and_the_login():
    async def work(bench):
        bench.link.save(test_home.BROKER)
        await bench.until_state("connected")
        assert bench.broker.asked == ("192.168.1.7", 8883, "192.168.1.7", test_home.BROKER.authority)
        sent = bytes(bench.broker.connect)
        assert b"offline" in sent and sent.endswith(b"\x00\x04lamp\x00\x0efish and chips")
        assert bench.broker.retained["firstboot/" + NAME + "/availability"] == b"online"
        assert bench.update()["latest_version"] == "1.2.3+0"
        assert bench.broker.subscribed == []

    Bench().run(work)


def test_the_password_is_in_no_status_and_in_no_line_of_the_console():
    async def work(bench):
        bench.broker.code = 4
        bench.link.save(test_home.BROKER)
        await bench.until_state("waiting")
        assert bench.link.status()["reason"] == "refused"
        assert PASSWORD not in str(bench.link.status()) and bench.ports.said
        assert PASSWORD not in str(bench.ports.said)

    Bench().run(work)


def test_each_failure_has_its_word():
    for fault, word in (
        (CertificateError(reason="connect: self-signed"), "certificate"),
        (LinkError(reason="connect: refused"), "unreachable"),
        (MemoryError(), "memory"),
        (KeyError("surprise"), "unreachable"),
    ):

        async def work(bench, fault=fault, word=word):
            bench.broker.fault = fault
            bench.link.save(test_home.BROKER)
            await bench.until_state("waiting")
            assert bench.link.status()["reason"] == word

        Bench().run(work)


def test_a_command_starts_the_release_that_waits_once():
    async def work(bench):
        await bench.until_state("connected")
        assert bench.broker.subscribed == [COMMAND]
        assert json.loads(bench.broker.retained[CONFIGURATION])["payload_install"] == "install-7"
        bench.broker.say("install-7")
        bench.broker.say("install-7")
        await bench.until(lambda: bench.consent.installed)
        await asyncio.sleep(0.05)
        assert bench.consent.installed == [7]

    Bench(changed(may_install=True), 7).run(work)


def test_no_other_message_starts_anything():
    async def work(bench):
        await bench.until_state("connected")
        for payload in ("install-6", "install-70", "install", "", "INSTALL-7", "install-7 "):
            bench.broker.say(payload)
        bench.broker.say("install-7", is_retained=True)
        bench.broker.say("install-7", topic="firstboot/other/install")
        await bench.until(lambda: not bench.broker.out)
        await asyncio.sleep(0.05)
        assert bench.consent.installed == [] and bench.link.status()["state"] == "connected"

    Bench(changed(may_install=True), 7).run(work)


def test_without_the_owners_permission_a_command_is_not_even_heard():
    async def work(bench):
        await bench.until_state("connected")
        bench.broker.say("install-7")
        await bench.until(lambda: not bench.broker.out)
        await asyncio.sleep(0.05)
        assert bench.broker.subscribed == [] and bench.consent.installed == []

    Bench(changed(may_install=False), 7).run(work)


def test_nothing_before_the_answer_to_the_login_is_accepted():
    async def work(bench):
        bench.broker.is_silent = True
        bench.link.save(changed(may_install=True))
        await bench.until(lambda: bench.broker.opened)
        bench.broker.say("install-7")
        await bench.until_state("waiting")
        assert bench.consent.installed == [] and bench.link.status()["reason"] == "protocol"

    Bench(None, 7).run(work)


def test_a_broker_that_floods_the_unit_is_disconnected():
    def commands(broker):
        for _ in range(HOME_COMMANDS + 1):
            broker.say("install-1")

    def strangers(broker):
        for _ in range(65):
            broker.say("x", topic="some/topic")

    def a_long_packet(broker):
        broker.out += b"\x30\xff\x7f"

    for flood in (commands, strangers, a_long_packet):

        async def work(bench, flood=flood):
            await bench.until_state("connected")
            flood(bench.broker)
            await bench.until_state("waiting")
            assert bench.link.status()["reason"] == "protocol" and bench.consent.installed == []

        Bench(changed(may_install=True), 7).run(work)


def test_what_changes_is_published_and_a_new_offer_changes_the_command():
    async def work(bench):
        await bench.until_state("connected")
        assert "app_0" not in str(bench.broker.retained)
        bench.consent.waiting = 8
        bench.readings = (("Heat", "C", 20.5),)
        bench.ports.clock.ms += 6000
        await bench.until(lambda: bench.update()["latest_version"] == "1.3.0")
        await bench.until(lambda: b"app_0" in bench.broker.retained["firstboot/" + NAME + "/state"])
        assert json.loads(bench.broker.retained[CONFIGURATION])["payload_install"] == "install-8"

    Bench(changed(may_install=True)).run(work)


def test_switched_off_the_unit_removes_everything_that_it_published():
    async def work(bench):
        await bench.until_state("connected")
        assert len(bench.broker.retained) == 8
        bench.link.switch(False)
        await bench.until(lambda: not bench.broker.retained)
        await bench.until_state("off")
        assert home.decode(bench.store.require(home.RECORD)).is_on is False

    Bench(test_home.BROKER).run(work)


def test_a_unit_that_is_not_connected_comes_once_to_remove_itself():
    async def work(bench):
        bench.broker.fault = LinkError(reason="connect: refused")
        await bench.until_state("waiting")
        bench.broker.fault = None
        bench.broker.retained = {CONFIGURATION: b"{}"}
        bench.link.forget()
        await bench.until(lambda: not bench.broker.retained)
        assert bench.link.status() is None and bench.store.read(home.RECORD) is None

    Bench(test_home.BROKER).run(work)


def test_a_broker_that_is_gone_when_the_link_is_switched_off_is_told_to_the_owner():
    async def work(bench):
        bench.broker.fault = LinkError(reason="connect: refused")
        await bench.until_state("waiting")
        bench.link.switch(False)
        await bench.until(lambda: bench.link.status()["reason"] == "left")
        assert bench.link.status()["state"] == "off"

    Bench(test_home.BROKER).run(work)


def test_a_check_closes_the_link_and_nobody_sees_the_unit_offline():
    async def work(bench):
        await bench.until_state("connected")
        await bench.link.step_aside()
        assert bench.link.status()["state"] == "aside" and bench.broker.goodbyes == 1
        assert bench.broker.retained["firstboot/" + NAME + "/availability"] == b"online"
        state = json.loads(bench.broker.retained["firstboot/" + NAME + "/state"])
        assert state["update_state"] == "checking"
        await asyncio.sleep(0.05)
        assert bench.broker.opened == 1
        bench.link.come_back()
        await bench.until_state("connected")
        assert bench.broker.opened == 2

    Bench(test_home.BROKER).run(work)


def test_a_test_of_a_link_that_is_off_logs_in_and_publishes_nothing():
    async def work(bench):
        bench.link.test()
        await bench.until(lambda: bench.link.status()["was_tested"])
        await bench.until_state("off")
        assert bench.broker.opened == 1 and bench.broker.goodbyes == 1 and bench.broker.retained == {}
        bench.broker.code = 5
        bench.link.test()
        await bench.until(lambda: bench.link.status()["reason"] == "refused")
        assert bench.link.status()["was_tested"] is False

    Bench(changed(is_on=False)).run(work)


def test_a_failed_test_is_not_repeated():
    async def work(bench):
        bench.broker.fault = LinkError(reason="connect: refused")
        bench.link.test()
        await bench.until(lambda: bench.link.status()["reason"])
        await asyncio.sleep(0.1)
        assert bench.broker.opened == 1 and bench.link.status()["state"] == "off"

    Bench(changed(is_on=False)).run(work)


def test_a_reset_removes_the_unit_from_the_home():
    async def work(bench):
        await bench.until_state("connected")
        await bench.link.farewell()
        assert bench.broker.retained == {}

    Bench(test_home.BROKER).run(work)


def test_a_damaged_record_is_no_link():
    bench = Bench(test_home.BROKER)
    bench.records.damage(home.RECORD)
    assert HomeLink(bench.ports, bench.store, UNIT, bench.consent, bench.look).status() is None


def test_every_reason_is_one_of_the_list():
    for error in (CertificateError(reason=""), LinkError(reason=""), HomeError(reason="")):
        assert home_link.reason_of(error) in home_link.REASONS
