"""Policy against independent models: dates, support records, passwords, and a random walk through a unit's life."""

from __future__ import annotations

import contextlib
import datetime as dt
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from memory_flash import SMALL, MemoryFlash
from memory_unit import CODE, MemoryUnit, run

from device.errors import (
    CredentialError,
    FirstbootError,
    LifecycleError,
    PasswordError,
    PressError,
    SetupCodeError,
    SupportRecordError,
    ThrottledError,
)
from device.limits import PBKDF2_MAX_ITERATIONS, PBKDF2_MIN_ITERATIONS, PRESS_LIFE_S
from device.owner import lifecycle, passwords, reset, setup_code
from device.owner import settings as settings_of_owner
from device.owner.credential import Credential, decode_credential, encode_credential
from device.records import contact, identity, support
from device.records.store import find

_EPOCH = dt.date(1970, 1, 1)
_RECORDS = st.builds(
    support.SupportRecord,
    class_id=st.sampled_from([b"c" * 16, b"d" * 16]),
    end_day=st.integers(0, 30000),
    sequence=st.integers(1, 9),
    published_s=st.integers(0, 1 << 32),
    notice_days=st.integers(0, support.NOTICE_DAYS),
)


@given(st.dates(dt.date(1970, 1, 1)))
def test_every_date_agrees_with_datetime(date: dt.date) -> None:
    day = (date - _EPOCH).days
    assert support.civil_from_days(day) == (date.year, date.month, date.day)
    assert support.days_from_civil(date.year, date.month, date.day) == day
    assert support.date_text(day) == date.isoformat()


@given(st.integers(1, 9999), st.integers(-1, 14), st.integers(-1, 33))
def test_a_date_exists_here_exactly_when_it_does_in_datetime(year: int, month: int, day: int) -> None:
    try:
        expected = (dt.date(year, month, day) - _EPOCH).days
    except ValueError:
        with pytest.raises(SupportRecordError):
            support.days_from_civil(year, month, day)
    else:
        assert support.days_from_civil(year, month, day) == expected


@given(_RECORDS)
def test_a_support_record_comes_back(record: support.SupportRecord) -> None:
    assert support.decode(support.encode(record)) == record


@given(st.lists(_RECORDS, max_size=12))
def test_no_order_of_records_ever_shortens_the_period(offers: list[support.SupportRecord]) -> None:
    held: support.SupportRecord | None = None
    for offered in offers:
        try:
            replaces = support.accept(held, offered, b"c" * 16, 25000 * support.DAY_S)
        except SupportRecordError:
            continue
        if replaces:
            assert held is None or (offered.end_day >= held.end_day and offered.sequence > held.sequence)
            assert offered.class_id == b"c" * 16 and offered.end_day <= 25000
            held = offered
        else:
            assert offered == held


@given(_RECORDS, st.integers(0, 40000 * support.DAY_S), st.integers(0, 400 * support.DAY_S))
def test_time_never_leads_back_from_ended(record: support.SupportRecord, time_s: int, later_s: int) -> None:
    order = [support.SUPPORTED, support.ENDING, support.ENDED]
    first = support.support_state(record, time_s)
    second = support.support_state(record, time_s + later_s)
    assert order.index(first.state) <= order.index(second.state)
    assert first.days_left >= second.days_left >= 0


@given(st.binary(max_size=120))
def test_any_bytes_are_a_record_or_one_typed_refusal(data: bytes) -> None:
    for decode in (
        support.decode,
        contact.decode,
        identity.decode,
        decode_credential,
        settings_of_owner.decode,
        settings_of_owner.decode_news,
    ):
        with contextlib.suppress(FirstbootError):  # any other exception fails the test
            decode(data)


@given(st.booleans(), st.integers(0, 1 << 40))
def test_settings_come_back(is_automatic: bool, until_s: int) -> None:
    made = settings_of_owner.Settings(is_automatic, until_s)
    assert settings_of_owner.decode(settings_of_owner.encode(made)) == made


