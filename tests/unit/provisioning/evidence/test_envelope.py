"""DSSE envelopes: other signers, changed, truncated and foreign files are typed errors."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

from provisioning.compliance.check_outcomes import EvidenceError
from provisioning.evidence import envelope
from provisioning.evidence.errors import EnvelopeError, EvidenceRefusedError
from provisioning.keys.file_signer import Ed25519FileSigner, FileSigner
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.signer import Signer
from tests.unit.provisioning.compliance.statement_bench import RUNNER_KEY, RUNNER_TRUST

TYPE = "urn:x-test:1"
PAYLOAD = envelope.payload_of(envelope.make_statement("image", "ab" * 32, TYPE, {"a": "\u00e9"}))
SIGNED = envelope.sign(PAYLOAD, RUNNER_KEY)


def read(data: bytes) -> envelope.Attestation:
    return envelope.read(data, RUNNER_TRUST, (TYPE,), "the file")


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(SIGNED) | fields).encode()


@pytest.mark.parametrize("curve", ["P-256", "Ed25519"])
def test_what_was_signed_is_read_back(curve: str) -> None:
    key: Signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    if curve == "Ed25519":
        key = Ed25519FileSigner(ed25519.Ed25519PrivateKey.generate())
    trusted = [AnchorKey(key.key_id, key.algorithm, 5, key.public)]
    found = envelope.read(envelope.sign(PAYLOAD, key), trusted, (TYPE,), "the file")
    assert (found.payload, found.predicate, found.subject) == (PAYLOAD, {"a": "\u00e9"}, "ab" * 32)


def test_the_signature_is_the_one_that_the_dsse_specification_defines() -> None:
    document = json.loads(SIGNED)
    kind, body = document["payloadType"].encode(), base64.b64decode(document["payload"])
    pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), RUNNER_KEY.public)
    public.verify(base64.b64decode(document["signatures"][0]["sig"]), pae, ec.ECDSA(SHA256()))


def test_a_signer_who_is_not_trusted_is_refused() -> None:
    other = envelope.sign(PAYLOAD, FileSigner(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(EvidenceRefusedError, match="not signed by a test runner that you trust"):
        read(other)


def test_a_trusted_key_id_over_another_keys_signature_is_refused() -> None:
    other = json.loads(envelope.sign(PAYLOAD, FileSigner(ec.generate_private_key(ec.SECP256R1()))))
    other["signatures"][0]["keyid"] = RUNNER_KEY.key_id.hex()
    with pytest.raises(EvidenceRefusedError, match="not valid"):
        read(json.dumps(other).encode())


@pytest.mark.parametrize("what", ["payload", "payloadType"])
def test_a_changed_payload_or_type_is_refused(what: str) -> None:
    value = (
        base64.b64encode(PAYLOAD.replace(b"image", b"other")).decode() if what == "payload" else "text/plain"
    )
    with pytest.raises((EvidenceRefusedError, EnvelopeError)):
        read(changed(**{what: value}))


@pytest.mark.parametrize("length", range(0, len(SIGNED) - 2, 37))
def test_a_truncated_envelope_is_a_typed_error(length: int) -> None:
    with pytest.raises(EnvelopeError):
        read(SIGNED[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"7",
        b"[" * 100_000,
        b"\xff\xfe",
        changed(payload=7),
        changed(payload="%%%"),
        changed(signatures=[]),
        changed(signatures=[{"keyid": "aa", "sig": ""}] * 2),
        changed(signatures=[{"keyid": 7, "sig": "aa"}]),
        changed(signatures=[{"sig": "aaaa"}]),
        changed(signatures=7),
    ],
)
def test_what_is_no_envelope_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(EnvelopeError):
        read(data)


def test_an_envelope_above_its_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "ENVELOPE_BYTES", len(SIGNED) - 1)
    with pytest.raises(EnvelopeError, match="bytes"):
        read(SIGNED)


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b"not JSON",
        envelope.payload_of(envelope.make_statement("image", "ab" * 32, "urn:x-other:1", {})),
        b'{"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "urn:x-test:1"}',
        b'{"_type": "x", "subject": [{"digest": {"sha256": "a"}}], "predicateType": "urn:x-test:1", "predicate": {}}',
    ],
)
def test_a_signed_statement_about_something_else_is_a_typed_error(payload: bytes) -> None:
    with pytest.raises(EnvelopeError, match="something else"):
        read(envelope.sign(payload, RUNNER_KEY))


def test_a_key_that_dsse_has_no_signature_for_is_refused() -> None:
    class Tree:
        algorithm = -46
        key_id = bytes(8)
        public = bytes(60)

        def sign(self, message: bytes) -> bytes:
            raise AssertionError("it must not be asked to sign")

    with pytest.raises(EvidenceError, match="P-256 or an Ed25519"):
        envelope.sign(PAYLOAD, Tree())
