"""Several signatures on one manifest: thresholds, required algorithms, and signatures that do not count."""

from hashlib import sha256

import test_trust as base

from device.codec import cose
from device.crypto import backend
from device.errors import AlgorithmError, CborError, SignatureError, UnsupportedError
from device.suit import envelope
from device.trust import anchors as trust_anchors
from device.trust import signatures, verify
from device.trust.anchors import ROLE_AUTHOR, ROLE_SUPPORT, Anchors, Key, Policy, Rules

# RFC 8032 7.1, test 1: its secret key signs nothing here; test 2's signature is over one byte.
ED25519_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
ED25519_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)

PRIVATES = (b"\x11" * 32, b"\x12" * 32, b"\x13" * 32)
NAMES = (b"one", b"two", b"three")
KEYS = tuple([Key(NAMES[at], -9, ROLE_AUTHOR, backend.p256_public(PRIVATES[at])) for at in range(3)])

HSS = Key(b"hss", -46, ROLE_AUTHOR, bytes(60))
WITH_HSS = (KEYS[0], KEYS[1], HSS)


def anchors(threshold, algorithms=(), keys=KEYS):
    rules = Rules((Policy(ROLE_AUTHOR, threshold, algorithms),), (), 0, ())
    return Anchors(base.VENDOR, base.CLASS, tuple(keys), 2000000000, 1700000000, rules)


def by(index, algorithm=-9, key_id=None, private=None):
    def make(digest):
        return cose.sign1_encode(
            digest,
            algorithm=algorithm,
            key_id=key_id or NAMES[index],
            sign=base.signer(private or PRIVATES[index]),
            is_detached=True,
        )

    return make


def accepted(signatures, trusted):
    return verify.verify_envelope(base.signed(base.content(), signatures), trusted).sequence_number == 7


def refused(signatures, trusted, text):
    base.refused(base.signed(base.content(), signatures), SignatureError, text, trusted)


def test_as_many_different_keys_as_the_threshold_are_enough():
    assert accepted((by(0), by(2)), anchors(2))
    assert accepted((by(0), by(1), by(2)), anchors(3))


def test_one_signature_fewer_than_the_threshold_is_refused():
    refused((by(0),), anchors(2), "have=1 need=2 reason=threshold")
    refused((by(0), by(1)), anchors(3), "have=2 need=3 reason=threshold")


def test_the_same_key_counts_once():
    refused((by(0), by(0)), anchors(2), "threshold")


def test_es256_and_esp256_of_one_key_are_one():
    refused((by(0), by(0, algorithm=-7)), anchors(2), "threshold")


def test_one_key_under_two_names_counts_once():
    twin = Key(b"twin", -9, ROLE_AUTHOR, KEYS[0].public)
    refused((by(0), by(0, key_id=b"twin")), anchors(2, (), (KEYS[0], KEYS[1], twin)), "threshold")


def test_unknown_and_failing_signatures_do_not_count_and_harm_nothing():
    unknown, failing = by(0, key_id=b"unknown"), by(1, private=PRIVATES[2])
    refused((unknown, failing, by(0)), anchors(2), "have=1 need=2")
    assert accepted((unknown, failing, by(0), by(1)), anchors(2))


def test_a_key_of_another_role_does_not_count():
    support = Key(NAMES[1], -9, ROLE_SUPPORT, KEYS[1].public)
    refused((by(0), by(1)), anchors(2, (), (KEYS[0], support, KEYS[2])), "have=1")


def test_one_cose_sign_with_several_signers_counts_each_of_them():
    def both(digest):
        signers = tuple([(-9, NAMES[at], base.signer(PRIVATES[at])) for at in (0, 1)])
        return cose.sign_encode(digest, signers=signers, is_detached=True)

    assert accepted((both,), anchors(2))
    refused((both,), anchors(3), "have=2 need=3")
    assert accepted((both, by(2)), anchors(3))


def test_a_required_algorithm_must_belong_to_a_valid_signature():
    trusted = anchors(2, (-9, -46), WITH_HSS)
    refused((by(0), by(1)), trusted, "algorithm=-46")


