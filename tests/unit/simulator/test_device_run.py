"""`firstboot device run --json`: everything that a script needs, in one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from device.net import wifi
from provisioning.onboarding.client import DeviceClient
from simulator.cli.device_air import KEYS, change_passphrase, home_of, make_air
from simulator.story.runner import wait_until
from tests.patience import ended, until

APP = "async def run(context):\n    context.report('from the maker')\n"


def test_two_units_of_a_makers_product_name_every_address_file_and_label(tmp_path: Path) -> None:
    from provisioning.product.example import EXAMPLE

    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text(APP)
    (tmp_path / "product.toml").write_text(EXAMPLE.replace("Example Brand", "Acme"))
    command = [sys.executable, "-m", "firstboot", "device", "run", "--units", "2", "--json"]
    options = ["--product", "product.toml", "--app", "app", "--keys", "keys", "--keep", "unit"]
    with subprocess.Popen([*command, *options], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert ended(process) == 0
    assert [one["label"]["brand"] for one in found["units"]] == ["Acme", "Acme"]
    assert len({one["serial"] for one in found["units"]} | {one["port"] for one in found["units"]}) == 4
    assert found["servers"]["mqtt"]["port"] != found["servers"]["coap"]["port"]
    files = [found["servers"]["ca"], *found["servers"]["mqtt"]["publisher"].values(), found["keys"]["author"]]
    files += [found["product"], found["registry"], found["servers"]["coap"]["store"]]
    files += [found["units"][1]["console"], found["units"][1]["label"]["picture"], found["units"][1]["flash"]]
    assert not [name for name in files if not (tmp_path / name).exists()]
    listed = subprocess.run(
        [sys.executable, "-m", "firstboot", "nvm", "ls", found["units"][0]["flash"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0 and "device/identity" in listed.stdout
    assert found["keys"]["folder"] == str(tmp_path / "keys") or found["keys"]["folder"] == "keys"


def test_a_supervisor_that_sends_its_signal_again_and_again_changes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "firstboot", "device", "run", "--json", "--keys", "keys"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["units"]

        def has_ended() -> bool:
            process.send_signal(signal.SIGTERM)
            return process.poll() is not None

        until("its end", has_ended, 180)
        printed = process.stderr.read()
        assert process.returncode == 0 and "Traceback" not in printed and "device: ended" in printed


def test_an_image_that_no_key_of_the_folder_signed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"no image")
    command = [sys.executable, "-m", "firstboot", "device", "run", "--image", "image", "--keys", "keys"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "not a signed boot image" in done.stderr


def test_a_person_can_bring_a_unit_with_a_radio_from_its_label_onto_a_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "firstboot", "device", "run", "--air", "--json"]
    options = ["--keys", "keys", "--keep", "unit"]
    with subprocess.Popen([*command, *options], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        try:
            assert {"name": "Home", "passphrase": KEYS[0], "security": wifi.WPA2} in found["networks"]
            one = found["units"][0]
            assert one["label"]["network_passphrase"] not in ("", one["label"]["setup_code"])
            with urllib.request.urlopen(one["plain_url"], timeout=600) as page:  # noqa: S310 - loopback
                assert "Continue" in page.read().decode()
            owner = DeviceClient(lambda: (one["host"], one["port"]), one["label"]["certificate_sha256"])
            code, password = one["label"]["setup_code"], "orange kettle under the bridge"
            assert owner.request("POST", "/setup", {"code": code, "password": password}).status == 303
            assert owner.sign_in(password)
            form = {"action": "join", "network": "other", "name": "Home", "passphrase": KEYS[0]}
            assert owner.request("POST", "/network", form).status == 303

            def is_joined() -> bool | None:
                return "The device is connected to Home." in owner.request("GET", "/network").text or None

            wait_until("the network", is_joined, 180)
        finally:
            process.send_signal(signal.SIGTERM)
            assert ended(process) == 0


def test_a_changed_passphrase_is_another_one_each_time() -> None:
    air = make_air()
    home = home_of(air)
    for _ in range(3):
        before = home.passphrase
        assert change_passphrase(air).encode() == home.passphrase != before


@pytest.mark.parametrize("options", [["--on", "renode"], ["--on", "qemu", "--board", "mps2-an505"]])
def test_another_emulator_or_board_has_no_model_of_a_radio(tmp_path: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "firstboot", "device", "run", "--air", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "no model of a radio" in " ".join(done.stderr.split())
