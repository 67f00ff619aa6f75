"""The local pages: each takes values and gives HTML. Plain words, no script needed, nothing from elsewhere."""

from device import support
from device.compat import const
from device.web import texts
from device.web.html import document, escape, facts, notice, page, section

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

# A browser that went past its warning does not resist somebody on the same network; the page says so.
_WARNING = (
    "Your browser does not know this device, so it warned you. Compare the fingerprint in the browser's certificate"
    " details with the one on the label: if they differ, somebody on your network stands in between, so do not type"
    " the code."
)
_SUPPORT_TEXTS = {
    support.SUPPORTED: ("Supported", "good"),
    support.ENDING: ("Support ends soon", "warn"),
    support.ENDED: ("Support has ended", "ended"),
    support.UNKNOWN: ("Not known: the device has not learnt the time yet", "warn"),
}


def index(info: "dict[str, Any]", is_set_up: bool) -> str:
    """The first page: what anyone may know, and the one way on."""
    if is_set_up:
        way = section("Your device", '<p><a class="button" href="/login">Sign in</a></p>')
    else:
        way = section(
            "Set up your device",
            "<p>This device does nothing until you choose a password for it. You need the set-up code from its"
            ' label.</p><p><a class="button" id="start" href="/setup">Start</a></p>',
        )
    return page(_title(info), str(info.get("brand", "")), way + public_sections(info), _footer())


def public_sections(info: "dict[str, Any]") -> str:
    """Support period and security contact: declared public information (SI 2023/1007 Sch. 1 paras 2 and 3)."""
    period = info.get("support")
    text = escape(period["sentence"]) if period else "The support period of this device cannot be read."
    parts = [section("Security updates", "<p>" + text + "</p>")]
    contact = info.get("contact")
    if contact:
        parts.append(section("Report a security problem", _contact(contact)))
    parts.append(section("Statement of compliance", '<p><a href="/statement">Read the statement</a></p>'))
    return "".join(parts)


def _contact(contact: "dict[str, Any]") -> str:
    text = "<p>Anyone can report a problem, free of charge and without giving a name: {}</p>".format(
        _link(str(contact.get("contact", "")))
    )
    rows = facts(
        (
            ("We confirm your report", contact.get("acknowledgement")),
            ("We keep you informed", contact.get("status_updates")),
        )
    )
    return text + rows + "<p>Our policy: " + _link(str(contact.get("policy", ""))) + "</p>"


def _link(address: str) -> str:
    # device.contact lets only these three through; anything else is shown, not linked.
    for scheme in ("https:", "mailto:", "tel:"):
        if address.startswith(scheme):
            shown = address if scheme == "https:" else address[len(scheme) :]
            return '<a href="' + escape(address) + '">' + escape(shown) + "</a>"
    return escape(address)


def setup(info: "dict[str, Any]", problem: str = "") -> str:
    """The set-up form; `problem` says in words why the last try was refused. Never shows what was typed."""
    form = (
        '<form method="post" action="/setup" data-password>'
        '<input type="hidden" name="normalised" value="">'
        '<label for="code">Set-up code</label>'
        '<p class="hint" id="code-hint">21 letters and digits on the label of the device. Dashes and spaces do not'
        " matter.</p>"
        '<input type="text" id="code" name="code" required autocomplete="off" autocapitalize="characters"'
        ' spellcheck="false" aria-describedby="code-hint">'
        '<label for="password">New password</label>'
        '<p class="hint" id="password-hint">At least 15 characters. Spaces are welcome; four or five words that do'
        " not belong together are strong and easy to keep.</p>"
        '<input type="password" id="password" name="password" required minlength="15"'
        ' autocomplete="new-password" aria-describedby="password-hint">'
        '<label for="again">New password again</label>'
        '<input type="password" id="again" name="again" required autocomplete="new-password">'
        '<label class="show" hidden><input type="checkbox" id="show"> Show the password</label>'
        '<button type="submit">Set this password</button></form>'
    )
    body = notice(problem) if problem else section("Before you begin", "<p>" + escape(_WARNING) + "</p>")
    return page("Set up", _title(info), body + section("", form), _footer())


def login(info: "dict[str, Any]", problem: str = "") -> str:
    """The sign-in form."""
    form = (
        '<form method="post" action="/login" data-password>'
        '<input type="hidden" name="normalised" value="">'
        '<label for="password">Password</label>'
        '<input type="password" id="password" name="password" required autocomplete="current-password">'
        '<label class="show" hidden><input type="checkbox" id="show"> Show the password</label>'
        '<button type="submit">Sign in</button></form>'
    )
    body = (notice(problem) if problem else "") + section("", form)
    return page("Sign in", _title(info), body + public_sections(info), _footer())