def test_trying_ends_when_the_policy_is_satisfied():
    tried = []

    class Counting:
        sha256 = backend.sha256
        equal = backend.equal

        @staticmethod
        def p256_verify(public, digest, signature):
            tried.append(public)
            return backend.p256_verify(public, digest, signature)

    data = base.signed(base.content(), (by(0), by(1), by(2)))
    assert verify.verify_envelope(data, anchors(1), Counting).sequence_number == 7
    assert tried == [KEYS[0].public]


def test_ed25519_signs_under_both_its_numbers():
    key = Key(b"ed", -19, ROLE_AUTHOR, ED25519_PUBLIC)

    class Recorded:
        """A crypto that always checks the one published signature over the one published message."""

        sha256 = backend.sha256
        equal = backend.equal

        @staticmethod
        def ed25519_verify(public, message, signature):
            return backend.ed25519_verify(public, b"\x72", signature)

    for algorithm in (-19, -8):
        data = base.signed(
            base.content(),
            (
                lambda digest, number=algorithm: cose.sign1_encode(
                    digest, algorithm=number, key_id=b"ed", sign=lambda _: ED25519_SIGNATURE, is_detached=True
                ),
            ),
        )
        trusted = anchors(1, (-19,), (key,))
        assert verify.verify_envelope(data, trusted, Recorded).sequence_number == 7
        base.refused(data, SignatureError, "wrong signature", trusted)


def test_anchors_with_rules_round_trip():
    tracker = Key(b"tracker", -9, trust_anchors.ROLE_TRACKER, KEYS[0].public)
    rules = Rules(
        (Policy(ROLE_AUTHOR, 2, (-9,)),),
        (trust_anchors.Interval(b"tracker", 1700000000, 1734560000),),
        5,
        (b"old",),
    )
    trusted = Anchors(base.VENDOR, base.CLASS, (KEYS[0], KEYS[1], tracker), 1, 1, rules)
    assert trust_anchors.decode(trust_anchors.encode(trusted)) == trusted


def test_policies_that_cannot_be_satisfied_are_refused():
    twin = Key(b"twin", -9, ROLE_AUTHOR, KEYS[0].public)
    for trusted, text in (
        (anchors(0), "threshold"),
        (anchors(5), "threshold"),
        (anchors(2, (), KEYS[:1]), "fewer keys"),
        (anchors(2, (), (KEYS[0], twin)), "fewer keys"),
        (anchors(1, (-46,)), "no key of a required algorithm"),
        (anchors(1, (-9, -46), WITH_HSS), "required algorithms"),
        (anchors(2, (-9, -9)), "required algorithms"),
    ):
        try:
            trust_anchors.encode(trusted)
        except CborError as error:
            assert text in error.describe(), error.describe()
            continue
        raise AssertionError(text)


def test_a_tracker_key_is_good_for_400_days_at_most():
    tracker = Key(b"tracker", -9, trust_anchors.ROLE_TRACKER, KEYS[0].public)
    day = 86400
    for first, last, is_good in (
        (0, 400 * day, True),
        (0, 400 * day + 1, False),
        (5, 5, False),
        (6, 5, False),
        (-1, day, False),
    ):
        rules = Rules((), (trust_anchors.Interval(b"tracker", first, last),), 1, ())
        trusted = Anchors(base.VENDOR, base.CLASS, (tracker,), 1, 1, rules)
        try:
            trust_anchors.encode(trusted)
        except CborError as error:
            assert not is_good
            assert "interval" in error.describe()
            continue
        assert is_good


def test_the_digest_of_a_signed_manifest_is_what_is_signed():
    data = base.signed(base.content(), (by(0), by(1)))
    parts = envelope.decode(data)
    message = cose.decode(parts.signatures[0])
    signed = cose.to_be_signed(message, message.signers[0], b"", parts.digest)
    assert backend.p256_verify(KEYS[0].public, sha256(signed).digest(), message.signers[0].signature)


