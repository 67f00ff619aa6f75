"""Verify signatures with keys of the anchors: one signature, or as many different keys as a policy demands.

Rules:
1. The anchor binds a key to its algorithm and role; the header must agree and never chooses.
2. ES256 (-7) and ESP256 (-9) are one algorithm for a P-256 key; EdDSA (-8) and Ed25519 (-19) are one for an Ed25519 key
   (RFC 9864). Two such signatures of one key count once.
3. A threshold counts distinct public keys, not signatures and not key ids. A signature that is
   unknown or wrong does not count and does no harm: a unit that does not know a new key yet still takes the update.
4. Verification stops as soon as the policy is satisfied.
"""

from device.codec import cose
from device.compat import const
from device.crypto import backend
from device.errors import AlgorithmError, SignatureError, UnsupportedError
from device.trust.anchors import find_key

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Iterable

    from device.trust.anchors import Anchors, Key, Policy


def verify_signature(key: "Key", message: bytes, signature: bytes, crypto: "Any" = backend) -> None:
    """Raise SignatureError unless `key` made `signature` over `message`, UnsupportedError for its parameters."""
    try:
        if key.algorithm == cose.ALG_ESP256:
            is_valid = crypto.p256_verify(key.public, crypto.sha256(message), signature)
        elif key.algorithm == cose.ALG_ED25519:
            is_valid = crypto.ed25519_verify(key.public, message, signature)
        elif key.algorithm == cose.ALG_HSS_LMS:
            is_valid = _verify_hss(key, message, signature, crypto)
        else:
            raise UnsupportedError(what="algorithm {}".format(key.algorithm))
    except ValueError:  # a signature of another length, or an anchor that is not a point
        is_valid = False
    if not is_valid:
        raise SignatureError(reason="wrong signature", role=key.role)


def _verify_hss(key: "Key", message: bytes, signature: bytes, crypto: "Any") -> bool:
    try:
        return bool(crypto.hss_verify(key.public, message, signature))
    except ValueError as error:
        raise UnsupportedError(what=str(error)) from None


def verify_signer(
    signed: "cose.Signed",
    signer: "cose.Signer",
    key: "Key",
    external_aad: bytes,
    detached: "bytes | None",
    crypto: "Any",
) -> None:
    """Raise AlgorithmError, SignatureError, UnsupportedError, CoseError unless `key` made this signature."""
    header = signer.algorithm
    if header == cose.ALG_ES256:
        header = cose.ALG_ESP256
    elif header == cose.ALG_EDDSA:
        header = cose.ALG_ED25519
    if header != key.algorithm:
        raise AlgorithmError(header=signer.algorithm, bound=key.algorithm)
    message = cose.to_be_signed(signed, signer, external_aad, detached)
    verify_signature(key, message, signer.signature, crypto)


def require(
    messages: "Iterable[cose.Signed]",
    anchors: "Anchors",
    policy: "Policy",
    external_aad: bytes,
    detached: "bytes | None",
    crypto: "Any",
) -> None:
    """Return if the signers of `messages` satisfy `policy` with keys of its role.

    If no signature counts, raises the refusal of the first one. Raises SignatureError with `have` and `need` if too few
    count, with `algorithm` if a required algorithm is missing.
    """
    refusal: "Exception | None" = None
    counted: "list[Key]" = []
    for message in messages:
        for signer in message.signers:
            try:
                key = find_key(anchors, signer.key_id, policy.role)
                if key.public in [other.public for other in counted]:
                    continue
                verify_signer(message, signer, key, external_aad, detached, crypto)
            except (SignatureError, AlgorithmError, UnsupportedError) as error:
                refusal = refusal or error
                continue
            counted.append(key)
            if len(counted) >= policy.threshold and _missing(policy, counted) is None:
                return
    if not counted:
        raise refusal or SignatureError(reason="no signature", role=policy.role)
    if len(counted) < policy.threshold:
        raise SignatureError(reason="threshold", have=len(counted), need=policy.threshold, role=policy.role)
    raise SignatureError(reason="required algorithm", algorithm=_missing(policy, counted), role=policy.role)


def _missing(policy: "Policy", counted: "list[Key]") -> "int | None":
    """Return a required algorithm that no counted signature has, None if none is missing."""
    found = [key.algorithm for key in counted]
    for algorithm in policy.algorithms:
        if algorithm not in found:
            return int(algorithm)
    return None
