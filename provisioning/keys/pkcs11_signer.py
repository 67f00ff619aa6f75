"""Keys that stay in a token (PKCS#11 2.40 and 3.0): P-256 (CKM_ECDSA) and Ed25519 (CKM_EDDSA).

Rules:
1. A key is named by an RFC 7512 URI: `pkcs11:token=maker;object=author?module-path=/usr/lib/softhsm/libsofthsm2.so`.
   The URI needs `token` or `serial`, `object` or `id`, and `module-path` (or the variable FIRSTBOOT_PKCS11_MODULE).
2. The PIN comes from the variable FIRSTBOOT_PKCS11_PIN, from the file that FIRSTBOOT_PKCS11_PIN_FILE names, or from a
   prompt, never from a command line or a URI: `pin-value` and `pin-source` are refused. No message and no `repr`
   contains it.
3. A session is open for one operation, and this process opens one at a time: a login applies to all sessions of a
   token, and the first session that ends logs the others out (PKCS#11, C_Login and C_Logout). Keys that are generated
   here cannot be extracted.
4. A signature of the token is verified with the device's own code before it is returned.

SoftHSM2 and most tokens use random nonces for ECDSA, so their signatures are not those of RFC 6979.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from device.codec import cose
from device.crypto import backend
from provisioning.keys.key_id import key_id
from provisioning.keys.secret_input import SecretMissingError, ask

PIN_VARIABLE: Final = "FIRSTBOOT_PKCS11_PIN"
MODULE_VARIABLE: Final = "FIRSTBOOT_PKCS11_MODULE"
SCHEME: Final = "pkcs11:"

# DER of CKA_EC_PARAMS; tokens of PKCS#11 3.0 name Ed25519 by this OID (RFC 8410) or by a printable string.
_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_ED25519: Final = (bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519")

_PATH_NAMES: Final = ("token", "serial", "object", "id")
_QUERY_NAMES: Final = ("module-path",)


_ONE_SESSION: Final = threading.Lock()  # rule 3


class TokenError(OSError):
    """The token, its module, its PIN or its key cannot be used; the text says which."""


@dataclass(frozen=True)
class TokenKey:
    """The key that a URI names. `object_id` is the raw CKA_ID."""

    module: str
    token: str | None
    serial: bytes | None
    label: str | None
    object_id: bytes | None

    @classmethod
    def parse(cls, uri: str) -> TokenKey:
        """Return the key that a PKCS#11 URI names (RFC 7512 2.3). Raises ValueError, which never repeats a PIN."""
        if not uri.startswith(SCHEME):
            raise ValueError("A PKCS#11 URI begins with pkcs11:")
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        parts = _attributes(path, ";", _PATH_NAMES) | _attributes(query, "&", _QUERY_NAMES)
        module = _text(parts, "module-path") or os.environ.get(MODULE_VARIABLE, "")
        found = cls(
            module, _text(parts, "token"), parts.get("serial"), _text(parts, "object"), parts.get("id")
        )
        if not module:
            raise ValueError(f"The PKCS#11 module is missing: give module-path= or set {MODULE_VARIABLE}.")
        if found.token is None and found.serial is None:
            raise ValueError("The URI does not name a token: give token= or serial=.")
        if found.label is None and found.object_id is None:
            raise ValueError("The URI does not name a key: give object= or id=.")
        return found


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if name in ("pin-value", "pin-source"):
            raise ValueError(f"A URI must not contain a PIN: use {PIN_VARIABLE} or the prompt.")
        if name not in known or not equals or not value or name in found:
            shown = name if re.fullmatch(r"[a-z-]{1,20}", name) else "?"
            raise ValueError(f"PKCS#11 URI: {shown} is unknown, empty or given twice.")
        found[name] = unquote_to_bytes(value)
    return found


def _text(parts: dict[str, bytes], name: str) -> str | None:
    return parts[name].decode("utf-8") if name in parts else None


def ask_pin() -> str:
    """Return the PIN from the environment, else from a prompt. Raises TokenError without a terminal for the prompt."""
    try:
        return ask(PIN_VARIABLE, "PIN of the token")
    except SecretMissingError as error:
        raise TokenError(str(error)) from None


@dataclass
class _Session:
    """Opens sessions on the token of one key. Keeps the PIN, which `repr` does not show."""

    key: TokenKey
    pin: Callable[[], str] = field(repr=False)
    _known: str | None = field(default=None, repr=False)

    @contextmanager
    def open(self, *, is_writing: bool = False) -> Iterator[Any]:
        with _ONE_SESSION:
            if self._known is None:
                self._known = self.pin()
            yield from self._logged_in(self._known, is_writing)

    def _logged_in(self, pin: str, is_writing: bool) -> Iterator[Any]:
        try:
            library = pkcs11.lib(self.key.module)
            with self._token(library).open(rw=is_writing, user_pin=pin) as session:
                yield session
        except PKCS11Error as error:
            raise TokenError(f"token: {_words(error)}") from None
        except RuntimeError as error:  # the module cannot be loaded
            raise TokenError(f"PKCS#11 module {self.key.module}: {type(error).__name__}") from None
        finally:
            _forget_openssl_errors()

    def _token(self, library: Any) -> Any:
        wanted: dict[str, Any] = {}
        if self.key.token is not None:
            wanted["token_label"] = self.key.token
        if self.key.serial is not None:
            wanted["token_serial"] = self.key.serial
        return library.get_token(**wanted)