def test_a_header_with_any_other_algorithm_than_the_keys_is_refused():
    for bound, header in (
        (-9, -19),
        (-9, -46),
        (-9, -1),
        (-19, -9),
        (-46, -9),
        (-46, -7),
        (-19, -7),
        (-19, -1),
    ):
        key = Key(NAMES[0], bound, ROLE_AUTHOR, KEYS[0].public)
        data = cose.sign1_encode(b"payload", algorithm=header, key_id=NAMES[0], sign=base.signer(PRIVATES[0]))
        message = cose.decode(data)
        try:
            signatures.verify_signer(message, message.signers[0], key, b"", None, backend)
        except AlgorithmError as error:
            assert error.fields == {"header": header, "bound": bound}
            continue
        raise AssertionError((bound, header))


def test_a_key_of_an_algorithm_that_the_unit_does_not_know_is_refused_by_its_number():
    for algorithm in (-257, -48, -8, -7, -1, 0, 5):
        key = Key(NAMES[0], algorithm, ROLE_AUTHOR, KEYS[0].public)
        try:
            signatures.verify_signature(key, b"message", bytes(64))
        except UnsupportedError as error:
            assert error.fields == {"what": f"algorithm {algorithm}"}
            continue
        raise AssertionError(algorithm)


def test_a_repeated_or_unknown_signer_does_not_hide_the_ones_after_it():
    def several(digest):
        signers = [(-9, NAMES[at], base.signer(PRIVATES[at])) for at in (0, 0, 1)]
        signers.insert(0, (-9, b"unknown", base.signer(PRIVATES[2])))
        return cose.sign_encode(digest, signers=tuple(signers), is_detached=True)

    assert accepted((several,), anchors(2))
    refused((several,), anchors(3), "have=2 need=3")


class Believing:
    """A crypto that accepts every signature, to count signatures of several algorithms."""

    @staticmethod
    def sha256(data):
        return backend.sha256(data)

    @staticmethod
    def p256_verify(_public, _digest, _signature):
        return True

    ed25519_verify = hss_verify = p256_verify


class Puzzled(Believing):
    """A crypto that does not know the parameters of an HSS key."""

    @staticmethod
    def hss_verify(_public, _message, _signature):
        raise ValueError("levels 9")


def count(threshold, algorithms, signers, crypto=Believing):
    """Require a policy of the author; each signer is (name, algorithm of key and header)."""
    keys = tuple([Key(name, algorithm, ROLE_AUTHOR, name * 8) for name, algorithm in signers])
    made = tuple([(algorithm, name, lambda _message: bytes(64)) for name, algorithm in signers])
    message = cose.decode(cose.sign_encode(b"payload", signers=made))
    policy = Policy(ROLE_AUTHOR, threshold, algorithms)
    signatures.require((message,), anchors(1, (), keys), policy, b"", None, crypto)


def test_a_required_algorithm_may_come_after_the_threshold_was_reached():
    count(1, (-9, -46), ((b"one", -9), (b"two", -9), (b"hss", -46)))
    count(1, (-19,), ((b"one", -9), (b"two", -9), (b"three", -19)))


def test_more_signatures_than_the_threshold_without_a_required_algorithm_are_refused_for_the_algorithm():
    try:
        count(1, (-46,), ((b"one", -9), (b"two", -9)))
    except SignatureError as error:
        assert error.fields == {"reason": "required algorithm", "algorithm": -46, "role": ROLE_AUTHOR}
        return
    raise AssertionError("accepted")


def test_each_algorithm_has_its_own_check():
    calls = []

    class Noting(Believing):
        @staticmethod
        def p256_verify(_public, digest, _signature):
            calls.append(("p256", digest))
            return True

        @staticmethod
        def ed25519_verify(_public, message, _signature):
            calls.append(("ed25519", message))
            return True

        @staticmethod
        def hss_verify(_public, message, _signature):
            calls.append(("hss", message))
            return True

    for algorithm in (-9, -19, -46):
        signatures.verify_signature(Key(b"k", algorithm, ROLE_AUTHOR, b""), b"message", b"", Noting)
    assert calls == [("p256", sha256(b"message").digest()), ("ed25519", b"message"), ("hss", b"message")]


def test_parameters_of_a_key_that_the_unit_does_not_know_are_named():
    try:
        count(1, (), ((b"hss", -46),), Puzzled)
    except UnsupportedError as error:
        assert error.fields == {"what": "levels 9"}
        return
    raise AssertionError("accepted")
