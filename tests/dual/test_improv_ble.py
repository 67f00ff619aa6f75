"""Improv Wi-Fi over Bluetooth: nothing secret in the clear, a key that needs the set-up code, order of commands."""

from memory_unit import CODE
from test_improv import SDK_RESULT, Services, error, state

from device.crypto import backend
from device.net import improv, improv_ble, wifi
from device.owner import setup_code

# What improv-wifi/sdk-ble-js at 627d561 writes (src/ble.ts, sendRPC and provision): number, length, data, sum.
SDK_IDENTIFY = b"\x02\x00\x02"
SDK_SETTINGS = b"\x01\x1e\x0cMyWirelessAP\x10mysecurepassword"
SDK_SETTINGS_FRAME = SDK_SETTINGS + bytes((sum(SDK_SETTINGS) & 0xFF,))


class Client:
    """The other side, with `code`."""

    def __init__(self, code=CODE):
        self.services = Services()
        self.services.proof_key = self.services.unit.owner.proof_key
        self.services.random_bytes = self.services.unit.entropy.random_bytes
        self.line = improv_ble.BleConversation(self.services)
        self.code = code
        self.key = b""
        self.sent = self.heard = 0

    def write(self, data):
        return self.line.receive(improv_ble.frame(data))

    def challenge(self):
        ((kind, data),) = self.write(bytes((improv_ble.CHALLENGE, 0)))
        assert kind == improv.RPC_RESULT and data[0] == improv_ble.CHALLENGE
        salt, nonce = data[3:19], data[20:36]
        verifier = setup_code.verifier(self.code, salt)
        self.key = backend.hmac_sha256(verifier, improv_ble.CONTEXT + nonce)[:16]
        self.sent = self.heard = 0
        return nonce

    def seal(self, data):
        sealed = improv_ble.seal(self.key, False, self.sent, data)
        self.sent += 1
        return sealed

    def ask(self, data):
        return self.open(self.write(self.seal(data)))

    def open(self, events):
        """Return events with their results opened."""
        found = []
        for kind, data in events:
            if kind != improv.RPC_RESULT:
                found.append((kind, data))
                continue
            assert data[0] == improv_ble.SEALED and data[1] == len(data) - 2
            found.append((kind, improv_ble.unseal(self.key, True, self.heard, data[2:])))
            self.heard += 1
        return found


def command(number, body=b""):
    return bytes((number, len(body))) + body


def settings():
    return command(improv.SETTINGS, b"\x04Home\x0fcorrect horse 7")


def authorised():
    client = Client()
    client.challenge()
    return client


def test_a_frame_has_the_bytes_of_the_public_sdk():
    assert improv_ble.frame(b"\x02\x00") == SDK_IDENTIFY
    body = bytes((12,)) + b"MyWirelessAP" + bytes((16,)) + b"mysecurepassword"
    assert improv_ble.frame(command(improv.SETTINGS, body)) == SDK_SETTINGS_FRAME
    # build_rpc_response of improv-wifi/sdk-cpp with its sum, which the serial form leaves out.
    assert improv_ble.frame(SDK_RESULT) == SDK_RESULT + b"\xd8"


def test_in_the_clear_every_command_is_refused_and_the_code_too():
    client = authorised()
    client.ask(command(improv.GET_INFO))
    refused = [error(improv.NOT_AUTHORISED)]
    assert client.line.receive(SDK_SETTINGS_FRAME) == refused
    for data in (settings(), command(3), command(4), command(improv.PROVE, CODE.encode())):
        assert client.write(data) == refused
    assert client.line.receive(SDK_IDENTIFY) == [error(improv.UNKNOWN_COMMAND)]
    assert client.services.chosen == []


def test_the_holder_of_the_code_joins_a_network_and_reads_the_address():
    client = authorised()
    assert client.ask(settings()) == [error(0), state(improv.PROVISIONING)]
    assert client.services.chosen == [(b"Home", b"correct horse 7")] and client.line.tick() == []
    client.services.outcome = wifi.JOINED
    address = improv.result(improv.SETTINGS, (b"https://fb-1.local/",))
    events = client.line.tick()
    assert b"fb-1" not in b"".join([data for _, data in events])
    assert client.open(events) == [state(improv.PROVISIONED), (improv.RPC_RESULT, address)]


