"""Set-up, sign-in, change of password and factory reset of a device, as generators.

Each generator yields None between slices of the slow hash, so that the unit stays responsive, and returns nothing.
Every refusal is a typed error. Until the code or the password was found correct, only the count of failures changes.

Rules:
1. Set-up exists in factory default only. The code does not work from the moment a credential is stored until a factory
   reset (PW-02, PW-19).
2. The code is compared in constant time with a keyed verifier; the device does not know the code itself.
3. Guesses of code and password are throttled; the count is stored before the comparison (PW-14, throttle.py).
4. The password is checked (passwords.py), then stored as PBKDF2-HMAC-SHA-256 with a salt of 128 bits; nothing
   else of it is kept (PW-13). Without entropy there is no set-up.
5. Nothing yields between the last check that there is no credential and its write: if two clients race, exactly one
   wins, and the other gets LifecycleError (PW-18).
6. The credential is written first, then `owned`. A power cut leaves the unit either in factory default with a working
   code, or set up with this password (PW-04). `repair` writes a missing mark at the next start.
7. After a factory reset the record `press` asks for a press of the button before set-up: the last owner knows the
   code, but does not have the device (PW-18). The factory writes that no press is needed. A unit with a button that
   has lost the record asks for one. A press also allows one attempt at once, so that an attacker on the
   network cannot keep the owner out (PW-14).
8. A change of password replaces the credential in one write: a power cut leaves the old password or the new one
   (PW-04, PW-12). The record is read again before the write, so a check against the old password that is still
   running is refused.
9. If the board now hashes more slowly, or has a key store, the next sign-in stores the password in the new form.
"""

from device.compat import const
from device.crypto import backend
from device.errors import (
    CodecError,
    CredentialError,
    EntropyError,
    PasswordError,
    PressError,
    RecordDamagedError,
    SetupCodeError,
)
from device.limits import (
    PASSWORD_MAX_BYTES,
    PBKDF2_MAX_ITERATIONS,
    PBKDF2_MIN_ITERATIONS,
    PRESS_LIFE_S,
    SETUP_CODE_CHARS,
)
from device.owner import lifecycle, passwords, reset, setup_code, typed
from device.owner.credential import HASH_BYTES as HASH_BYTES
from device.owner.credential import SALT_BYTES, Credential, decode_credential, derive, encode_credential
from device.owner.credential import SLICE_ITERATIONS as SLICE_ITERATIONS
from device.owner.throttle import Throttle
from device.records import counters, identity, setup

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Generator

    from device.interfaces import Clock, Entropy, KeyStore
    from device.records.store import Store


