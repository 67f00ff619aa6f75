"""Multicast DNS for one name (RFC 6762): probe, announce, answer, give way; two and three hosts on one network."""

from device.errors import DnsError
from device.limits import MDNS_ITEMS, MDNS_PACKET_BYTES
from device.net import mdns

NAME = "fb-1a2b3c4d"
OWN = bytes([192, 0, 2, 7])
OTHER = bytes([192, 0, 2, 9])
HERE = ("192.0.2.50", 5353)
ONE_SHOT = ("192.0.2.50", 40000)
IN = 1
UNICAST = 0x8000
AAAA = 28


def pair(number):
    return number.to_bytes(2, "big")


def question(name, kind=mdns.A, group=IN):
    return mdns.encode_name(name) + pair(kind) + pair(group)


def record(name, data, kind=mdns.A, ttl_s=120, group=IN):
    return (
        mdns.encode_name(name) + pair(kind) + pair(group) + ttl_s.to_bytes(4, "big") + pair(len(data)) + data
    )


def message(questions=(), answers=(), authorities=(), flags=0, number=0):
    counts = (len(questions), len(answers), len(authorities), 0)
    body = b"".join(questions) + b"".join(answers) + b"".join(authorities)
    return pair(number) + pair(flags) + b"".join([pair(count) for count in counts]) + body


def response(*answers):
    return message(answers=answers, flags=0x8400)


class Host:
    """One host; `sent` keeps (ms, bytes, to)."""

    def __init__(self, address=OWN, name=NAME, byte=0):
        self.now_ms = 0
        self.sent = []
        self.responder = mdns.Responder(name, lambda: byte, 0)
        self.responder.set_address(address, 0)

    def run(self, milliseconds):
        end_ms = self.now_ms + milliseconds
        while True:
            self.keep(self.responder.tick(self.now_ms))
            wait_ms = max(1, self.responder.wait_ms(self.now_ms))
            if self.now_ms + wait_ms > end_ms:
                break
            self.now_ms += wait_ms
        self.now_ms = end_ms
        return self

    def keep(self, packets):
        self.sent += [(self.now_ms, data, to) for data, to in packets]
        return packets

    def hear(self, data, source=HERE):
        return self.keep(self.responder.receive(data, source, self.now_ms))

    def named(self):
        self.run(3000)
        self.sent = []
        self.run(2000)  # past the pause after an announcement
        return self


def test_a_name_is_announced_twice_after_three_probes_that_nobody_contradicts():
    host = Host()
    assert host.responder.name == ""
    host.run(5000)
    found = [(at, mdns.decode(data)) for at, data, _ in host.sent]
    assert [at for at, _ in found] == [0, 250, 500, 750, 1750]
    for _, probe in found[:3]:
        assert not probe.is_response and probe.answers == []
        assert probe.questions == [mdns.Question(NAME + ".local", kind, False) for kind in (mdns.ANY, mdns.A)]
        assert probe.authorities == [mdns.Answer(NAME + ".local", mdns.A, 120, OWN)]
    for _, announced in found[3:]:
        assert announced.is_response and announced.questions == []
        assert announced.answers == [mdns.Answer(NAME + ".local", mdns.A, 120, OWN)]
    assert all([to is None for _, _, to in host.sent])
    assert host.responder.name == NAME + ".local"


def test_the_first_probe_waits_for_up_to_a_quarter_of_a_second():
    host = Host(byte=255).run(249)
    assert host.sent == []
    assert len(host.run(1).sent) == 1


def test_a_host_without_an_address_is_silent():
    host = Host(address=b"").run(100000)
    assert host.sent == [] and host.responder.name == ""
    assert host.hear(message([question(NAME + ".local")])) == []
    host.responder.set_address(OWN, host.now_ms)
    assert host.run(1000).responder.name == NAME + ".local"


def test_a_new_address_is_probed_for_and_announced():
    host = Host().named()
    host.responder.set_address(OTHER, host.now_ms)
    assert host.responder.name == ""
    host.run(5000)
    assert len(host.sent) == 5
    assert mdns.decode(host.sent[-1][1]).answers[0].data == OTHER


def test_a_question_for_the_name_is_answered_to_the_group():
    for kind in (mdns.A, mdns.ANY, AAAA):
        host = Host().named()
        host.now_ms += 40000  # the group's copy is no longer recent
        ((data, to),) = host.hear(message([question(NAME + ".LOCAL", kind)]))
        assert to is None
        assert mdns.decode(data).answers == [mdns.Answer(NAME + ".local", mdns.A, 120, OWN)]