def test_facts_and_networks_are_sealed():
    client = authorised()
    facts = improv.result(3, (b"Firstboot", b"1.0.0+0", b"board", b"fb-1"))
    assert client.ask(command(improv.GET_INFO)) == [(improv.RPC_RESULT, facts)]
    found = client.ask(command(improv.GET_NETWORKS))
    assert [data for _, data in found] == [
        improv.result(4, (b"Home", b"-50", b"YES")),
        improv.result(4, (b"Guest", b"-70", b"NO")),
        improv.result(4, ()),
    ]


def test_another_code_opens_nothing_and_makes_nobody_wait():
    client = Client("Z" * 21)
    for _ in range(20):
        client.challenge()
        answer = client.write(client.seal(settings()))
        assert answer == [error(improv.NOT_AUTHORISED), state(improv.AWAITING)]
    assert client.services.chosen == []
    client.services.unit.owner.prove(CODE)


def test_a_repeated_sealed_command_ends_the_key():
    client = authorised()
    sealed = client.seal(command(improv.GET_INFO))
    assert len(client.write(sealed)) == 1
    assert client.write(sealed) == [error(improv.NOT_AUTHORISED), state(improv.AWAITING)]
    assert client.write(client.seal(settings())) == [error(improv.NOT_AUTHORISED)]
    assert client.services.chosen == []


def test_a_message_of_the_unit_is_no_command():
    client = authorised()
    own = improv_ble.seal(client.key, True, 0, settings())
    assert client.write(own) == [error(improv.NOT_AUTHORISED), state(improv.AWAITING)]


def test_each_challenge_has_another_nonce_and_ends_the_key_before():
    client = authorised()
    sealed = client.seal(settings())
    assert client.challenge() != client.challenge()
    assert client.write(sealed) == [error(improv.NOT_AUTHORISED), state(improv.AWAITING)]


def test_the_key_authorises_for_five_minutes():
    client = authorised()
    client.ask(command(improv.GET_INFO))
    client.services.unit.clock.ms += 300000
    assert client.ask(settings()) == [error(improv.NOT_AUTHORISED)]


def test_frames_arrive_in_any_pieces_and_a_damaged_one_changes_nothing():
    client = authorised()
    data = improv_ble.frame(client.seal(settings()))
    for at in range(len(data) - 1):
        assert client.line.receive(data[at : at + 1]) == []
    assert client.open(client.line.receive(data[-1:])) == [error(0), state(improv.PROVISIONING)]
    client = authorised()
    whole = improv_ble.frame(client.seal(settings()))
    longer = whole + bytes((sum(whole) & 0xFF,))  # its sum is right, its length is not
    for broken in (whole[:-1] + bytes((whole[-1] ^ 1,)), longer):
        assert client.line.receive(broken) == [error(improv.INVALID)]
    assert client.line.receive(whole) == [error(0), state(improv.PROVISIONING)]


def test_a_sealed_command_of_another_shape_is_invalid():
    client = authorised()
    for plain in (b"", b"\x01", b"\x01\x05\x04", command(improv.SETTINGS, b"\x09Home")):
        assert client.ask(plain) == [error(improv.INVALID)]
    assert client.write(bytes((improv_ble.SEALED, 3)) + b"abc") == [
        error(improv.NOT_AUTHORISED),
        state(improv.AWAITING),
    ]


def test_after_set_up_there_is_no_challenge_and_no_key():
    client = authorised()
    client.services.unit.set_up()
    assert client.write(client.seal(settings())) == [error(improv.NOT_AUTHORISED)]
    assert client.write(bytes((improv_ble.CHALLENGE, 0))) == [error(improv.NOT_AUTHORISED)]
    assert client.services.chosen == []


def test_a_unit_that_was_reset_answers_no_challenge_before_its_button_is_pressed():
    client = Client()
    client.services.unit.device.write("press", b"\xa1\x01\xf5")
    client.services.unit.restart()
    owner = client.services.unit.owner
    client.services.proof_key = owner.proof_key
    assert owner.is_press_needed()
    assert client.write(bytes((improv_ble.CHALLENGE, 0))) == [error(improv.NOT_AUTHORISED)]
    owner.pressed()
    client.challenge()
    assert len(client.ask(command(improv.GET_INFO))) == 1
