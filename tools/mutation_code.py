"""Put a changed source into a live module: new code for its functions, new values for its constants."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final


def changed_functions(before: str, after: str, name: str) -> dict[tuple[str, int], CodeType] | None:
    """Return new code by qualified name and line, None if something outside of functions differs."""
    found: dict[tuple[str, int], CodeType] = {}
    old, new = compile(before, name, "exec"), compile(after, name, "exec")
    return found if _compare(old, new, found) else None


def _compare(old: CodeType, new: CodeType, found: dict[tuple[str, int], CodeType]) -> bool:
    olds = [one for one in old.co_consts if isinstance(one, CodeType)]
    news = [one for one in new.co_consts if isinstance(one, CodeType)]
    if _shape(old) != _shape(new) or len(olds) != len(news):
        return False
    for left, right in zip(olds, news, strict=True):
        if left.co_flags & 2:  # CO_NEWLOCALS: a function, not a class
            if left != right:
                found[left.co_qualname, left.co_firstlineno] = right
        elif not _compare(left, right, found):
            return False
    return True


def _shape(code: CodeType) -> tuple[Any, ...]:
    consts = ["code" if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return code.co_code, code.co_names, consts


def functions_of(holder: ModuleType | type) -> Iterator[FunctionType]:
    """Yield the functions of a module and of its classes."""
    for value in list(vars(holder).values()):
        inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        if isinstance(inner, FunctionType):
            yield inner
        elif isinstance(value, type) and value is not holder:
            yield from functions_of(value)


def put(module: ModuleType, codes: dict[tuple[str, int], CodeType]) -> bool:
    """Replace the code of functions of a live module. Returns whether every one was found and took it."""
    left = dict(codes)
    for function in functions_of(module):
        code = left.pop((function.__code__.co_qualname, function.__code__.co_firstlineno), None)
        if code is not None and function.__code__.co_filename == code.co_filename:
            try:
                function.__code__ = code
            except ValueError:  # other free variables
                return False
    return not left


PLAIN: Final = (int, str, bytes, tuple, dict, list)


def changed_values(module: ModuleType, before: str, after: str) -> dict[str, Any] | None:
    """Return new values of the module's own constants, None if anything else differs outside of functions.

    A constant that another module imports may have gone into other values by now: it needs fresh imports.
    """
    old, new = compile(before, "old", "exec"), compile(after, "new", "exec")
    functions = [[one for one in code.co_consts if isinstance(one, CodeType)] for code in (old, new)]
    if [one.replace(co_filename="") for one in functions[0]] != [
        one.replace(co_filename="") for one in functions[1]
    ]:
        return None
    olds: dict[str, Any] = {"__name__": module.__name__}
    news = dict(olds)
    try:
        exec(old, olds)  # noqa: S102 - this checkout's own code
        exec(new, news)  # noqa: S102
    except Exception:
        return None
    names = [
        name for name, value in news.items() if type(value) in PLAIN and repr(olds.get(name)) != repr(value)
    ]
    is_own = all(name in vars(module) and not _is_shared(module, name) for name in names)
    return {name: news[name] for name in names} if is_own else None


def _is_shared(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    for other in list(sys.modules.values()):
        if other is not module and isinstance(other, ModuleType) and vars(other).get(name) is value:
            path = getattr(other, "__file__", None) or ""  # a small number is the same object everywhere
            if path.endswith(".py") and f"from {module.__name__} import" in Path(path).read_text(
                encoding="utf-8"
            ):
                return True
    return False