def test_the_answer_says_that_the_name_has_no_other_record():
    host = Host().named()
    ((data, _),) = host.hear(message([question(NAME + ".local", AAAA)]))
    own = mdns.encode_name(NAME + ".local")
    assert data.endswith(
        pair(mdns.NSEC)
        + pair(UNICAST | IN)
        + b"\x00\x00\x00\x78"
        + pair(len(own) + 3)
        + own
        + b"\x00\x01\x40"
    )
    assert data[8:12] == b"\x00\x00\x00\x01"


def test_no_other_question_gets_an_answer():
    host = Host().named()
    for data in (
        message([question("fb-1a2b3c4e.local")]),
        message([question("local")]),
        message([question(NAME)]),
        message([question(NAME + ".local.local")]),
        message([question("_services._dns-sd._udp.local", 12)]),
        message([question("_https._tcp.local", 12)]),
        message([question("7.2.0.192.in-addr.arpa", 12)]),
        message([question(NAME + ".local", mdns.A, 3)]),
        message(),
        response(record("other.local", OTHER)),
    ):
        assert host.hear(data) == []
    assert host.responder.name == NAME + ".local"


def test_the_group_hears_an_answer_at_most_once_a_second():
    host = Host().named()
    ask = message([question(NAME + ".local")])
    assert len(host.hear(ask)) == 1
    host.now_ms += 999
    assert host.hear(ask) == []
    host.now_ms += 1
    assert len(host.hear(ask)) == 1


def test_a_probe_of_another_host_is_answered_at_once_to_defend_the_name():
    host = Host().named()
    host.hear(message([question(NAME + ".local")]))
    host.now_ms += 250
    probe = message([question(NAME + ".local", mdns.ANY)], (), [record(NAME + ".local", OTHER)])
    ((data, to),) = host.hear(probe)
    assert to is None and mdns.decode(data).answers[0].data == OWN
    assert host.responder.name == NAME + ".local"


def test_an_answer_that_the_asker_knows_is_not_sent_again():
    host = Host().named()
    for ttl_s, count in ((60, 0), (59, 1)):
        host.now_ms += 2000
        known = record(NAME + ".local", OWN, ttl_s=ttl_s)
        assert len(host.hear(message([question(NAME + ".local")], [known]))) == count
    host.now_ms += 2000
    known = record(NAME + ".local", OTHER)
    assert len(host.hear(message([question(NAME + ".local")], [known]))) == 1


def test_a_question_that_asks_for_it_is_answered_to_one_host():
    host = Host().named()
    ask = message([question(NAME + ".local", mdns.A, UNICAST | IN)])
    ((data, to),) = host.hear(ask)
    assert to == HERE and mdns.decode(data).answers[0].data == OWN
    host.now_ms += 30000  # a quarter of its life after the last answer to the group, everyone gets it
    assert host.hear(ask)[0][1] is None


def test_a_source_that_the_port_does_not_know_is_answered_to_the_group():
    host = Host().named()
    assert host.hear(message([question(NAME + ".local", mdns.A, UNICAST | IN)]), None)[0][1] is None


def test_a_one_shot_question_gets_its_id_and_question_back_and_a_short_life():
    host = Host().named()
    ((data, to),) = host.hear(message([question(NAME + ".local")], number=0x1234), ONE_SHOT)
    found = mdns.decode(data)
    assert to == ONE_SHOT and found.number == 0x1234 and found.is_response
    assert found.questions == [mdns.Question(NAME + ".local", mdns.A, False)]
    assert found.answers == [mdns.Answer(NAME + ".local", mdns.A, 10, OWN)]
    assert len(data) < 3 * len(message([question(NAME + ".local")])), "no amplifier"
    ((data, _),) = host.hear(message([question(NAME + ".local", AAAA)]), ONE_SHOT)
    assert mdns.decode(data).answers == []


def test_answers_to_one_host_are_bounded():
    host = Host().named()
    ask = message([question(NAME + ".local")])
    assert sum([len(host.hear(ask, ONE_SHOT)) for _ in range(100)]) == 10
    host.now_ms += 1000
    assert len(host.hear(ask, ONE_SHOT)) == 1


def test_a_name_in_use_gets_a_number():
    for conflict in (
        response(record(NAME + ".local", OTHER)),
        response(record(NAME.upper() + ".local", bytes(16), AAAA)),
    ):
        host = Host().run(300)
        host.hear(conflict)
        host.run(3000)
        assert host.responder.name == NAME + "-2.local"
        assert host.hear(message([question(NAME + ".local")])) == []
        host.now_ms += 2000
        assert len(host.hear(message([question(NAME + "-2.local")]))) == 1


def test_a_long_name_keeps_room_for_its_number():
    host = Host(name="n" * 63).run(300)
    host.hear(response(record("n" * 63 + ".local", OTHER)))
    assert host.run(3000).responder.name == "n" * 61 + "-2.local"


