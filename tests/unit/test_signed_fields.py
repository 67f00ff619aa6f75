"""docs/reference/signed-records.md lists every field of every signed record, and each reader that it names exists."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import memory_unit
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import cbor, cose
from device.factory import factory_port
from device.records import contact, freshness, support
from device.suit import registry, report
from device.trust import anchors, keyset
from provisioning.compliance import evidence, statement
from provisioning.keys.file_signer import FileSigner
from provisioning.product.example import EXAMPLE
from provisioning.product.product import parse_product
from provisioning.registry.chains import make_checkpoint

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "signed-records.md"
CLASS = bytes(16)
ROLLOUT = freshness.Rollout(1, bytes(16), 1)
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
READER = re.compile(r"`([\w/]+\.py)::(\w+)`")
TYP = re.compile(r"application/vnd\.firstboot\.([a-z-]+)\+(?:cbor|json)")


def tables() -> dict[str, dict[str, str]]:
    """Section of the page -> field -> the cell that names its readers."""
    found = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        rows = [row for row in ROW.findall(part) if row[0] not in ("field", "---")]
        assert len({row[0] for row in rows}) == len(rows), part[:40]
        found[part.partition("\n")[0]] = {row[0]: row[2] for row in rows}
    return found


def numbers(fields: Iterable[Any]) -> set[str]:
    return {str(number) for number in fields}


def literal_keys(place: str, function: str) -> set[str]:
    """The keys of the dictionaries that a function writes out, those inside other values left out."""
    tree = ast.parse((ROOT / place).read_text(encoding="utf-8"))
    (found,) = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    inner = {
        id(part)
        for node in ast.walk(found)
        if isinstance(node, (ast.Dict, ast.DictComp))
        for value in (node.values if isinstance(node, ast.Dict) else [node.value])
        for part in ast.walk(value)
    }
    return {
        str(key.value)
        for node in ast.walk(found)
        if isinstance(node, ast.Dict) and id(node) not in inner
        for key in node.keys
        if isinstance(key, ast.Constant)
    }


# What the code writes -------------------------------------------------------------------------------------
def _key_set() -> dict[int, Any]:
    keys = (
        anchors.Key(b"root", cose.ALG_ESP256, anchors.ROLE_ROOT, b"\x04" + bytes(64)),
        anchors.Key(b"time", cose.ALG_ESP256, anchors.ROLE_TRACKER, b"\x04" + bytes(64)),
    )
    rules = anchors.Rules(
        (anchors.Policy(anchors.ROLE_ROOT, 1, ()),), (anchors.Interval(b"time", 0, 1),), 1, (b"old",)
    )
    fields: dict[int, Any] = cbor.decode(
        keyset.encode(keyset.KeySet(CLASS, 1, keys, rules, (), keyset.Ceilings(1, 1)))
    )
    return fields


def _hello() -> set[str]:
    unit = memory_unit.MemoryUnit()
    unit.device.write("device.key", b"\x01" * 32)
    unit.device.write_map("sealed", {1: bytes(32)})
    return numbers(cbor.decode(cose.decode(factory_port.signed_hello(unit.device, bytes(16))).payload))


def _report() -> set[str]:
    """The fields of the smallest report, and the extensions, which are the module's negative constants."""
    made = report.Report(report.NO_REFERENCE, None, bytes(32), "", 0, 0, False, {})
    extensions = [value for value in vars(report).values() if type(value) is int and value < -4]
    return numbers(cbor.decode(report.encode(made))) | numbers(extensions)


def _statement() -> set[str]:
    demonstration = statement.build_statement(parse_product(EXAMPLE), dt.date(2026, 11, 1))
    return set(demonstration) | literal_keys("provisioning/compliance/issue.py", "prepare")


def _evidence() -> set[str]:
    made = evidence.Evidence(evidence.FIRMWARE, {}, dt.date(2026, 11, 1), ())
    return set(json.loads(made.to_json()))


def _checkpoint() -> set[str]:
    signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    return set(json.loads(make_checkpoint(bytes(16), 1, 0, None, (), signer))["checkpoint"])


