"""DNS inside the access point: every name is the unit, and nothing but one plain question is answered."""

from memory_unit import refused

from device.errors import DnsError
from device.net import captive_dns

ADDRESS = bytes((192, 168, 4, 1))
NAME = b"\x07captive\x05apple\x03com\x00"
A, AAAA, HTTPS = b"\x00\x01", b"\x00\x1c", b"\x00\x41"
IN = b"\x00\x01"
OPT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


def question(name=NAME, kind=A, flags=b"\x01\x00", counts=(1, 0, 0, 0), rest=b"", cls=IN):
    head = b"\x12\x34" + flags + b"".join([count.to_bytes(2, "big") for count in counts])
    return head + name + kind + cls + rest


def test_a_question_for_an_address_gets_the_units_for_no_time():
    asked = question()
    found = captive_dns.answer(asked, ADDRESS)
    assert found[:4] == b"\x12\x34\x85\x00" and found[4:12] == bytes((0, 1, 0, 1, 0, 0, 0, 0))
    assert found[12 : len(asked)] == asked[12:]
    assert found[len(asked) :] == b"\xc0\x0c" + A + IN + bytes(4) + b"\x00\x04" + ADDRESS


def test_other_types_exist_and_have_no_record():
    for kind in (AAAA, HTTPS, b"\x00\xff"):
        found = captive_dns.answer(question(kind=kind), ADDRESS)
        assert found[3] & 0x0F == 0 and found[6:8] == b"\x00\x00" and found[12:] == question(kind=kind)[12:]


def test_a_question_with_edns_is_answered_without_it():
    found = captive_dns.answer(question(counts=(1, 0, 0, 1), rest=OPT), ADDRESS)
    assert found[10:12] == b"\x00\x00" and found[-4:] == ADDRESS


def test_recursion_desired_is_given_back_as_asked():
    assert captive_dns.answer(question(flags=b"\x00\x00"), ADDRESS)[2] == 0x84
    assert captive_dns.answer(question(flags=b"\x01\x00"), ADDRESS)[2] == 0x85


def test_the_longest_name_is_answered_and_a_longer_one_is_not():
    longest = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\x00"
    assert len(longest) == 255
    assert captive_dns.answer(question(longest), ADDRESS)[-4:] == ADDRESS
    longer = (b"\x3f" + b"a" * 63) * 4 + b"\x00"
    assert refused(DnsError, captive_dns.answer, question(longer), ADDRESS).fields["reason"] == "name"


def test_what_is_no_plain_question_is_refused_by_name():
    for packet, reason in (
        (b"", "size"),
        (bytes(12), "size"),
        (question() + bytes(500), "size"),
        (question(flags=b"\x81\x00"), "not a query"),
        (question(flags=b"\x08\x00"), "not a query"),
        (question(flags=b"\x02\x00"), "not a query"),
        (question(counts=(0, 0, 0, 0)), "counts"),
        (question(counts=(2, 0, 0, 0)), "counts"),
        (question(counts=(1, 1, 0, 0)), "counts"),
        (question(counts=(1, 0, 1, 0)), "counts"),
        (question(counts=(1, 0, 0, 2)), "counts"),
        (question(b"\xc0\x0c"), "label"),
        (question(b"\x40" + b"a" * 64 + b"\x00"), "label"),
        (question()[:-6], "name"),
        (question()[:-1], "question"),
        (question(cls=b"\x00\x03"), "class"),
        (question(rest=b"x"), "length"),
        (question(counts=(1, 0, 0, 1), rest=OPT[:-1]), "additional record"),
        (question(counts=(1, 0, 0, 1), rest=b"\x00\x00\x01" + OPT[3:]), "additional record"),
        (question(counts=(1, 0, 0, 1), rest=OPT + b"x"), "length"),
    ):
        assert refused(DnsError, captive_dns.answer, packet, ADDRESS).fields["reason"] == reason


def test_an_answer_is_at_most_16_bytes_longer_than_its_question():
    for asked in (question(), question(b"\x00"), question(counts=(1, 0, 0, 1), rest=OPT)):
        assert len(captive_dns.answer(asked, ADDRESS)) <= len(asked) + 16
