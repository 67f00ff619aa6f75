"""Reads a PIN or passphrase from a variable, from a file that a variable names, or from a person.

`NAME` holds it; else `NAME_FILE` names a file that only its owner can read (a service manager's credential); else the
person at the terminal is asked. There is no command-line option for it, because any user of
a machine can read command lines.

The same secret has the same form in all of them: Unicode NFC (RFC 8265 4.2), without a byte order mark and without
the line ends that editors and secret stores add.
"""

from __future__ import annotations

import getpass
import os
import sys
import unicodedata
from pathlib import Path
from typing import Final

FILE_SUFFIX: Final = "_FILE"
LONGEST: Final = 1024
# Unicode general categories: control, format, private use, surrogate, not assigned, line and paragraph separator
_INVISIBLE: Final = ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")
KEY_VARIABLE: Final = "FIRSTBOOT_KEY_PASSPHRASE"


class SecretMissingError(OSError):
    """A secret is needed and was not given; the text names the variable, never a value."""


def from_environment(variable: str) -> str | None:
    """Return the value of `variable`, or the content of the file that `variable`_FILE names; None if neither is set.

    Raises SecretMissingError for a file that others can read, or that is empty, too long or missing.
    """
    found = normal(os.environ.get(variable, ""))
    if found:
        return found
    path = os.environ.get(variable + FILE_SUFFIX)
    return None if not path else _from_file(Path(path), variable + FILE_SUFFIX)


def _from_file(path: Path, variable: str) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise SecretMissingError(f"the file of {variable} can be read by others; set its mode to 0600")
        text = path.read_bytes()[: LONGEST + 1].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, SecretMissingError):
            raise
        raise SecretMissingError(f"the file of {variable} cannot be read: {type(error).__name__}") from None
    text = normal(text)
    if not 0 < len(text) <= LONGEST:
        raise SecretMissingError(f"the file of {variable} is empty or longer than {LONGEST} characters")
    return text


def ask(variable: str, prompt: str) -> str:
    """Return the secret from the environment, else from the person at the terminal. Raises SecretMissingError."""
    found = from_environment(variable)
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise SecretMissingError(
            f"the {prompt} is missing: set {variable} or {variable}{FILE_SUFFIX}, or run the command at a terminal"
        )
    return normal(getpass.getpass(f"{prompt}: "))


def normal(text: str) -> str:
    """Return the form in which a typed or stored secret is compared and used."""
    return unicodedata.normalize("NFC", text.rstrip("\r\n"))


def require_typable(secret: str) -> None:
    """Raise ValueError for a new secret that nobody can type again: it has control or invisible characters."""
    if any(unicodedata.category(character) in _INVISIBLE for character in secret):
        raise ValueError("it contains a character that is not visible, such as a tab or a zero-width space")