def _sync_file() -> set[str]:
    place = "provisioning/registry/sync_file.py"
    found = set()
    for function in ("export", "take_in", "_sign"):
        found |= literal_keys(place, function)
    return found - {"content", "key", "signature"}  # the parts around the signed text


WRITTEN: Mapping[str, Callable[[], set[str]]] = {
    "Freshness record": lambda: numbers(
        cbor.decode(freshness.encode_payload(CLASS, bytes(16), 1, 1, 1, 1, ROLLOUT))
    ),
    "Freshness request": lambda: numbers(
        cbor.decode(freshness.encode_request(freshness.challenge(bytes(16), CLASS, 0)))
    ),
    "Support record": lambda: numbers(cbor.decode(support.encode(support.SupportRecord(CLASS, 1, 1, 1, 1)))),
    "Security contact": lambda: numbers(
        cbor.decode(contact.encode(contact.Contact(1, "https://a", "a", "a", "https://a")))
    ),
    "Key set": lambda: numbers(_key_set()),
    "Key of a key set": lambda: numbers(number for key in _key_set()[4] for number in key),
    "Policy of a key set": lambda: numbers(_key_set()[5][0]),
    "Envelope": lambda: numbers(number for number, _ in registry.ENVELOPE_MEMBERS),
    "Manifest": lambda: numbers(number for number, _ in registry.MANIFEST_MEMBERS),
    "Parameters of a manifest": lambda: numbers(number for number, _ in registry.PARAMETERS),
    "Texts of a manifest": lambda: numbers(number for number, _ in registry.TEXTS),
    "Report of a unit": _report,
    "Hello of a locked unit": _hello,
    "Statement of compliance": _statement,
    "Files of a statement": lambda: literal_keys("provisioning/compliance/statement.py", "sign_files"),
    "Evidence": _evidence,
    "Packing line": lambda: literal_keys("provisioning/compliance/gate.py", "_line"),
    "List of withdrawn units": lambda: (
        literal_keys("provisioning/compliance/withdrawals.py", "sign_list") - {"serial", "device_id", "state"}
    ),  # of one unit in the list
    "Kit": lambda: literal_keys("provisioning/kit/signed.py", "sign_kit"),
    "Production record": lambda: (
        literal_keys("provisioning/station/steps_lock.py", "record_pass") - {"chain_hash"}
    ),
    "Checkpoint": _checkpoint,
    "Sync file": _sync_file,
}


@pytest.mark.parametrize("section", sorted(WRITTEN))
def test_the_page_lists_each_field_that_the_code_writes(section: str) -> None:
    assert set(tables()[section]) == WRITTEN[section]()


def test_no_section_of_the_page_is_left_out_of_this_test() -> None:
    assert set(tables()) == set(WRITTEN)


def test_each_field_names_a_reader_that_exists() -> None:
    """A reader is a function, class or constant of the file. Only "people" may take its place."""
    found = []
    for section, fields in tables().items():
        for field, cell in fields.items():
            readers = READER.findall(cell)
            if not readers and not cell.startswith("people"):
                found.append(f"{section} {field}: names no reader")
            for place, name in readers:
                source = ROOT / place
                if not source.is_file() or not re.search(
                    rf"^ *(?:(?:async )?def|class) {name}\b|^{name}\b.*=", source.read_text(), re.M
                ):
                    found.append(f"{section} {field}: {place} has no {name}")
    assert found == []


def test_each_record_type_of_the_code_has_a_section() -> None:
    """A new `typ` without a row here is a record whose fields nobody listed."""
    sections = {
        "freshness": "Freshness record",
        "support": "Support record",
        "contact": "Security contact",
        "keyset": "Key set",
        "hello": "Hello of a locked unit",
        "statement": "Statement of compliance",
        "statement-files": "Files of a statement",
        "evidence": "Evidence",
        "packing-line": "Packing line",
        "withdrawn-units": "List of withdrawn units",
        "kit": "Kit",
    }
    used = {
        name
        for folder in ("device", "provisioning", "simulator", "renode", "firstboot")
        for path in (ROOT / folder).rglob("*.py")
        for name in TYP.findall(path.read_text(encoding="utf-8"))
    }
    assert used == set(sections)
    assert set(sections.values()) <= set(WRITTEN)