@given(st.integers(0, 1 << 40), st.text(max_size=300), st.text(max_size=600), st.text(max_size=600))
@example(1 << 40, "\U0001f4a1" * 300, "\U0001f4a1" * 300, "\U0001f4a1" * 300)  # the longest in bytes
def test_news_come_back_cut_and_fit_their_record(
    sequence: int, version: str, mends: str, interrupts: str
) -> None:
    made = settings_of_owner.News(sequence, version, mends, interrupts)
    data = settings_of_owner.encode_news(made)
    kept = settings_of_owner.NEWS_CHARS
    assert settings_of_owner.decode_news(data) == (sequence, version, mends[:kept], interrupts[:kept])
    entry = find("news")
    assert entry is not None and len(data) <= entry.max_bytes


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(PBKDF2_MIN_ITERATIONS, PBKDF2_MAX_ITERATIONS),
    st.binary(min_size=32, max_size=32),
    st.booleans(),
)
def test_a_credential_comes_back(salt: bytes, iterations: int, digest: bytes, is_keyed: bool) -> None:
    made = Credential(salt, iterations, digest, is_keyed)
    data = encode_credential(made)
    assert decode_credential(data) == made
    entry = find("credential")
    assert entry is not None and len(data) <= entry.max_bytes


@given(st.text(max_size=80), st.lists(st.text(max_size=30), max_size=4), st.booleans())
def test_any_text_is_accepted_or_refused_for_a_known_reason(
    text: str, context: list[str], is_normalised: bool
) -> None:
    known = {
        "length-min",
        "length-max",
        "character",
        "not-normalised",
        "context",
        "repeated",
        "common",
        "sequence",
    }
    try:
        passwords.check(text, context, is_normalised)
    except PasswordError as error:
        assert error.fields["reason"] in known
    else:
        assert 15 <= len(text) <= 64 and (is_normalised or text.isascii())


@given(
    st.text(string.ascii_letters + string.digits + "!#%&/()=?+*", min_size=4, max_size=10), st.integers(2, 16)
)
def test_a_short_piece_repeated_is_refused(piece: str, times: int) -> None:
    with pytest.raises(PasswordError):
        passwords.check((piece * times)[:64], (), False)


@given(
    st.text(string.ascii_uppercase + string.digits, min_size=8, max_size=20),
    st.integers(0, 12),
    st.booleans(),
)
def test_any_eight_characters_of_a_context_word_are_found(word: str, start: int, is_backwards: bool) -> None:
    part = word[start : start + 8]
    if len(part) < 8:
        part = word[-8:]
    part = part[::-1] if is_backwards else part
    with pytest.raises(PasswordError) as caught:
        passwords.check("Zq~" + part.lower() + "~vW;kettle", (word,), False)
    assert caught.value.fields["reason"] == "context"


