"""The dual tests by name, and the output of a MicroPython that ran them (dual.py, lines.py)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

DUAL = Path(__file__).parent / "dual"


def dual_tests() -> Iterator[str]:
    """Return module.function of every dual test, found without importing anything."""
    for path in sorted(DUAL.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.stem}.{node.name}"


def results_of(text: str) -> dict[str, str]:
    """Return {name: "PASS" or "FAIL", followed by its traceback}; the run's own summary has the name "summary"."""
    blocks = re.split(r"^(?=PASS |FAIL |dual: )", text.replace("\r", ""), flags=re.MULTILINE)
    found = {block.split()[1]: block for block in blocks if block.startswith(("PASS ", "FAIL "))}
    found["summary"] = next(
        (block for block in blocks if block.startswith("dual: ")), "no summary: " + text[-400:]
    )
    return found


def check(results: dict[str, str], name: str) -> None:
    """Fail unless the test `name` passed."""
    block = results.get(name) or results.get(name.split(".", maxsplit=1)[0], f"{name} did not run")
    assert block.startswith("PASS "), block


def check_summary(results: dict[str, str]) -> None:
    """Fail unless the run counted what it printed, and no failure."""
    passed = len([name for name in results if name != "summary"])
    assert results["summary"].strip() == f"dual: {passed} passed, 0 failed"


def lines_of(text: str) -> dict[str, set[int]]:
    """Return {file: line numbers that ran} from the output of a board that counts lines.

    MicroPython gives code without a line of its own the number 0, which is left out.
    """
    found = {}
    for name, bits in re.findall(r"^LINES (\S+) ([0-9a-f]+)$", text.replace("\r", ""), flags=re.MULTILINE):
        data = bytes.fromhex(bits)
        found[name] = {at for at in range(1, 8 * len(data)) if data[at >> 3] >> (at & 7) & 1}
    return found
