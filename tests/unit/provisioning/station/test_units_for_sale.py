"""Units for sale, as docs/factory.md orders the steps: with real commands, from keys to the check by a buyer.

The boards are simulated. The outcomes of the test run are given; everything else is what a maker does.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from provisioning.compliance.evidence import FIRMWARE, REQUIRED
from provisioning.compliance.evidence_run import Checkout, make_evidence
from provisioning.compliance.issue import draw_key
from provisioning.keys.public_keys import public_pem
from provisioning.keys.signers import open_signer
from provisioning.release.image import image_info
from simulator.story.runner import wait_until
from tests.patience import communicate
from tests.unit.provisioning.compliance.test_statement_commands import table, test_run_of
from tests.unit.provisioning.real_maker import BASE_URL, REAL

ROOT: Final = Path(__file__).resolve().parents[4]
PASSPHRASE: Final = "a phrase only the signatory knows"
TIMEOUT_S: Final = 300


class Maker:
    """A folder in which a maker works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "firstboot", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def does(self, line: str, *more: str, typed: str | None = None) -> str:
        """Run a command, which must succeed; what it prints."""
        running = self.start(*line.split(), *more)
        out, err = communicate(running, TIMEOUT_S, typed)
        assert running.returncode == 0, f"{line}\n{out}\n{err}"
        return out

    def builds_site(self) -> None:
        self.does(
            f"site build --product product.toml --base-url {BASE_URL} --register register.jsonl --archive archive"
            " --out site --evidence evidence --evidence-key runner.pem --record support.cose"
            " --trust maker/keys/support.pem"
        )


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """A maker with keys, a definition, a record for devices and the first site."""
    found = Maker(tmp_path)
    (tmp_path / "product.toml").write_text(REAL.replace("mps2_an385", "simulator"))
    found.does("keys init maker --product product.toml")
    draw_key(tmp_path / "moira.pem", PASSPHRASE)
    (tmp_path / "maker/keys/signatory.pub").write_bytes((tmp_path / "moira.pub").read_bytes())
    found.does("keys generate server server")
    (tmp_path / "runner.pem").write_bytes((tmp_path / "maker/keys/tracker.pem").read_bytes())
    (tmp_path / "runner.pem").chmod(0o600)
    (tmp_path / "runner.pub").write_bytes(public_pem(open_signer(str(tmp_path / "runner.pem")).public))
    found.does(
        "release record support --product product.toml --signer maker/keys/support.pem --first"
        " --out support.cose"
    )
    found.builds_site()
    return found


def sign_evidence_for(folder: Path, image: bytes) -> None:
    """Sign evidence that every test passed on the firmware of this image."""
    body = image[0x200 : 0x200 + image_info(image).body_bytes]
    passed = test_run_of(dict.fromkeys(REQUIRED[FIRMWARE], "pass"))
    tree = Checkout(
        folder, lambda _: "c0" * 20, lambda _: body, lambda _, files: passed, lambda _, path: table()
    )
    today = dt.datetime.now(dt.UTC).date()
    found = make_evidence(tree, image, open_signer(str(folder / "runner.pem")), today)
    (folder / "evidence/firmware.cose").write_bytes(found.record)


def test_units_of_the_image_that_was_tested_are_made_shipped_and_found_by_a_buyer(maker: Maker) -> None:
    boards = maker.start("device", "bare", "--count", "1", "--keys", "maker/keys", "--folder", "boards")
    try:
        wait_until(
            "a board is at its port", lambda: (maker.folder / "boards/port1").exists() or None, TIMEOUT_S, 0.1
        )
        image = maker.folder / "boards/images/release-1.img"
        sign_evidence_for(maker.folder, image.read_bytes())
        maker.does(
            f"statement issue --product product.toml --evidence evidence/firmware.cose --runner runner.pub"
            f" --evidence evidence/publication-FB-1.cose --image {image} --archive archive --key moira.pem",
            "--name", "Moira Tallow", "--function", "Managing director",
            typed=f"2026-001\n{PASSPHRASE}\n",
        )  # fmt: skip
        maker.builds_site()
        maker.does("registry init --registry registry.db")
        maker.does(
            "station run --port unix:boards/port1 --count 1 --product product.toml --keys maker/keys"
            " --oscore-key server/oscore.pub --registry registry.db --labels labels --archive archive"
            f" --image {image}"
        )
    finally:
        boards.terminate()
        communicate(boards, TIMEOUT_S)
    maker.does("registry close-batch --registry registry.db --batch 2026-001")
    maker.does("station check-batch --registry registry.db --batch 2026-001 --labels labels")
    maker.does(
        "registry consignee hillside --registry registry.db --role distributor --email goods@hillside.example",
        "--name", "Hillside Retail", "--address", "2 Hill Road, Leeds", "--by", "Oskar Operator",
    )  # fmt: skip
    shipped = maker.does(
        "station ship --registry registry.db --archive archive --register register.jsonl --packing packing.jsonl"
        " --keys maker/keys --batch 2026-001 --consignee hillside"
    )
    assert "Shipped 1 unit " in shipped
    maker.builds_site()
    answers = maker.does(
        "statement verify FB1-000001 --site site --packing packing.jsonl --trust moira.pub"
        " --station packing.station.pub"
    )
    assert answers.count("ok ") == 7 and "NO" not in answers
