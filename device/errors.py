"""Every error that device code raises on purpose: a class with a permanent number and fields, without secrets.

Rules:
1. A number is assigned once and never reused; `tests/unit/device/test_errors.py` checks that they are distinct.
2. Fields carry facts (have, offered, limit, field names), never key material, codes or passwords.
3. Reports and status pages carry `code`; the text is for people.
"""


class FirstbootError(Exception):
    """Base of every typed refusal. `code` is permanent; keyword fields become attributes."""

    code = 1

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(self.describe())

    def describe(self) -> str:
        """Return one line: the class name, and the fields in sorted order."""
        text = type(self).__name__
        for name in sorted(self.fields):
            text += " {}={}".format(name, self.fields[name])
        return text


# 100 codecs ------------------------------------------------------------------------------------------
class CodecError(FirstbootError):
    """The bytes do not follow the format. Fields: `reason`, optional `offset`."""

    code = 100


class CborError(CodecError):
    code = 101


class CoseError(CodecError):
    code = 102


class FrameError(CodecError):
    """A serial frame is damaged (checksum, length)."""

    code = 103


class LimitError(CodecError):
    """A bound of limits.py is exceeded. Fields: `what`, `limit`."""

    code = 104


class DerError(CodecError):
    """The bytes are not the expected DER (certificate, key, request). Fields: `reason`, `offset`."""

    code = 105


class SuitError(CodecError):
    """A SUIT envelope or manifest does not follow the draft. Fields: `reason`, and names where they help."""

    code = 106


class HeatshrinkError(CodecError):
    """A compressed stream is damaged or needs more RAM than limits.py allows. Field: `reason`."""

    code = 107


class BundleError(CodecError):
    """The files of an application are not packed as codec/bundle.py demands. Fields: `reason`, `offset`, `file`."""

    code = 110


# 200 trust and updates -------------------------------------------------------------------------------
class TrustError(FirstbootError):
    code = 200


class SignatureError(TrustError):
    """No acceptable signature of the needed role."""

    code = 201


class AlgorithmError(TrustError):
    """The header names an unsupported algorithm, or one that the anchor does not bind to this key."""

    code = 202


class RecordTypeError(TrustError):
    """A signed record has another `typ` than the expected one."""

    code = 203


class KeySetError(TrustError):
    """A key set is refused. Fields: `reason`, `have` and `offered` where they help."""

    code = 205


class UpdateError(FirstbootError):
    code = 210


class DigestMismatchError(UpdateError):
    """The content is not what the author signed. Field: `component`."""

    code = 211


class VendorMismatchError(UpdateError):
    code = 212


class ClassMismatchError(UpdateError):
    code = 213


class SequenceNumberError(UpdateError):
    """The manifest is not newer, or its number is too far ahead (limits.SEQUENCE_JUMP). Fields: `have`, `offered`."""

    code = 214


class SecurityCounterError(UpdateError):
    """The image's security counter is below the unit's. Fields: `have`, `offered`."""

    code = 215


class UnsupportedError(UpdateError):
    """A manifest asks for something that this device does not do. Field: `what`."""

    code = 216


class ImageFormatError(UpdateError):
    """The payload is not an image that this board can start. Field: `reason`."""

    code = 217


class KnownBadError(UpdateError):
    """This release could not be installed or failed its trial here; the unit does not retry it. Field: `sequence`."""

    code = 218


class TrialFailedError(UpdateError):
    """A release did not confirm and was reverted. Fields: `sequence`, `reset`."""

    code = 219


class ConditionError(UpdateError):
    """A condition of a manifest failed. Fields: `command`, `component`, `sequence`, `index`."""

    code = 240


class DirectiveError(UpdateError):
    """A directive of a manifest failed. Fields: `command`, `component`, `sequence`."""

    code = 241


class RevocationError(UpdateError):
    """An image key may not be revoked. Fields: `reason`, `key`."""

    code = 242


class DeltaError(UpdateError):
    """A delta payload cannot be used; the unit takes the full payload instead. Field: `reason`."""

    code = 245


class AppSetError(UpdateError):
    """The running image's application set is not what the author signed; it does not run. Fields: `reason`, `file`."""

    code = 250


