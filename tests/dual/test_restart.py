"""A restart that the firmware asks for."""

import asyncio

from device.agent import restart


class Recorder:
    """The ports that a restart uses, in the order of their use."""

    def __init__(self):
        self.seen = []
        self.network = self.boot = self

    def say(self, text):
        self.seen.append(text)

    def hang_up(self):
        self.seen.append("hang up")

    def reset(self):
        self.seen.append("reset")


def test_a_restart_is_announced_and_ends_the_clients_before_the_reset():
    ports = Recorder()
    asyncio.run(restart.restart(ports, "a release is staged"))
    assert ports.seen == ["restart: a release is staged", "hang up", "reset"]
