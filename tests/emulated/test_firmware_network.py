"""The firmware's network port: TLS both ways and UDP, over the emulated serial line."""

import contextlib
import socket
import ssl
import threading

import pytest

from device.limits import HTTP_CLIENTS_PER_PEER
from tests.emulated.firmware_support import TIMEOUT_S, Prompt, RemoteError, kit, remote_name
from tests.emulated.tls_peers import CLIENT, SERVER, SERVER_NAME, SILENCE_S, issue, tls_server, unix_s
from tests.patience import joined

__all__ = ["kit"]

pytestmark = pytest.mark.emulated

CODE = """
import asyncio, gc
from device.ports import mps2, sockets
network, clock = mps2.Mps2Network(), mps2.Mps2Clock()
async def talk(port, name, ca, cert, key, text):
    stream = await network.open_tls("10.0.2.2", port, name, ca, cert, key)
    await stream.write(text)
    answer = await stream.readexactly(len(text))
    await stream.close()
    return answer
def try_talk(*arguments):
    from device.errors import FirstbootError
    try:
        print(asyncio.run(talk(*arguments)))
    except FirstbootError as error:
        print(error.describe())
"""


@pytest.fixture(scope="module")
def ca():
    return issue("Test CA")


@pytest.fixture(scope="module")
def device(ca):
    return issue("0123456789abcdef", ca, usages=[CLIENT])


@pytest.fixture(scope="module")
def board(kit, tmp_path_factory, ca, device):
    """A board whose prompt knows CODE and the device's credentials."""
    with kit.board(tmp_path_factory.mktemp("board")) as board:
        board.power_on()
        prompt = Prompt(board).enter()
        prompt.run(CODE)
        names = {"ca": ca.certificate_der, "cert": device.certificate_der, "key": device.key_der}
        web = issue("local page", ca, usages=[SERVER])
        names |= {"web_cert": web.certificate_der, "web_key": web.key_der}
        for name, value in names.items():
            prompt.run(f"{name} = {value!r}")
        board.prompt = prompt
        yield board


@pytest.fixture
def at_prompt(board):
    """The prompt; TLS dates unchecked before and after."""
    board.prompt.run("clock.set_trusted_time(None)")
    yield board.prompt
    board.prompt.run("clock.set_trusted_time(None)")


def talk(prompt, server, name=SERVER_NAME, text=b"hello"):
    return prompt.run(f"try_talk({server.port}, {name!r}, ca, cert, key, {text!r})")


def test_a_good_server_is_talked_to_and_sees_the_devices_certificate(at_prompt, ca, tmp_path):
    with tls_server(issue(SERVER_NAME, ca, usages=[SERVER]), ca, tmp_path) as server:
        assert "HELLO" in talk(at_prompt, server)
    assert server.seen == ["0123456789abcdef"]


def test_more_than_the_longest_tls_record_goes_there_and_back(at_prompt, ca, tmp_path):
    with tls_server(issue(SERVER_NAME, ca, usages=[SERVER]), ca, tmp_path) as server:
        answer = at_prompt.run(
            f"print(len(asyncio.run(talk({server.port}, {SERVER_NAME!r}, ca, cert, key, b'a' * 20000))))"
        )
    assert answer.strip() == "20000"


def test_a_server_of_another_name_is_refused(at_prompt, ca, tmp_path):
    with tls_server(issue("other.test", ca, usages=[SERVER]), ca, tmp_path) as server:
        assert "does not match with the expected CN" in talk(at_prompt, server)


def test_a_server_of_another_authority_is_refused(at_prompt, ca, tmp_path):
    stranger = issue("Test CA")
    with tls_server(issue(SERVER_NAME, stranger, usages=[SERVER]), ca, tmp_path) as server:
        assert "not correctly signed" in talk(at_prompt, server)