class AppFailedError(UpdateError):
    """The application ended with an exception. Field: `kind`, the class name: the text could hold anything."""

    code = 251


class AppHeldError(UpdateError):
    """The application made the unit restart too often, so the firmware runs without it. Field: `restarts`."""

    code = 252


class WithheldError(UpdateError):
    """The tracker names something newer, and no source gives it. Fields: `what`, `named`, `have`."""

    code = 253


# 300 links -------------------------------------------------------------------------------------------
class LinkError(FirstbootError):
    """A peer could not be reached, or closed the link. Field: `reason`."""

    code = 300


class LinkTimeoutError(LinkError):
    code = 301


class ProtocolError(LinkError):
    """The peer broke its protocol. Field: `reason`."""

    code = 302


class PeerRefusedError(LinkError):
    """The peer answered with a refusal. Field: `status`."""

    code = 303


class RequestError(ProtocolError):
    """An HTTP request is refused before it reaches a page. Fields: `status` (HTTP), `reason`."""

    code = 304


class DnsError(ProtocolError):
    """A packet of multicast DNS breaks the protocol or is larger than allowed. Field: `reason`."""

    code = 305


class CertificateError(LinkError):
    """The peer's certificate is not one that this unit trusts for the peer's name. Field: `reason`."""

    code = 306


# 400 storage and hardware ----------------------------------------------------------------------------
class StorageError(FirstbootError):
    code = 400


class FlashError(StorageError):
    """A NOR rule was broken, or the driver failed. Fields: `reason`, `offset`."""

    code = 401


class RecordDamagedError(StorageError):
    """A stored record fails its own digest. Field: `name`."""

    code = 402


class StorageFullError(StorageError):
    code = 403


class CounterLostError(RecordDamagedError):
    """A durable counter that this unit began is missing. It is not begun again; its reader assumes the worst or
    refuses. Field: `name`.
    """

    code = 404


class EntropyError(FirstbootError):
    """The unit has no entropy, so it cannot generate a secret."""

    code = 410


class MemoryShortError(FirstbootError):
    """There was not enough memory for one piece of work; only that was refused. Field: `what`."""

    code = 411


# 500 life cycle and owner ----------------------------------------------------------------------------
class LifecycleError(FirstbootError):
    """The operation is not possible in this state. Fields: `state`, `event`."""

    code = 500


class SetupCodeError(FirstbootError):
    code = 510


class PasswordError(FirstbootError):
    """The password is refused. Field: `reason`, a permanent word that the page explains."""

    code = 511


class ThrottledError(FirstbootError):
    """Too many attempts. Field: `wait_s`."""

    code = 512


class CredentialError(FirstbootError):
    """Sign-in failed, without a reason."""

    code = 513


class PressError(FirstbootError):
    """The device's button must be pressed first; this shows that the person holds the device."""

    code = 514


class WifiError(FirstbootError):
    """A network cannot be joined as asked. Field: `reason` (device/net/wifi.py, `check`; device/agent/wifi.py)."""

    code = 521


class HomeError(FirstbootError):
    """A broker in the owner's home cannot be used as asked. Field: `reason` (device/owner/home.py)."""

    code = 522


class SettingsError(FirstbootError):
    """The setting is not possible. Field: `reason`, a permanent word that the page explains."""

    code = 520


# 600 factory -----------------------------------------------------------------------------------------
class FactoryError(FirstbootError):
    """The factory port refuses. Field: `reason`."""

    code = 600


class LockedError(FactoryError):
    code = 601


# 700 support period ----------------------------------------------------------------------------------
class SupportRecordError(FirstbootError):
    """A support record is refused. Field: `reason`."""

    code = 700


class ContactRecordError(FirstbootError):
    """A security contact is refused. Field: `reason`."""

    code = 701


class FreshnessError(FirstbootError):
    """A freshness record is refused. Field: `reason`."""

    code = 710


# 900 defects -----------------------------------------------------------------------------------------
class DefectError(FirstbootError):
    """An exception that no part of the firmware expects ended one piece of work. Field: `kind`, its class name."""

    code = 900
