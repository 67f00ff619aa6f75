"""The page of the application as HTML, and its form: settings, readings, actions (device/agent/app_page.py).

Every text of the application is shown escaped, and translated if the maker's catalogue has it. A typed value becomes a
number only here; the bounds are the agent's.
"""

from device.compat import const
from device.errors import RequestError
from device.web.html import (
    NO_PROBLEM,
    Problem,
    escape,
    facts,
    field,
    field_error,
    section,
    submit,
    success,
)
from device.web.owner_pages import owner_page
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

PATH = "/application"
SAVED = "The settings are saved."  # gettext
ASKED = "The device was asked to do this. It takes a moment."  # gettext
_PREFIX = "set_"  # of a setting's field: its name alone could be the id of another part of the page
_DIGITS = const(10)


def values_of(page: "dict[str, Any]", fields: "dict[str, str]") -> "dict[str, Any]":
    """Return {name: value} of the settings in a form. Text that is not a number becomes None: no setting allows it.

    Raises RequestError(400) if a setting of the page is missing. A switch that is off is not sent by a browser.
    """
    values: "dict[str, Any]" = {}
    for setting in page["settings"]:
        text = fields.get(_PREFIX + setting["name"])
        if setting["kind"] == "switch":
            values[setting["name"]] = text == "on"
        elif text is None:
            raise RequestError(status=400, reason="field missing")
        else:
            values[setting["name"]] = _number(text) if setting["kind"] == "number" else text
    return values


def _number(text: str) -> "int | None":
    """Return a whole number, None for any other text; int() alone would take blanks, "_" and other digits."""
    digits = text[1:] if text.startswith("-") else text
    if not 1 <= len(digits) <= _DIGITS or any([digit not in "0123456789" for digit in digits]):
        return None
    return int(text)


def problem_of(page: "dict[str, Any]", text: str, reason: str, name: str) -> "Problem":
    """Return the problem of a refused form; a value that does not fit is reported at its field, with the bounds."""
    for setting in page["settings"]:
        if reason == "app value" and setting["name"] == name:
            if setting["kind"] == "number":
                text = _("Type a whole number from {0} to {1}.", setting["lowest"], setting["highest"])
            return Problem(text, _PREFIX + name)
    return Problem(text, "")


def application(
    info: "dict[str, Any]",
    found: "dict[str, Any]",
    problem: "Problem" = NO_PROBLEM,
    word: str = "",
    typed: "dict[str, str] | None" = None,
) -> "tuple[str, ...]":
    """Return the page of an application that declared one. `typed`: the fields of the refused form, which stay."""
    page = found["application"]["page"]
    body = [success(word)]
    if page["readings"]:
        body.append(section("", facts([(_(one["label"]), _shown(one)) for one in page["readings"]])))
    if page["actions"]:
        body.append(section("", "".join([_action(one) for one in page["actions"]])))
    if page["settings"]:
        body.append(section(_("Settings"), _form(page["settings"], problem, typed)))
    return owner_page(_(page["title"]), PATH, info, found, body, problem)


def _shown(reading: "dict[str, Any]") -> str:
    value, unit = reading["value"], reading["unit"]
    if value is None:
        return _("not known yet")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str):
        value = _(value)
    return _with_unit(value, unit)


def _with_unit(value: "Any", unit: str) -> str:
    """Return a value and its unit as one text, so that a page from right to left keeps them together."""
    return "{} {}".format(value, _(unit)) if unit else str(value)


def _action(action: "dict[str, Any]") -> str:
    return (
        '<form method="post" action="/application"><input type="hidden" name="action" value="do">'
        '<input type="hidden" name="name" value="{}"><button class="quiet" type="submit">{}</button></form>'
    ).format(escape(action["name"]), escape(_(action["label"])))


def _form(settings: "list[dict[str, Any]]", problem: "Problem", typed: "dict[str, str] | None") -> str:
    parts = ['<form method="post" action="/application"><input type="hidden" name="action" value="save">']
    for setting in settings:
        name = _PREFIX + setting["name"]
        value = setting["value"]
        if typed is not None:
            value = name in typed if setting["kind"] == "switch" else typed.get(name, "")
        if setting["kind"] == "switch":
            parts.append(
                '<label class="tick"><input type="checkbox" id="{0}" name="{0}" value="on"{1}> {2}</label>'.format(
                    name, " checked" if value else "", escape(_(setting["label"]))
                )
            )
        elif setting["kind"] == "choice":
            parts.append(_choice(setting, name, value, problem))
        else:
            parts.append(_number_field(setting, name, value, problem))
    parts.append(submit(_("Save")))
    return "".join(parts)


def _choice(setting: "dict[str, Any]", name: str, value: str, problem: "Problem") -> str:
    error, marks = field_error(name, problem)
    options = [
        '<option value="{}"{}>{}</option>'.format(
            escape(one), " selected" if one == value else "", escape(_(one))
        )
        for one in setting["choices"]
    ]
    return '<label for="{0}">{1}</label>{2}<p><select id="{0}" name="{0}"{3}>{4}</select></p>'.format(
        name, escape(_(setting["label"])), error, marks, "".join(options)
    )


def _number_field(setting: "dict[str, Any]", name: str, value: "Any", problem: "Problem") -> str:
    lowest, highest, unit = setting["lowest"], setting["highest"], setting["unit"]
    attributes = 'type="number" step="1" min="{}" max="{}" value="{}"'.format(lowest, highest, escape(value))
    hint = _("{0} to {1}", lowest, _with_unit(highest, unit))
    return field(name, _(setting["label"]), attributes, hint, problem)