def status(info: "dict[str, Any]", found: "dict[str, Any]") -> str:
    """What the owner sees: version, support period, updates, what was refused."""
    update = found.get("update") or {}
    body = _support(found.get("support"))
    body += section("Software", facts(_software_rows(found, update)))
    problem = update.get("last_error")
    if problem:
        body += notice("The last update was not installed: " + _told(problem))
    body += _events(update.get("events") or [])
    body += section(
        "",
        '<form method="post" action="/logout"><button class="quiet" type="submit">Sign out</button></form>',
    )
    return page("Status", _title(info), body, _footer())


def _software_rows(found: "dict[str, Any]", update: "dict[str, Any]") -> "list[tuple[str, Any]]":
    contact = found.get("last_contact")
    progress = update.get("progress")
    return [
        ("Version", found.get("version")),
        ("On trial", "yes, until it has proved itself" if found.get("is_trial") else "no"),
        ("Update", update.get("state")),
        ("Progress", None if progress is None else "{} %".format(progress)),
        ("Release number", update.get("sequence")),
        ("Last contact", None if contact is None else _contact_time(contact)),
        ("Time", time_text(found.get("time"))),
    ]


def _contact_time(contact: "dict[str, Any]") -> str:
    return "{} ({})".format(time_text(contact.get("time")), contact.get("source", ""))


def _support(found: "dict[str, Any] | None") -> str:
    if not found:
        return section("Security updates", "<p>The support period of this device cannot be read.</p>")
    state = str(found.get("state", support.UNKNOWN))
    text, kind = _SUPPORT_TEXTS.get(state, _SUPPORT_TEXTS[support.UNKNOWN])
    body = '<p class="state {}">{}</p><p>{}</p>'.format(kind, escape(text), escape(found.get("sentence", "")))
    days = found.get("days_left")
    if state == support.ENDING and days is not None:
        body += "<p>{} left.</p>".format("1 day" if days == 1 else "{} days".format(escape(days)))
    if state == support.ENDED:
        body += (
            "<p>The device goes on working. Problems that are found from now on may stay: think about replacing"
            " it, or about taking it off the internet. An update that comes all the same will be installed.</p>"
        )
    return section("Security updates", body)


def _events(events: "list[dict[str, Any]]") -> str:
    if not events:
        return ""
    rows = ["<li>" + escape(time_text(event.get("time")) + ": " + _told(event)) + "</li>" for event in events]
    return section("What happened", "<ul>" + "".join(rows) + "</ul>")


def _told(event: "dict[str, Any]") -> str:
    """An error in plain words, with its permanent number and facts for whoever is asked for help."""
    words = texts.update_text(event.get("code"))
    exact = "{} (number {})".format(event.get("text", ""), event.get("code", ""))
    return words + " " + exact if words else exact


def statement(info: "dict[str, Any]", content: "Any") -> str:
    """The statement of compliance as a page; `content` is the decoded JSON, None where there is none."""
    if content is None:
        body = notice("This device holds no statement of compliance.")
    else:
        told = content.get("notice") if isinstance(content, dict) else None
        body = (notice(str(told)) if told else "") + section("", document(content))
    return page("Statement of compliance", _title(info), body, _footer())


def message(status_code: int, text: str) -> str:
    """A page for an error; it says nothing about the unit, since anyone may see it."""
    title = "Not found" if status_code == 404 else "That did not work"
    return page(title, "", section("", "<p>" + escape(text) + '</p><p><a href="/">Back</a></p>'))


def time_text(unix_s: "Any") -> str:
    """Give unix seconds as "31 March 2031, 14:05 UTC"; "not known" for None and 0."""
    if isinstance(unix_s, bool) or not isinstance(unix_s, int) or unix_s <= 0:
        return "not known"
    minutes = unix_s % support.DAY_S // 60
    day = support.long_date_text(unix_s // support.DAY_S)
    return "{}, {:02d}:{:02d} UTC".format(day, minutes // 60, minutes % 60)


def _title(info: "dict[str, Any]") -> str:
    return str(info.get("model") or "Device")


def _footer() -> str:
    return "<p>This page comes from the device itself and asks nothing else on the network.</p>"
