"""`firstboot station` as a person uses it: a unit on a socket, files in a folder, exit codes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from device.codec.frame import FrameDecoder, encode_frame
from provisioning.cli.station import app
from provisioning.cli.station_settings import ProvisionSettings
from provisioning.registry.export import sealed_json
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from tests.unit.provisioning.station.station_bench import MemoryUnit

RUNNER = CliRunner()


class ServedUnit:
    """A unit in memory whose factory port is a Unix socket; one client after the other."""

    def __init__(self, path: Path) -> None:
        self.unit = MemoryUnit()
        self.address = f"unix:{path}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            decoder = FrameDecoder()
            with connection:
                while data := connection.recv(4096):
                    for payload in decoder.feed(data):
                        connection.sendall(encode_frame(self.unit.handle(payload)))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedUnit]:
    served = ServedUnit(tmp_path / "port")
    yield served
    served.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    result = RUNNER.invoke(app, ["init", str(tmp_path / "station"), "--development"])
    assert result.exit_code == 0, result.output
    return tmp_path / "station"


def provision(folder: Path, port: str, *more: str) -> Result:
    return RUNNER.invoke(
        app,
        [
            "provision", "--port", port, "--product", str(folder / "product.toml"), "--keys", str(folder / "keys"),
            "--registry", str(folder / "registry.db"), "--labels", str(folder / "labels"),
            "--oscore-key", str(folder / "server" / "oscore.pub"), *more,
        ],
    )  # fmt: skip


def test_init_says_the_next_command_and_overwrites_nothing(folder: Path) -> None:
    (folder / "product.toml").write_text("mine")
    result = RUNNER.invoke(app, ["init", str(folder)])
    assert result.exit_code == 0 and "firstboot station provision --port" in result.output
    assert (folder / "product.toml").read_text() == "mine"


def test_a_unit_is_provisioned_and_the_answer_is_one_json_document(folder: Path, served: ServedUnit) -> None:
    result = provision(folder, served.address, "--development", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["outcome"], document["serial"], document["for_sale"]) == ("PASS", "FB1-000001", False)
    assert Path(document["label"]).is_file()
    assert served.unit.is_locked()


def test_a_second_run_is_refused_with_its_own_exit_code(folder: Path, served: ServedUnit) -> None:
    assert provision(folder, served.address, "--development").exit_code == 0
    result = provision(folder, served.address, "--development", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["outcome"] == "REFUSED"


def test_development_keys_without_the_flag_are_wrong_input(folder: Path, served: ServedUnit) -> None:
    result = provision(folder, served.address)
    assert result.exit_code == 2 and "not for sale" in result.stderr
    assert not served.unit.is_locked()


def test_a_wrong_product_definition_lists_its_problems(folder: Path, served: ServedUnit) -> None:
    (folder / "product.toml").write_text("[product]\nmodel = 3\n")
    result = provision(folder, served.address, "--development")
    assert result.exit_code == 2 and "[product] model" in result.stderr


def test_a_port_without_a_server_is_a_failure(folder: Path) -> None:
    result = provision(folder, "tcp:127.0.0.1:1", "--development")
    assert result.exit_code == 1 and "cannot open" in result.stderr


def test_a_unit_with_another_image_is_a_failure(folder: Path, served: ServedUnit) -> None:
    result = provision(folder, served.address, "--development", "--image-digest", "ab" * 32, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcome"] == "FAIL"


def test_an_image_and_a_digest_together_are_refused(folder: Path, served: ServedUnit) -> None:
    (folder / "image.img").write_bytes(b"x")
    both = ("--image", str(folder / "image.img"), "--image-digest", "ab" * 32)
    result = provision(folder, served.address, "--development", *both)
    assert result.exit_code == 2 and "Give --image or --image-digest, not both." in result.stderr


def test_a_file_that_is_not_an_image_is_named(folder: Path, served: ServedUnit) -> None:
    (folder / "image.img").write_bytes(b"x")
    result = provision(folder, served.address, "--development", "--image", str(folder / "image.img"))
    assert result.exit_code != 0 and "image.img" in result.stderr


@pytest.mark.parametrize("arguments", [["--port", "usb:x"], ["--image-digest", "zz"]])
def test_a_wrong_option_is_wrong_input(folder: Path, served: ServedUnit, arguments: list[str]) -> None:
    assert provision(folder, served.address, "--development", *arguments).exit_code == 2


def test_show_lists_units_and_checks_the_chain(folder: Path, served: ServedUnit) -> None:
    provision(folder, served.address, "--development")
    result = RUNNER.invoke(app, ["show", "--registry", str(folder / "registry.db"), "--json"])
    document = json.loads(result.stdout)
    assert (document["chain"], document["production_records"]) == ("whole", 1)
    unit = document["units"][0]
    assert (unit["status"], unit["for_sale"], unit["codes_live"]) == ("passed", False, 1)
    text = RUNNER.invoke(app, ["show", "--registry", str(folder / "registry.db"), "--serial", unit["serial"]])
    assert text.exit_code == 0 and "prove" in text.output


def test_show_makes_no_registry(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["show", "--registry", str(tmp_path / "none.db")])
    assert result.exit_code == 2 and not (tmp_path / "none.db").exists()


def test_no_output_holds_the_code(folder: Path, served: ServedUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    from provisioning.station import steps_identity

    drawn: list[str] = []
    real = steps_identity.generate_code
    monkeypatch.setattr(steps_identity, "generate_code", lambda *args: drawn.append(real(*args)) or drawn[-1])
    results = [
        provision(folder, served.address, "--development", "--json", "--verbose"),
        provision(folder, served.address, "--development"),
        RUNNER.invoke(app, ["show", "--registry", str(folder / "registry.db"), "--serial", "FB1-000001"]),
    ]
    assert [result.exit_code for result in results] == [0, 3, 0]
    text = "".join(result.output + result.stderr for result in results)
    assert drawn and not any(code[:7] in text or code[7:14] in text for code in drawn)


def test_the_help_names_every_exit_code() -> None:
    text = RUNNER.invoke(app, ["--help"]).output
    assert all(f"{code}: " in text for code in range(4)) and "Exit codes" in text


def test_a_batch_is_checked_by_its_labels(folder: Path, served: ServedUnit) -> None:
    provision(folder, served.address, "--development")
    registry = folder / "registry.db"
    batch = Registry(registry).units()[0].batch
    arguments = ["--registry", str(registry), "--batch", batch, "--labels", str(folder / "labels"), "--json"]
    result = RUNNER.invoke(app, ["check-batch", *arguments])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["codes"], document["findings"]) == (1, []) and "spread" in document["not_made"][0]
    label = folder / "labels" / "FB1-000001.png"
    label.unlink()
    refused = RUNNER.invoke(app, ["check-batch", *arguments])
    assert refused.exit_code == 2
    assert f"{label}: No such file" in " ".join(refused.stderr.split()) and "Errno" not in refused.stderr


def test_rework_names_who_decided_and_retires_the_serial(folder: Path, served: ServedUnit) -> None:
    provision(folder, served.address, "--development")
    arguments = ["rework", "FB1-000001", "--registry", str(folder / "registry.db"), "--by", "E. Example"]
    result = RUNNER.invoke(app, [*arguments, "--reason", "returned"])
    assert result.exit_code == 0 and "withdrawn too" in result.output
    unit = Registry(folder / "registry.db").units()[0]
    assert (unit.status, unit.note) == ("retired", "E. Example: returned")


def test_oscore_secrets_are_sealed_to_the_key_that_was_given(folder: Path, served: ServedUnit) -> None:
    key = ServerPrivateKey.load(folder / "server" / "oscore.key")
    result = provision(folder, served.address, "--development")
    assert result.exit_code == 0, result.output
    book = Registry(folder / "registry.db")
    document = json.loads(sealed_json(book))
    unit = document["units"][0]
    assert key.open(bytes.fromhex(unit["device_id"]), bytes.fromhex(unit["sealed"]))


def test_a_label_template_lays_the_label_out_or_is_refused(
    folder: Path, served: ServedUnit, tmp_path: Path
) -> None:
    template = tmp_path / "label.toml"
    lines = "".join(
        f'[[lines]]\ntext = "{{{name}}}"\nheight_mm = 2.0\n'
        for name in ("model", "batch", "serial", "support_end")
    )
    template.write_text("[label]\nwidth_mm = 90\nheight_mm = 60\ndpi = 203\nmodule_mm = 0.5\n")
    refused = provision(folder, served.address, "--development", "--label-template", str(template))
    assert refused.exit_code == 2 and "[[lines]]" in refused.stderr and not served.unit.is_locked()
    template.write_text(template.read_text() + lines)
    result = provision(folder, served.address, "--development", "--label-template", str(template), "--json")
    assert result.exit_code == 0, result.output
    with Image.open(json.loads(result.stdout)["label"]) as picture:
        assert picture.size == (719, 480)


def test_the_words_of_the_label_are_those_of_the_brand_and_a_brand_that_cannot_print_touches_no_unit(
    folder: Path, served: ServedUnit
) -> None:
    brand = folder / "brand"
    brand.mkdir()
    names = '[languages]\nar = "\u0627\u0644\u0639\u0631\u0628\u064a\u0629"\nfr = "Fran\u00e7ais"\n'
    (brand / "brand.toml").write_text(f'{names}[label]\nlanguage = "ar"\n', encoding="utf-8")
    refused = provision(folder, served.address, "--development")
    assert refused.exit_code == 2 and "lacks U+" in refused.stderr and not served.unit.is_locked()
    (brand / "brand.toml").write_text(f'{names}[label]\nlanguage = "fr"\n', encoding="utf-8")
    result = provision(folder, served.address, "--development", "--json")
    assert result.exit_code == 0, result.output
    settings = ProvisionSettings(
        product=folder / "product.toml", keys=folder, registry=folder, labels=folder, port=""
    )
    assert settings.config().label_words.said("Set-up code") == "Code de configuration"


def test_a_unit_with_another_image_than_the_definitions_is_a_failure(
    folder: Path, served: ServedUnit
) -> None:
    product = folder / "product.toml"
    product.write_text(product.read_text() + f'[firmware]\nimage_sha256 = "{"ab" * 32}"\n')
    result = provision(folder, served.address, "--development")
    assert (
        result.exit_code == 1
        and "not the one of the release" in result.stderr
        and not served.unit.is_locked()
    )
    own = served.unit.image_digest.hex()
    assert provision(folder, served.address, "--development", "--image-digest", own).exit_code == 0


def test_a_definition_names_its_labels_layout(folder: Path, served: ServedUnit) -> None:
    product = folder / "product.toml"
    product.write_text(product.read_text() + 'template = "label.toml"\n')
    missing = provision(folder, served.address, "--development")
    assert missing.exit_code == 2 and "label.toml" in missing.stderr and not served.unit.is_locked()
