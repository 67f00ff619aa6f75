"""What the local pages need of a unit, and nothing more. device.agent.facade implements it; tests bring a fake.

The shapes of the dictionaries are those of docs/reference/local-pages.md:

    public_info() -> {"model", "brand", "manufacturer",
                      "support": {"end_date": "2031-03-31", "sentence": "We will provide ..."} or None,
                      "contact": {"contact", "acknowledgement", "status_updates", "policy"} or None,
                      "statement_sha256": hex or None}
    status() -> {"version", "state", "slot", "is_trial",
                 "support": {"state", "end_date", "days_left", "sentence", "reason" (why not known, or None)} or None,
                 "time": unix s or None,
                 "update": {"state", "sequence", "progress" (0..100 or None), "last_error": {"code", "name", "text"}
                            or None, "events": [{"time": unix s or None, "code", "text"}], "is_stale", "automatic",
                            "postponed_until": unix s or None, "offered", "news":
                            {"sequence", "version", "mitigates", "interrupts"} or None},
                 "application": {"release", "state", "failures", "says"} or None,
                 "last_contact": {"source", "time"} or None, "heap": {"peak_bytes", "free_bytes"}}
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Device(Protocol):
        def state(self) -> str:
            """The life-cycle state (lifecycle.STATES)."""

        def public_info(self) -> "dict[str, Any]":
            """What anyone may know, before sign-in and before set-up (SE-06): no serial, no version, no owner."""

        def statement(self) -> "bytes | None":
            """The statement's payload (JSON), None where there is none."""

        def status(self) -> "dict[str, Any]":
            """What the owner sees after sign-in."""

        async def setup(self, code: str, password: str, is_normalised: bool) -> None:
            """Make the caller the owner.

            Raises LifecycleError, PressError, ThrottledError, EntropyError, SetupCodeError, PasswordError,
            StorageError.
            """

        async def login(self, password: str) -> None:
            """Return when the password is right. Raises LifecycleError, ThrottledError, CredentialError."""

        def host_names(self) -> "tuple[str, ...]":
            """What a Host header may call this unit, lower case, without a port."""

        def is_press_needed(self) -> bool:
            """Whether set-up waits for a press of the button (after a factory reset)."""

        async def change_password(self, old: str, new: str, is_normalised: bool) -> None:
            """Replace the password. Raises what login raises for `old`, PasswordError, EntropyError."""

        async def reset(self, password: str) -> None:
            """Begin a factory reset; from here on no page exists. Raises what login raises."""

        def set_automatic(self, is_automatic: bool) -> None:
            """Switch automatic updates. Raises StorageError."""

        def postpone(self, days: int) -> None:
            """Put updates off. Raises SettingsError, StorageError."""

        def install_now(self) -> None:
            """Install what is on offer. Raises SettingsError."""

        def random_bytes(self, length: int) -> bytes:
            """For session tokens. Raises EntropyError."""

        def ticks_ms(self) -> int: ...
        def ticks_diff(self, later: int, earlier: int) -> int: ...
