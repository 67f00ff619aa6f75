"""A unit in RAM for tests of the factory port, on CPython and on the board."""

from device.codec import cbor, cose
from device.crypto import backend, der
from device.factory.check import STATEMENT_TYP
from device.factory.factory_port import FactoryPort
from device.limits import FACTORY_DATA_BYTES
from device.records import contact, identity, support
from device.records.store import Store
from device.trust import anchors as trust_anchors

DEVICE_ID = bytes(range(16))
CLASS_ID = b"c" * 16
NONCE = b"n" * 16


class MemoryRecords:
    """interfaces.Records in a dict."""

    def __init__(self):
        self.held = {}

    def read(self, name):
        return self.held.get(name)

    def write(self, name, data):
        self.held[name] = bytes(data)

    def delete(self, name):
        self.held.pop(name, None)

    def names(self):
        return sorted(self.held)


class CountingEntropy:
    """Numbers that differ; for tests only. A board's C module generates keys with its own generator."""

    def __init__(self):
        self.count = 0
        self.is_seeded = True

    def is_ready(self):
        return self.is_seeded

    def random_bytes(self, length):
        self.count += 1
        return (backend.sha256(bytes((self.count,))) * 2)[:length]


class Unit:
    """device.factory.factory_port.FactoryServices in RAM."""

    def __init__(self):
        self.board = "bench"
        self.hardware_id = b"h" * 16
        self.version = "1.2.3+4"
        self.image_digest = b"d" * 32
        self.is_development = True
        self.entropy = CountingEntropy()
        self.records = MemoryRecords()
        self.store = Store(self.records)
        self.locks = 0
        self.formats = 0
        self.restarts = 0
        self.port = FactoryPort(self)
        self.sequence = 0

    def is_locked(self):
        return self.locks > 0

    def format_if_needed(self):
        self.formats += 1

    def lock(self):
        self.locks += 1

    def restart(self):
        self.restarts += 1

    def ask(self, operation, **arguments):
        """Return (error number, results) of one request with a new sequence number."""
        self.sequence += 1
        answer = cbor.decode(self.port.handle(cbor.encode([self.sequence, operation, arguments])))
        assert answer[0] == self.sequence
        return answer[1], answer[2]

    def done(self, operation, **arguments):
        code, results = self.ask(operation, **arguments)
        assert code == 0, results
        return results

    def refused(self, operation, **arguments):
        """Return the error number of a request that must change nothing."""
        before = dict(self.records.held)
        code, results = self.ask(operation, **arguments)
        assert code != 0 and sorted(results) == ["reason"]
        assert self.records.held == before
        return code

    def write(self, name, data):
        for offset in range(0, len(data), FACTORY_DATA_BYTES):
            part = data[offset : offset + FACTORY_DATA_BYTES]
            self.done("write", name=name, offset=offset, data=part, total=len(data))


def certificate(name, public):
    """Return a certificate as RFC 5280 4.1 defines it, unsigned, with empty fields that the device does not read."""
    subject = der.encode(der.SEQUENCE, der.OID_COMMON_NAME + der.encode(der.UTF8_STRING, name.encode()))
    empty = der.encode(der.SEQUENCE, b"")
    body = der.encode(der.CONTEXT_0, b"\x02\x01\x02") + b"\x02\x01\x05" + empty + empty + empty
    body += der.encode(der.SEQUENCE, der.encode(der.SET, subject)) + der.public_key_info(public)
    return der.encode(
        der.SEQUENCE, der.encode(der.SEQUENCE, body) + empty + der.encode(der.BIT_STRING, b"\x00")
    )


def signed(payload, typ, private, key_id):
    return cose.sign1_encode(
        payload,
        algorithm=cose.ALG_ESP256,
        key_id=key_id,
        sign=lambda message: backend.p256_sign(private, backend.sha256(message)),
        typ=typ,
        external_aad=typ.encode(),
    )


def station_records(unit):
    """Return every record that a station writes, as a dict. Generates the unit's keys."""
    for role in ("device", "web"):
        unit.done("make_key", role=role)
    public = {role: backend.p256_public(unit.store.require(role + ".key")) for role in ("device", "web")}
    signer, signer_public = backend.p256_generate(unit.entropy.random_bytes)
    keys = [
        trust_anchors.Key(b"s", cose.ALG_ESP256, trust_anchors.ROLE_SUPPORT, signer_public),
        trust_anchors.Key(b"i", cose.ALG_ESP256, trust_anchors.ROLE_SIGNATORY, signer_public),
    ]
    end = support.SupportRecord(CLASS_ID, 22000, 1, 1, 90)
    report = contact.Contact(1, "https://a.example", "within 3 days", "every 14 days", "https://a.example/p")
    person = identity.Identity(DEVICE_ID, "SN-1", "M", "B", "1", "Maker")
    source = {1: "mqtt", 2: "10.0.2.2", 3: 8883, 4: "localhost"}
    return {
        "identity": identity.encode(person),
        "device.crt": certificate(identity.device_id_text(person), public["device"]),
        "web.crt": certificate("fb-1234", public["web"]),
        "setup": cbor.encode({1: bytes(16), 2: bytes(32)}),
        "anchors": trust_anchors.encode(
            trust_anchors.Anchors(b"v" * 16, CLASS_ID, tuple(keys), 23000 * 86400, 0, trust_anchors.NO_RULES)
        ),
        "support": signed(support.encode(end), support.TYP, signer, b"s"),
        "contact": signed(contact.encode(report), contact.TYP, signer, b"s"),
        "statement": signed(b"{}" + b" " * 3000, STATEMENT_TYP, signer, b"i"),
        "servers": cbor.encode({1: certificate("CA", signer_public), 2: [source], 3: 60}),
        "oscore": cbor.encode({1: bytes(16), 2: bytes(8), 3: b"\x01", 4: b"fb"}),
    }


def provisioned():
    """Return (unit, records) before the unit is complete."""
    unit = Unit()
    records = station_records(unit)
    for name in sorted(records):
        unit.write(name, records[name])
    return unit, records
