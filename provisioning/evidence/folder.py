"""The evidence folder of one image and batch: made from signed runs, and made again to verify it.

    evidence.dsse.json     in-toto statement over everything below, signed by the test runner
    evidence.json          its payload, for programs
    index.html, ...        the same for people, without script
    inputs/                the table of requirements, lists of secrets and interfaces of the commit; product definition
    runs/1/, runs/2/, ...  result files, console log and signed statement of each run

Rules:
1. Every row follows from the inputs and the runs. `verify_folder` makes the document and the pages again from them
   and compares, so a row that was edited and signed is found too.
2. The statement lists the SHA-256 of every file. A changed, missing or further file is refused.
3. Evidence counts for one image, one product type and batch, and EVIDENCE_DAYS days.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.check_outcomes import FAIL, OUTCOMES, PASS, Check, EvidenceError
from provisioning.compliance.evidence import read_table
from provisioning.compliance.evidence_run import TABLE
from provisioning.compliance.installed_software import judge_installed_software, package_digests
from provisioning.compliance.signed_evidence import EVIDENCE_DAYS
from provisioning.evidence import assessment, envelope, pages
from provisioning.evidence.errors import EnvelopeError, EvidenceRefusedError
from provisioning.evidence.matrix import LIMITS, as_json, logged, make_matrix, tagged_scenarios
from provisioning.evidence.runs import CONSOLE, ENVELOPE, TestRun, read_file, read_run, sha256, weaknesses
from provisioning.evidence.sentences import sentences_of
from provisioning.file_system import paths_below, replace_folder
from provisioning.product.product import Product, parse_product

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.signer import Signer

PREDICATE: Final = "urn:x-firstboot:evidence:1"
SIGNED: Final = "evidence.dsse.json"
JSON: Final = "evidence.json"
INPUTS: Final = "inputs"
RUNS: Final = "runs"
PRODUCT: Final = "product.toml"
SUITES: Final = "renode/suites"
ROBOT_FILES: Final = (
    "boot", "factory_reset", "first_boot", "power_cuts", "provisioning", "story", "updates",
)  # fmt: skip
# Of the commit, by their name in the folder.
SOURCES: Final = {
    "requirements.md": TABLE,
    "secrets.json": "docs/secrets.json",
    "interfaces.json": "docs/interfaces.json",
    **{f"{name}.robot": f"{SUITES}/{name}.robot" for name in ROBOT_FILES},
}
FILE_BYTES: Final = 64 << 20
FILES: Final = 200
MOST_RUNS: Final = 16


@dataclass(frozen=True)
class Evidence:
    """Evidence whose signature was verified. `document`: the predicate; `record`: the envelope; `key_id`: signer."""

    document: dict[str, Any]
    record: bytes
    image_sha256: str
    key_id: str

    def rows(self, outcome: str = "") -> list[dict[str, Any]]:
        """Return the rows with this outcome, or all."""
        return [row for row in self.document["rows"] if outcome in ("", row["outcome"])]

    @property
    def made(self) -> dt.date:
        """Return the day on which it was signed."""
        return dt.date.fromisoformat(self.document["made"])

    def summary(self) -> dict[str, Any]:
        """Return how a statement of compliance names this evidence."""
        return {
            "subject": "traceability",
            "sha256": sha256(self.record),
            "made": self.document["made"],
            "passed": len(self.rows(PASS)),
            "failed": len(self.rows(FAIL)),
            "runner": self.key_id,
        }

    def problems(self) -> list[str]:
        """Return one sentence for each row that failed."""
        return [f"{row['id']}: fail ({row['detail']})" for row in self.rows(FAIL)]


def make_document(
    inputs: Mapping[str, bytes], runs: Sequence[TestRun], made: dt.date, installed: Check, packages: str = ""
) -> dict[str, Any]:
    """Return the document of an evidence folder (rule 1). `inputs`: by the names in SOURCES, and PRODUCT.

    Raises EvidenceError, ProductError, StatementError.
    """
    table = read_table(_text(inputs, "requirements.md"))
    product = parse_product(_text(inputs, PRODUCT), PRODUCT)
    scenarios: dict[tuple[str, str], list[str]] = {}
    for name in inputs:
        if name.endswith(".robot"):
            # Robot Framework shows `first_boot.robot` as "First Boot".
            suite = name.removesuffix(".robot").replace("_", " ").title() + ".robot"
            scenarios |= tagged_scenarios(suite, _text(inputs, name))
    places = [
        logged(f"{RUNS}/{number}", run.cases, run.files.get(CONSOLE, b""))
        for number, run in enumerate(runs, 1)
    ]
    rows = make_matrix(table, places, sentences_of(product, table, made), installed, scenarios)
    return {
        "kind": "evidence",
        "made": made.isoformat(),
        "product": {
            "type": product.product_type,
            "brand": product.brand,
            "model": product.model,
            "batch": product.batch,
        },
        "image": {"version": runs[0].version, "sha256": runs[0].image_sha256},
        "commit": runs[0].commit,
        "installed_software": {
            "outcome": installed.outcome,
            "detail": installed.detail,
            "packages": packages,
        },
        "runs": [
            {"made": run.made.isoformat(), "tools": run.tools, "runner": run.runner, "cases": len(run.cases)}
            for run in runs
        ],
        "limits": list(LIMITS),
        "rows": as_json(rows),
        **assessment.make_assessment(
            rows, product, _json(inputs, "secrets.json"), _json(inputs, "interfaces.json")
        ),
    }


def build_folder(
    place: Path,
    product: Path,
    inputs: Mapping[str, bytes],
    runs: Sequence[TestRun],
    software: Mapping[str, bytes],
    image_sha256: str,
    signer: Signer,
    today: dt.date,
) -> Evidence:
    """Write the evidence folder. `software`: packages by component name. Returns what was signed.

    Raises EvidenceRefusedError if the runs do not fit the image or are too old, EvidenceError, ProductError, OSError.
    """
    if not 0 < len(runs) <= MOST_RUNS:
        raise EvidenceError(f"evidence is made of 1 to {MOST_RUNS} runs")
    found = weaknesses(runs, image_sha256, today)
    if found:
        raise EvidenceRefusedError(found)
    given = dict(inputs) | {PRODUCT: read_file(product, FILE_BYTES)}
    definition = parse_product(_text(given, PRODUCT), product.name)
    if definition.image_sha256 is not None and definition.image_sha256.hex() != image_sha256:
        raise EvidenceRefusedError(
            ["the image is not the one of image_sha256 in [firmware] of the definition"]
        )
    installed = judge_installed_software(definition, software)
    document = make_document(given, runs, today, installed, package_digests(software))
    files = _files(document, given, runs)
    document["files"] = {name: sha256(data) for name, data in sorted(files.items())}
    payload = envelope.payload_of(_statement(document))
    record = envelope.sign(payload, signer)
    replace_folder(place, files | {JSON: payload, SIGNED: record})
    return Evidence(document, record, image_sha256, signer.key_id.hex())


def _statement(document: Mapping[str, Any]) -> dict[str, Any]:
    image = document["image"]
    return envelope.make_statement(f"firmware image {image['version']}", image["sha256"], PREDICATE, document)


def _files(
    document: Mapping[str, Any], inputs: Mapping[str, bytes], runs: Sequence[TestRun]
) -> dict[str, bytes]:
    """Return every file of the folder but the signed one and its payload, by path."""
    found = {f"{INPUTS}/{name}": data for name, data in inputs.items()}
    for number, run in enumerate(runs, 1):
        found |= {f"{RUNS}/{number}/{name}": data for name, data in run.files.items()}
        found[f"{RUNS}/{number}/{ENVELOPE}"] = run.record
    return found | pages.make_pages(document)


def read_evidence(data: bytes, runners: Iterable[AnchorKey], source: str = SIGNED) -> Evidence:
    """Return the evidence in an envelope. Raises EvidenceError, EvidenceRefusedError."""
    found = envelope.read(data, runners, (PREDICATE,), source)
    document = found.predicate
    try:
        is_ours = document["kind"] == "evidence" and document["image"]["sha256"] == found.subject
        is_ours = is_ours and all(
            row["outcome"] in OUTCOMES and isinstance(row["id"], str) for row in document["rows"]
        )
        is_ours = is_ours and isinstance(document["files"], dict) and dt.date.fromisoformat(document["made"])
        _ = (
            document["product"]["model"],
            document["product"]["batch"],
            document["installed_software"]["outcome"],
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        is_ours = False
    if not is_ours:
        raise EnvelopeError(f"{source} is not evidence of this version of Firstboot")
    return Evidence(document, data, found.subject, found.key_id.hex())


def verify_folder(
    place: Path, runners: Sequence[AnchorKey], today: dt.date, image_sha256: str | None = None
) -> Evidence:
    """Return the evidence in a folder after every check (rules 1 to 3).

    Raises EvidenceError, EvidenceRefusedError, OSError.
    """
    record = read_file(place / SIGNED, envelope.ENVELOPE_BYTES)
    found = read_evidence(record, runners, SIGNED)
    problems = _changed_files(place, found.document["files"])
    if problems:
        raise EvidenceRefusedError(problems)
    problems = _not_about(found, today, image_sha256)
    inputs = {name: _read(place, f"{INPUTS}/{name}") for name in (*SOURCES, PRODUCT)}
    runs = [
        read_run(place / RUNS / str(number), runners, f"{RUNS}/{number}")
        for number in range(1, _count(found) + 1)
    ]
    problems += weaknesses(runs, found.image_sha256, found.made)
    software = found.document["installed_software"]
    installed = Check("PW-05", software["outcome"], software["detail"])
    again = make_document(inputs, runs, found.made, installed, software["packages"])
    again["files"] = {name: sha256(data) for name, data in sorted(_files(again, inputs, runs).items())}
    payload = envelope.payload_of(_statement(again))
    if json.loads(json.dumps(again)) != found.document or payload != _read(place, JSON):
        problems.append("the rows do not follow from the results in the folder")
    if problems:
        raise EvidenceRefusedError(problems)
    return found


def _count(found: Evidence) -> int:
    return min(len(found.document["runs"]), MOST_RUNS)


def _read(place: Path, name: str) -> bytes:
    return read_file(place / name, FILE_BYTES)


def _changed_files(place: Path, digests: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each file that is changed, missing, or in no list."""
    there = {str(path.relative_to(place)): path for path in paths_below(place) if not path.is_dir()}
    if len(there) > FILES or len(digests) > FILES:
        return [f"the folder has more than {FILES} files"]
    found = [f"{name} is missing" for name in digests if name not in there]
    for name, path in there.items():
        if name in (SIGNED, JSON):
            continue
        if name not in digests:
            found.append(f"{name} does not belong to the evidence")
        elif path.is_symlink() or sha256(read_file(path, FILE_BYTES)) != digests[name]:
            found.append(f"{name} was changed")
    return found


