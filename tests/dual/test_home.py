"""The owner's choice of a broker in the home: what is refused, what is kept, what a record holds."""

import binascii

from memory_unit import refused

from device.codec import cbor
from device.crypto import der
from device.errors import CodecError, HomeError
from device.limits import HOME_ADDRESS_CHARS, HOME_AUTHORITY_BYTES, HOME_PASSWORD_CHARS, HOME_USER_CHARS
from device.owner import home


def certificate(filling=b"\x05\x00"):
    """Return the outer form of a certificate (RFC 5280 4.1); the TLS library reads the rest."""
    parts = der.encode(der.SEQUENCE, filling) + der.encode(der.SEQUENCE, b"")
    return der.encode(der.SEQUENCE, parts + der.encode(der.BIT_STRING, b"\x00"))


def pem(data, label="CERTIFICATE"):
    body = binascii.b2a_base64(data).decode().strip()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format(label, "\n".join(lines))


BROKER = home.Broker(True, "192.168.1.7", 8883, "", "lamp", "fish and chips", certificate(), False)


def reason(function, *arguments):
    return refused(HomeError, function, *arguments).fields["reason"]


def test_a_record_gives_back_what_was_stored():
    for broker in (BROKER, home.altered(BROKER, is_on=False, name="home.example", may_install=True)):
        assert home.decode(home.encode(broker)) == broker


def test_a_record_that_this_release_would_not_store_is_refused():
    for data in (
        b"",
        cbor.encode({1: True}),
        home.encode(home.altered(BROKER, port=0)),
        home.encode(home.altered(BROKER, authority=b"")),
        home.encode(BROKER) + b"\x00",
    ):
        refused(CodecError, home.decode, data)


def test_an_address_is_a_name_or_a_number_and_no_url():
    for address in ("a", "home.example", "192.168.1.7", "fd00::7", "a" * HOME_ADDRESS_CHARS):
        home.check(home.altered(BROKER, address=address))
        home.check(home.altered(BROKER, name=address))
    wrong = (
        "",
        "a" * (HOME_ADDRESS_CHARS + 1),
        "a b",
        "mqtt://a",
        "a/b",
        "A",
        ".a",
        "a.",
        "a..b",
        "-a",
        "ä",
        "a\n",
    )
    for address in wrong:
        assert reason(home.check, home.altered(BROKER, address=address)) == "address", address
        if address:
            assert reason(home.check, home.altered(BROKER, name=address)) == "name", address


def test_a_port_is_a_number_of_sixteen_bits():
    for port in (1, 65535):
        home.check(home.altered(BROKER, port=port))
    for port in (0, -1, 65536, True):
        assert reason(home.check, home.altered(BROKER, port=port)) == "port"


def test_user_and_password_are_needed_and_bounded():
    home.check(home.altered(BROKER, user="ä" * HOME_USER_CHARS, password=" " * HOME_PASSWORD_CHARS))
    for text in ("", "a\x00", "a\n", "a\x7f", chr(0xD800)):
        assert reason(home.check, home.altered(BROKER, user=text)) == "user"
        assert reason(home.check, home.altered(BROKER, password=text)) == "password"
    assert reason(home.check, home.altered(BROKER, user="a" * (HOME_USER_CHARS + 1))) == "user"
    assert reason(home.check, home.altered(BROKER, password="a" * (HOME_PASSWORD_CHARS + 1))) == "password"


def test_a_pasted_certificate_is_read_whatever_its_line_breaks_are():
    text = pem(certificate(bytes(range(200))))
    for pasted in (text, text.replace("\n", "\r\n"), "  " + text + "\n\n", text.replace("\n", " ")):
        assert home.authority_of(pasted) == certificate(bytes(range(200)))


def test_what_is_no_certificate_is_refused_in_words():
    text = pem(certificate())
    assert reason(home.authority_of, "") == "certificate"
    assert reason(home.authority_of, "hello") == "certificate"
    assert reason(home.authority_of, text.replace("-----END", "-----STOP")) == "certificate"
    assert reason(home.authority_of, pem(b"")) == "certificate"
    assert reason(home.authority_of, pem(certificate()[:-1])) == "certificate"
    assert reason(home.authority_of, pem(certificate() + b"\x00")) == "certificate"
    assert reason(home.authority_of, text.replace("MA", "M*")) == "certificate"
    assert reason(home.authority_of, "note\n" + text) == "certificate"
    assert reason(home.authority_of, text + "note") == "certificate"
    assert reason(home.authority_of, text + text) == "certificates"


def test_a_private_key_is_never_taken():
    assert reason(home.authority_of, pem(b"\x30\x00", "PRIVATE KEY")) == "private key"
    assert reason(home.authority_of, pem(certificate()) + pem(b"\x30\x00", "EC PRIVATE KEY")) == "private key"


def test_a_certificate_has_a_largest_size():
    inner = HOME_AUTHORITY_BYTES - len(certificate(bytes(800))) + 800
    assert len(certificate(bytes(inner))) == HOME_AUTHORITY_BYTES
    assert len(home.authority_of(pem(certificate(bytes(inner))))) == HOME_AUTHORITY_BYTES
    assert reason(home.authority_of, pem(certificate(bytes(inner + 1)))) == "certificate size"


def test_an_empty_password_stays_the_saved_one_only_for_the_same_receiver():
    wanted = home.altered(BROKER, password="", is_on=False, may_install=True)
    assert home.changed(BROKER, wanted).password == BROKER.password
    for other in (
        home.altered(wanted, address="192.168.1.8"),
        home.altered(wanted, port=1883),
        home.altered(wanted, name="other.example"),
        home.altered(wanted, user="other"),
        home.altered(wanted, authority=certificate(b"\x05\x00\x05\x00")),
    ):
        assert reason(home.changed, BROKER, other) == "password again"
        assert home.changed(BROKER, home.altered(other, password="new")).password == "new"
    assert reason(home.changed, None, wanted) == "password"


def test_an_empty_authority_stays_the_saved_one():
    wanted = home.altered(BROKER, authority=b"")
    assert home.changed(BROKER, wanted) == BROKER
    assert reason(home.changed, None, wanted) == "certificate"


def test_no_error_contains_the_password():
    for broker in (
        home.altered(BROKER, port=0),
        home.altered(BROKER, password="fish\x00"),
        home.altered(BROKER, user=""),
    ):
        assert "fish" not in refused(HomeError, home.check, broker).describe()


def test_the_certificates_name_is_the_address_unless_the_owner_names_another():
    assert home.certificate_name(BROKER) == "192.168.1.7"
    assert home.certificate_name(home.altered(BROKER, name="home.example")) == "home.example"