def test_a_client_certificate_is_no_server(at_prompt, ca, tmp_path):
    with tls_server(issue(SERVER_NAME, ca, usages=[CLIENT]), ca, tmp_path) as server:
        assert "BAD_CERTIFICATE" in talk(at_prompt, server)


def test_a_name_is_checked_even_while_dates_are_not(at_prompt, ca, tmp_path):
    with tls_server(issue("other.test", ca, years=(2020, 2021)), ca, tmp_path) as server:
        assert "expected CN" in talk(at_prompt, server)


def test_dates_are_not_checked_before_a_trusted_time(at_prompt, ca, tmp_path):
    with tls_server(issue(SERVER_NAME, ca, years=(2020, 2021)), ca, tmp_path) as server:
        assert "HELLO" in talk(at_prompt, server)


@pytest.mark.parametrize(
    ("now", "reason"),
    [(2029, "future"), (2031, None), (2033, "expired")],
    ids=["before the first day", "inside", "after the last day"],
)
def test_dates_are_checked_against_the_trusted_time(at_prompt, ca, tmp_path, now, reason):
    at_prompt.run(f"clock.set_trusted_time({unix_s(now)})")
    with tls_server(issue(SERVER_NAME, ca, years=(2030, 2032)), ca, tmp_path) as server:
        answer = talk(at_prompt, server)
    assert ("HELLO" in answer) if reason is None else (reason in answer)


def test_the_trusted_time_advances_with_the_clock(at_prompt, ca, tmp_path):
    at_prompt.run(f"import time\nclock.set_trusted_time({unix_s(2032) - 1})\ntime.sleep_ms(2100)")
    with tls_server(issue(SERVER_NAME, ca, years=(2030, 2032)), ca, tmp_path) as server:
        assert "expired" in talk(at_prompt, server)


def test_a_server_that_hangs_up_is_a_link_error(at_prompt):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            client, _ = listener.accept()
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        answer = at_prompt.run(f"try_talk({listener.getsockname()[1]}, 'x', ca, cert, key, b'')")
        joined(thread)
    assert answer.startswith("LinkError")


def test_a_closed_port_is_a_link_error(at_prompt):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "LinkError" in at_prompt.run(f"try_talk({port}, 'x', ca, cert, key, b'')")


def test_a_server_that_stays_silent_is_a_timeout(at_prompt):
    at_prompt.run("sockets.CONNECT_TIMEOUT_S = 1")
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            answer = at_prompt.run(f"try_talk({listener.getsockname()[1]}, 'x', ca, cert, key, b'')")
    finally:
        at_prompt.run("sockets.CONNECT_TIMEOUT_S = 15")
    assert answer.startswith("LinkTimeoutError")


def test_failed_handshakes_leave_nothing_open(at_prompt, ca, tmp_path):
    with tls_server(issue("other.test", ca), ca, tmp_path) as server:
        talk(at_prompt, server)
        before = int(at_prompt.run("gc.collect(); print(gc.mem_alloc())"))
        for _ in range(6):
            talk(at_prompt, server)
        after = int(at_prompt.run("gc.collect(); print(gc.mem_alloc())"))
    assert after - before < 2000


def test_udp_goes_there_and_back_and_silence_is_none(at_prompt):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(SILENCE_S)

        def answer():
            data, address = peer.recvfrom(2000)
            peer.sendto(data * 2, address)

        thread = threading.Thread(target=answer)
        thread.start()
        output = at_prompt.run(f"""
async def ask():
    datagram = await network.open_udp("10.0.2.2", {peer.getsockname()[1]})
    await datagram.send(b"abc")
    print(await datagram.receive(20000), await datagram.receive(50))
    datagram.close()
asyncio.run(ask())
""")
        joined(thread)
    assert output.strip() == "b'abcabc' None"