class Owner:
    """The owner's credential of one unit, and the operations on it. The constructor writes nothing.

    `iterations`: PBKDF2 count for new passwords. `host_name`: the unit's name on the network, which a password may
    not contain. `key_store`: None on a board that has none. `has_button`: whether the board has one. Raises ValueError
    for an iteration count out of bounds.
    """

    def __init__(
        self,
        device: "Store",
        user: "Store",
        clock: "Clock",
        entropy: "Entropy",
        iterations: int,
        host_name: str = "",
        key_store: "KeyStore | None" = None,
        has_button: bool = False,
    ) -> None:
        if not PBKDF2_MIN_ITERATIONS <= iterations <= PBKDF2_MAX_ITERATIONS:
            raise ValueError("PBKDF2 iterations")
        self._device = device
        self._user = user
        self._entropy = entropy
        self._iterations = iterations
        self._host_name = host_name
        self._key_store = key_store
        self._clock = clock
        self._has_button = has_button
        self._pressed_ms: "int | None" = None
        self.throttle = Throttle(user, clock, device)

    def state(self) -> str:
        """Return the state of this locked unit (lifecycle.STATES), read from durable facts."""
        return lifecycle.derive(lifecycle.gather(True, self._device, self._user))

    def repair(self) -> None:
        """Complete the record `owned` if the power failed between the credential and it, or if a release before this
        one wrote it (counters.py, rule 3). Raises StorageError.
        """
        device = self._device
        is_begun = counters.are_kept(device) or not device.is_settled
        if self.state() == lifecycle.INITIALISED and not (
            is_begun and device.has("owned") and not device.has("press")
        ):
            self._mark_owned()

    def pressed(self) -> None:
        """Note a press of the button: it allows one attempt at once, and set-up for PRESS_LIFE_S seconds."""
        self._pressed_ms = self._clock.ticks_ms()
        self.throttle.open_once()

    def is_press_needed(self) -> bool:
        """Return whether set-up needs a press of the button first: after a reset, if there was no recent press."""
        if not self._is_press_asked():
            return False
        if self._pressed_ms is None:
            return True
        passed_ms = self._clock.ticks_diff(self._clock.ticks_ms(), self._pressed_ms)
        if 0 <= passed_ms < PRESS_LIFE_S * 1000:
            return False
        self._pressed_ms = None  # ticks wrap: an old press must not look recent again
        return True

    def _is_press_asked(self) -> bool:
        """Return what the record `press` says; a damaged one asks for a press, a missing one if there is a button."""
        try:
            fields = self._device.read_map("press")
        except RecordDamagedError:
            return True
        return self._has_button if fields is None else fields.get(1) is not False

    def set_up(self, code: str, password: str, is_normalised: bool = False) -> "Generator[None, None, None]":
        """Store `password` as the owner's if `code` is the set-up code.

        `is_normalised`: the page's script converted the password to NFKC. Raises LifecycleError (not in factory
        default, or another client was first), PressError, ThrottledError, EntropyError, SetupCodeError,
        PasswordError, StorageError.
        """
        self._demand(lifecycle.SETUP)
        if self.is_press_needed():
            raise PressError
        self.throttle.check()
        if not self._entropy.is_ready():
            raise EntropyError(what="salt")
        # The check character shows a typing mistake, which costs no attempt.
        normal = setup_code.normalise(code)
        self._check_code(normal)
        passwords.check(password, self._context(normal), is_normalised)
        made = yield from self._hash(password)
        # Nothing yields from here to the stored mark (rule 5).
        self._demand(lifecycle.SETUP)
        self._user.write("credential", encode_credential(made))
        self._mark_owned()

    def sign_in(self, password: str) -> "Generator[None, None, None]":
        """Finish if `password` is the owner's; raise CredentialError if it is not.

        Also raises LifecycleError (not set up), ThrottledError, RecordDamagedError, StorageError.
        """
        data = yield from self._verify(password, lifecycle.SIGN_IN)
        stored = decode_credential(data)
        is_keyed = self._key_store is not None
        if stored.iterations < self._iterations or (is_keyed and not stored.is_keyed):
            yield from self._strengthen(password, data)

    def change(self, old: str, new: str, is_normalised: bool = False) -> "Generator[None, None, None]":
        """Replace the password (PW-12). The caller ends all sessions.

        Raises what sign_in raises for `old`, PasswordError for `new`, EntropyError.
        """
        data = yield from self._verify(old, lifecycle.CHANGE_PASSWORD)
        if new == old:
            raise PasswordError(reason="unchanged")
        passwords.check(new, self._context(), is_normalised)
        if self._holds_code(new):
            raise PasswordError(reason="context")
        if not self._entropy.is_ready():
            raise EntropyError(what="salt")
        made = yield from self._hash(new)
        self._demand_unchanged(data, lifecycle.CHANGE_PASSWORD)
        self._user.write("credential", encode_credential(made))

    def reset(self, password: str) -> "Generator[None, None, None]":
        """Begin a factory reset if `password` is the owner's; the next start carries it out (reset.py).

        Raises what sign_in raises.
        """
        yield from self._verify(password, lifecycle.SIGN_IN)
        self._demand(lifecycle.RESET)
        reset.begin(self._device)

    def prove(self, code: str) -> None:
        """Return if `code` is the set-up code: the caller has the label. Nothing else changes (net/improv.py).

        Raises LifecycleError (not in factory default), PressError, ThrottledError, SetupCodeError, StorageError.
        """
        self._demand(lifecycle.SETUP)
        if self.is_press_needed():
            raise PressError
        self.throttle.check()
        self._check_code(setup_code.normalise(code))

    def proof_key(self, context: bytes) -> "tuple[bytes, bytes]":
        """Return the set-up code's salt, and HMAC-SHA-256 of `context` under its verifier (net/improv_ble.py, rule 2).

        A person with the code can compute the second from the first.

        Raises LifecycleError (not in factory default), PressError, StorageError.
        """
        self._demand(lifecycle.SETUP)
        if self.is_press_needed():
            raise PressError
        record = self._code_record()
        return record.salt, backend.hmac_sha256(record.verifier, context)

    def _verify(self, password: str, event: str) -> "Generator[None, None, bytes]":
        """Return the stored record if `password` is the owner's. Raises what sign_in raises."""
        self._demand(event)
        self.throttle.check()
        if not password or len(password.encode()) > PASSWORD_MAX_BYTES:
            raise CredentialError  # cannot be the stored password, so it costs neither a hash nor a count
        data = self._user.require("credential")
        stored = decode_credential(data)
        if stored.is_keyed and self._key_store is None:
            # It was made on a board with a key store, so there is nothing to compare with.
            raise RecordDamagedError(name="credential")
        self.throttle.count()
        key_store = self._key_store if stored.is_keyed else None
        digest = yield from derive(password, stored.salt, stored.iterations, key_store)
        if not backend.equal(digest, stored.digest):
            raise CredentialError
        # A factory reset or change of password may have happened meanwhile: no session outlives it (PW-03, PW-12).
        self._demand_unchanged(data, event)
        self.throttle.clear()
        return data

    def _demand_unchanged(self, data: bytes, event: str) -> None:
        self._demand(event)
        if self._user.require("credential") != data:
            raise CredentialError

    def _strengthen(self, password: str, data: bytes) -> "Generator[None, None, None]":
        """Store the same password in the form that this board uses now (rule 9); a failure keeps the old record."""
        if not self._entropy.is_ready():
            return
        made = yield from self._hash(password)
        self._demand_unchanged(data, lifecycle.SIGN_IN)
        self._user.write("credential", encode_credential(made))

    def _hash(self, password: str) -> "Generator[None, None, Credential]":
        salt = self._entropy.random_bytes(SALT_BYTES)
        digest = yield from derive(password, salt, self._iterations, self._key_store)
        return Credential(salt, self._iterations, digest, self._key_store is not None)

    def _demand(self, event: str) -> None:
        """Raise LifecycleError if the unit's state does not accept `event`."""
        lifecycle.step(self.state(), event)

    def _code_record(self) -> "setup.SetupRecord":
        try:
            return setup.decode(self._device.require("setup"))
        except CodecError:
            raise RecordDamagedError(name="setup") from None

    def _check_code(self, normal: str) -> None:
        record = self._code_record()
        self.throttle.count()
        if not backend.equal(setup_code.verifier(normal, record.salt), record.verifier):
            raise SetupCodeError(reason="wrong")
        # A person who knows the code may try any number of passwords.
        self.throttle.clear()

    def _holds_code(self, password: str) -> bool:
        """Return whether `password` contains the set-up code, forwards or backwards, with anything between (PW-16).

        The device does not know its code, so it tries every part of the code's length against the verifier.
        """
        record = self._code_record()
        for form in typed.ascii_forms(password):
            plain = typed.upper(form)
            for text in (plain, passwords.backwards(plain)):
                for start in range(len(text) - SETUP_CODE_CHARS + 1):
                    part = text[start : start + SETUP_CODE_CHARS]
                    if backend.equal(setup_code.verifier(part, record.salt), record.verifier):
                        return True
        return False

    def _context(self, normal: str = "") -> "list[str]":
        unit = identity.decode(self._device.require("identity"))
        return [
            identity.device_id_text(unit),
            unit.serial,
            unit.model,
            unit.brand,
            unit.batch,
            self._host_name,
            self._code_record().passphrase,
            normal,
        ]

    def _mark_owned(self) -> None:
        fields = {lifecycle.OWNED: True}
        if self._device.is_settled:
            counters.begin(self._device, self._user)
            fields[counters.COUNTED] = True
        self._device.write_map("owned", fields)
        self._device.delete("press")
