"""interfaces.KeyStore with the simulated one, and a password that is keyed with it (PW-13)."""

from __future__ import annotations

import pytest
from memory_unit import ITERATIONS, PASSWORD, MemoryUnit, run

from device.errors import CredentialError, StorageError
from device.owner.credential import decode_credential
from device.owner.onboarding import Owner
from simulator.ports.keystore import SimKeyStore


def owner(unit: MemoryUnit, key_store: SimKeyStore | None) -> Owner:
    return Owner(unit.device, unit.user, unit.clock, unit.entropy, ITERATIONS, "", key_store)


def test_the_digest_needs_data_and_chip() -> None:
    one, other = SimKeyStore(b"a" * 32), SimKeyStore(b"b" * 32)
    digest = one.keyed_digest(b"data")
    assert len(digest) == 32 and digest == one.keyed_digest(b"data")
    assert digest not in (one.keyed_digest(b"date"), other.keyed_digest(b"data"))


def test_the_key_is_in_no_text() -> None:
    assert "secret" not in repr(SimKeyStore(b"secret" * 6))


def test_pw_13_a_copy_of_the_flash_alone_bears_no_guessing() -> None:
    unit = MemoryUnit()
    unit.set_up()
    run(owner(unit, SimKeyStore(b"a" * 32)).sign_in(PASSWORD))  # stores the password in the new form
    stored = decode_credential(unit.user.require("credential"))
    assert stored.is_keyed
    with pytest.raises(CredentialError):  # the right password, on another chip
        run(owner(unit, SimKeyStore(b"b" * 32)).sign_in(PASSWORD))


def test_a_broken_key_store_opens_nothing_and_keeps_the_credential() -> None:
    unit = MemoryUnit()
    unit.set_up()
    store = SimKeyStore(b"a" * 32)
    run(owner(unit, store).sign_in(PASSWORD))
    before = unit.user.require("credential")
    store.is_broken = True
    with pytest.raises(StorageError):
        run(owner(unit, store).sign_in(PASSWORD))
    assert unit.user.require("credential") == before
    store.is_broken = False
    run(owner(unit, store).sign_in(PASSWORD))


def test_a_key_store_that_breaks_while_the_password_is_taken_over_leaves_the_old_record() -> None:
    unit = MemoryUnit()
    unit.set_up()
    before = unit.user.require("credential")
    store = SimKeyStore(b"a" * 32)
    store.is_broken = True
    with pytest.raises(StorageError):
        run(owner(unit, store).sign_in(PASSWORD))
    assert unit.user.require("credential") == before
    run(owner(unit, None).sign_in(PASSWORD))
