"""Labels and statements per second of one core: processor time, so that other programs do not count."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from provisioning.compliance.forms import statement_html, statement_pdf
from provisioning.compliance.statement import build_statement, statement_json
from provisioning.station.label_forms import label_as
from provisioning.station.labels import Label, print_label, read_back
from provisioning.station.setup_code import generate_code
from tests.unit.provisioning.station.station_bench import PRODUCT

FEWEST = 10


def _label() -> Label:
    return Label(
        brand=PRODUCT.brand,
        model=PRODUCT.model,
        batch=PRODUCT.batch,
        serial="FB1-000001",
        manufacturer=PRODUCT.manufacturer.name,
        support_end="31 December 2031",
        address="https://fb-3f9a2c71.local/setup",
        fingerprint=bytes(range(32)),
        is_development=True,
        code=generate_code(),
    )


def per_second(action: Callable[[], object], seconds: float) -> float:
    """Return the calls per second of processor time, without the first call, which loads fonts and templates."""
    action()
    calls, began = 0, time.process_time()
    while (used := time.process_time() - began) < seconds or calls < FEWEST:
        action()
        calls += 1
    return calls / used


def report(seconds: float) -> None:
    """Print both tables."""
    document = build_statement(PRODUCT, dt.date(2026, 11, 22))
    with tempfile.TemporaryDirectory() as folder:
        path, label = Path(folder) / "label.png", _label()
        actions: dict[str, Callable[[], object]] = {
            "label PNG, drawn and on disk": lambda: print_label(label, path),
            "label read back": lambda: read_back(label, path),
            "label PDF from its dots": lambda: label_as(path, "pdf"),
            "label ZPL from its dots": lambda: label_as(path, "zpl"),
            "statement JSON": lambda: statement_json(build_statement(PRODUCT, dt.date(2026, 11, 22))),
            "statement HTML": lambda: statement_html(document),
            "statement PDF": lambda: statement_pdf(document),
        }
        print("rendering, each second of one core:")
        for name, action in actions.items():
            print(f"  {name:29} {per_second(action, seconds):8.0f}/s")
