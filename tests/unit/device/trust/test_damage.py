"""Thousands of damaged envelopes (tests/vectors/damage): each refused with its reason, changing nothing (UP-01)."""

import asyncio
import json
import sys
import tracemalloc
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from device.crypto import backend
from device.errors import FirstbootError
from device.limits import ENVELOPE_BYTES
from device.trust import verify
from device.trust.anchors import ROLE_AUTHOR, Anchors, Key, Policy, Rules
from provisioning.cli.conformance import ALGORITHMS
from provisioning.keys import public_keys
from provisioning.release import conformance

FOLDER = Path(__file__).resolve().parents[3] / "vectors" / "damage"
PEAK_BYTES = 160 * 1024  # 512 commands on CPython, whose objects are some four times those of a board


def _module(name: str) -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(FOLDER))


@cache
def _published() -> tuple[dict[str, Any], dict[str, Any], list[tuple[str, bytes, str | None, str]]]:
    return _module("run").load()  # type: ignore[no-any-return]


class _FastCrypto:
    """The backend, with P-256 of OpenSSL: other tests compare its verdicts; here thousands of them are needed."""

    sha256 = staticmethod(backend.sha256)
    equal = staticmethod(backend.equal)
    hss_verify = staticmethod(backend.hss_verify)
    ed25519_verify = staticmethod(backend.ed25519_verify)

    @staticmethod
    def p256_verify(public: bytes, digest: bytes, signature: bytes) -> bool:
        if len(signature) != 64:
            raise ValueError("P-256 length")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        der = encode_dss_signature(
            int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        )
        try:
            key.verify(der, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature:
            return False
        return True


@cache
def _anchors(name: str) -> Anchors:
    recipient, sets, _ = _published()
    entry = sets[name]
    keys = [key for data in entry["keys"] for key in public_keys.parse(bytes.fromhex(data))]
    policy = Policy(ROLE_AUTHOR, entry["threshold"], tuple(ALGORITHMS[one] for one in entry["require"]))
    return Anchors(
        uuid.UUID(recipient["vendor"]).bytes,
        uuid.UUID(recipient["class"]).bytes,
        tuple(Key(key.key_id, key.algorithm, ROLE_AUTHOR, key.public) for key in keys),
        0,
        0,
        Rules((policy,), (), 0, ()),
    )


def _as_unit(envelope: bytes, anchors: str) -> str | None:
    """Return the unit's verdict: None, or the kind of its refusal."""
    recipient = _published()[0]
    around = verify.Circumstances(recipient["now"], None, lambda _priority: True, None)
    try:
        found = verify.verify_envelope(envelope, _anchors(anchors), _FastCrypto, around)
        verify.require_newer(found, recipient["installed"])
    except FirstbootError as error:
        return conformance.reason(error)
    return None


def _as_checker(envelope: bytes, anchors: str) -> str | None:
    """Return the verdict of `firstboot conformance check`."""
    recipient, sets, _ = _published()
    entry, trusted = sets[anchors], _anchors(anchors)
    keys = [key for data in entry["keys"] for key in public_keys.parse(bytes.fromhex(data))]
    who = conformance.Recipient(
        trusted.vendor_id, trusted.class_id, None, recipient["installed"], recipient["now"]
    )
    required = [ALGORITHMS[one] for one in entry["require"]]
    try:
        conformance.check(envelope, keys, who, threshold=entry["threshold"], required=required)
    except FirstbootError as error:
        return conformance.reason(error)
    return None


def test_there_are_thousands_of_cases_with_names_of_their_own() -> None:
    _, sets, cases = _published()
    assert len(cases) - len(sets) >= 2000
    assert len({name for name, *_ in cases}) == len(cases)
    reasons = {reason for _, _, reason, _ in cases}
    assert len(reasons) >= 13


def test_the_published_cases_are_those_of_the_grammar() -> None:
    grammar = _module("grammar")
    written = [(case.name, case.envelope, case.refuse, case.anchors) for case in grammar.damaged()]
    good = [(case.name, case.envelope, None, case.anchors) for case in grammar.bases()]
    assert _published()[2] == good + written


def test_a_unit_refuses_each_with_its_reason_and_accepts_the_good_ones() -> None:
    wrong = [
        f"{name}: {_as_unit(envelope, anchors)} instead of {reason}"
        for name, envelope, reason, anchors in _published()[2]
        if _as_unit(envelope, anchors) != reason
    ]
    assert wrong == []


def test_the_checker_gives_the_same_reasons() -> None:
    cases = _published()[2]
    step = 7  # P-256 in Python is slow; the nightly run checks all
    wrong = [
        f"{name}: {_as_checker(envelope, anchors)} instead of {reason}"
        for name, envelope, reason, anchors in cases[:5] + cases[5::step]
        if _as_checker(envelope, anchors) != reason
    ]
    assert wrong == []


@pytest.mark.nightly
def test_the_checker_gives_the_same_reasons_for_every_case() -> None:
    wrong = [
        name
        for name, envelope, reason, anchors in _published()[2]
        if _as_checker(envelope, anchors) != reason
    ]
    assert wrong == []


def test_memory_stays_bounded() -> None:
    cases = [case for case in _published()[2] if len(case[1]) <= ENVELOPE_BYTES]
    high: list[tuple[str, int]] = []
    for _, envelope, reason, anchors in cases[:5]:  # do not count objects that are loaded once
        assert _as_unit(envelope, anchors) == reason
    for name, envelope, _, anchors in cases[::3]:
        tracemalloc.start()
        _as_unit(envelope, anchors)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if peak > PEAK_BYTES:
            high.append((name, peak))
    assert high == []


def test_no_damaged_envelope_changes_what_a_unit_has_stored() -> None:
    bench_module = pytest.importorskip("test_update_keys")
    for name, envelope, reason, _ in _published()[2][::25]:
        bench = bench_module.Bench()
        before = (dict(bench.records.content), bench.progress.value)

        async def offered(data: bytes = envelope) -> bytes:
            return data

        bench.source.envelope = offered
        error = asyncio.run(bench.service.check(bench.source))
        assert error is not None, (name, reason)
        assert (dict(bench.records.content), bench.progress.value._replace(time_floor_s=0)) == (
            before[0],
            before[1]._replace(time_floor_s=0),
        ), name
        assert not bench.service.is_restart_wanted


def test_the_runner_speaks_to_a_command(tmp_path: Path) -> None:
    run = _module("run")
    recipient, sets, cases = _published()
    command = [sys.executable, "-m", "provisioning.cli.main", "conformance", "check"]
    for name, envelope, reason, anchors in (cases[0], cases[-1]):
        found = run.verdict(command, tmp_path, envelope, sets[anchors], recipient)
        assert found == (reason is None, reason or ""), name


def test_the_runner_notices_a_command_that_accepts_everything(tmp_path: Path) -> None:
    run = _module("run")
    yes = [sys.executable, "-c", "print('accept')"]
    assert run.main(["--sample", "4", "--", *yes]) == 1
    assert run.main([]) == 2


def test_the_file_stays_small() -> None:
    assert (FOLDER / "cases.jsonl").stat().st_size < 1_000_000
    assert all(json.loads(line) for line in (FOLDER / "cases.jsonl").read_text().splitlines())