def test_what_proves_no_other_host_takes_no_name():
    for data, source in (
        (response(record(NAME + ".local", OWN)), HERE),  # our own announcement, echoed
        (response(record(NAME + ".local", OTHER, ttl_s=0)), HERE),  # the other host says goodbye
        (response(record(NAME + ".local", OTHER)), ONE_SHOT),  # answers come from port 5353
        (response(record(NAME + "x.local", OTHER)), HERE),
        (response(record(NAME + ".local", b"\x00\x01\x40", mdns.NSEC)), HERE),
    ):
        host = Host().run(300)
        host.hear(data, source)
        assert host.run(3000).responder.name == NAME + ".local"


def test_a_certain_name_is_probed_for_again_before_it_is_given_up():
    host = Host().named()
    host.hear(response(record(NAME + ".local", OTHER)))
    assert host.responder.name == ""
    assert host.run(3000).responder.name == NAME + ".local", "nobody defended it"


def test_of_two_that_probe_at_one_time_the_lower_address_waits():
    host = Host(OWN).run(300)
    host.hear(message([question(NAME + ".local", mdns.ANY)], (), [record(NAME + ".local", OTHER)]))
    probes = len(host.sent)
    assert len(host.run(999).sent) == probes, "it waits for a second"
    assert len(host.run(1).sent) == probes + 1
    host = Host(OTHER).run(300)
    host.hear(message([question(NAME + ".local", mdns.ANY)], (), [record(NAME + ".local", OWN)]))
    assert host.run(700).responder.name == NAME + ".local", "the higher one goes on"


def test_its_own_probe_that_comes_back_changes_nothing():
    host = Host().run(300)
    for _, data, _ in list(host.sent):
        host.hear(data)
    assert host.run(700).responder.name == NAME + ".local"


def test_hosts_that_start_together_end_with_different_names():
    hosts = [Host(bytes([192, 0, 2, number]), byte=number * 80) for number in (1, 2, 3)]
    carried = [0, 0, 0]
    for _ in range(1000):
        for at in range(3):
            hosts[at].run(10)
            while carried[at] < len(hosts[at].sent):
                data = hosts[at].sent[carried[at]][1]
                carried[at] += 1
                for other in hosts:
                    other.hear(data)
    names = sorted([host.responder.name for host in hosts])
    assert names == [NAME + "-2.local", NAME + "-3.local", NAME + ".local"]


def test_a_neighbour_that_contradicts_every_name_makes_the_host_slow_and_not_busy():
    host = Host()
    for _ in range(600):
        host.run(100)
        host.hear(response(record(host.responder._wanted, OTHER)))
    attempts = host.responder._attempt
    assert attempts < 40, "one attempt in five seconds after the first fifteen"
    assert host.run(6000).responder.name.startswith(NAME + "-")


# malformed packets ----------------------------------------------------------------------------------------------


def refused(data):
    try:
        mdns.decode(data)
    except DnsError as error:
        return error.fields["reason"]
    return ""


def header(questions=0, answers=0, flags=0):
    return pair(0) + pair(flags) + pair(questions) + pair(answers) + bytes(4)


def test_malformed_packets_are_refused_by_name():
    for data, reason in (
        (b"", "header"),
        (bytes(11), "header"),
        (bytes(MDNS_PACKET_BYTES + 1), "size"),
        (header(flags=0x0800), "opcode"),
        (header(flags=0x8003), "opcode"),
        (header(MDNS_ITEMS + 1), "items"),
        (header(1), "name"),
        (header(1) + b"\x03ab", "name"),
        (header(1) + b"\x01a\x00", "end"),
        (header(1) + b"\x40" + b"a" * 64 + b"\x00" + bytes(4), "label"),
        (header(1) + b"\xc0\x0c" + bytes(4), "pointer"),
        (header(1) + b"\xc0", "end"),
        (header(1) + b"\x01a\xc0\x0c" + bytes(4), "pointer"),
        (header(1) + (b"\x3f" + b"a" * 63) * 4 + b"\x00" + bytes(4), "name"),
        (header(0, 1) + b"\x00" + bytes(8) + b"\x00\x05abc", "record"),
        (header(0, 1) + b"\x00" + bytes(7), "end"),
    ):
        assert refused(data) == reason, (data[:20], reason)


def test_compressed_names_are_read():
    own = mdns.encode_name(NAME + ".local")
    data = message([own + pair(mdns.ANY) + pair(IN), b"\x01x\xc0\x0c" + pair(mdns.A) + pair(IN)])
    found = mdns.decode(data)
    assert [one.name for one in found.questions] == [NAME + ".local", "x." + NAME + ".local"]


def test_a_label_that_no_text_can_hold_is_no_name_of_ours():
    for label in (b"\x03a.b", b"\x02\xc3\xa4"):
        found = mdns.decode(message([label + b"\x00" + pair(mdns.A) + pair(IN)]))
        assert found.questions[0].name == "?"
