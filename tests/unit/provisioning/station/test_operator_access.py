"""Access to the operator's page, and the names under which it answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.station.web.hosts import certificate_names, hosts_of
from provisioning.station.web.login import Login, client_of, set_password
from tests.unit.provisioning.station.operator_bench import PASSWORD, Browser, OperatorBench


def pem_for(name: str | None) -> bytes:
    """Return a self-signed certificate for one DNS name, or for none."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "station")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
    )
    if name is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[OperatorBench]:
    bench = OperatorBench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def login(tmp_path: Path) -> Login:
    set_password(tmp_path / "login", PASSWORD)
    loaded = Login.load(tmp_path / "login")
    return Login(loaded.salt, loaded.expected, now=lambda: 0.0)


def test_a_stranger_who_guesses_does_not_keep_the_operator_out(login: Login) -> None:
    for _ in range(8):
        assert login.sign_in("a guess of a stranger", "192.0.2.9") is None
    assert login.wait_s("192.0.2.9") > 0
    assert (
        login.sign_in(PASSWORD, "192.0.2.9") is None
    )  # the other client waits, also with the right password
    assert login.sign_in(PASSWORD, "192.0.2.1") is not None


def test_a_browser_that_signed_in_before_does_not_wait_for_others_at_its_address(login: Login) -> None:
    browser = login.known_browser()
    for _ in range(8):
        login.sign_in("a guess", login.client("192.0.2.9", "made up"))
    assert login.sign_in(PASSWORD, login.client("192.0.2.9", "made up")) is None
    assert login.sign_in(PASSWORD, login.client("192.0.2.9", browser)) is not None


def test_a_stranger_with_many_addresses_of_one_network_is_one_client() -> None:
    assert client_of("2001:db8:1:2::7") == client_of("2001:db8:1:2:ffff::9") != client_of("2001:db8:1:3::7")
    assert client_of("::ffff:192.0.2.9") == client_of("192.0.2.9")


def test_the_page_knows_its_browser_again(operator: OperatorBench) -> None:
    browser = Browser(operator)
    headers = browser.ask("POST", "/login", {"password": PASSWORD})[1]
    assert headers["location"] == "/" and operator.login.wait_s("127.0.0.1") == 0


@pytest.mark.parametrize(
    ("listens_on", "asked", "is_ours"),
    [
        ("127.0.0.1", "localhost:8080", True),
        ("127.0.0.1", "evil.example:8080", False),
        ("127.0.0.1", "192.168.1.7:8080", False),
        (EVERYWHERE, "192.168.1.7:8443", True),
        (EVERYWHERE, "[2001:db8::7]:8443", True),
        ("::", "station7.local:8443", True),
        (EVERYWHERE, "STATION7:8443", True),
        (EVERYWHERE, "line.maker.example:8443", True),
        (EVERYWHERE, "evil.example:8443", False),
        ("192.168.1.7", "line.maker.example:8443", True),
        (EVERYWHERE, "", False),
    ],
)
def test_the_page_answers_to_its_real_names_only(
    listens_on: str, asked: str, is_ours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "station7")
    monkeypatch.setattr("socket.getfqdn", lambda: "station7.factory.example")
    certificate = tmp_path / "tls.pem"
    certificate.write_bytes(pem_for("line.maker.example"))
    assert hosts_of(listens_on, certificate).accepts(asked) == is_ours


def test_a_certificate_without_names_adds_none(tmp_path: Path) -> None:
    (tmp_path / "tls.pem").write_bytes(pem_for(None))
    assert certificate_names(tmp_path / "tls.pem") == set()
