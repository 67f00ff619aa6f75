"""Every page and call of the local pages: one list for the application, docs/openapi.json and the tests.

A path or method that the unit's state does not allow answers 404, like one that does not exist (PW-02, SE-05). For a
known path of another state a browser also gets a page that leads on, for example from a second tab to sign-in.
"""

from collections import namedtuple

from device.compat import Rows, const
from device.owner import lifecycle

# The states in which a route exists: indexes of _STATES, because a constant row cannot name another module's values.
_BOTH = const(0)
_BEFORE = const(1)
_AFTER = const(2)
_STATES = (
    (lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED),
    (lifecycle.FACTORY_DEFAULT,),
    (lifecycle.INITIALISED,),
)

# states: in which the route exists; handler: name of the method of device.web.owner.OwnerSite
Route = namedtuple("Route", ("method", "path", "states", "needs_session", "handler"))


def _route(method: str, path: str, states: int, needs_session: bool, handler: str) -> Route:
    return Route(method, path, _STATES[states], needs_session, handler)


# Each row is constant, so that the tables stay in flash.
_WIFI = (
    ("GET", "/network", _AFTER, True, "network"),
    ("POST", "/network", _AFTER, True, "change_network"),
)
_LANGUAGE = (("POST", "/language", _BOTH, False, "change_language"),)
_ALWAYS = (
    # Declared public information and what a browser needs to show it (SE-06).
    ("GET", "/", _BOTH, False, "index"),
    ("GET", "/style.css", _BOTH, False, "style"),
    ("GET", "/meter.js", _BOTH, False, "meter"),
    ("GET", "/public.json", _BOTH, False, "public"),
    ("GET", "/contact", _BOTH, False, "contact"),
    ("GET", "/statement", _BOTH, False, "statement"),
    # Set-up and sign-in.
    ("GET", "/setup", _BEFORE, False, "setup_form"),
    ("POST", "/setup", _BEFORE, False, "setup"),
    ("GET", "/login", _AFTER, False, "login_form"),
    ("POST", "/login", _AFTER, False, "login"),
    # The owner's pages.
    ("GET", "/status", _AFTER, True, "status"),
    ("GET", "/status.json", _AFTER, True, "status_json"),
    ("GET", "/updates", _AFTER, True, "updates"),
    ("POST", "/updates", _AFTER, True, "change_updates"),
    ("GET", "/application", _AFTER, True, "application"),
    ("POST", "/application", _AFTER, True, "change_application"),
    ("GET", "/home", _AFTER, True, "home"),
    ("POST", "/home", _AFTER, True, "change_home"),
    ("GET", "/support", _AFTER, True, "support"),
    ("GET", "/password", _AFTER, True, "password_form"),
    ("POST", "/password", _AFTER, True, "change_password"),
    ("GET", "/reset", _AFTER, True, "reset_form"),
    ("POST", "/reset", _AFTER, True, "reset"),
    ("GET", "/licences", _AFTER, True, "licences"),
    ("POST", "/logout", _AFTER, True, "logout"),
)

ROUTES = Rows(_route, _ALWAYS)
WIFI_ROUTES = Rows(_route, _WIFI)  # only on a unit with a radio (device/web/network.py)
# Only on a unit whose product has more languages than English (device/web/languages.py).
LANGUAGE_ROUTES = Rows(_route, _LANGUAGE)
