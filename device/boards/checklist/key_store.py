"""A key that never leaves the chip (interfaces.KeyStore)."""

from device.boards.checklist.expect import AbsentError, expect
from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any


def _store(port: "Any") -> "Any":
    store = port.key_store()
    if store is None:
        raise AbsentError(
            "no key store: who reads the flash has all that guards the set-up code and the identity"
        )
    return store


def a_digest_has_32_bytes(port: "Any", bench: "Any") -> None:
    found = _store(port).keyed_digest(b"firstboot")
    expect(isinstance(found, bytes) and len(found) == 32, "keyed_digest() does not return 32 bytes")


def the_same_data_gives_the_same_digest_and_other_data_another_one(port: "Any", bench: "Any") -> None:
    store = _store(port)
    first, again, other = store.keyed_digest(b"a"), store.keyed_digest(b"a"), store.keyed_digest(b"b")
    expect(first == again, "the same data gives two digests")
    expect(first != other, "other data gives the same digest")


def the_digest_needs_the_chips_key(port: "Any", bench: "Any") -> None:
    import hashlib

    expect(
        _store(port).keyed_digest(b"a") != hashlib.sha256(b"a").digest(),
        "keyed_digest() is a plain SHA-256: everybody can compute it",
    )


def the_key_survives_a_restart(port: "Any", bench: "Any") -> None:
    print("KEEP", _store(port).keyed_digest(b"a").hex())


def the_key_survives_a_restart_after(port: "Any", bench: "Any") -> None:
    expect(_store(port).keyed_digest(b"a").hex() == bench["kept"], "another key is used after a restart")


RESTARTS = {"the_key_survives_a_restart": "the_key_survives_a_restart_after"}