class LifeOfAUnit(RuleBasedStateMachine):
    """PW-02, PW-03, PW-04, PW-12, PW-14: through all requests, restarts, resets and lost records only the holder of the
    code gets access, after a reset only with a press of the button, and only one password is valid."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = MemoryUnit()
        self.password = ""  # the one that was set
        self.is_damaged = False
        self.is_resetting = False
        self.needs_press = False
        self.pressed_at_ms: int | None = None
        self.failures = 0

    def is_press_missing(self) -> bool:
        pressed = self.pressed_at_ms
        return self.needs_press and (pressed is None or self.unit.clock.ms - pressed >= PRESS_LIFE_S * 1000)

    passwords = st.sampled_from(["kettle on the hob at six", "orange bicycle under the bridge"])

    @rule(password=passwords)
    def set_up(self, password: str) -> None:
        try:
            self.unit.set_up(password=password)
        except LifecycleError:
            assert self.password or self.is_damaged or self.is_resetting
        except PressError:
            assert self.is_press_missing()
        except ThrottledError:
            assert self.failures > 5
        else:
            assert not self.password and not self.is_damaged and not self.is_press_missing()
            self.password, self.failures, self.needs_press = password, 0, False

    @rule(password=passwords)
    def set_up_with_a_wrong_code(self, password: str) -> None:
        symbols = "Z" + CODE[1:-1]
        try:
            self.unit.set_up(symbols + setup_code.check_character(symbols), password)
        except SetupCodeError:
            self.failures += 1
        except (LifecycleError, ThrottledError, PressError):
            pass
        else:
            raise AssertionError("a wrong code was taken")

    @rule(password=passwords)
    def sign_in(self, password: str) -> None:
        try:
            self.unit.sign_in(password)
        except CredentialError:
            assert password != self.password
            self.failures += 1
        except LifecycleError:
            assert not self.password or self.is_damaged or self.is_resetting
        except ThrottledError:
            assert self.failures > 5
        else:
            assert password == self.password and not self.is_damaged and not self.is_resetting
            self.failures = 0

    @rule(old=passwords, new=passwords)
    def change_password(self, old: str, new: str) -> None:
        try:
            run(self.unit.owner.change(old, new))
        except CredentialError:
            assert old != self.password
            self.failures += 1
        except LifecycleError:
            assert not self.password or self.is_damaged or self.is_resetting
        except ThrottledError:
            assert self.failures > 5
        except PasswordError:
            assert old == new == self.password
            self.failures = 0
        else:
            assert old == self.password
            self.password, self.failures = new, 0

    @rule(password=passwords)
    def reset_from_the_page(self, password: str) -> None:
        try:
            run(self.unit.owner.reset(password))
        except CredentialError:
            assert password != self.password
            self.failures += 1
        except LifecycleError:
            assert not self.password or self.is_damaged or self.is_resetting
        except ThrottledError:
            assert self.failures > 5
        else:
            assert password == self.password
            self.is_resetting, self.failures = True, 0

    @rule()
    def reset_with_the_button(self) -> None:
        reset.begin(self.unit.device)
        self.is_resetting = True

    @rule()
    def press(self) -> None:
        self.unit.owner.pressed()
        self.pressed_at_ms = self.unit.clock.ms

    @rule()
    def restart(self) -> None:
        if self.is_resetting:
            run(
                reset.finish(
                    MemoryFlash(), SMALL, self.unit.device, self.unit.user_records.content.clear, True
                )
            )
            self.password, self.is_damaged, self.is_resetting = "", False, False
            self.needs_press, self.failures = True, 0
        self.unit.restart()
        self.pressed_at_ms = None

    @rule(ms=st.integers(0, 400_000))
    def wait(self, ms: int) -> None:
        self.unit.clock.ms += ms

    @precondition(lambda self: self.password and not self.is_damaged and not self.is_resetting)
    @rule(how=st.sampled_from(["damage", "delete", "wipe"]))
    def lose_the_credential(self, how: str) -> None:
        records = self.unit.user_records
        if how == "damage":
            records.damage("credential")
        elif how == "delete":
            records.delete("credential")
        else:
            records.content = {}
        self.is_damaged = True

    @invariant()
    def the_state_follows_from_what_happened(self) -> None:
        expected = lifecycle.FACTORY_DEFAULT
        if self.password:
            expected = lifecycle.FAILED if self.is_damaged else lifecycle.INITIALISED
        if self.is_resetting:
            expected = lifecycle.FAILED
        assert self.unit.state() == expected

    @invariant()
    def the_count_of_failures_is_durable(self) -> None:
        if not self.is_damaged:
            found = self.unit.user.read_map("attempts")
            assert (found or {1: 0})[1] == self.failures == self.unit.owner.throttle.failures


LifeOfAUnit.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_a_unit_lives_by_its_rules = LifeOfAUnit.TestCase
