"""The owner's credential: the record, its bounds, and the slow hash in slices (PW-13)."""

from memory_unit import refused

from device.codec import cbor
from device.errors import RecordDamagedError
from device.limits import PBKDF2_MAX_ITERATIONS, PBKDF2_MIN_ITERATIONS
from device.owner import credential
from device.owner.credential import Credential

PLAIN = Credential(b"s" * 16, 1000, b"d" * 32, False)
# RFC 7914 11, first 32 bytes: PBKDF2-HMAC-SHA-256 of "passwd" with the salt "salt", once
ONCE = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"


def test_the_record_has_four_members_and_the_last_one_only_with_a_key_store():
    for is_keyed, fields in (
        (False, {1: b"s" * 16, 2: 1000, 3: b"d" * 32}),
        (True, {1: b"s" * 16, 2: 1000, 3: b"d" * 32, 4: True}),
    ):
        stored = Credential(PLAIN.salt, PLAIN.iterations, PLAIN.digest, is_keyed)
        assert credential.encode_credential(stored) == cbor.encode(fields)
        assert credential.decode_credential(cbor.encode(fields)) == stored


def test_a_record_of_another_form_is_damaged():
    for changes in (
        {1: b"s" * 15},
        {1: b"s" * 17},
        {1: "s" * 16},
        {2: PBKDF2_MIN_ITERATIONS - 1},
        {2: PBKDF2_MAX_ITERATIONS + 1},
        {2: -1},
        {2: True},
        {3: b"d" * 31},
        {3: b"d" * 33},
        {3: 5},
        {4: 1},
        {5: 1},
        {1: None},
        {2: None},
        {3: None},
    ):
        fields = {1: PLAIN.salt, 2: PLAIN.iterations, 3: PLAIN.digest}
        for key in changes:
            fields[key] = changes[key]
            if changes[key] is None:
                del fields[key]
        error = refused(RecordDamagedError, credential.decode_credential, cbor.encode(fields))
        assert error.fields == {"name": "credential"}, changes
    for data in (b"", b"\xff", cbor.encode(5)):
        assert refused(RecordDamagedError, credential.decode_credential, data).fields == {
            "name": "credential"
        }


def test_the_least_and_the_most_iterations_are_read():
    for iterations in (PBKDF2_MIN_ITERATIONS, PBKDF2_MAX_ITERATIONS):
        data = cbor.encode({1: PLAIN.salt, 2: iterations, 3: PLAIN.digest})
        assert credential.decode_credential(data).iterations == iterations


def drive(password, salt, iterations, key_store=None):
    """Return the digest and how often the work yielded."""
    work, slices = credential.derive(password, salt, iterations, key_store), 0
    while True:
        try:
            assert next(work) is None
        except StopIteration as done:
            return done.value, slices
        slices += 1


def test_the_digest_is_that_of_the_standard():
    found, slices = drive("passwd", b"salt", 1)
    assert found == bytes([int(ONCE[at : at + 2], 16) for at in range(0, 64, 2)]) and slices == 1


def test_the_digest_depends_on_every_iteration_and_not_on_the_slices():
    found = [drive("passwd", b"salt", iterations) for iterations in (199, 200, 201, 400, 401)]
    assert [slices for _, slices in found] == [1, 1, 2, 2, 3]
    assert len(set([digest for digest, _ in found])) == 5
    whole = credential.backend.Pbkdf2(b"passwd", b"salt")
    whole.step(401)
    assert found[4][0] == whole.digest()


def test_with_a_key_store_the_digest_goes_through_it_under_its_own_context():
    class KeyStore:
        def keyed_digest(self, data):
            self.data = data
            return b"k" * 32

    store = KeyStore()
    plain, _ = drive("passwd", b"salt", 1)
    assert drive("passwd", b"salt", 1, store)[0] == b"k" * 32
    assert store.data == b"firstboot credential\0" + plain
