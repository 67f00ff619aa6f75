"""Parts that tests of investigations share: a case store, a registry with two batches, and a packing list."""

from __future__ import annotations

from pathlib import Path

from provisioning.compliance.ledger import Ledger
from provisioning.compliance.packing import SHIPPED, sign_line
from provisioning.disclosure.desk import Decision
from provisioning.failures import desk, sale
from provisioning.failures.desk import Suspicion
from provisioning.failures.investigation import Investigation
from provisioning.failures.notify import Maker, Written, notify
from provisioning.failures.origins import PERSON, Origin
from provisioning.failures.parties import Parties, parties_of
from provisioning.failures.states import Step
from provisioning.registry import branches, consignees
from provisioning.registry.consignees import Consignee
from provisioning.registry.registry import Registry
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT, Cases
from tests.unit.provisioning.registry.registry_bench import finish

BY = "E. Example"
MAKER = Maker("Example Lighting Ltd", "example.com")
AUTHORITY_EMAIL = "psti@authority.example"
HILLSIDE = Consignee(
    "hillside", "distributor", "Hillside Retail", "2 Hill Road, Leeds", "goods@hillside.example"
)
NORD = Consignee("nord", "importer", "Nord Trade", "1 Quay, Hull", None)
BUYER = Consignee("c-17", "customer", "Ada Buyer", "3 Lane, Bath", "ada@buyer.example")
FACTS = {"details": "Two units have one password.", "risks": "A stranger may sign in."}


class Failures(Cases):
    """A case store, a registry whose batches B1 and B2 are closed, and a packing list."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "reports.db")
        self.registry = Registry.create(folder / "registry.db", now=self.clock)
        self.packing = Ledger(folder / "packing.jsonl")
        for number in ("B1", "B2"):
            self.registry.open_batch(number, PRODUCT.model, bytes(32), is_development=False)
        self.serials = {
            name: finish(self.registry, at, f"code{at}", batch=batch).serial
            for at, (name, batch) in enumerate(
                (("hillside", "B1"), ("nord", "B1"), ("c-17", "B1"), ("other", "B2")), 1
            )
        }
        for number in ("B1", "B2"):
            self.registry.close_batch(number)
        for one in (HILLSIDE, NORD, BUYER):
            made, _ = consignees.record(self.registry, one, by=BY)
            self.ship(self.serials[one.id], "B1", made)

    def ship(self, serial: str, batch: str, consignee: Consignee | None) -> None:
        """Add a line to the packing list as the gate does; without a consignee as an earlier version did."""
        entry = {"event": SHIPPED, "serial": serial, "model": PRODUCT.model, "batch": batch}
        if consignee is not None:
            entry |= {"consignee": consignee.line()}  # type: ignore[dict-item]
        self.packing.append(sign_line(entry, self.registry.signer))

    def open(self, *batches: str, origin: Origin | None = None, **more: object) -> Investigation:
        suspicion = Suspicion(
            "Two labels show one code.",
            origin or Origin(PERSON),
            batches or ("B1",),
            **more,  # type: ignore[arg-type]
        )
        return desk.open_investigation(self.store, self.registry, suspicion, BY)

    def step(self, code: str, *steps: Step) -> Investigation:
        """Take steps of the table of states, and bring the stops in order as the commands do."""
        for step in steps:
            facts = FACTS if step is Step.CONFIRM else None
            desk.decide(self.store, code, step, self.decision(code), facts)
            sale.settle(self.store, self.registry, by=BY)
        return desk.load(self.store, code)

    def decision(self, code: str) -> Decision:
        return Decision(BY, desk.load(self.store, code).version, reason="seen")

    def take(self, code: str, is_successful: bool | None = True) -> Investigation:
        return desk.add_step(self.store, code, "All labels are replaced.", is_successful, self.decision(code))

    def parties(self, code: str) -> Parties:
        found = desk.load(self.store, code)
        return parties_of(found, self.registry, self.packing.entries(), None, AUTHORITY_EMAIL)

    def notify(self, code: str) -> list[Written]:
        return notify(self.store, code, self.parties(code).parties, MAKER, self.decision(code))

    def stopped(self) -> list[str]:
        return [
            number
            for number in ("B1", "B2")
            if any("CF-" in problem for problem in branches.ship_problems(self.registry, number))
        ]
