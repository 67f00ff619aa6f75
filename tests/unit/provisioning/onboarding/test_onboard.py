"""`firstboot onboard` against a simulated unit: set-up from a terminal, and the peers that it refuses."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from provisioning import fair_time
from provisioning.cli.main import app, load_commands
from provisioning.keys.key_ring import KeyRing
from provisioning.onboarding.client import HANDSHAKES, DeviceClient, FingerprintError, fingerprint_of
from provisioning.onboarding.flow import SHOWN_CHARS, AlreadySetUpError, look, plain, prove, set_up
from provisioning.station.labels import LabelError, parse_qr, read_label
from provisioning.station.setup_code import generate_code
from simulator.story.maker_keys import KEYS
from tests.patience import until
from tests.running import PASSWORD, FactoryUnit, simulated

__all__ = ["simulated"]


@pytest.fixture
def unit(simulated: FactoryUnit) -> FactoryUnit:
    return simulated.fresh()


def run(*arguments: str, typed: str = "") -> Result:
    if not app.registered_groups:
        load_commands(app)
    return CliRunner().invoke(app, ["onboard", *arguments], input=typed)


def place(unit: FactoryUnit) -> str:
    host, port = unit.address
    return f"{host}:{port}"


def from_label(unit: FactoryUnit, typed: str, *more: str) -> Result:
    return run("--label", str(unit.world.unit.label_path), "--host", place(unit), *more, typed=typed)


def is_untouched(unit: FactoryUnit) -> bool:
    return unit.world.owner.request("GET", "/setup").status == 200


def test_the_label_and_a_password_make_the_owner(unit: FactoryUnit) -> None:
    result = from_label(unit, PASSWORD + "\n", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["state"] == "initialised" and told["fingerprint"] == unit.world.unit.fingerprint
    assert unit.world.owner.sign_in(PASSWORD)


def test_without_a_label_fingerprint_and_code_come_from_standard_input(unit: FactoryUnit) -> None:
    known = unit.world.unit
    result = run("--host", place(unit), typed=f"{known.fingerprint}\n{known.setup_code}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr


def test_the_proving_session_is_closed_on_the_device(
    unit: FactoryUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unused session is a secret that can be stolen."""
    client = DeviceClient(lambda: unit.address, unit.world.unit.fingerprint)
    set_up(client, unit.world.unit.setup_code, PASSWORD)
    ask, sessions = client.status, []
    monkeypatch.setattr(client, "status", lambda: sessions.append(client._session) or ask())
    assert prove(client, PASSWORD)["state"] == "initialised"
    client._session = sessions[0]
    with pytest.raises(PermissionError):
        ask()


def test_a_password_is_brought_to_one_form(unit: FactoryUnit) -> None:
    """PW-15: the decomposed text of a phone and the composed text of a terminal are one password."""
    decomposed = "cafe\u0301 on the corner of main"
    assert from_label(unit, decomposed + "\n").exit_code == 0
    assert unit.world.owner.sign_in("caf\u00e9 on the corner of main")


def test_no_output_holds_code_or_password(unit: FactoryUnit) -> None:
    wrong = generate_code()
    weak = "my FB-1 password FB-1"
    known = unit.world.unit
    outputs = [
        run("--host", place(unit), typed=f"{known.fingerprint}\n{wrong}\n{PASSWORD}\n").output,
        from_label(unit, weak + "\n").output,
        from_label(unit, PASSWORD + "\n").output,
    ]
    for output in outputs:
        assert output.strip()
        for secret in (wrong, known.setup_code, weak, PASSWORD):
            assert secret not in output


def test_a_weak_password_is_refused_with_the_devices_reason(unit: FactoryUnit) -> None:
    result = from_label(unit, "aaaaaaaaaaaaaaaa\n")
    assert result.exit_code == 1 and "repeats the same characters" in result.stderr
    assert is_untouched(unit)


def test_a_wrong_code_is_refused(unit: FactoryUnit) -> None:
    result = run(
        "--host",
        place(unit),
        "--fingerprint",
        unit.world.unit.fingerprint,
        typed=f"{generate_code()}\n{PASSWORD}\n",
    )
    assert result.exit_code == 1 and "not the set-up code" in result.stderr
    assert is_untouched(unit)