SERVE = """
async def handler(stream):
    data = await stream.read(100)
    while data.startswith(b"drip"):
        data = await stream.read(100)
        if not data:
            return
    stream.is_waiting = False
    await stream.write(b"seen " + data)
    await stream.close()
    if data == b"quit":
        done.set()
async def feed():
    import _mps2
    while True:
        _mps2.watchdog_feed()
        await asyncio.sleep(1)
async def serve():
    global done
    done = asyncio.Event()
    feeding = asyncio.create_task(feed())
    server = await network.serve_tls(443, web_cert, web_key, handler)
    print("listening")
    await done.wait()
    feeding.cancel()
    await server.close()
"""


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def secured(address):
    """Yield a client whose handshake is done."""
    with socket.create_connection(address, SILENCE_S) as raw, client_context().wrap_socket(raw) as client:
        yield client


def ask(address, text):
    with secured(address) as client:
        client.sendall(text)
        answer = b""
        with contextlib.suppress(ssl.SSLEOFError):
            while part := client.recv(1000):
                answer += part
        if not answer:
            raise ConnectionError(
                "the board closed the connection without an answer: another client has the place"
            )
        return answer


@pytest.fixture
def serving(board):
    """Yield the board's web address while it serves; its prompt is busy during that time."""
    prompt = board.prompt
    prompt.run(SERVE)
    board.console.skip()
    board.console.send(b"asyncio.run(serve())\x04")
    board.console.wait_for("listening", TIMEOUT_S)
    yield board.web_address
    for _ in range(20):  # clients of the test may still hold their places
        with contextlib.suppress(OSError):
            if ask(board.web_address, b"quit"):
                break
    board.console.wait_for(r"\x04\x04>", TIMEOUT_S)


def test_a_browser_like_client_is_served_over_tls(serving):
    assert ask(serving, b"one") == b"seen one"


def test_a_client_that_speaks_no_tls_does_not_stop_the_others(serving):
    with socket.create_connection(serving, SILENCE_S) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert ask(serving, b"two") == b"seen two"


def connections(stack, address, count):
    return [stack.enter_context(socket.create_connection(address, SILENCE_S)) for _ in range(count)]


def again(action, *arguments, tries=20):
    """Call an action, and again after a lost connection as a browser does: the order of clients may change."""
    for _ in range(tries - 1):
        with contextlib.suppress(OSError):
            return action(*arguments)
    return action(*arguments)


def ask_again(address, text):
    return again(ask, address, text)


def drip(stack, address):
    """Keep a client that begins a request, and sends the rest never."""
    with contextlib.ExitStack() as client:
        client.enter_context(secured(address)).sendall(b"drip")
        stack.push(client.pop_all())


def test_the_oldest_silent_clients_of_a_full_host_are_hung_up_on(serving):
    with contextlib.ExitStack() as stack:
        silent = connections(stack, serving, HTTP_CLIENTS_PER_PEER + 3)
        for client in silent[:3]:
            client.settimeout(SILENCE_S)
            assert client.recv(1) == b""


def test_the_owner_is_served_beside_50_silent_and_50_dripping_connections(serving):
    with contextlib.ExitStack() as stack:
        connections(stack, serving, 50)
        assert ask_again(serving, b"owner") == b"seen owner"
        for client in connections(stack, serving, 50):
            client.sendall(b"\x16")  # the first byte of a handshake that does not continue
        assert ask_again(serving, b"owner") == b"seen owner"
        for _ in range(HTTP_CLIENTS_PER_PEER):  # and these finished theirs
            again(drip, stack, serving)
        assert ask_again(serving, b"owner") == b"seen owner"


def test_without_entropy_there_is_no_network(kit, tmp_path):
    with kit.board(tmp_path, has_seed=False) as board:
        board.power_on()
        prompt = Prompt(board).enter()
        prompt.run(CODE)
        with pytest.raises(RemoteError) as caught:
            prompt.run("asyncio.run(network.open_udp('10.0.2.2', 1))")
    assert remote_name(caught.value) == "LinkError: LinkError reason=no network without entropy"
