"""Every page and call of the local pages: one list for the application, docs/openapi.json and the tests.

A path or method that the unit's state does not allow answers 404, like one that does not exist (PW-02, SE-05). For a
known path of another state a browser also gets a page that leads on, for example from a second tab to sign-in.
"""

from collections import namedtuple

from device.compat import const
from device.owner import lifecycle

TYPE_CHECKING = const(0)

_BOTH = (lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED)
_BEFORE = (lifecycle.FACTORY_DEFAULT,)
_AFTER = (lifecycle.INITIALISED,)

# states: in which the route exists; handler: name of the method of device.web.owner.OwnerSite
Route = namedtuple("Route", ("method", "path", "states", "needs_session", "handler"))

# Only on a unit with a radio (device/web/network.py).
WIFI_ROUTES = (
    Route("GET", "/network", _AFTER, True, "network"),
    Route("POST", "/network", _AFTER, True, "change_network"),
)
# Only on a unit whose product has more languages than English (device/web/languages.py).
LANGUAGE_ROUTES = (Route("POST", "/language", _BOTH, False, "change_language"),)
ROUTES = (
    # Declared public information and what a browser needs to show it (SE-06).
    Route("GET", "/", _BOTH, False, "index"),
    Route("GET", "/style.css", _BOTH, False, "style"),
    Route("GET", "/meter.js", _BOTH, False, "meter"),
    Route("GET", "/public.json", _BOTH, False, "public"),
    Route("GET", "/contact", _BOTH, False, "contact"),
    Route("GET", "/statement", _BOTH, False, "statement"),
    # Set-up and sign-in.
    Route("GET", "/setup", _BEFORE, False, "setup_form"),
    Route("POST", "/setup", _BEFORE, False, "setup"),
    Route("GET", "/login", _AFTER, False, "login_form"),
    Route("POST", "/login", _AFTER, False, "login"),
    # The owner's pages.
    Route("GET", "/status", _AFTER, True, "status"),
    Route("GET", "/status.json", _AFTER, True, "status_json"),
    Route("GET", "/updates", _AFTER, True, "updates"),
    Route("POST", "/updates", _AFTER, True, "change_updates"),
    Route("GET", "/application", _AFTER, True, "application"),
    Route("POST", "/application", _AFTER, True, "change_application"),
    Route("GET", "/home", _AFTER, True, "home"),
    Route("POST", "/home", _AFTER, True, "change_home"),
    Route("GET", "/support", _AFTER, True, "support"),
    Route("GET", "/password", _AFTER, True, "password_form"),
    Route("POST", "/password", _AFTER, True, "change_password"),
    Route("GET", "/reset", _AFTER, True, "reset_form"),
    Route("POST", "/reset", _AFTER, True, "reset"),
    Route("GET", "/licences", _AFTER, True, "licences"),
    Route("POST", "/logout", _AFTER, True, "logout"),
)
