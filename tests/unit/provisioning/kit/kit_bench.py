"""A kit for tests: a registry whose units went to two parties, the published site, and the kit of one party.

The units are registered without a station, so a test costs little.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric import ec

from device.trust.anchors import ROLE_SIGNATORY
from provisioning.compliance.archive import Archive
from provisioning.compliance.check import REGISTER, SECURITY_TXT, STATEMENTS
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.packing import SHIPPED, sign_line
from provisioning.compliance.security_txt import make_security_txt
from provisioning.compliance.support_register import publish
from provisioning.compliance.withdrawals import sign_list
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.public_keys import public_pem
from provisioning.kit.build import Built, Sources, build_kit
from provisioning.kit.signed import Kit, open_kit
from provisioning.registry.consignees import Consignee, record
from provisioning.registry.registry import Registry
from provisioning.registry.sale import note_shipped
from tests.unit.provisioning.compliance.ship_bench import HILLSIDE, change
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY, issue_one
from tests.unit.provisioning.registry.registry_bench import finish

NORD = Consignee("nord", "importer", "Nord & Sons <Trade>", "1 Quay, Hull", "desk@nord.example")
SECRET_WORDS = ("goods@hillside.example", "Hill Road", "hillside", "desk@nord.example", "1 Quay", "device_id")


@cache
def _issued() -> tuple[FileSigner, TemporaryDirectory[str]]:
    """Return a signatory and an archive with one statement, made once: its pages and its insert take a second."""
    folder = TemporaryDirectory()
    signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    issue_one(Path(folder.name) / "archive", signer)
    return signer, folder


class KitFactory:
    """`mine`: units that shipped to the importer; `other`: a unit that shipped to the distributor."""

    def __init__(self, directory: Path) -> None:
        self.signer, folder = _issued()
        self.site = directory / "site"
        shutil.copytree(Path(folder.name) / "archive", self.site / STATEMENTS)
        self.archive = Archive(self.site / STATEMENTS)
        self.register = Ledger(self.site / REGISTER)
        publish(self.register, [PRODUCT], TODAY)
        self._write_contact()
        self.registry = Registry.create(directory / "registry.db", now=lambda: 1000)
        self.registry.open_batch(PRODUCT.batch, PRODUCT.model, bytes(32), is_development=False)
        self.packing = Ledger(directory / "packing.jsonl")
        self.importer, _ = record(self.registry, NORD, by="E. Example")
        self.consignee, _ = record(self.registry, HILLSIDE, by="E. Example")
        self.mine = [self.ship(1, self.importer), self.ship(2, self.importer)]
        self.serial, self.other = self.mine[0], self.ship(3, self.consignee)
        self.keys = [AnchorKey(self.signer.key_id, self.signer.algorithm, ROLE_SIGNATORY, self.signer.public)]
        sign_list(self.registry, self.archive.root, TODAY)
        self.folder = directory / "kit"

    def _write_contact(self) -> None:
        canonical = f"https://tallowgate-lighting.co.uk/{SECURITY_TXT}"
        contact = PRODUCT.contact
        path = self.site / SECURITY_TXT
        path.parent.mkdir()
        path.write_bytes(make_security_txt([contact.report], contact.policy, canonical, TODAY))

    def ship(self, hardware: int, consignee: Consignee) -> str:
        """Register a unit and add its line to the packing list as the gate does. Returns its serial number."""
        serial = finish(self.registry, hardware, f"code{hardware}", batch=PRODUCT.batch).serial
        unit = self.registry.find(serial=serial)
        assert unit is not None
        statement = self.archive.statements()[0]
        entry = {
            "event": SHIPPED,
            "serial": serial,
            "device_id": unit.device_id.hex(),
            "model": statement.model,
            "batch": unit.batch,
            "statement": {"id": statement.id, "sha256": statement.sha256},
            "support_end": PRODUCT.support.end_date.isoformat(),
            "image_sha256": bytes(32).hex(),
            "consignee": consignee.line(),
            "on": TODAY.isoformat(),
        }
        self.packing.append(sign_line(entry, self.registry.signer))
        note_shipped(self.registry, [unit.device_id])
        return serial

    def plant(self, statement: str, **values: object) -> None:
        """Change the registry without its own code."""
        change(self.registry.path, statement, values)

    def build(self, consignee: Consignee | None = None, today: dt.date = TODAY, **changes: object) -> Built:
        sources = Sources(self.registry, self.packing.entries(), self.site, self.keys, today)
        changed = dataclasses.replace(sources, **changes)  # type: ignore[arg-type]
        return build_kit(changed, consignee or self.importer, self.folder)

    def stations(self) -> list[AnchorKey]:
        signer = self.registry.signer
        return [AnchorKey(signer.key_id, signer.algorithm, ROLE_SIGNATORY, signer.public)]

    def open(self) -> Kit:
        return open_kit(self.folder, self.stations())

    def key_files(self, directory: Path) -> list[str]:
        """Return the options that name the keys of station and signatory, as files outside of the kit."""
        station, signatory = directory / "station.pub", directory / "signatory.pub"
        station.write_bytes(public_pem(self.registry.signer.public))
        signatory.write_bytes(public_pem(self.signer.public))
        return ["--station", str(station), "--trust", str(signatory)]
