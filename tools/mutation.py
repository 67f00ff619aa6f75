"""Mutation testing of the code that decides what a unit trusts and starts (`make mutation`).

One place of a module changes at a time (tools/mutants.py: operators and numbers, and statements that are removed), and
the tests that reach it run (tools/mutation_run.py). A change that no test notices is a survivor. It runs in a copy of
the checkout, one module after the other.

    make mutation                                    every module of TARGETS
    make mutation ARGS="device/trust/keyset.py"      one module

How to read the report: `killed` is good. For a survivor, write the test that notices it, with the right value asserted.
If the changed code behaves the same, add its lines to ACCEPTED with the reason. The command fails if a survivor is
not accepted, if an accepted change is not a survivor any more, or if the tests of an unchanged module fail.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from mutants import mutants_of

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / "build" / "mutation"
ACCEPTED: Final = ROOT / "tests" / "mutation-accepted.json"
RUNNER: Final = ROOT / "tools" / "mutation_run.py"

DUAL: Final = "tests/dual/test_{}.py"
_ON_HOST: Final = "tests/emulated/test_boot_on_host.py"
_BOARD: Final = "device/boards/mps2_an385"
# A name without a slash is a dual test.
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "device/trust/signatures.py": ("signatures", "keyset", "trusted_records"),
    "device/trust/keyset.py": ("keyset", "keyset_fields", "update_keys", "update_floors"),
    "device/trust/anchors.py": ("trusted_records", "keyset", "signatures", "trust"),
    "device/trust/verify.py": ("trust", "trust_app", "trust_delta", "trusted_records", "signatures"),
    "device/trust/profile.py": ("trust", "trust_app", "trust_delta"),
    "device/update/trial_state.py": ("trial_state", "update_floors", "verdicts"),
    "device/update/trusted_state.py": (
        "trusted_state",
        "update_keys",
        "update_floors",
        "withheld",
        "signed_records",
    ),
    "device/update/signed_records.py": ("signed_records", "update_contact", "update_keys"),
    "device/update/failures.py": ("verdicts", "appset"),
    "device/update/releases.py": ("verdicts", "appset", "update_keys"),
    "device/update/pending.py": ("verdicts", "tests/unit/device/agent/test_updater.py"),
    "device/update/service.py": ("verdicts", "update_keys", "update_contact", "update_floors"),
    "device/update/withheld.py": ("withheld", "tests/unit/device/agent/test_withheld_unit.py"),
    "device/update/slots.py": ("slots", "flow", "image_keys"),
    "device/update/running_image.py": ("image_keys",),
    "device/update/app_choice.py": ("appset",),
    "device/update/appset.py": ("appset", "flow"),
    "device/update/flow.py": ("flow", "appset", "patching"),
    "device/update/patching.py": ("patching", "delta"),
    "device/update/delta.py": ("delta", "patching"),
    "device/update/journal.py": ("update_keys", "verdicts"),
    "device/update/progress.py": ("update_keys", "update_floors"),
    "device/update/installer.py": ("verdicts", "appset"),
    "device/owner/onboarding.py": (
        "onboarding",
        "password_change",
        "reset",
        "tests/unit/device/owner/test_key_store.py",
    ),
    "device/owner/credential.py": (
        "onboarding",
        "password_change",
        "tests/unit/device/owner/test_key_store.py",
    ),
    "device/owner/setup_code.py": ("typed", "factory_setup_code", "onboarding"),
    "device/owner/throttle.py": ("onboarding", "reset"),
    "device/owner/reset.py": ("reset", "lifecycle"),
    "device/owner/lifecycle.py": ("lifecycle", "onboarding", "reset"),
    "device/owner/passwords.py": ("passwords", "password_change"),
    "device/owner/typed.py": ("typed", "passwords", "tests/unit/device/owner/test_typed_ranges.py"),
    "device/records/freshness.py": ("freshness",),
    "device/records/support.py": (
        "support",
        "support_clock",
        "tests/unit/device/records/test_civil_dates.py",
    ),
    "device/records/timekeeper.py": ("support_clock", "update_keys", "uptime"),
    "device/records/staleness.py": ("staleness", "tests/unit/device/agent/test_trusted_time.py"),
    "device/net/places.py": ("places",),
    # The boot decision: of the board's boot ROM, compiled for the host, and of its twin in the simulator.
    f"{_BOARD}/rom/boot.c": (
        f"{_ON_HOST}::test_the_decision_is_the_models_for_every_mix_of_whole_and_torn_marks",
        f"{_ON_HOST}::test_a_trial_whose_tried_mark_cannot_be_written_does_not_start",
        f"{_ON_HOST}::test_every_programmed_unit_counts_whole_or_torn",
        f"{_ON_HOST}::test_a_mark_that_a_cut_tore_is_read_on_the_safe_side",
        f"{_ON_HOST}::test_the_slot_that_was_confirmed_last_starts_and_the_other_one_in_its_place",
        f"{_ON_HOST}::test_a_trial_that_is_refused_leaves_the_confirmed_slot",
        f"{_ON_HOST}::test_any_programmed_byte_makes_a_unit_count",
    ),
    "simulator/boot.py": ("tests/powercut/test_engine.py", "tests/powercut/test_boot_keys.py"),
}


class FailedError(Exception):
    """A module could not be judged."""


def tests_of(module: str) -> list[str]:
    """Return the tests to run for a module. Raises KeyError for a module without an entry."""
    return [name if "/" in name else DUAL.format(name) for name in TARGETS[module]]


def copy_checkout() -> Path:
    """Return a fresh copy of the tracked files."""
    tree = WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in listed.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)
    return tree


def mutate(tree: Path, module: str) -> list[dict[str, str]]:
    """Return `outcome` and `key` of each change of `module`. Raises FailedError if the unchanged module fails."""
    name = module.replace("/", "-")
    job, out = WORK / f"{name}.json", WORK / f"{name}.results"
    mutants = mutants_of(module, (tree / module).read_text(encoding="utf-8"))
    told = {"module": module, "tests": tests_of(module), "mutants": [asdict(one) for one in mutants]}
    job.write_text(json.dumps(told), encoding="utf-8")
    out.unlink(missing_ok=True)
    done = subprocess.run([sys.executable, str(RUNNER), str(job), str(out)], cwd=tree, check=False)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if "error" in line:
            raise FailedError(line["error"])
    found = [
        {"outcome": line["outcome"], "key": mutants[line["number"]].key} for line in lines if "number" in line
    ]
    if done.returncode or len(found) != len(mutants):
        raise FailedError(f"stopped after {len(found)} of {len(mutants)} changes")
    return found


def report(module: str, results: list[dict[str, str]], accepted: dict[str, dict[str, str]]) -> int:
    """Print the score and the survivors of a module; return how many lines of the report ask for work."""
    survivors = [one for one in results if one["outcome"] != "killed"]
    reasons = accepted.get(module, {})
    open_ones = [one for one in survivors if one["key"] not in reasons]
    stale = sorted(set(reasons) - {one["key"] for one in survivors})
    killed = len(results) - len(survivors)
    print(
        f"{module}: {killed} of {len(results)} killed, {len(survivors) - len(open_ones)} accepted,"
        f" {len(open_ones)} open",
        flush=True,
    )
    for one in open_ones:
        print(f"  {one['outcome']}: " + one["key"].replace("\n", "\n    "), flush=True)
    for key in stale:
        print("  accepted, but no survivor: " + key.replace("\n", "\n    "), flush=True)
    return len(open_ones) + len(stale)


def main(modules: list[str]) -> int:
    """Run the modules; return 0 if every change was noticed or is accepted."""
    chosen = modules or list(TARGETS)
    unknown = [module for module in chosen if module not in TARGETS]
    if unknown:
        print(f"no tests are listed for {', '.join(unknown)}: add them to TARGETS in tools/mutation.py")
        return 2
    accepted = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:  # a second run would change the files of the first
        fcntl.flock(lock, fcntl.LOCK_EX)
        return run_all(copy_checkout(), chosen, accepted)


def run_all(tree: Path, chosen: list[str], accepted: dict[str, dict[str, str]]) -> int:
    """Run the modules in the copy; return 0 if every change was noticed or is accepted."""
    left = 0
    for module in chosen:
        try:
            results = mutate(tree, module)
        except FailedError as error:
            print(f"{module}: {error}", flush=True)
            left += 1
            continue
        left += report(module, results, accepted)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
