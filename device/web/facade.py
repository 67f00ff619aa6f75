"""The interface between the local pages and a unit. device.agent.facade implements it; tests use a fake.

The shapes of the dictionaries are those of docs/reference/local-pages.md:

    public_info() -> {"model", "brand", "manufacturer",
                      "support": {"end_date": "2031-03-31", "sentence": "We will provide ..."} or None,
                      "contact": {"contact", "acknowledgement", "status_updates", "policy"} or None,
                      "statement_sha256": hex or None}
    status() -> {"version", "state", "slot", "is_trial",
                 "support": {"state", "end_date", "days_left", "sentence", "published",
                             "reason" (why not known, or None)} or None,
                 "time": unix s or None,
                 "update": {"state", "sequence", "progress" (0..100 or None), "last_error": {"code", "name", "text"}
                            or None, "events": [{"time": unix s or None, "code", "text"}], "is_stale", "withheld":
                            [what], "up_to_date": unix s of the last check if it found nothing newer, or None,
                            "next_check_s": seconds or None while one is under way, "automatic", "postponed_until":
                            unix s or None, "offered", "news":
                            {"sequence", "version", "mitigates", "interrupts"} or None},
                 "application": {"release", "state", "failures", "says", "page": {"title", "settings":
                            [{"name", "label", "kind", "value", "lowest", "highest", "choices", "unit"}],
                            "readings": [{"name", "label",
                            "unit", "value"}], "actions": [{"name", "label"}]} or None (device/agent/app_page.py)}
                            or None,
                 "last_contact": {"source", "time"} or None, "memory": {name: number},
                 "network": {"network", "state", "signal_dbm", "access_point", "lost_for", "attempt": {"network",
                            "result"} or None} (device/agent/wifi.py), or None on a unit without a radio,
                 "home": {"is_on", "state", "reason", "was_tested", "address", "port", "name", "user", "authority",
                            "may_install"} (device/agent/home_link.py), or None while the link is off}
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Protocol, Sequence

    from device.owner.home import Broker

    class Wifi(Protocol):
        """The owner's choice of a network (device/agent/wifi.py); None on a unit without a radio."""

        name: str  # of the unit's access point, which is its name on the network too
        networks: "Sequence[Any]"  # wifi.Seen, the strongest first
        earlier_contact: object  # (source, unix s): the last one before this network was joined, or None

        def is_joined(self) -> bool:
            """Return whether the unit is on a network."""

        def status(self) -> "dict[str, Any]":
            """Return the facts of device/agent/wifi.py; no passphrase."""

        def choose(self, ssid: bytes, passphrase: bytes, security: str = "") -> None:
            """Begin to join a network. Raises WifiError."""

        def again(self) -> None:
            """Try the last choice once more. Raises WifiError."""

        def rescan(self) -> None:
            """Look for networks again."""

        def is_looking(self) -> bool:
            """Return whether the list of networks is about to be renewed."""

        def finish(self) -> None:
            """Close the access point, if the unit has a network."""

    class Home(Protocol):
        """The owner's choice of a broker in the home (device/agent/home_link.py)."""

        def status(self) -> "dict[str, Any] | None":
            """Return the saved choice without its password, and how the link is; None if nothing is saved."""

        def save(self, wanted: "Broker") -> None:
            """Store a choice and use it. Raises HomeError, StorageError."""

        def switch(self, is_on: bool) -> None:
            """Switch the link on or off. Raises HomeError, StorageError."""

        def forget(self) -> None:
            """Erase the choice. Raises HomeError, StorageError."""

        def test(self) -> None:
            """Try the broker now. Raises HomeError."""

    class Device(Protocol):
        wifi: "Wifi | None"

        def home(self) -> "Home":
            """Return the link to the owner's home."""

        def state(self) -> str:
            """Return the life-cycle state (lifecycle.STATES)."""

        def public_info(self) -> "dict[str, Any]":
            """Return what anyone may know, before set-up too (SE-06): no serial, no version, no owner."""

        def statement(self) -> "bytes | None":
            """Return the statement's payload (JSON), None if there is no statement."""

        def status(self) -> "dict[str, Any]":
            """Return what the owner sees after sign-in."""

        async def setup(self, code: str, password: str, is_normalised: bool) -> None:
            """Store the password of the new owner if the code is correct.

            Raises LifecycleError, PressError, ThrottledError, EntropyError, SetupCodeError, PasswordError,
            StorageError.
            """

        async def login(self, password: str) -> None:
            """Return if the password is correct. Raises LifecycleError, ThrottledError, CredentialError."""

        def host_names(self) -> "tuple[str, ...]":
            """Return the names and addresses that a Host header may use, lower case, without a port."""

        def is_press_needed(self) -> bool:
            """Return whether set-up needs a press of the button first (after a factory reset)."""

        async def change_password(self, old: str, new: str, is_normalised: bool) -> None:
            """Replace the password. Raises what login raises for `old`, PasswordError, EntropyError."""

        async def reset(self, password: str) -> None:
            """Begin a factory reset; from then on no page exists. Raises what login raises."""

        def set_automatic(self, is_automatic: bool) -> None:
            """Switch automatic updates on or off. Raises StorageError."""

        def postpone(self, days: int) -> None:
            """Postpone automatic updates. Raises SettingsError, StorageError."""

        def install_now(self) -> None:
            """Install the waiting release. Raises SettingsError."""

        def check_now(self) -> None:
            """Begin the next check for updates now, unless one is under way."""

        def change_application(self, values: "dict[str, Any]") -> None:
            """Store settings of the application. Raises SettingsError (agent/app_page.py), StorageError."""

        def act(self, name: str) -> None:
            """Let the application carry out an action. Raises SettingsError (agent/app_page.py)."""

        def random_bytes(self, length: int) -> bytes:
            """Return random bytes for session tokens. Raises EntropyError."""

        def ticks_ms(self) -> int:
            """Return the clock's ticks in ms (interfaces.Clock)."""

        def ticks_diff(self, later: int, earlier: int) -> int:
            """Return the distance of two ticks in ms."""
