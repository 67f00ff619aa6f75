"""The place of the link to the owner's home: during a check its modules are not in memory, and nothing is forgotten."""

import asyncio

import test_home
from home_bench import UNIT, Bench, run_beside

from device.agent.home import HomeHost
from device.agent.home_link import HomeLink
from device.owner import home


class HostBench:
    """A host whose link is that of a bench; `made`: how often it was made."""

    def __init__(self, saved=None, waiting=0):
        self.bench = Bench(saved, waiting)
        self.made = 0
        self.host = HomeHost(self.bench.store, self.make)

    def make(self):
        self.made += 1
        bench = self.bench
        bench.link = HomeLink(bench.ports, bench.store, UNIT, bench.consent, bench.look)
        return bench.link

    def run(self, work):
        run_beside(self.host.run(), work(self))

    async def until(self, probe):
        await self.bench.until(probe)

    def state(self):
        return self.host.status()["state"]


def test_a_link_that_is_on_is_made_after_the_first_check():
    async def work(it):
        await asyncio.sleep(0.05)
        assert it.made == 0 and it.host.status() is None
        it.host.come_back()
        await it.until(lambda: it.made == 1 and it.state() == "connected")

    HostBench(test_home.BROKER).run(work)


def test_a_link_that_is_off_is_never_made():
    async def work(it):
        it.host.come_back()
        await asyncio.sleep(0.05)
        assert it.made == 0 and it.bench.broker.opened == 0

    for saved in (None, home.altered(test_home.BROKER, is_on=False)):
        HostBench(saved).run(work)


def test_during_a_check_there_is_no_link_and_its_state_is_known():
    async def work(it):
        it.host.come_back()
        await it.until(lambda: it.made == 1 and it.state() == "connected")
        await it.host.step_aside()
        await it.until(lambda: it.host._link is None)
        assert it.state() == "aside" and it.bench.broker.goodbyes == 1
        it.host.come_back()
        await it.until(lambda: it.made == 2 and it.state() == "connected")
        assert it.bench.broker.opened == 2

    HostBench(test_home.BROKER).run(work)


def test_what_the_owner_does_during_a_check_is_done_after_it():
    async def work(it):
        it.host.come_back()
        await it.until(lambda: it.made == 1 and it.state() == "connected")
        await it.host.step_aside()
        it.host.link().switch(False)
        await it.until(lambda: it.host._link is None)
        assert it.bench.broker.retained
        it.host.come_back()
        await it.until(lambda: it.host.link().status()["state"] == "off")
        assert not it.bench.broker.retained

    HostBench(test_home.BROKER).run(work)


def test_a_test_that_was_asked_for_during_a_check_is_made_once_after_it():
    async def work(it):
        it.host.link().test()
        await it.until(lambda: it.host._link is None)
        it.host.come_back()
        await it.until(lambda: it.host.link().status()["was_tested"])
        await it.host.step_aside()
        await it.until(lambda: it.host._link is None)
        it.host.come_back()
        assert it.host.link().status()["was_tested"]
        await asyncio.sleep(0.05)
        assert it.bench.broker.opened == 1

    HostBench(home.altered(test_home.BROKER, is_on=False)).run(work)
