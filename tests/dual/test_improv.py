"""Improv Wi-Fi over serial: the packets of the public SDKs, and a conversation that needs the set-up code first."""

from memory_unit import CODE, MemoryUnit

from device.net import improv, wifi

# The bytes that improv-wifi/sdk-cpp 1.2.6 makes for device info with "hi there" and "jojo"
# (examples/show_rpc_response.cpp), without the inner checksum that the serial form leaves out.
SDK_RESULT = b"\x03\x0e\x08hi there\x04jojo"
# The packet with which improv-wifi/sdk-serial-js asks for the state: type 3, two bytes of data, command 2 without data.
SDK_GET_STATE = b"IMPROV\x01\x03\x02\x02\x00\xe5"


class Services:
    """A unit in factory default whose join ends as a test says."""

    def __init__(self):
        self.unit = MemoryUnit()
        self.ticks_ms = self.unit.clock.ticks_ms
        self.ticks_diff = self.unit.clock.ticks_diff
        self.outcome = ""
        self.chosen = []

    def is_open(self):
        return self.unit.state() == "factory default"

    def prove(self, code):
        self.unit.owner.prove(code)

    def choose(self, ssid, passphrase):
        wifi.check(wifi.Network(ssid, passphrase, wifi.WPA2))
        self.chosen.append((ssid, passphrase))
        self.outcome = wifi.JOINING

    def result(self):
        return self.outcome

    def networks(self):
        return [wifi.Seen(b"Home", wifi.WPA2, -50), wifi.Seen(b"Guest", wifi.OPEN, -70)]

    def facts(self):
        return "Firstboot", "1.0.0+0", "board", "fb-1"

    def address(self):
        return "https://fb-1.local/"


def client():
    services = Services()
    return services, improv.SerialConversation(services)


def command(number, body=b""):
    return improv.packet(improv.RPC, bytes((number, len(body))) + body)


def settings(ssid=b"Home", passphrase=b"correct horse 7"):
    return command(improv.SETTINGS, bytes((len(ssid),)) + ssid + bytes((len(passphrase),)) + passphrase)


def read(data):
    """Return the packets in an answer as (type, data)."""
    decoder = improv.Decoder()
    found = decoder.feed(data)
    assert decoder._data == b"" and None not in found
    return found


def error(number):
    return (improv.ERROR_STATE, bytes((number,)))


def state(number):
    return (improv.CURRENT_STATE, bytes((number,)))


def proved():
    services, line = client()
    line.receive(command(improv.PROVE, CODE.encode()))
    return services, line


def test_a_result_has_the_bytes_of_the_public_sdk():
    assert improv.result(improv.GET_INFO, (b"hi there", b"jojo")) == SDK_RESULT


def test_a_question_for_the_state_has_the_bytes_of_the_public_sdk():
    assert command(improv.GET_STATE) == SDK_GET_STATE
    assert read(client()[1].receive(SDK_GET_STATE)) == [error(0), state(improv.AWAITING)]


def test_packets_are_found_in_any_pieces_and_between_other_bytes():
    data = b"boot: IMPR" + SDK_GET_STATE + b"\x00IMPROV\x02" + SDK_GET_STATE
    for size in (1, 2, 3, 7, len(data)):
        decoder = improv.Decoder()
        found = []
        for at in range(0, len(data), size):
            found += decoder.feed(data[at : at + size])
        assert found == [(3, b"\x02\x00")] * 2


def test_the_decoder_keeps_at_most_one_packet():
    decoder = improv.Decoder()
    for _ in range(100):
        decoder.feed(b"x" * 100 + b"IMPROV\x01\x03\xff" + b"y" * 50)
        assert len(decoder._data) <= 265


def test_a_wrong_sum_is_an_invalid_packet_and_changes_nothing():
    services, line = proved()
    broken = settings()[:-1] + bytes((settings()[-1] ^ 1,))
    assert read(line.receive(broken)) == [error(improv.INVALID)]
    assert services.chosen == []


