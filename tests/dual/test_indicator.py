"""SP-08: the patterns of the one light."""

import asyncio

from device.agent import indicator
from device.owner import lifecycle
from device.records import support


class Light:
    def __init__(self):
        self.seen = []

    def set(self, is_on):
        self.seen.append(is_on)


def played(*patterns):
    """Play each pattern once; return [(is_on, ms)]."""
    light = Light()
    rounds = list(patterns)
    times = []

    async def sleep_ms(ms):
        times.append(ms)

    def choose():
        if not rounds:
            raise EOFError
        return rounds.pop(0)

    try:
        asyncio.run(indicator.play(light, choose, sleep_ms))
    except EOFError:
        pass
    return [(light.seen[at], times[at]) for at in range(len(times))]


def test_sp_08_each_support_state_has_a_pattern_of_its_own():
    found = [indicator.pattern(lifecycle.INITIALISED, state) for state in support.STATES]
    assert len(set(found)) == len(support.STATES)


def test_each_state_of_life_has_a_pattern_of_its_own():
    found = [indicator.pattern(state, support.SUPPORTED) for state in lifecycle.STATES]
    assert len(set(found)) == len(lifecycle.STATES)


def test_before_set_up_the_light_says_nothing_of_the_support_period():
    found = [indicator.pattern(lifecycle.FACTORY_DEFAULT, state) for state in support.STATES]
    assert len(set(found)) == 1


def test_no_pattern_is_without_a_pause():
    for state in lifecycle.STATES:
        for period in support.STATES:
            assert sum(indicator.pattern(state, period)) >= 200


def test_a_pattern_is_played_in_its_times():
    assert played(indicator.ENDED) == [(True, 100), (False, 100), (True, 100), (False, 1700)]


def test_a_part_of_no_length_is_left_out():
    assert played(indicator.STEADY) == [(True, 1000)]
    assert played(indicator.OFF) == [(False, 1000)]


def test_the_pattern_is_chosen_again_for_each_round():
    assert played(indicator.OFF, indicator.STEADY) == [(False, 1000), (True, 1000)]
