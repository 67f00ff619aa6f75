"""No test fails because the machine is busy: who waits asks the patient clock (tests/patience.py)."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOCKET_LIMIT_S = 600  # ends a test that hangs; an idle machine needs a small part of it
SOCKETS = {"urlopen", "HTTPConnection", "HTTPSConnection", "create_connection", "call"}
WAITS = {"wait", "communicate", "get"}  # with a `timeout`, or with a number as their only argument
PATIENT = "patience.py"


def _limit(call: ast.Call) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == "timeout"), None)


def _impatient(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, reason) of each wait that counts seconds of the wall clock."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        module = getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""
        limit = _limit(call)
        if name in SOCKETS and isinstance(limit, ast.Constant) and limit.value < SOCKET_LIMIT_S:
            yield call.lineno, f"{name}: a limit under {SOCKET_LIMIT_S} s"
        elif module == "subprocess" and limit is not None:
            yield call.lineno, f"subprocess.{name}: use patience.run"
        elif name in WAITS and isinstance(limit, ast.Constant):
            yield call.lineno, f"{name}: use tests/patience.py or provisioning.fair_time"
        elif name == "wait" and len(call.args) == 1 and isinstance(call.args[0], ast.Constant):
            yield call.lineno, "wait: use tests/patience.py or provisioning.fair_time"
        elif name == "join" and limit is not None:
            yield call.lineno, "join: use patience.joined"


def test_no_test_waits_by_the_wall_clock(files: list[Path], root: Path) -> None:
    tests = [path for path in files if path.suffix == ".py" and path.is_relative_to(root / "tests")]
    assert len(tests) > 500
    found = [
        f"{path.relative_to(root)}:{line}: {reason}"
        for path in tests
        if path.name != PATIENT
        for line, reason in _impatient(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, "\n" + "\n".join(found)


def test_the_rule_finds_each_kind_of_impatient_wait() -> None:
    code = """
urlopen("http://127.0.0.1", timeout=5)
process.wait(60)
process.communicate(timeout=9)
subprocess.run(["true"], timeout=9)
thread.join(timeout=2)
answers.get(timeout=3)
fair_time.wait(event, 30)
urlopen("http://127.0.0.1", timeout=600)
"""
    assert [line for line, _reason in _impatient(ast.parse(code))] == [2, 3, 4, 5, 6, 7]
