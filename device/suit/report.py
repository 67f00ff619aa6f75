"""The report of a unit to its server about the last manifest that it checked (draft-ietf-suit-report, SUIT_Report).

{99: [reference URI, SUIT_Digest of the manifest], 3: [records and claims], 4: true or {5: error number, 6: record,
7: reason}}; below zero, this project's own: {-1: running version (text), -2: confirmed manifest sequence, -3: number of
the last error or 0, -4: the unit is about to restart into a new release, -5: support state (position in
support.STATES), -6 to -9: below}. Without a manifest the digest is empty. The claim names the running image. Reports
travel inside TLS or OSCORE, which prove freshness, so there is no nonce.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const, utf8_bytes
from device.errors import (
    AlgorithmError,
    CborError,
    ClassMismatchError,
    CodecError,
    ConditionError,
    CoseError,
    SequenceNumberError,
    SuitError,
    TrustError,
    UnsupportedError,
    VendorMismatchError,
)
from device.limits import REPORT_BYTES
from device.suit import commands, envelope, registry

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.errors import FirstbootError

# `reference`: Reference; `failure`: Failure or None; `image_digest`: SHA-256 of the running image.
Report = namedtuple(
    "Report",
    (
        "reference",
        "failure",
        "image_digest",
        "version",
        "sequence",
        "error_code",
        "is_restarting",
        "extensions",
    ),
)
# `digest`: 32 bytes, empty if no manifest was checked.
Reference = namedtuple("Reference", ("uri", "digest"))
# `section`, `offset`, `component`: where the manifest failed (a SUIT_Record); `reason`: SUIT_Report_Reasons.
Failure = namedtuple("Failure", ("code", "reason", "section", "offset", "component"))

NO_REFERENCE = Reference("", b"")
FIRMWARE = (b"firmware",)
SUPPORT_STATE = -5  # the first of the extensions
DELTA = -7  # 0: the release was made from a delta; else why the full payload was taken (error number)
APP = -8  # SHA-256 of the running application set; absent without one
IS_STALE = -6  # no valid freshness record for 72 h of powered-on time (device/records/staleness.py)
WITHHELD = (
    -9
)  # bits: what the tracker names and no source gave for 72 h (update/withheld.py); absent if nothing

REASON_CBOR = 1
REASON_COSE = 2
REASON_ALGORITHM = 3
REASON_UNAUTHORISED = 4
REASON_COMMAND = 5
REASON_COMPONENT = 6
REASON_PARAMETER = 8
REASON_SEVERING = 9
REASON_CONDITION = 10
REASON_OPERATION = 11

_URI_BYTES = const(120)  # a longer one would not fit into the report
_RECORDS = const(3)
_RESULT = const(4)
_CODE = const(5)
_RECORD = const(6)
_REASON = const(7)
_REFERENCE = const(99)

# First match counts: subclasses before their bases.
_REASONS = (
    (CborError, REASON_CBOR),
    (CoseError, REASON_COSE),
    (SuitError, REASON_CBOR),
    (CodecError, REASON_CBOR),
    (AlgorithmError, REASON_ALGORITHM),
    (TrustError, REASON_UNAUTHORISED),
    (ConditionError, REASON_CONDITION),
    (VendorMismatchError, REASON_CONDITION),
    (ClassMismatchError, REASON_CONDITION),
    (SequenceNumberError, REASON_CONDITION),
)
_UNSUPPORTED = (
    ("suit-parameter", REASON_PARAMETER),
    ("parameter", REASON_PARAMETER),
    ("components", REASON_COMPONENT),
    ("severed", REASON_SEVERING),
    ("algorithm", REASON_ALGORITHM),
)


def reference_of(data: bytes, content: "Any" = None) -> Reference:
    """Return the reference to an envelope, NO_REFERENCE if the bytes are not one.

    `content`: the authentic manifest in it (trust.verify.authenticate), which alone gives a reference URI.
    """
    try:
        parts = envelope.decode(data)
    except (CodecError, UnsupportedError):
        return NO_REFERENCE
    uri = None if content is None else content.reference_uri
    return Reference(fitting_uri(uri), envelope.decode_digest(parts.digest))


def fitting_uri(uri: "str | None") -> str:
    """Return `uri` if a report has room for it, else ""."""
    return uri if uri and 0 < utf8_bytes(uri) <= _URI_BYTES else ""


def locate(error: "FirstbootError", data: bytes) -> None:
    """Add the place of a failed condition to its error: `section` (manifest member) and `offset` in it, in bytes.

    `data` is the envelope whose manifest failed. An error that names no command stays as it is.
    """
    index, section = error.fields.get("index"), error.fields.get("section", registry.MEMBER_INSTALL)
    if not isinstance(index, int):
        return
    parts = envelope.decode(data)
    members = cbor.decode(parts.manifest)
    if error.fields.get("sequence") == 0:
        section = registry.MEMBER_COMMON
        sequence = cbor.decode(members[section])[registry.COMMON_SHARED_SEQUENCE]
    else:
        sequence = parts.severed.get(section, members[section])
    error.fields["section"] = section
    error.fields["offset"] = commands.section_offset(sequence, index)


def failure_of(error: "FirstbootError") -> Failure:
    """Return where and why a manifest was refused; section 20 (suit-install), offset 0 if the place is unknown."""
    section = error.fields.get("section", registry.MEMBER_INSTALL)
    return Failure(
        error.code, _reason(error), section, error.fields.get("offset", 0), error.fields.get("component", 0)
    )


def encode(report: Report) -> bytes:
    """Return the encoded SUIT_Report, at most REPORT_BYTES."""
    failure = report.failure
    result: "Any" = True
    if failure is not None:
        component = failure.component if isinstance(failure.component, int) else 0
        record = [[], failure.section, failure.offset, component, {}]
        result = {_CODE: failure.code, _RECORD: record, _REASON: failure.reason}
    digest = envelope.encode_digest(report.image_digest)
    claim = {0: list(FIRMWARE), registry.PARAMETER_IMAGE_DIGEST: digest}
    fields: "dict[int, Any]" = {
        _REFERENCE: [report.reference.uri, [registry.DIGEST_SHA256, report.reference.digest]],
        _RECORDS: [claim],
        _RESULT: result,
        -1: report.version,
        -2: report.sequence,
        -3: report.error_code,
        -4: report.is_restarting,
    }
    for number in report.extensions:
        fields[number] = report.extensions[number]
    return cbor.encode(fields)


def decode(data: bytes) -> Report:
    """Return a report of at most REPORT_BYTES; its content is the sender's claim.

    Raises CborError, LimitError, SuitError. Unknown extensions are kept as they are.
    """
    fields = cbor.decode(data, REPORT_BYTES)
    if not isinstance(fields, dict):
        raise CborError(reason="not a map")
    ours = ((-1, str), (-2, int), (-3, int), (-4, bool), (_REFERENCE, list), (_RECORDS, list))
    extensions = {key: fields[key] for key in fields if isinstance(key, int) and key < -4}
    known = {key: fields[key] for key in fields if key not in extensions and key != _RESULT}
    cbor.check_map(known, ours)
    return Report(
        _reference(known[_REFERENCE]),
        _failure(fields.get(_RESULT)),
        _claimed_digest(known[_RECORDS]),
        known[-1],
        known[-2],
        known[-3],
        known[-4],
        extensions,
    )


def _reference(value: "list[Any]") -> Reference:
    if len(value) != 2 or not isinstance(value[0], str) or not isinstance(value[1], list):
        raise SuitError(reason="reference of a report")
    if value[1] == [registry.DIGEST_SHA256, b""]:
        return Reference(value[0], b"")
    return Reference(value[0], envelope.check_digest(value[1]))


def _failure(value: "Any") -> "Failure | None":
    if value is True:
        return None
    fields = cbor.check_map(value, ((_CODE, int), (_RECORD, list), (_REASON, int)))
    record = fields[_RECORD]
    if len(record) != 5 or record[0] != [] or not isinstance(record[4], dict):
        raise SuitError(reason="record of a report")
    for number in record[1:4]:
        if isinstance(number, bool) or not isinstance(number, int):
            raise SuitError(reason="record of a report")
    return Failure(fields[_CODE], fields[_REASON], record[1], record[2], record[3])


def _claimed_digest(records: "list[Any]") -> bytes:
    if len(records) != 1:
        raise SuitError(reason="claims of a report")
    claim = cbor.check_map(records[0], ((0, list), (registry.PARAMETER_IMAGE_DIGEST, bytes)))
    return envelope.decode_digest(claim[registry.PARAMETER_IMAGE_DIGEST])


def _reason(error: "FirstbootError") -> int:
    if isinstance(error, UnsupportedError):
        what = str(error.fields.get("what", ""))
        for start, reason in _UNSUPPORTED:
            if what.startswith(start):
                return reason
        return REASON_COMMAND
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return REASON_OPERATION
