"""Make the changes that mutation testing tries: one place of a Python or C file each.

Python: cosmic-ray's operators (comparisons, arithmetic, `and`/`or`, conditions, numbers, exceptions, loops), and the
removal of one statement. C: the same kinds, found in the text of the file.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

# Changes that do not matter for this code (identity for equality, one arithmetic for another of the same size), and
# comparisons that every test of another one notices too: of `==` to `<`, one of `==` to `!=` says as much.
_SUFFICIENT: Final = {
    "Eq": "NotEq|LtE|GtE",
    "NotEq": "Eq|Lt|Gt",
    "Lt": "LtE|NotEq|Gt",
    "LtE": "Lt|Eq|GtE",
    "Gt": "GtE|NotEq|Lt",
    "GtE": "Gt|Eq|LtE",
}
SKIPPED: Final = re.compile(
    "core/(ReplaceComparisonOperator_.*_(Is|IsNot)"
    "|ReplaceComparisonOperator_(Is|IsNot)_(Lt|LtE|Gt|GtE|Eq|NotEq)"
    + "".join(f"|ReplaceComparisonOperator_{old}_(?!({new})$).*" for old, new in _SUFFICIENT.items())
    + "|ReplaceBinaryOperator_.*_(BitXor|BitOr|BitAnd|LShift|RShift|Pow|Mod|Div|FloorDiv)"
    "|ReplaceBinaryOperator_(Add|Sub)_Mul"
    "|ReplaceUnaryOperator_.*)"
)
REMOVABLE: Final = (
    ast.Expr,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Raise,
    ast.Return,
    ast.Delete,
    ast.Continue,
    ast.Break,
)
# A place in C and what takes its place; the first pattern that fits names the kind of place.
C_CHANGES: Final = (
    (re.compile(r"==|!=|<=|>=|(?<![-<>])[<>](?![<>=])"), {"==": ["!="], "!=": ["=="], "<=": ["<", ">"]}),
    (re.compile(r"&&|\|\|"), {"&&": ["||"], "||": ["&&"]}),
    (re.compile(r"!(?!=)"), {"!": [""]}),
    (re.compile(r"\b(true|false)\b"), {"true": ["false"], "false": ["true"]}),
    (re.compile(r"(?<=\s)[-+^|](?=\s)|(?<=\s)&(?=\s)|~"), {"+": ["-"], "-": ["+"], "^": ["|"], "|": ["&"]}),
    (re.compile(r"(?<=\s)(<<|>>|\|=)(?=\s)"), {"<<": [">>"], ">>": ["<<"], "|=": ["="]}),
)
C_MORE: Final = {"<": ["<=", ">"], ">": [">=", "<"], ">=": [">", "<"], "&": ["|"], "~": [""]}
C_NUMBER: Final = re.compile(r"(?<![\w.])(0x[0-9A-Fa-f]+|\d+)(u?)\b")
C_STATEMENT: Final = re.compile(r"^(\s+)(?!static const|case |else)([^{}]*;)\s*$")
COMMENTS: Final = {".py": re.compile(r"\s+# .*$"), ".c": re.compile(r"\s+// .*$")}
C_CONDITION: Final = re.compile(r"\bif \((.*)\) \{$")


@dataclass(frozen=True)
class Mutant:
    """One changed file. `key` names the change although line numbers move; `first`, `last`: the changed statement."""

    key: str
    first: int
    last: int
    source: str


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Return every change of a file of this name, each once. Raises SyntaxError."""
    made = _c(source) if path.endswith(".c") else _python(source)
    found: dict[str, Mutant] = {}
    for mutant in made:
        if mutant.source != source and "TYPE_CHECKING" not in mutant.key:
            found.setdefault(mutant.source, mutant)
    return list(found.values())


def _change(before: str, after: str, suffix: str) -> str:
    """Return the lines that differ, without the space around them and the comment behind them.

    `suffix`: of the file's name, for the comments of its language.
    """
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    changed = [(line[0], COMMENTS[suffix].sub("", line[1:]).strip()) for line in lines if line[0] in "+-"]
    return "\n".join(f"{sign} {code}" for sign, code in changed if code)


# Python ---------------------------------------------------------------------------------------------------


