"""The page of an application: what it declares, what the owner set, what it measured, what it is asked to do.

Rules:
1. An application gives plain text and numbers, never HTML; every count and length has a bound (limits.APP_*). A wrong
   declaration raises ValueError or TypeError in the application, which becomes an event (apps.py, rule 3).
2. A value of the owner is checked against its setting before it is stored, and again when it is read: after an update
   a stored value that no longer fits is the default.
3. The values are in the record `app` of the user region (CBOR {name: value}), so a factory reset erases them.
4. An action waits until the application takes it, limits.APP_WAITING at most.
"""

import asyncio
from collections import namedtuple

from device.codec import cbor
from device.compat import clip_utf8, const
from device.errors import CodecError, SettingsError, StorageError
from device.limits import (
    APP_ACTIONS,
    APP_CHOICES,
    APP_LABEL_CHARS,
    APP_NAME_CHARS,
    APP_NUMBER,
    APP_READINGS,
    APP_SETTINGS,
    APP_TITLE_CHARS,
    APP_VALUE_CHARS,
    APP_WAITING,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

    from device.records.store import Store

RECORD = "app"
# Kinds of settings.
NUMBER = "number"
SWITCH = "switch"
CHOICE = "choice"

# `lowest` and `highest`: of a number, both inclusive; `choices`: texts of a choice; `unit`: after a number, or "".
Setting = namedtuple("Setting", ("name", "label", "kind", "default", "lowest", "highest", "choices", "unit"))
Reading = namedtuple("Reading", ("name", "label", "unit"))
Action = namedtuple("Action", ("name", "label"))

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME = _LETTERS + "0123456789_"


def number(name: str, label: str, default: int, lowest: int, highest: int, unit: str = "") -> "Setting":
    """Return a setting for a whole number from `lowest` to `highest`."""
    return Setting(name, label, NUMBER, default, lowest, highest, (), unit)


def switch(name: str, label: str, default: bool) -> "Setting":
    """Return a setting that is on (True) or off."""
    return Setting(name, label, SWITCH, default, 0, 1, (), "")


def choice(name: str, label: str, default: str, choices: "Sequence[str]") -> "Setting":
    """Return a setting for one of several texts."""
    return Setting(name, label, CHOICE, default, 0, 0, tuple(choices), "")


class AppPage:
    """The page of one application on one unit. Reads its record once; declares nothing by itself."""

    def __init__(self, user: "Store") -> None:
        self._user = user
        self._stored = self._load()
        self._values: "dict[str, Any]" = {}  # of the readings
        self._waiting: "list[str]" = []
        self._changed = asyncio.Event()
        self.title = ""
        self.settings: "tuple[Setting, ...]" = ()
        self.readings: "tuple[Reading, ...]" = ()
        self.actions: "tuple[Action, ...]" = ()

    def _load(self) -> "dict[Any, Any]":
        try:
            data = self._user.read(RECORD)
            found = {} if data is None else cbor.decode(data)
        except (CodecError, StorageError):
            return {}
        return found if isinstance(found, dict) else {}

    # what the application does -------------------------------------------------------------------------------
    def declare(
        self,
        title: str,
        settings: "Sequence[Setting]",
        readings: "Sequence[Reading]",
        actions: "Sequence[Action]",
    ) -> None:
        """Declare the whole page, in place of an earlier declaration. Raises ValueError, TypeError."""
        _text(title, APP_TITLE_CHARS)
        names = _names(settings, APP_SETTINGS) + _names(readings, APP_READINGS) + _names(actions, APP_ACTIONS)
        if len(names) != len(set(names)):
            raise ValueError("two parts of the page have one name")
        for setting in settings:
            _check_setting(setting)
        for reading in readings:
            _text(reading.unit, APP_NAME_CHARS, True)
        self.title = title
        self.settings, self.readings, self.actions = tuple(settings), tuple(readings), tuple(actions)
        self._values = {}
        self._waiting = []

    def value(self, name: str) -> "Any":
        """Return the present value of a setting. Raises KeyError."""
        for setting in self.settings:
            if setting.name == name:
                found = self._stored.get(name)
                return found if fits(setting, found) else setting.default
        raise KeyError(name)

    def measure(self, name: str, value: "Any") -> None:
        """Show `value` (text, number, bool, None: nothing yet) for a reading. Raises KeyError, TypeError."""
        if not any([reading.name == name for reading in self.readings]):
            raise KeyError(name)
        if isinstance(value, str):
            value = clip_utf8(value[:APP_VALUE_CHARS], 4 * APP_VALUE_CHARS)
        elif isinstance(value, float):
            # JSON has no infinity; NaN compares false.
            value = round(value, 3) if abs(value) <= APP_NUMBER else None
        elif isinstance(value, int) and abs(value) > APP_NUMBER:
            value = None
        elif value is not None and not isinstance(value, (bool, int)):  # a bool is not an int on MicroPython
            raise TypeError("value")
        self._values[name] = value

    async def next_action(self, timeout_s: float) -> "str | None":
        """Return the name of the oldest waiting action. None after `timeout_s`, or as soon as a setting changed."""
        if not self._waiting:
            try:
                await asyncio.wait_for(self._changed.wait(), timeout_s)
            except asyncio.TimeoutError:
                return None
        self._changed.clear()
        return self._waiting.pop(0) if self._waiting else None

    # what the owner does -------------------------------------------------------------------------------------
    def change(self, values: "dict[str, Any]") -> None:
        """Store new values of settings, all or none.

        Raises SettingsError (reason "app setting": no such setting; "app value", field `setting`), StorageError.
        """
        known = {setting.name: setting for setting in self.settings}
        for name in values:
            if name not in known:
                raise SettingsError(reason="app setting")
            if not fits(known[name], values[name]):
                raise SettingsError(reason="app value", setting=name)
        # Only what this application declares: values of an earlier release would fill the record over the years.
        wanted = {name: values[name] if name in values else self.value(name) for name in known}
        if any([wanted[name] != self.value(name) for name in wanted]):
            self._user.write(RECORD, cbor.encode(wanted))
            self._stored = wanted
        self._changed.set()

    def act(self, name: str) -> None:
        """Let an action wait for the application. Raises SettingsError (reason "app action", "app busy")."""
        if not any([action.name == name for action in self.actions]):
            raise SettingsError(reason="app action")
        if len(self._waiting) >= APP_WAITING:
            raise SettingsError(reason="app busy")
        self._waiting.append(name)
        self._changed.set()

    def status(self) -> "dict[str, Any] | None":
        """Return the page as data (device/web/facade.py), None if the application declared none."""
        if not self.title:
            return None
        return {
            "title": self.title,
            "settings": [_as_data(setting, self.value(setting.name)) for setting in self.settings],
            "readings": [
                {"name": one.name, "label": one.label, "unit": one.unit, "value": self._values.get(one.name)}
                for one in self.readings
            ],
            "actions": [{"name": one.name, "label": one.label} for one in self.actions],
        }


def _as_data(setting: "Setting", value: "Any") -> "dict[str, Any]":
    return {
        "name": setting.name,
        "label": setting.label,
        "kind": setting.kind,
        "value": value,
        "lowest": setting.lowest,
        "highest": setting.highest,
        "choices": list(setting.choices),
        "unit": setting.unit,
    }


def fits(setting: "Setting", value: "Any") -> bool:
    """Return whether a setting can have this value."""
    if setting.kind == SWITCH:
        return isinstance(value, bool)
    if setting.kind == CHOICE:
        return isinstance(value, str) and value in setting.choices
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return bool(is_number and setting.lowest <= value <= setting.highest)


def _check_setting(setting: "Setting") -> None:
    _text(setting.unit, APP_NAME_CHARS, True)
    if setting.kind == NUMBER:
        if not -APP_NUMBER <= setting.lowest <= setting.highest <= APP_NUMBER:
            raise ValueError("bounds of " + setting.name)
    elif setting.kind == CHOICE:
        if not 1 <= len(setting.choices) <= APP_CHOICES or len(set(setting.choices)) != len(setting.choices):
            raise ValueError("choices of " + setting.name)
        for text in setting.choices:
            _text(text, APP_LABEL_CHARS)
    elif setting.kind != SWITCH:
        raise ValueError("kind of " + setting.name)
    if not fits(setting, setting.default):
        raise ValueError("default of " + setting.name)


def _names(parts: "Sequence[Any]", most: int) -> "list[str]":
    """Return the names of settings, readings or actions after a check of their number, names and labels."""
    if len(parts) > most:
        raise ValueError("more than {} of a kind".format(most))
    for part in parts:
        _text(part.label, APP_LABEL_CHARS)
        _text(part.name, APP_NAME_CHARS)
        if part.name[0] not in _LETTERS or any([letter not in _NAME for letter in part.name]):
            raise ValueError("a name has only a-z, 0-9 and _, and begins with a letter")
    return [part.name for part in parts]


def _text(text: str, most: int, is_optional: bool = False) -> None:
    """Raise TypeError, ValueError unless `text` is short, and text that a page can carry."""
    if not isinstance(text, str):
        raise TypeError("text")
    if not (is_optional or text) or len(text) > most or clip_utf8(text, 4 * most) != text:
        raise ValueError("a text is empty, too long or not printable")