def _not_about(found: Evidence, today: dt.date, image_sha256: str | None) -> list[str]:
    problems = []
    if image_sha256 not in (None, found.image_sha256):
        problems.append(f"the evidence is about image {found.image_sha256}, not {image_sha256}")
    if found.made > today:
        problems.append(f"the evidence has a date in the future, {found.made}")
    if (today - found.made).days > EVIDENCE_DAYS:
        problems.append(f"the evidence of {found.made} is older than {EVIDENCE_DAYS} days")
    return problems


def not_for(found: Evidence, product: Product, image_sha256: str | None, today: dt.date) -> list[str]:
    """Return why a statement for this product and image cannot name this evidence today, one sentence each."""
    about = found.document["product"]
    problems = _not_about(found, today, image_sha256) + found.problems()
    for name, value in (("model", product.model), ("batch", product.batch)):
        if about[name] != value:
            problems.append(f"the traceability evidence is about {name} {about[name]}, not {value}")
    return problems


def _text(inputs: Mapping[str, bytes], name: str) -> str:
    try:
        return inputs[name].decode("utf-8-sig")
    except (KeyError, UnicodeDecodeError):
        raise EvidenceError(f"{name} is missing or not UTF-8") from None


def _json(inputs: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        found = json.loads(_text(inputs, name))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise EvidenceError(f"{name} is not a JSON object")
    return found
