"""The requests of the page about the broker in the owner's home (device/owner/home.py).

Rules:
1. The password goes into the unit and out in no answer. Other fields stay in a refused form, except a text that holds a
   private key.
2. Without a script the page loads itself again while a try or a check for updates runs (the header Refresh).
"""

from device.compat import const
from device.errors import HomeError, RequestError
from device.limits import HOME_ADDRESS_CHARS
from device.owner import home
from device.web import answers, home_page
from device.web.html import NO_PROBLEM, Problem
from device.web.site import field, read_form

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.owner import OwnerSite

_PORT_DIGITS = const(5)


def show(site: "OwnerSite", request: "Any") -> "Any":
    """Return the page; as JSON the saved choice and the state of the link (HomeLink.status), {} if nothing is saved."""
    found = site.device.home().status()
    if answers.wants_json(request):
        return answers.data(found or {})
    response = answers.page(
        home_page.home(
            site.device.public_info(), site.device.status(), found, NO_PROBLEM, site.word(home_page.PATH)
        )
    )
    after_s = home_page.RELOADS_S.get(found["state"]) if found is not None else None
    if after_s is not None:
        response.headers["Refresh"] = after_s
    return response


def change(site: "OwnerSite", request: "Any") -> "Any":
    """Carry out `action`: save (with `address`, `port`, `name`, `user`, `password`, `authority`, `install`), on, off,
    test, forget. Raises RequestError, StorageError.
    """
    fields = read_form(request)
    action = field(fields, "action")
    try:
        _carry_out(site, action, fields)
    except HomeError as error:
        reason = str(error.fields["reason"])
        # A second click, or a second tab, after the choice was erased asks for the same.
        is_repeated = action == "forget" and site.word(home_page.PATH) == home_page.DONE[action]
        if is_repeated and reason == "nothing":
            return answers.done(request, home_page.PATH)
        text, name = home_page.refusal(reason)
        if answers.wants_json(request):
            return answers.refuse(request, 422, text, error)
        typed = fields if action == "save" else None
        shown = home_page.home(
            site.device.public_info(),
            site.device.status(),
            site.device.home().status(),
            Problem(text, name),
            "",
            typed,
        )
        return answers.page(shown, 422)
    site.say(home_page.PATH, home_page.DONE[action])
    return answers.done(request, home_page.PATH)


def _carry_out(site: "OwnerSite", action: str, fields: "dict[str, str]") -> None:
    link = site.device.home()
    if action == "save":
        link.save(_broker(fields))
    elif action in ("on", "off"):
        link.switch(action == "on")
    elif action == "test":
        link.test()
    elif action == "forget":
        link.forget()
    else:
        raise RequestError(status=400, reason="action")


def _broker(fields: "dict[str, str]") -> "home.Broker":
    pasted = field(fields, "authority")
    return home.Broker(
        True,
        _host(field(fields, "address")),
        _port(field(fields, "port")),
        _host(field(fields, "name")),
        field(fields, "user"),
        field(fields, "password"),
        home.authority_of(pasted) if pasted.strip() else b"",
        fields.get("install") == "yes",
    )


def _host(text: str) -> str:
    """Return a typed host name: blanks around it and capitals do not count."""
    return text.strip().lower()[: HOME_ADDRESS_CHARS + 1]


def _port(text: str) -> int:
    """Return a typed port, 0 for anything else; int() alone would take blanks, "_" and other digits."""
    digits = text.strip()
    if not 1 <= len(digits) <= _PORT_DIGITS or any([digit not in "0123456789" for digit in digits]):
        return 0
    return int(digits)
