"""Ages of weeks: nothing looks recent again after the board's ticks wrapped (2**30 ms, about twelve days)."""

from memory_unit import PASSWORD, MemoryClock, MemoryUnit, refused, run

from device.agent.apps import Application
from device.agent.uptime import Uptime
from device.errors import CredentialError, PressError
from device.limits import APP_STEADY_S, PRESS_LIFE_S, THROTTLE_FREE
from device.net.probing import Probing
from device.owner.onboarding import Owner
from device.records.timekeeper import TimeKeeper

PERIOD_MS = 1 << 30
DAY_MS = 86400 * 1000


class Board:
    """A board's clock, and the unit's clock over it, which is read once a day."""

    def __init__(self, start_ms=0):
        self.clock = MemoryClock()
        self.clock.ms = start_ms
        self.uptime = Uptime(self.clock)

    def pass_ms(self, length_ms):
        while length_ms > 0:
            step_ms = min(length_ms, DAY_MS)
            self.clock.ms += step_ms
            length_ms -= step_ms
            self.uptime.ticks_ms()


class SettableClock(MemoryClock):
    def __init__(self):
        super().__init__()
        self.trusted_s = None

    def set_trusted_time(self, unix_s):
        self.trusted_s = unix_s


def age_ms(board, since_ms):
    return board.uptime.ticks_diff(board.uptime.ticks_ms(), since_ms)


def test_an_age_is_right_before_and_after_every_wrap():
    for start_ms in (0, 1, PERIOD_MS // 2, PERIOD_MS - 1):
        board = Board(start_ms)
        since_ms = board.uptime.ticks_ms()
        for length_ms in (1, PERIOD_MS // 2 - 1, 1, PERIOD_MS // 2, PERIOD_MS, 3 * PERIOD_MS):
            before_ms = age_ms(board, since_ms)
            board.pass_ms(length_ms)
            assert age_ms(board, since_ms) == before_ms + length_ms


def owner_after_a_reset(board):
    unit = MemoryUnit()
    unit.set_up()
    run(unit.owner.reset(PASSWORD))
    unit.user_records.content = {}
    unit.device.delete("owned")
    unit.device.write_map("press", {1: True})
    return Owner(unit.device, unit.user, board.uptime, unit.entropy, 1000)


def test_a_press_of_the_button_stays_over_without_a_check_when_it_ended():
    board = Board()
    for passed_ms in (
        PRESS_LIFE_S * 1000,
        PERIOD_MS // 2 + 1,
        PERIOD_MS,
        PERIOD_MS + 1,
        2 * PERIOD_MS + 60000,
    ):
        owner = owner_after_a_reset(board)
        owner.pressed()
        board.pass_ms(passed_ms)
        assert owner.is_press_needed(), passed_ms
        refused(PressError, next, owner.set_up("", PASSWORD))


def test_a_delay_after_wrong_passwords_stays_over_without_an_attempt():
    board = Board()
    unit = MemoryUnit()
    unit.set_up()
    unit.owner = Owner(unit.device, unit.user, board.uptime, unit.entropy, 1000)
    for _ in range(THROTTLE_FREE + 8):
        board.pass_ms(unit.owner.throttle.wait_s() * 1000)
        refused(CredentialError, unit.sign_in, "not the password at all")
    assert unit.owner.throttle.wait_s() == 128
    board.pass_ms(PERIOD_MS + 1000)
    assert unit.owner.throttle.wait_s() == 0


def test_a_wait_for_a_server_that_did_not_respond_is_over_after_a_month_between_checks():
    for passed_ms in (PERIOD_MS // 2 + 1, PERIOD_MS + 1, 30 * DAY_MS):
        board = Board()
        probing = Probing(board.uptime.ticks_diff)
        probing.unanswered(board.uptime.ticks_ms(), 1024)
        assert probing.wait_ms(board.uptime.ticks_ms()) > 0
        board.pass_ms(passed_ms)
        assert probing.wait_ms(board.uptime.ticks_ms()) == 0


def test_an_application_that_ran_for_a_week_counts_as_healthy():
    board = Board()
    application = Application(None, None, None, board.uptime, None)
    for passed_ms in (PERIOD_MS // 2 + 1, PERIOD_MS, PERIOD_MS + 1):
        board.pass_ms(passed_ms)
        assert application._ran_s() >= APP_STEADY_S


def test_trusted_time_advances_through_wraps_with_either_clock():
    clock = SettableClock()
    for shown in (clock, Uptime(clock)):
        time = TimeKeeper(shown, 0)
        assert time.accept(100 * 86400)
        passed_ms = 0
        for step_ms in (
            1,
            999,
            500,
            1500,
            PERIOD_MS // 4,
            DAY_MS + 1,
            PERIOD_MS // 2 - 1,
            DAY_MS,
            5 * DAY_MS,
        ):
            clock.ms += step_ms
            passed_ms += step_ms
            assert time.now_s() == 100 * 86400 + passed_ms // 1000
        assert clock.trusted_s == 100 * 86400
