"""Mutation testing of the code that decides what a unit trusts and starts (`make mutation`).

One place of a module changes at a time (tools/mutants.py: operators and numbers, and statements that are removed), and
the tests that reach it run until one fails (tools/mutation_run.py). A change that no test notices is a survivor. It
runs in a copy of the checkout, one module after the other. A second run beside it takes a copy of its own.

    make mutation                                             every module of tools/mutation_targets.py but PENDING
    make mutation ARGS="device/trust/keyset.py"               one module
    make mutation ARGS="--again device/trust/keyset.py"       only what no test noticed in the last run

How to read the report: `killed` is good. For a survivor, write the test that notices it, with the right value asserted.
If the changed code behaves the same, add its lines to ACCEPTED with the reason. If nothing needs the changed code,
remove it. The command fails if a survivor is not accepted, if an accepted change is not a survivor any more, or if the
tests of an unchanged module fail.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Final

from mutants import Mutant, mutants_of
from mutation_targets import PENDING, TARGETS, tests_of

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / "build" / "mutation"
ACCEPTED: Final = ROOT / "tests" / "mutation-accepted.json"
RUNNER: Final = ROOT / "tools" / "mutation_run.py"
KILLED: Final = "killed"

# (module, killed, accepted, open); None for the numbers of a module that could not be judged
Row = tuple[str, int, int, int] | tuple[str, None, None, None]


class FailedError(Exception):
    """A module could not be judged."""


@contextmanager
def own_copy() -> Iterator[Path]:
    """Yield a fresh copy of the checkout, without ignored files, that no other run uses."""
    WORK.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        with (WORK / f"lock-{number}").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield _copy(WORK / f"tree-{number}")
            return


def _copy(tree: Path) -> Path:
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in listed.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)
    return tree


def mutate(tree: Path, module: str, is_again: bool) -> list[tuple[str, str]]:
    """Return (key, outcome) of each change of `module`. Raises FailedError if the unchanged module fails."""
    kept = WORK / f"{module.replace('/', '-')}.outcomes.json"
    mutants = mutants_of(module, (tree / module).read_text(encoding="utf-8"))
    known: dict[str, str] = {}
    if is_again and kept.exists():
        known = {
            key: KILLED for key, outcome in json.loads(kept.read_text(encoding="utf-8")) if outcome == KILLED
        }
    tried = [mutant for mutant in mutants if mutant.key not in known]
    found = [(mutant.key, KILLED) for mutant in mutants if mutant.key in known]
    if tried:
        found += _run(tree, module, tried)
    # Two changes can have the same key: equal lines of one function. Both must have been noticed.
    worst = {key: outcome for key, outcome in found if outcome != KILLED}
    kept.write_text(json.dumps([(key, worst.get(key, outcome)) for key, outcome in found]), encoding="utf-8")
    return found


def _run(tree: Path, module: str, mutants: list[Mutant]) -> list[tuple[str, str]]:
    job, out = tree / "mutation-job.json", tree / "mutation-results.jsonl"
    told = {"module": module, "tests": tests_of(module), "mutants": [asdict(one) for one in mutants]}
    job.write_text(json.dumps(told), encoding="utf-8")
    out.unlink(missing_ok=True)
    done = subprocess.run([sys.executable, str(RUNNER), str(job), str(out)], cwd=tree, check=False)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if "error" in line:
            raise FailedError(line["error"])
    found = [(mutants[line["number"]].key, line["outcome"]) for line in lines if "number" in line]
    if done.returncode or len(found) != len(mutants):
        raise FailedError(f"stopped after {len(found)} of {len(mutants)} changes")
    return found


def report(module: str, results: list[tuple[str, str]], accepted: dict[str, str]) -> Row:
    """Print the survivors of a module that are not accepted, and accepted changes that a test notices; return the row.

    `accepted`: the reason for each accepted change of the module, by key.
    """
    outcomes = Counter(outcome == KILLED for _, outcome in results)
    survivors = {key: outcome for key, outcome in results if outcome != KILLED}
    open_ones = [(key, outcome) for key, outcome in results if outcome != KILLED and key not in accepted]
    stale = sorted(set(accepted) - set(survivors))
    for key, outcome in open_ones:
        print(f"  {outcome}: " + key.replace("\n", "\n    "), flush=True)
    for key in stale:
        print("  accepted, but no survivor: " + key.replace("\n", "\n    "), flush=True)
    row = (module, outcomes[True], outcomes[False] - len(open_ones), len(open_ones) + len(stale))
    print("{}: {} killed, {} accepted, {} open".format(*row), flush=True)
    return row


def run_all(chosen: list[str], accepted: dict[str, dict[str, str]], is_again: bool) -> list[Row]:
    """Try every change of the modules, in a copy of the checkout; return a row for each module."""
    rows: list[Row] = []
    with own_copy() as tree:
        for module in chosen:
            try:
                rows.append(report(module, mutate(tree, module, is_again), accepted.get(module, {})))
            except FailedError as error:
                print(f"{module}: {error}", flush=True)
                rows.append((module, None, None, None))
    return rows


def table(rows: list[Row]) -> str:
    """Return the numbers of each module and their sum, as lines."""
    lines = [f"{'module':46} changes  killed  accepted  open"]
    judged = [(module, killed, kept, left) for module, killed, kept, left in rows if killed is not None]
    total = ("all", *(sum(row[at] for row in judged) for at in (1, 2, 3)))
    for module, killed, kept, left in [*rows, total]:
        if killed is None:
            lines.append(f"{module:46} not judged")
        else:
            lines.append(f"{module:46} {killed + kept + left:7} {killed:7} {kept:9} {left:5}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the modules; return 0 if every change was noticed or is accepted."""
    modules = [argument for argument in arguments if argument != "--again"]
    unknown = [module for module in modules if module not in TARGETS]
    if unknown:
        print(f"no tests are listed for {', '.join(unknown)}: add them to tools/mutation_targets.py")
        return 2
    accepted = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    chosen = modules or [module for module in TARGETS if module not in PENDING]
    rows = run_all(chosen, accepted, "--again" in arguments)
    print(table(rows))
    for module in PENDING:
        print(f"{module}: not worked through yet" + ("" if module in chosen else ", and left out here"))
    return 1 if any(left != 0 for _, _, _, left in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