def _forget_openssl_errors() -> None:
    """Empty the thread's error queue of OpenSSL.

    A module that uses the same OpenSSL (SoftHSM2) leaves errors there, and Python's ssl then fails to load the next
    certificate in this thread. The only call of ssl that clears the queue is one with a cipher that does not exist.
    """
    with contextlib.suppress(ssl.SSLError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers("NO-SUCH-CIPHER")


def _words(error: PKCS11Error) -> str:
    """Return the name of the error in words. Its text is not used, because it may contain the PIN."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


class Pkcs11Signer:
    """Signs with a P-256 or Ed25519 key of a token. `sign` raises TokenError."""

    def __init__(self, uri: str, pin: Callable[[], str] = ask_pin) -> None:
        """Open the token once to read the public key. Raises ValueError, TokenError."""
        self._key = TokenKey.parse(uri)
        self._session = _Session(self._key, pin)
        with self._session.open() as session:
            self.algorithm, self.public = _public(self._find(session, ObjectClass.PUBLIC_KEY))
            self._find(session, ObjectClass.PRIVATE_KEY)
        self.key_id = key_id(self.public)

    def __repr__(self) -> str:
        return f"Pkcs11Signer({self.key_id.hex()})"

    @classmethod
    def create(cls, uri: str, kind: str, pin: Callable[[], str] = ask_pin) -> Pkcs11Signer:
        """Generate a key ("p256" or "ed25519") in the token. Returns its signer. Raises ValueError, TokenError."""
        if kind not in ("p256", "ed25519"):
            raise ValueError(
                "A token generates p256 and ed25519 keys. HSS needs a state that tokens do not keep."
            )
        key = TokenKey.parse(uri)
        session_of = _Session(key, pin)
        with session_of.open(is_writing=True) as session:
            if any(session.get_objects(_wanted(key, ObjectClass.PRIVATE_KEY))):
                raise TokenError("The token already has a key of this name.")
            is_p256 = kind == "p256"
            kind_of_key = KeyType.EC if is_p256 else KeyType.EC_EDWARDS
            curve = {Attribute.EC_PARAMS: _P256 if is_p256 else _ED25519[0]}
            domain = session.create_domain_parameters(kind_of_key, curve, local=True)
            domain.generate_keypair(
                store=True,
                label=key.label,
                id=key.object_id,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
        known = session_of._known or ""
        return cls(uri, lambda: known)

    def sign(self, message: bytes) -> bytes:
        """r || s for P-256 over SHA-256 of the message, R || S for Ed25519: 64 bytes. Raises TokenError."""
        is_p256 = self.algorithm == cose.ALG_ESP256
        data = hashlib.sha256(message).digest() if is_p256 else message
        mechanism = Mechanism.ECDSA if is_p256 else Mechanism.EDDSA
        with self._session.open() as session:
            signature = bytes(self._find(session, ObjectClass.PRIVATE_KEY).sign(data, mechanism=mechanism))
        verify = backend.p256_verify if is_p256 else backend.ed25519_verify
        if len(signature) != 64 or not verify(self.public, data, signature):
            raise TokenError("The signature of the token does not verify with its public key.")
        return signature

    def _find(self, session: Any, kind: ObjectClass) -> Any:
        found = list(session.get_objects(_wanted(self._key, kind)))
        if len(found) != 1:
            raise TokenError(f"The token has {len(found)} keys of this name and kind instead of one.")
        return found[0]


def _wanted(key: TokenKey, kind: ObjectClass) -> dict[Attribute, Any]:
    wanted: dict[Attribute, Any] = {Attribute.CLASS: kind}
    if key.label is not None:
        wanted[Attribute.LABEL] = key.label
    if key.object_id is not None:
        wanted[Attribute.ID] = key.object_id
    return wanted


def _public(key: Any) -> tuple[int, bytes]:
    """COSE algorithm and public key as an anchor holds it; older tokens give the point without the DER octet string."""
    curve, point = bytes(key[Attribute.EC_PARAMS]), bytes(key[Attribute.EC_POINT])
    if curve == _P256:
        length, algorithm = 65, cose.ALG_ESP256
    elif curve in _ED25519:
        length, algorithm = 32, cose.ALG_ED25519
    else:
        raise TokenError("The key is neither P-256 nor Ed25519.")
    if len(point) == length + 2 and point[0] == 4 and point[1] == length:
        point = point[2:]
    if len(point) != length:
        raise TokenError("The token gives the public key in an unknown form.")
    return algorithm, point
