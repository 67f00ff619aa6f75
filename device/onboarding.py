"""How a device gets its owner, and how the owner gets in: set-up and sign-in as generators.

Each generator yields (None) between slices of the slow hash, so that the unit stays responsive, and ends without a
value; every refusal is a typed error. Nothing is changed before the code or the password was found right, except
the count of failures.

Rules:
1. Set-up exists in factory default only; the code is dead from the moment a credential is stored until a factory
   reset (PW-02, PW-19).
2. The code is compared in constant time with a keyed verifier; the device does not know the code itself.
3. Guesses of code and password are throttled; the count is stored before the comparison (PW-14, throttle.py).
4. The password is checked (passwords.py), then stored as PBKDF2-HMAC-SHA-256 with a salt of 128 bits; nothing
   else of it is kept (PW-13). Without entropy there is no set-up.
5. Between the last check that no credential is there and its write nothing yields: of two clients that race,
   exactly one wins, the other gets LifecycleError (PW-18).
6. The credential is written first, then `owned`: a power cut leaves the unit in factory default with the code
   alive, or set up with this password (PW-04). `repair` writes a missing mark at the next start.
"""

from collections import namedtuple

from device import identity, lifecycle, passwords, setup_code
from device.codec import cbor
from device.compat import const
from device.crypto import backend
from device.errors import (
    CodecError,
    CredentialError,
    EntropyError,
    LifecycleError,
    RecordDamagedError,
    SetupCodeError,
)
from device.limits import PASSWORD_MAX_BYTES, PBKDF2_MAX_ITERATIONS, PBKDF2_MIN_ITERATIONS
from device.throttle import Throttle

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Generator

    from device.interfaces import Clock, Entropy
    from device.store import Store

SALT_BYTES = 16
HASH_BYTES = 32
SLICE_ITERATIONS = 200  # some 20 ms at 100 MIPS

Credential = namedtuple("Credential", ("salt", "iterations", "digest"))


def encode_credential(credential: "Credential") -> bytes:
    """Give the bytes of the `credential` record."""
    return cbor.encode({1: credential.salt, 2: credential.iterations, 3: credential.digest})


def decode_credential(data: bytes) -> "Credential":
    """Give the credential that the record holds. Raises RecordDamagedError for anything that cannot be one."""
    try:
        fields = cbor.check_map(cbor.decode(data), ((1, bytes), (2, int), (3, bytes)))
    except CodecError:
        raise RecordDamagedError(name="credential") from None
    credential = Credential(fields[1], fields[2], fields[3])
    # An iteration count out of bounds would keep the unit busy for hours.
    if not PBKDF2_MIN_ITERATIONS <= credential.iterations <= PBKDF2_MAX_ITERATIONS:
        raise RecordDamagedError(name="credential")
    if len(credential.salt) != SALT_BYTES or len(credential.digest) != HASH_BYTES:
        raise RecordDamagedError(name="credential")
    return credential


class Owner:
    """What a unit knows of its owner: the stores, the throttle, the board's iteration count.

    `iterations` is the PBKDF2 count for new passwords. `host_name` is what the unit calls itself on the network;
    a password may not contain it. Raises ValueError for an iteration count out of bounds.
    """

    def __init__(
        self,
        device: "Store",
        user: "Store",
        clock: "Clock",
        entropy: "Entropy",
        iterations: int,
        host_name: str = "",
    ) -> None:
        if not PBKDF2_MIN_ITERATIONS <= iterations <= PBKDF2_MAX_ITERATIONS:
            raise ValueError("PBKDF2 iterations")
        self._device = device
        self._user = user
        self._entropy = entropy
        self._iterations = iterations
        self._host_name = host_name
        self.throttle = Throttle(user, clock)

    def state(self) -> str:
        """Give the life-cycle state of this locked unit, from durable facts."""
        return lifecycle.derive(lifecycle.gather(True, self._device, self._user))

    def repair(self) -> None:
        """Write the mark `owned` where power went between the credential and it. Raises StorageError."""
        if self.state() == lifecycle.INITIALISED and not self._device.has("owned"):
            self._mark_owned()

    def set_up(self, code: str, password: str, is_normalised: bool = False) -> "Generator[None, None, None]":
        """Make whoever knows the set-up code the owner, with `password`.

        `is_normalised`: the page's script brought the password to NFKC. Raises LifecycleError (not in factory
        default, or another client was first), ThrottledError, EntropyError, SetupCodeError, PasswordError,
        StorageError.
        """
        self._demand(lifecycle.FACTORY_DEFAULT, lifecycle.SETUP)
        self.throttle.check()
        if not self._entropy.is_ready():
            raise EntropyError(what="salt")
        # A slip of the typing is told apart by the check character and costs no attempt.
        normal = setup_code.normalise(code)
        self._check_code(normal)
        passwords.check(password, self._context(normal), is_normalised)
        salt = self._entropy.random_bytes(SALT_BYTES)
        digest = yield from _derive(password, salt, self._iterations)
        # From here to the stored mark nothing yields (rule 5).
        self._demand(lifecycle.FACTORY_DEFAULT, lifecycle.SETUP)
        self._user.write("credential", encode_credential(Credential(salt, self._iterations, digest)))
        self._mark_owned()

    def sign_in(self, password: str) -> "Generator[None, None, None]":
        """End when `password` is the owner's. Raises CredentialError when it is not.

        Also raises LifecycleError (not set up), ThrottledError, RecordDamagedError, StorageError.
        """
        self._demand(lifecycle.INITIALISED, "sign-in")
        self.throttle.check()
        if not password or len(password.encode()) > PASSWORD_MAX_BYTES:
            raise CredentialError  # no password of ours; not worth a hash or a count
        stored = decode_credential(self._user.require("credential"))
        self.throttle.count()
        digest = yield from _derive(password, stored.salt, stored.iterations)
        if not backend.equal(digest, stored.digest):
            raise CredentialError
        # A factory reset may have come in between; a session must not outlive it (PW-03).
        self._demand(lifecycle.INITIALISED, "sign-in")
        self.throttle.clear()

    def _demand(self, state: str, event: str) -> None:
        found = self.state()
        if found != state:
            raise LifecycleError(state=found, event=event)

    def _check_code(self, normal: str) -> None:
        data = self._device.require("setup")
        try:
            fields = cbor.check_map(cbor.decode(data), ((1, bytes), (2, bytes)))
        except CodecError:
            raise RecordDamagedError(name="setup") from None
        self.throttle.count()
        if not backend.equal(setup_code.verifier(normal, fields[1]), fields[2]):
            raise SetupCodeError(reason="wrong")
        # Who knows the code may try as many passwords as it takes.
        self.throttle.clear()

    def _context(self, normal: str) -> "list[str]":
        unit = identity.decode(self._device.require("identity"))
        return [
            identity.device_id_text(unit),
            unit.serial,
            unit.model,
            unit.brand,
            unit.batch,
            self._host_name,
            normal,
        ]

    def _mark_owned(self) -> None:
        self._device.write_map("owned", {1: True})


def _derive(password: str, salt: bytes, iterations: int) -> "Generator[None, None, bytes]":
    """Yield between slices; the generator's value is the 32-byte hash."""
    work = backend.Pbkdf2(password.encode(), salt)
    while iterations > 0:
        work.step(min(iterations, SLICE_ITERATIONS))
        iterations -= SLICE_ITERATIONS
        yield
    result: bytes = work.digest()
    return result