def test_without_the_code_nothing_but_the_state_is_answered():
    services, line = client()
    for asked in (settings(), command(improv.GET_INFO), command(improv.GET_NETWORKS)):
        assert read(line.receive(asked)) == [error(improv.NOT_AUTHORISED)]
    assert services.chosen == []


def test_a_wrong_code_is_refused_and_counted():
    line = client()[1]
    wrong = "Z" * 21
    for guess in (wrong.encode(), b"\xff\xfe", b"", CODE[:-1].encode()):
        answer = read(line.receive(command(improv.PROVE, guess)))
        assert answer == [error(improv.NOT_AUTHORISED), state(improv.AWAITING)]
    assert line.state() == improv.AWAITING


def test_the_code_authorises_for_five_minutes():
    services, line = client()
    answer = read(line.receive(command(improv.PROVE, CODE.lower().encode())))
    assert answer == [error(0), state(improv.AUTHORISED)]
    services.unit.clock.ms += 299999
    assert line.state() == improv.AUTHORISED
    services.unit.clock.ms += 1
    assert line.state() == improv.AWAITING
    assert read(line.receive(settings())) == [error(improv.NOT_AUTHORISED)]


def test_a_join_that_works_gives_the_address_and_ends_the_authorisation():
    services, line = proved()
    assert read(line.receive(settings())) == [error(0), state(improv.PROVISIONING)]
    assert services.chosen == [(b"Home", b"correct horse 7")] and line.tick() == b""
    services.outcome = wifi.JOINED
    address = improv.result(improv.SETTINGS, (b"https://fb-1.local/",))
    assert read(line.tick()) == [state(improv.PROVISIONED), (improv.RPC_RESULT, address)]
    assert line.tick() == b""
    assert read(line.receive(settings())) == [error(improv.NOT_AUTHORISED)]


def test_a_join_that_fails_can_be_tried_again():
    services, line = proved()
    line.receive(settings())
    services.outcome = wifi.PASSPHRASE
    assert read(line.tick()) == [error(improv.UNABLE), state(improv.AUTHORISED)]
    assert read(line.receive(settings())) == [error(0), state(improv.PROVISIONING)]


def test_settings_that_no_radio_can_use_or_of_another_shape_are_refused():
    services, line = proved()
    assert read(line.receive(settings(b"", b"correct horse 7"))) == [error(improv.UNABLE)]
    assert read(line.receive(settings(b"Home", b"short"))) == [error(improv.UNABLE)]
    for body in (b"", b"\x04Home", b"\x05Home\x00", b"\x04Home\x09short", b"\x04Home\x04short", b"\xff"):
        assert read(line.receive(command(improv.SETTINGS, body))) == [error(improv.INVALID)]
    assert read(line.receive(improv.packet(improv.RPC, b"\x01"))) == [error(improv.INVALID)]
    assert services.chosen == []


def test_networks_and_facts_are_listed_after_the_code():
    _, line = proved()
    found = [data for _, data in read(line.receive(command(improv.GET_NETWORKS)))]
    assert found == [
        improv.result(4, (b"Home", b"-50", b"YES")),
        improv.result(4, (b"Guest", b"-70", b"NO")),
        improv.result(4, ()),
    ]
    facts = (b"Firstboot", b"1.0.0+0", b"board", b"fb-1")
    assert read(line.receive(command(improv.GET_INFO))) == [(improv.RPC_RESULT, improv.result(3, facts))]


def test_another_command_is_unknown_and_another_type_gets_no_answer():
    _, line = proved()
    assert read(line.receive(command(9))) == [error(improv.UNKNOWN_COMMAND)]
    assert line.receive(improv.packet(improv.CURRENT_STATE, b"\x02")) == b""


def test_after_set_up_the_line_is_stopped():
    services, line = proved()
    services.unit.set_up()
    assert read(line.receive(SDK_GET_STATE)) == [error(0), state(improv.STOPPED)]
    assert read(line.receive(settings())) == [error(improv.NOT_AUTHORISED)]
    assert read(line.receive(command(improv.PROVE, CODE.encode()))) == [error(improv.NOT_AUTHORISED)]
