"""SUIT_Report: a unit's report about a manifest, decoded as its server does (draft-ietf-suit-report)."""

import test_trust as base

from device.codec import cbor
from device.errors import (
    AlgorithmError,
    CborError,
    ClassMismatchError,
    CodecError,
    ConditionError,
    CoseError,
    LinkError,
    SignatureError,
    SuitError,
    UnsupportedError,
)
from device.limits import REPORT_BYTES
from device.suit import commands, envelope, report
from device.trust import verify

DIGEST = b"i" * 32


def make(failure=None, reference=report.NO_REFERENCE, extensions=None):
    return report.Report(reference, failure, DIGEST, "1.0.0+1", 7, 0, False, extensions or {})


def test_a_report_round_trips():
    for failure in (None, report.Failure(201, report.REASON_UNAUTHORISED, 20, 11, 1)):
        for reference in (report.NO_REFERENCE, report.Reference("https://example.com/m", b"d" * 32)):
            made = make(failure, reference, {-5: 2, -6: "x"})
            assert report.decode(report.encode(made)) == made


def test_a_report_has_the_members_of_the_draft():
    fields = cbor.decode(report.encode(make(reference=report.Reference("u", b"d" * 32))))
    assert fields[99] == ["u", [-16, b"d" * 32]]
    assert fields[4] is True
    assert fields[3] == [{0: [b"firmware"], 3: envelope.encode_digest(DIGEST)}]


def test_the_longest_report_fits_its_bound():
    reference = report.Reference("u" * 120, b"d" * 32)
    failure = report.Failure(999, 12, 20, 8192, 15)
    assert len(report.encode(make(failure, reference, {-5: 3}))) <= REPORT_BYTES


def test_every_refusal_has_a_reason_of_the_draft():
    for error, reason in (
        (CborError(reason="x"), 1),
        (SuitError(reason="x"), 1),
        (CoseError(reason="x"), 2),
        (AlgorithmError(header=1), 3),
        (SignatureError(reason="x"), 4),
        (UnsupportedError(what="suit-directive-copy"), 5),
        (UnsupportedError(what="components"), 6),
        (UnsupportedError(what="suit-parameter-version"), 8),
        (UnsupportedError(what="severed suit-install"), 9),
        (ClassMismatchError(offered="x"), 10),
        (ConditionError(command="x"), 10),
        (LinkError(reason="x"), 11),
    ):
        assert report.failure_of(error).reason == reason, error


def test_the_reference_uri_is_read_only_from_an_authentic_manifest():
    members = cbor.decode(base.content())
    members[4] = "https://example.com/m"
    data = base.signed(cbor.encode(members))
    digest = envelope.digest_of(cbor.encode(members))
    content = verify.authenticate(data, base.ANCHORS)
    assert report.reference_of(data) == report.Reference("", digest)
    assert report.reference_of(data, content) == report.Reference("https://example.com/m", digest)
    assert report.reference_of(b"\xff", content) == report.NO_REFERENCE


def test_a_failed_condition_is_found_again_by_its_section_and_offset():
    first = base.install()
    first.insert(4, (20, {4: 5}))
    first.insert(5, (4, 15))
    data = base.signed(base.content(sequences={20: first}))
    around = verify.Circumstances(1700000000, None, None, None)
    try:
        verify.verify_envelope(data, base.ANCHORS, circumstances=around)
    except ConditionError as error:
        report.locate(error, data)
        failure = report.failure_of(error)
    else:
        raise AssertionError("accepted")
    sequence = commands.encode(first)
    assert failure.section == 20
    assert sequence[failure.offset : failure.offset + 2] == b"\x04\x0f"


def test_a_failed_condition_of_the_shared_sequence_names_it():
    data = base.signed(base.content(common=base.shared(klass=b"w" * 16)))
    try:
        verify.verify_envelope(data, base.ANCHORS)
    except ClassMismatchError as error:
        report.locate(error, data)
        assert report.failure_of(error).section == 3
        return
    raise AssertionError("accepted")


def test_damaged_reports_are_refused():
    good = cbor.decode(report.encode(make()))
    for number, value in (
        (99, []),
        (99, ["u", [-16, b"short"]]),
        (99, [5, [-16, b""]]),
        (3, []),
        (3, [{0: [b"firmware"]}]),
        (4, False),
        (4, {5: 1, 6: [], 7: 1}),
        (4, {5: 1, 6: [[], 20, 0, True, {}], 7: 1}),
        (-1, 5),
        (-4, 1),
        (2, b"nonce"),
    ):
        fields = dict(good)
        fields[number] = value
        try:
            report.decode(cbor.encode(fields))
        except CodecError:
            continue
        raise AssertionError((number, value))
    try:
        report.decode(b"\x81")
    except CodecError:
        return
    raise AssertionError("accepted")