def test_a_slip_in_the_code_is_found_before_the_device_is_asked_to_take_it(unit: FactoryUnit) -> None:
    code = unit.world.unit.setup_code
    slip = code[:-1] + ("A" if code[-1] != "A" else "B")
    result = run(
        "--host", place(unit), "--fingerprint", unit.world.unit.fingerprint, typed=f"{slip}\n{PASSWORD}\n"
    )
    assert result.exit_code == 2 and slip not in result.output


def test_a_device_with_an_owner_says_so_and_keeps_its_password(unit: FactoryUnit) -> None:
    assert from_label(unit, PASSWORD + "\n").exit_code == 0
    result = from_label(unit, "seven green bottles on the wall\n")
    assert result.exit_code == 4 and "already set up" in result.stderr
    assert unit.world.owner.sign_in(PASSWORD)


def test_a_lost_answer_is_settled_by_signing_in(unit: FactoryUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    client = DeviceClient(lambda: unit.address, unit.world.unit.fingerprint)
    ask = client.request

    def deaf(method: str, path: str, form: dict[str, str] | None = None, *, accept: str = "") -> object:
        reply = ask(method, path, form, accept=accept)
        if path == "/setup":
            raise ConnectionResetError
        return reply

    monkeypatch.setattr(client, "request", deaf)
    set_up(client, unit.world.unit.setup_code, PASSWORD)
    assert unit.world.owner.sign_in(PASSWORD)


def test_set_up_that_another_client_won_is_not_a_success(unit: FactoryUnit) -> None:
    client = DeviceClient(lambda: unit.address, unit.world.unit.fingerprint)
    look(client)
    assert unit.world.owner.set_up(unit.world.unit.setup_code, PASSWORD).status == 303
    with pytest.raises(AlreadySetUpError):
        set_up(client, unit.world.unit.setup_code, "seven green bottles on the wall")


class Impostor:
    """A TLS server on loopback with its own certificate; keeps every byte that a client sends inside TLS.

    It sends `answer` to each client that wrote something, and closes. It is `late_s` late with each of its steps.
    """

    def __init__(self, folder: Path, answer: bytes = b"", late_s: float = 0) -> None:
        self._answer = answer
        self._late_s = late_s
        identity = KeyRing.generate_development(KEYS).server_ca.issue_server("lamp", ["localhost"], days=1)
        certificate, key = identity.save(folder, "impostor")
        self.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(Path(certificate).read_text())).hexdigest()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = b""
        self.handshakes = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain_end, _ = self._listener.accept()
            except OSError:
                return
            time.sleep(self._late_s)
            try:
                with self._context.wrap_socket(plain_end, server_side=True) as stream:
                    self.handshakes += 1
                    stream.settimeout(600)
                    while part := stream.recv(4096):
                        self.heard += part
                        if self._answer:
                            time.sleep(self._late_s)
                            stream.sendall(self._answer)
                            break
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()


def test_a_stranger_in_between_hears_nothing(unit: FactoryUnit, tmp_path: Path) -> None:
    """The command's claim: an attacker on the LAN with their own certificate gets no byte of HTTP."""
    impostor = Impostor(tmp_path)
    label = str(unit.world.unit.label_path)
    result = run("--label", label, "--host", f"127.0.0.1:{impostor.port}", typed=PASSWORD + "\n")
    until("the handshake", lambda: impostor.handshakes)
    impostor.close()
    assert result.exit_code == 3 and "STOP" in result.stderr
    assert impostor.handshakes == 1 and impostor.heard == b""
    assert is_untouched(unit)


def test_a_stranger_who_comes_in_the_middle_hears_nothing_either(unit: FactoryUnit, tmp_path: Path) -> None:
    """The certificate is checked for every connection, not once."""
    impostor = Impostor(tmp_path)
    places = [unit.address, unit.address, ("127.0.0.1", impostor.port)]
    client = DeviceClient(lambda: places.pop(0), unit.world.unit.fingerprint)
    look(client)
    with pytest.raises(FingerprintError):
        set_up(client, unit.world.unit.setup_code, PASSWORD)
    impostor.close()
    assert impostor.heard == b""


@pytest.mark.parametrize(("sent", "is_whole"), [(b"{}", True), (b"{", False), (b"", False)])
def test_an_answer_that_was_cut_off_is_no_answer(tmp_path: Path, sent: bytes, is_whole: bool) -> None:
    device = Impostor(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + sent)
    client = DeviceClient(lambda: ("127.0.0.1", device.port), device.fingerprint)
    try:
        assert client.request("GET", "/").json() == {}
        assert is_whole
    except ConnectionError as error:
        assert "cut off" in str(error) and not is_whole
    finally:
        device.close()


