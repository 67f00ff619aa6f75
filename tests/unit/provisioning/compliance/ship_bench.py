"""A factory with production keys for tests: its archive, a published register, and one finished unit."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from provisioning.compliance.archive import Archive
from provisioning.compliance.check import REGISTER, SECURITY_TXT, STATEMENTS, Delivery
from provisioning.compliance.gate import Gate, Refusal, ShipError
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.security_txt import make_security_txt
from provisioning.compliance.support_register import publish
from provisioning.compliance.withdrawals import PATTERN, sign_list
from provisioning.keys.key_id import AnchorKey
from provisioning.product.product import Product
from provisioning.registry.consignees import Consignee, record
from provisioning.station.station import Station
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY, issue_one, production_keys
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit

HILLSIDE = Consignee(
    "hillside", "distributor", "Hillside Retail Ltd", "2 Hill Road, Leeds LS1 2AB", "goods@hillside.example"
)


def change(path: Path, statement: str, values: dict[str, object]) -> None:
    """Change a registry's file as another program would."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


class Factory:
    """A station with production keys, its archive, a published register, and one finished unit."""

    def __init__(self, directory: Path, product: Product = PRODUCT) -> None:
        self.bench = Bench(directory)
        self.bench.keys, self.signer = production_keys(directory / "production-keys")
        self.site = directory / "site"
        self.archive = Archive(self.site / STATEMENTS)
        self.register = Ledger(self.site / REGISTER)
        self.packing = Ledger(directory / "packing.jsonl")
        self.product = product
        issue_one(self.archive.root, self.signer, product)
        publish(self.register, [product], TODAY)
        self.consignee, _ = record(self.bench.registry, HILLSIDE, by="E. Example")
        self.serial = self.make()

    def make(self) -> str:
        return self.station().provision(MemoryUnit().stream()).serial

    def station(self) -> Station:
        return self.bench.station(
            development=False,
            archive_dir=self.archive.root,
            product=self.product,
            labels_dir=self.site / "labels",
        )

    def gate(self, today: dt.date = TODAY, **changes: object) -> Gate:
        gate = Gate(
            self.bench.registry,
            self.archive,
            self.register.lines(),
            self.packing,
            self.bench.keys.anchor_keys(),
            today,
            self.consignee,
        )
        return dataclasses.replace(gate, **changes)  # type: ignore[arg-type]

    def refused(self, today: dt.date = TODAY, **changes: object) -> tuple[Refusal, ...]:
        with pytest.raises(ShipError) as caught:
            self.gate(today, **changes).ship(serial=self.serial)
        assert not self.packing.entries()
        return caught.value.refusals

    def plant(self, statement: str, **values: object) -> None:
        """Change the registry without its own code."""
        change(self.bench.registry.path, statement, values)

    def delivery(self, **changes: object) -> Delivery:
        path = self.site / SECURITY_TXT
        if not path.exists():
            path.parent.mkdir()
            contact = PRODUCT.contact
            path.write_bytes(
                make_security_txt(
                    [contact.report],
                    contact.policy,
                    f"https://tallowgate-lighting.co.uk/{SECURITY_TXT}",
                    TODAY,
                )
            )
        signer = self.bench.registry.signer
        if not list(self.archive.root.glob(PATTERN)):
            sign_list(self.bench.registry, self.archive.root, TODAY)
        stations = [AnchorKey(signer.key_id, signer.algorithm, 5, signer.public)]
        delivery = Delivery(self.site, self.packing.path, self.bench.keys.anchor_keys(), TODAY, stations)
        return dataclasses.replace(delivery, **changes)  # type: ignore[arg-type]
