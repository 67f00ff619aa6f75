"""Names that become files, users of a broker or parts of a range are plain: none adds a line or leaves a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from provisioning.cli.keys import app as keys_app
from provisioning.cli.keys_authority import host_names, plain_name
from provisioning.csaf_names import before, bound_of
from provisioning.servers.access import mosquitto_acl, service_of
from provisioning.servers.errors import ServerError
from provisioning.servers.mosquitto_config import BrokerFiles, configuration_text

FILES = BrokerFiles(*(Path(f"/b/{name}") for name in ("clients", "cert", "key", "acl", "data")))
FORGED = (
    "publisher-a\nuser evil",
    "publisher-a\ntopic readwrite #",
    "publisher-#",
    "publisher-",
    "publisher-a b",
    "other",
)


@pytest.mark.parametrize("name", FORGED)
def test_a_service_with_another_line_in_its_name_gets_no_rights(name: str) -> None:
    assert service_of(name) is None
    with pytest.raises(ValueError, match="not a publisher or tracker"):
        mosquitto_acl([bytes(16)], services=[name])


def test_services_with_plain_names_keep_their_rights() -> None:
    assert [service_of(name) for name in ("publisher", "tracker-leeds.2")] == ["publisher", "tracker"]


@pytest.mark.parametrize("user", ["mosquitto\nallow_anonymous true", "a b", "", "#", "x" * 33])
def test_the_user_of_the_broker_adds_no_line_to_its_configuration(user: str) -> None:
    with pytest.raises(ServerError, match="not the name of a user"):
        configuration_text(FILES, "localhost", 8883, run_as=user)


def test_the_user_of_the_broker_is_its_last_line() -> None:
    plain = configuration_text(FILES, "localhost", 8883)
    assert configuration_text(FILES, "localhost", 8883, run_as="mosquitto") == plain + "user mosquitto\n"


@pytest.mark.parametrize("name", ["../evil", "a/b", "+", "#", "a\nb", "a b", "..", "", "a" * 65])
def test_a_certificate_is_issued_for_plain_names_only(name: str, tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="plain name"):
        plain_name(name)
    arguments = [
        "ca",
        "issue",
        "client",
        name,
        "--keys",
        str(tmp_path / "keys"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert CliRunner().invoke(keys_app, arguments).exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["publisher", "0" * 32, "updates.example.com", "*.example.com", "tracker-leeds"]
)
def test_usual_names_are_certified(name: str) -> None:
    assert plain_name(name) == name and host_names([name]) == [name]


@pytest.mark.parametrize("name", ["a\nb", "a,DNS:*", "", "*", "a..b"])
def test_a_dns_name_is_the_name_of_a_host(name: str) -> None:
    with pytest.raises(typer.BadParameter, match="host name"):
        host_names(["updates.example.com", name])


def test_a_version_adds_no_part_to_the_range_of_an_advisory() -> None:
    assert before("2.0.0+2") == "vers:generic/<2.0.0+2"
    assert before("1.0|<2*") == "vers:generic/<1.0%7C%3C2%2A" and bound_of(before("1.0|<2*")) == "1.0|<2*"