def test_a_device_may_take_longer_than_one_look_at_the_machine(tmp_path: Path) -> None:
    device = Impostor(
        tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", late_s=2.5 * fair_time.SLICE_S
    )
    client = DeviceClient(lambda: ("127.0.0.1", device.port), device.fingerprint)
    assert client.request("GET", "/").json() == {}
    device.close()


def test_a_device_that_stays_silent_is_asked_a_few_times_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.onboarding.client.HANDSHAKE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = DeviceClient(silent.getsockname, "0" * 64)
        with pytest.raises(TimeoutError):
            client.request("GET", "/")
        for _ in range(HANDSHAKES):
            silent.accept()[0].close()
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_a_handshake_that_the_device_forgot_is_begun_again(
    unit: FactoryUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that restarts drops its connections and tells nobody."""
    monkeypatch.setattr("provisioning.onboarding.client.HANDSHAKE_S", 0.1)
    connect, tries = socket.create_connection, []
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def first_nowhere(address: tuple[str, int], timeout: float) -> socket.socket:
            tries.append(address)
            monkeypatch.setattr(fair_time, "SLICE_S", 0.1 if len(tries) == 1 else 300.0)
            return connect(silent.getsockname() if len(tries) == 1 else address, timeout)

        monkeypatch.setattr("provisioning.onboarding.client.socket.create_connection", first_nowhere)
        assert unit.world.owner.request("GET", "/").status == 200
    assert len(tries) == 2


def test_a_device_that_takes_no_connection_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four tries of half a minute each would hide from a person that the address is wrong."""
    tries = []

    def nobody(address: tuple[str, int], timeout: float) -> socket.socket:
        tries.append(address)
        raise TimeoutError

    monkeypatch.setattr("provisioning.onboarding.client.socket.create_connection", nobody)
    with pytest.raises(TimeoutError):
        DeviceClient(lambda: ("192.0.2.1", 443), "0" * 64).request("GET", "/")
    assert len(tries) == 1


def test_a_missing_device_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run("--host", f"127.0.0.1:{port}", "--fingerprint", "ab" * 32)
    assert result.exit_code == 1 and "refused" in result.stderr.lower()


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        ((), ""),
        (("--host", "http://lamp.local"), ""),
        (("--host", "lamp.local:port"), ""),
        (("--host", "https://owner@lamp.local"), ""),
        (("--host", "lamp.local", "--fingerprint", "ab"), ""),
        (("--host", "lamp.local"), ""),
        (("--host", "lamp.local"), "x" * 2000 + "\n"),
        (("--label", "/nonexistent.png"), ""),
    ],
)
def test_wrong_input_is_exit_code_2(arguments: tuple[str, ...], typed: str) -> None:
    assert run(*arguments, typed=typed).exit_code == 2


def test_code_and_password_are_no_options() -> None:
    """All users of a machine can read command lines."""
    text = run("--help").output
    assert "--label" in text
    for option in ("--code", "--password", "--setup-code"):
        assert option not in text
        assert run("--host", "lamp.local", option, "x").exit_code == 2


def test_a_label_reads_back_as_it_was_printed(unit: FactoryUnit) -> None:
    read = read_label(unit.world.unit.label_path)
    assert (read.code, read.fingerprint) == (unit.world.unit.setup_code, unit.world.unit.fingerprint)
    assert read.code not in repr(read)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://lamp.local/",
        "http://lamp.local/#code=A&sha256=" + "0" * 64,
        "https://x/#code=A&sha256=zz",
    ],
)
def test_a_foreign_qr_code_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(LabelError) as refused:
        parse_qr(text)
    assert "lamp" not in str(refused.value)


def test_what_a_device_says_does_not_steer_the_terminal() -> None:
    assert plain("\x1b[2Jok\x07\n") == " [2Jok  "
    assert len(plain("x" * 10_000)) == SHOWN_CHARS


def test_a_fingerprint_may_be_typed_as_it_is_printed() -> None:
    digits = "AB" * 32
    spaced = " ".join(digits[at : at + 4] for at in range(0, 64, 4))
    assert fingerprint_of(spaced) == fingerprint_of(":".join(["ab"] * 32)) == "ab" * 32
