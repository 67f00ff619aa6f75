"""`make mutation`: which changes it makes of a file, how it carries them out, and what its report counts."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tools import mutants, mutation_code, mutation_fork, mutation_plain, mutation_targets

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


def test_a_return_of_none_at_the_end_of_a_function_is_left_alone() -> None:
    text = "def f(a):\n    if a:\n        return None\n    g()\n    return None\n"
    assert [key for key in keys("f.py", text) if key.endswith("+ pass")] == [
        "f\n- g()\n+ pass",
        "f\n- return None\n+ pass",
    ]
    assert [mutant.first for mutant in mutants.mutants_of("f.py", text) if "- return None" in mutant.key] == [
        3
    ]


def test_a_return_of_none_in_the_last_block_of_a_function_is_left_alone() -> None:
    text = "def f(a):\n    try:\n        if a:\n            return None\n    except E:\n        return None\n"
    assert not [key for key in keys("f.py", text) if key.endswith("- return None\n+ pass")]


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


def test_a_change_is_named_without_a_comment_and_with_a_whole_division() -> None:
    assert "f\n- return a // 4\n+ pass" in keys("f.py", "def f(a):\n    return a // 4  # a quarter\n")
    noted = "void f(int a) {\n    note(a); // the end\n}\n"
    assert "f\n- note(a);\n+ ;" in keys("f.c", noted)


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
    codes = mutation_code.changed_functions(SOURCE, changed("code == 7", "code != 7"), "door.py")
    assert codes is not None and mutation_code.put(door, codes)
    door.Door().open(7)
    with pytest.raises(ValueError, match="shut"):
        door.Door().open(6)


def test_a_change_of_a_constant_reaches_the_live_module(door: ModuleType) -> None:
    after = changed("LIMIT = 3", "LIMIT = 4")
    assert mutation_code.changed_functions(SOURCE, after, "door.py") is None
    assert mutation_code.changed_values(door, SOURCE, after) == {"LIMIT": 4}


def test_a_change_of_a_default_needs_fresh_imports(door: ModuleType) -> None:
    before, after = changed("(self, code)", "(self, code=1)"), changed("(self, code)", "(self, code=2)")
    assert mutation_code.changed_functions(before, after, "door.py") is None
    assert not mutation_code.changed_values(door, before, after)


def test_a_fork_that_dies_gives_no_answer() -> None:
    def dies() -> None:
        raise SystemExit(3)

    assert mutation_fork.in_child(dies, 5) is None
    assert mutation_fork.in_child(lambda: ["answer"], 5) == ["answer"]


def test_an_endless_loop_is_ended() -> None:
    def loops() -> None:
        while True:
            pass

    assert mutation_fork.in_child(loops, 0) is None


@pytest.fixture
def mutation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(mutants.__file__).parent))
    import mutation

    for name in ("mutation", "mutants", "mutation_targets"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(mutation, "WORK", tmp_path)
    return mutation


RESULTS = [("a", "killed"), ("b", "survived")]


def test_a_survivor_asks_for_work_until_it_is_accepted(mutation: ModuleType) -> None:
    assert mutation.report("door.py", RESULTS, {}) == ("door.py", 1, 0, 1)
    assert mutation.report("door.py", RESULTS, {"b": "the same"}) == ("door.py", 1, 1, 0)


def test_an_accepted_change_that_a_test_notices_now_asks_for_work(
    mutation: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutation.report("door.py", RESULTS, {"a": "the same", "b": "the same"}) == ("door.py", 1, 1, 1)
    assert "accepted, but no survivor: a" in capsys.readouterr().out


def test_the_table_has_a_row_for_each_module_and_the_sum(mutation: ModuleType) -> None:
    lines = mutation.table([("door.py", 5, 2, 1), ("key.py", 3, 0, 0), ("lost.py", None, None, None)]).split(
        "\n"
    )
    assert [line.split() for line in lines[1:]] == [
        ["door.py", "8", "5", "2", "1"],
        ["key.py", "3", "3", "0", "0"],
        ["lost.py", "not", "judged"],
        ["all", "11", "8", "2", "1"],
    ]


@pytest.fixture
def judged(mutation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that a run judges; each has one survivor, and nothing is run."""
    asked: list[str] = []

    def mutate(tree: Path, module: str, is_again: bool) -> list[tuple[str, str]]:
        asked.append(module)
        return [("a", "survived")]

    monkeypatch.setattr(mutation, "mutate", mutate)
    monkeypatch.setattr(mutation, "_copy", lambda tree: tree)
    monkeypatch.setattr(mutation, "TARGETS", {"door.py": (), "key.py": ()})
    monkeypatch.setattr(mutation, "PENDING", ("key.py",))
    return asked


