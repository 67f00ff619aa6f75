"""`make mutation`: which changes it makes of a file, how it carries them out, and what its report counts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tools import mutants, mutation_run

SOURCE = '''"""A module."""
LIMIT = 3
TYPE_CHECKING = 0


class Door:
    def open(self, code):
        """Open the door."""
        if code == 7:
            raise ValueError(
                "shut"
            )
        self.is_open = True
        return LIMIT
'''
C_SOURCE = """static const int KEPT = 1;

bool is_open(int code) {
    uint8_t unused;
    if (code == 7 && code) {
        note(code);
    }
    return true;
}
"""


def keys(path: str, source: str) -> list[str]:
    return [mutant.key for mutant in mutants.mutants_of(path, source)]


def test_every_statement_of_a_function_that_does_something_is_removed_once() -> None:
    removed = [key for key in keys("door.py", SOURCE) if key.endswith("+ pass")]
    assert removed == [
        "Door.open\n- self.is_open = True\n+ pass",
        "Door.open\n- return LIMIT\n+ pass",
        'Door.open\n- raise ValueError(\n- "shut"\n- )\n+ pass',
    ]


def test_the_lines_below_a_removed_statement_keep_their_numbers() -> None:
    for mutant in mutants.mutants_of("door.py", SOURCE):
        assert mutant.source.count("\n") == SOURCE.count("\n")
        compile(mutant.source, "door.py", "exec")


def test_comparisons_conditions_and_numbers_are_changed() -> None:
    found = keys("door.py", SOURCE)
    for changed in ("if code != 7:", "if not code == 7:", "if code == 8:", "if code ==  6:"):
        assert any(" ".join(changed.split()) in " ".join(key.split()) for key in found), changed
    assert "module\n- LIMIT = 3\n+ LIMIT = 4" in [
        " ".join(key.split(" ")).replace("  ", " ") for key in found
    ]


def test_what_only_a_type_checker_reads_is_left_alone() -> None:
    assert not any("TYPE_CHECKING" in key for key in keys("door.py", SOURCE))


def test_a_change_knows_the_lines_of_its_statement() -> None:
    raised = [mutant for mutant in mutants.mutants_of("door.py", SOURCE) if "ValueError" in mutant.key]
    assert {(mutant.first, mutant.last) for mutant in raised} == {(10, 12)}


def test_c_code_is_changed_in_the_same_ways() -> None:
    found = keys("boot.c", C_SOURCE)
    for changed in (
        "is_open\n- if (code == 7 && code) {\n+ if (code != 7 && code) {",
        "is_open\n- if (code == 7 && code) {\n+ if (code == 7 || code) {",
        "is_open\n- if (code == 7 && code) {\n+ if (!(code == 7 && code)) {",
        "is_open\n- if (code == 7 && code) {\n+ if (code == 8 && code) {",
        "is_open\n- note(code);\n+ ;",
        "is_open\n- return true;\n+ return false;",
    ):
        assert changed in found, changed


def test_declarations_and_what_stands_outside_of_functions_in_c_are_left_alone() -> None:
    assert not any("KEPT" in key or "unused" in key for key in keys("boot.c", C_SOURCE))


@pytest.fixture
def door() -> ModuleType:
    module = ModuleType("door")
    exec(compile(SOURCE, "door.py", "exec"), vars(module))  # noqa: S102 - the text above
    return module


def changed(old: str, new: str) -> str:
    assert old in SOURCE
    return SOURCE.replace(old, new)


def test_a_change_inside_of_a_function_reaches_the_live_module(door: ModuleType) -> None:
    codes = mutation_run.changed_functions(SOURCE, changed("code == 7", "code != 7"), "door.py")
    assert codes is not None and mutation_run.put(door, codes)
    door.Door().open(7)
    with pytest.raises(ValueError, match="shut"):
        door.Door().open(6)


def test_a_change_of_a_constant_reaches_the_live_module(door: ModuleType) -> None:
    after = changed("LIMIT = 3", "LIMIT = 4")
    assert mutation_run.changed_functions(SOURCE, after, "door.py") is None
    assert mutation_run.changed_values(door, SOURCE, after) == {"LIMIT": 4}


def test_a_change_of_a_default_needs_fresh_imports(door: ModuleType) -> None:
    before, after = changed("(self, code)", "(self, code=1)"), changed("(self, code)", "(self, code=2)")
    assert mutation_run.changed_functions(before, after, "door.py") is None
    assert not mutation_run.changed_values(door, before, after)


def test_a_fork_that_dies_gives_no_answer() -> None:
    def dies() -> None:
        raise SystemExit(3)

    assert mutation_run.in_child(dies, 5) is None
    assert mutation_run.in_child(lambda: ["answer"], 5) == ["answer"]


def test_an_endless_loop_is_ended() -> None:
    def loops() -> None:
        while True:
            pass

    assert mutation_run.in_child(loops, 0) is None


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.syspath_prepend(str(Path(mutants.__file__).parent))
    import mutation

    monkeypatch.delitem(sys.modules, "mutation")
    return mutation.report


RESULTS = [{"outcome": "killed", "key": "a"}, {"outcome": "survived", "key": "b"}]


def test_a_survivor_asks_for_work_until_it_is_accepted(report: Callable[..., int]) -> None:
    assert report("door.py", RESULTS, {}) == 1
    assert report("door.py", RESULTS, {"door.py": {"b": "the same"}}) == 0


def test_an_accepted_change_that_a_test_notices_now_asks_for_work(
    report: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("door.py", RESULTS, {"door.py": {"a": "the same", "b": "the same"}}) == 1
    assert "accepted, but no survivor: a" in capsys.readouterr().out
