"""Mutation testing of the code that decides what a unit trusts (`make mutation`): a test must notice each change.

cosmic-ray changes one place of a module at a time and runs the tests that cover it. A change that no test notices is
a survivor. It runs in a copy of the checkout, in one process, one module after the other.

    make mutation                                    every module of TARGETS
    make mutation ARGS="device/trust/keyset.py"      one module

How to read the report: `killed` is good. For a survivor, write the test that notices it, with the right value asserted.
If the changed code behaves the same, add its two lines to ACCEPTED with the reason. The command fails if a survivor is
not accepted, or if the tests of an unchanged module fail.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / "build" / "mutation"
ACCEPTED: Final = ROOT / "tests" / "mutation-accepted.json"
TIMEOUT_S: Final = 60  # of one run of the tests; a change that makes a loop endless counts as noticed

DUAL: Final = "tests/dual/test_{}.py"
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "device/trust/signatures.py": ("signatures", "keyset", "trusted_records"),
    "device/trust/keyset.py": ("keyset", "update_keys"),
    "device/trust/anchors.py": ("trusted_records", "keyset", "signatures", "trust"),
    "device/trust/verify.py": ("trust", "trust_app", "trust_delta", "trusted_records", "signatures"),
    "device/trust/profile.py": ("trust", "trust_app", "trust_delta"),
    "device/update/flow.py": ("flow", "appset", "patching"),
    "device/update/patching.py": ("patching", "delta"),
    "device/update/signed_records.py": ("signed_records", "update_contact", "update_keys"),
    "device/update/slots.py": ("slots", "flow", "image_keys"),
    "device/update/trial_state.py": ("trial_state",),
    "device/update/trusted_state.py": ("update_keys", "update_contact", "signed_records"),
    "device/update/appset.py": ("appset", "flow"),
    "device/owner/onboarding.py": ("onboarding", "password_change", "reset"),
    "device/owner/throttle.py": ("onboarding", "reset"),
    "device/owner/lifecycle.py": ("lifecycle", "onboarding", "reset"),
    "device/net/places.py": ("places",),
}
# The boot decision on the host: the twin of the boot ROM.
HOST_TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "simulator/boot.py": ("tests/powercut/test_engine.py", "tests/unit/simulator")
}
# Changes that do not matter for this code: identity for equality, one arithmetic for another of the same size.
SKIPPED: Final = (
    "core/ReplaceComparisonOperator_.*_(Is|IsNot)",
    "core/ReplaceComparisonOperator_(Is|IsNot)_(Lt|LtE|Gt|GtE|Eq|NotEq)",
    "core/ReplaceBinaryOperator_.*_(BitXor|BitOr|BitAnd|LShift|RShift|Pow|Mod|Div|FloorDiv)",
    "core/ReplaceUnaryOperator_.*",
)


def tests_of(module: str) -> list[str]:
    """Return the tests to run for a module. Raises KeyError for a module without an entry."""
    if module in HOST_TARGETS:
        return list(HOST_TARGETS[module])
    return [DUAL.format(name) for name in TARGETS[module]]


def copy_checkout() -> Path:
    """Return a fresh copy of the tracked files, which cosmic-ray may change."""
    tree = WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in listed.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)
    return tree


def run(tree: Path, name: str, *arguments: str) -> str:
    """Run a program of cosmic-ray in the copy and return what it printed. Raises CalledProcessError."""
    program = Path(sys.executable).parent / name
    return subprocess.run(
        [str(program), *arguments], cwd=tree, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def mutate(tree: Path, module: str) -> list[dict[str, Any]]:
    """Return one result for each change of `module`: `outcome`, `diff`. Raises CalledProcessError."""
    name = module.replace("/", "-")
    config, session = WORK / f"{name}.toml", WORK / f"{name}.sqlite"
    session.unlink(missing_ok=True)
    command = f"{sys.executable} -m pytest -q -x -p no:cacheprovider -p no:xdist {' '.join(tests_of(module))}"
    config.write_text(
        "[cosmic-ray]\n"
        f'module-path = "{module}"\n'
        f"timeout = {TIMEOUT_S}.0\n"
        "excluded-modules = []\n"
        f'test-command = "{command}"\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
        f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {json.dumps(SKIPPED)}\n"
    )
    run(tree, "cosmic-ray", "baseline", str(config))
    run(tree, "cosmic-ray", "init", str(config), str(session))
    run(tree, "cr-filter-operators", str(session), str(config))
    run(tree, "cosmic-ray", "exec", str(config), str(session))
    found = []
    for line in run(tree, "cosmic-ray", "dump", str(session)).splitlines():
        _, result = json.loads(line)
        is_skipped = result is None or result["worker_outcome"] == "skipped"
        if not is_skipped and "TYPE_CHECKING" not in change_of(result["diff"] or ""):
            found.append({"outcome": result["test_outcome"], "diff": result["diff"] or ""})
    return found


def change_of(diff: str) -> str:
    """Return the changed lines of a diff, which name a change although line numbers move."""
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(line[0] + " " + line[1:].strip() for line in lines)


def report(module: str, results: list[dict[str, Any]], accepted: dict[str, dict[str, str]]) -> int:
    """Print the score and the survivors of a module; return how many are not accepted."""
    survivors = [change_of(one["diff"]) for one in results if one["outcome"] == "survived"]
    reasons = accepted.get(module, {})
    open_ones = [change for change in survivors if change not in reasons]
    killed = len(results) - len(survivors)
    print(
        f"{module}: {killed} of {len(results)} killed, {len(survivors) - len(open_ones)} accepted", flush=True
    )
    for change in open_ones:
        print("  survivor:\n    " + change.replace("\n", "\n    "), flush=True)
    return len(open_ones)


def main(modules: list[str]) -> int:
    """Run the modules; return 0 if every change was noticed or is accepted."""
    chosen = modules or [*TARGETS, *HOST_TARGETS]
    unknown = [module for module in chosen if module not in TARGETS and module not in HOST_TARGETS]
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
        except subprocess.CalledProcessError as error:
            print(
                f"{module}: cosmic-ray stopped ({error.cmd[1]}); its tests must pass on the unchanged module"
            )
            left += 1
            continue
        left += report(module, results, accepted)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