class _Places:
    """Where the statements of a module are, and in which function."""

    def __init__(self, tree: ast.Module) -> None:
        self._statements: list[tuple[int, int]] = []
        self._names: list[tuple[int, int, str]] = []
        self._walk(tree, "")

    def _walk(self, node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            inside = name
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = f"{name}.{child.name}".lstrip(".")
                self._names.append((child.lineno, child.end_lineno or child.lineno, inside))
            if isinstance(child, ast.stmt):
                self._statements.append(_extent(child))
            self._walk(child, inside)

    def statement(self, line: int) -> tuple[int, int]:
        """Return the lines of the smallest statement around `line`; of a block, its head."""
        around = [(first, last) for first, last in self._statements if first <= line <= last]
        return min(around, key=lambda one: one[1] - one[0], default=(line, line))

    def name(self, line: int) -> str:
        """Return the innermost function or class around `line`, or "module"."""
        around = [one for one in self._names if one[0] <= line <= one[1]]
        return around[-1][2] if around else "module"


def _extent(statement: ast.stmt) -> tuple[int, int]:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return statement.lineno, max(statement.lineno, last)


def _python(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    places = _Places(tree)
    for line, changed in [*_operators(source), *_removals(source, tree)]:
        first, last = places.statement(line)
        key = places.name(line) + "\n" + _change(source, changed, ".py")
        yield Mutant(key, first, last, changed)


def _operators(source: str) -> Iterator[tuple[int, str]]:
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    nodes = list(ast_nodes(get_ast(source)))
    for name in plugins.operator_names():
        kind = plugins.get_operator(name)
        if SKIPPED.fullmatch(name) or kind.arguments():
            continue
        for at in range(len(nodes)):
            for index, (start, _) in enumerate(list(kind().mutation_positions(nodes[at]))):
                node = nodes[at]
                line, column = node.get_start_pos_of_prefix()
                first, before, fields = starts[line - 1] + column, node.get_code(), dict(_fields(node))
                changed = kind().mutate(node, index)
                after = "" if changed is None else changed.get_code()
                yield start[0], source[:first] + after + source[first + len(before) :]
                for field, value in fields.items():
                    setattr(node, field, value)
                if node.get_code() != before:  # a change deeper in the tree
                    nodes = list(ast_nodes(get_ast(source)))


def _fields(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an operator may change in a node of the tree."""
    for field in ("value", "prefix"):
        if hasattr(node, field):
            yield field, getattr(node, field)
    if hasattr(node, "children"):
        yield "children", list(node.children)


def _removals(source: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Replace one statement of a function by `pass`; the lines below keep their numbers."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    ends = [end for function in functions for end in _ends(function.body)]
    for statement in [inner for function in functions for inner in ast.walk(function)]:
        if not isinstance(statement, REMOVABLE) or _says_nothing(statement):
            continue
        if statement in ends and isinstance(statement, ast.Return) and _is_none(statement.value):
            continue  # a function without it gives None too
        lines = source.encode().splitlines(keepends=True)
        first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
        head, tail = lines[first][: statement.col_offset], lines[last][statement.end_col_offset :]
        lines[first : last + 1] = [head + b"pass" + tail] + [b"\n"] * (last - first)
        yield statement.lineno, b"".join(lines).decode()


def _says_nothing(statement: ast.stmt) -> bool:
    """Return whether a statement has no effect: a docstring or a declaration without a value."""
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or (isinstance(statement, ast.AnnAssign) and statement.value is None)


def _ends(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a function's body after which it ends."""
    last = body[-1]
    yield last
    if isinstance(last, ast.Try):
        for block in [last.orelse or last.body, *(handler.body for handler in last.handlers)]:
            yield from _ends(block)
    elif isinstance(last, ast.If | ast.With):
        yield from _ends(last.body)
        if isinstance(last, ast.If) and last.orelse:
            yield from _ends(last.orelse)


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


# C --------------------------------------------------------------------------------------------------------


def _c(source: str) -> Iterator[Mutant]:
    lines = source.split("\n")
    name = "file"
    for index, line in enumerate(lines):
        code = line.split("//")[0].rstrip()
        begins = re.match(r"^\w[^;=]*?(\w+)\(.*\{$", code)
        name = begins.group(1) if begins else name
        if not code.strip() or code.startswith("#") or name == "file":
            continue
        for changed in _c_changes(code):
            after = "\n".join([*lines[:index], changed, *lines[index + 1 :]])
            yield Mutant(name + "\n" + _change(source, after, ".c"), index + 1, index + 1, after)


def _c_changes(code: str) -> Iterator[str]:
    for pattern, replacements in C_CHANGES:
        for place in pattern.finditer(code):
            for new in {**C_MORE, **replacements}.get(place.group(), []):
                yield code[: place.start()] + new + code[place.end() :]
    for place in C_NUMBER.finditer(code):
        for number in (int(place.group(1), 0) + 1, int(place.group(1), 0) - 1):
            if number >= 0:
                yield f"{code[: place.start()]}{number}{place.group(2)}{code[place.end() :]}"
    condition = C_CONDITION.search(code)
    if condition:
        yield f"{code[: condition.start(1)]}!({condition.group(1)}){code[condition.end(1) :]}"
    removed = C_STATEMENT.match(code)
    if removed and not re.match(r"\s+(return|\w+ \w+(\[.*\])?;)", code):
        yield removed.group(1) + ";"