def test_a_module_that_is_not_worked_through_is_left_out_and_named(
    mutation: ModuleType, judged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutation.main([]) == 1
    assert judged == ["door.py"]
    assert "key.py: not worked through yet, and left out here" in capsys.readouterr().out


def test_a_module_that_is_not_worked_through_runs_by_its_name(
    mutation: ModuleType, judged: list[str]
) -> None:
    assert mutation.main(["key.py"]) == 1
    assert judged == ["key.py"]


def test_a_module_without_tests_is_refused(mutation: ModuleType, judged: list[str]) -> None:
    assert mutation.main(["window.py"]) == 2
    assert judged == []


def test_every_module_and_every_test_file_that_is_named_exists() -> None:
    root = Path(mutants.__file__).parents[1]
    for module in mutation_targets.TARGETS:
        for path in [module, *mutation_targets.tests_of(module)]:
            assert (root / path.split("::")[0]).is_file(), path
    accepted = json.loads((root / "tests" / "mutation-accepted.json").read_text(encoding="utf-8"))
    assert set(accepted) | set(mutation_targets.PENDING) <= set(mutation_targets.TARGETS)


def test_a_run_again_tries_only_what_no_test_noticed_before(
    mutation: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "door.py").write_text(SOURCE, encoding="utf-8")
    tried: list[int] = []

    def run(tree: Path, module: str, made: list[mutants.Mutant]) -> list[tuple[str, str]]:
        tried.append(len(made))
        return [(one.key, "survived" if "LIMIT" in one.key else "killed") for one in made]

    monkeypatch.setattr(mutation, "_run", run)
    first = mutation.mutate(tmp_path, "door.py", False)
    again = mutation.mutate(tmp_path, "door.py", True)
    assert sorted(again) == sorted(first)
    assert tried == [len(first), sum(outcome == "survived" for _, outcome in first)]


def test_two_runs_beside_each_other_have_a_copy_each(
    mutation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutation, "_copy", lambda tree: tree)
    with mutation.own_copy() as first, mutation.own_copy() as second:
        assert first != second
    with mutation.own_copy() as third:
        assert third == first


DUAL_TESTS = """
from os import path as test_nothing

RAN = []


def helper(name):
    RAN.append(name)


def test_first():
    helper("first")


def test_second():
    helper("second")
    raise SystemExit
"""


@pytest.fixture
def dual(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The working directory has one file of dual tests; the second of its two tests fails."""
    (tmp_path / "tests" / "dual").mkdir(parents=True)
    (tmp_path / "tests" / "dual" / "test_of_a_door.py").write_text(DUAL_TESTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "tests" / "dual"), *sys.path])
    yield importlib.import_module("test_of_a_door")
    del sys.modules["test_of_a_door"]


DOOR = "tests/dual/test_of_a_door.py"


def test_dual_tests_are_collected_in_their_order_and_fail_by_anything_that_they_raise(
    dual: ModuleType,
) -> None:
    found = mutation_plain.collect([DOOR])
    assert [test.nodeid for test in found] == [f"{DOOR}::test_first", f"{DOOR}::test_second"]
    assert [test.fails() for test in found] == [False, True]
    assert dual.RAN == ["first", "second"]


def test_dual_tests_run_in_the_order_that_is_asked_for_until_one_fails(dual: ModuleType) -> None:
    assert mutation_plain.passes([DOOR], [f"{DOOR}::test_second"]) is False
    assert dual.RAN == ["second"]
    del dual.test_second
    assert mutation_plain.passes([DOOR], []) is True
    del dual.test_first
    assert mutation_plain.passes([DOOR], []) is False, "no test is no proof"


def test_a_changed_constant_is_noticed_by_a_test_that_runs_no_line_of_the_module(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "window.py"
    path.write_text("PANES = 4\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(mutants.__file__).parent))
    import mutation_run

    for name in ("mutation_run", "mutation_code", "mutation_fork", "mutation_plain"):
        monkeypatch.delitem(sys.modules, name)
    window = ModuleType("window")
    window.__file__ = str(path)
    vars(window)["PANES"] = 4
    monkeypatch.setitem(sys.modules, "window", window)

    def test_panes() -> None:
        assert window.PANES == 4

    told: list[dict[str, object]] = []
    change = {"key": "module\n- PANES = 4\n+ PANES = 5", "first": 1, "last": 1, "source": "PANES = 5\n"}
    live = mutation_run.Live({"module": "window.py", "mutants": [change]}, told.append)
    live.run([mutation_run.PlainTest("test_window.py", test_panes)])
    assert [line["outcome"] for line in told if "number" in line] == ["killed"]


def test_only_whole_files_of_dual_tests_run_without_pytest() -> None:
    assert mutation_plain.are_plain([DOOR])
    assert not mutation_plain.are_plain([DOOR, "tests/unit/tools/test_mutation.py"])
    assert not mutation_plain.are_plain([DOOR + "::test_first"])
