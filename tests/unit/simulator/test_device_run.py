"""`firstboot device run --json`: everything that a script needs, in one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

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
        assert process.wait(60) == 0
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


def test_an_image_that_no_key_of_the_folder_signed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"no image")
    command = [sys.executable, "-m", "firstboot", "device", "run", "--image", "image", "--keys", "keys"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "not a signed boot image" in done.stderr
