"""Runs the servers until SIGTERM or SIGINT: readiness, reload on SIGHUP, a stop within a bound."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from provisioning.cli import serve_log
from provisioning.cli.errors import message_of, rule_of
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.output import print_json_line
from provisioning.cli.serve_settings import CoapSettings, ServeSettings
from provisioning.cli.stop_signals import StopSignals
from provisioning.servers.maker_servers import MakerServers
from provisioning.servers.notify import notify, watchdog_interval_s
from provisioning.servers.oscore_store import OscoreStore

LOOK_S: Final = 0.5


def run(settings: ServeSettings) -> None:
    """Serve until a signal ends it. Raises what MakerServers and `plan` raise."""
    log = serve_log.begin(is_json=settings.log_json)
    signals = StopSignals()
    servers = MakerServers(settings.plan(), log)
    reload = _reloader(settings, servers.oscore)
    reload()
    servers.start()
    try:
        _report(settings, log, "listening", addresses_of(servers))
        _watch(servers, settings, log, signals, reload)
    finally:
        _stop(servers, settings, log)


def addresses_of(servers: MakerServers) -> dict[str, str]:
    """Return where the running servers listen, and the name under which the tracker connects."""
    found = {}
    if servers.coap is not None:
        found["coap"] = f"{servers.coap.host}:{servers.coap.port}"
    if servers.health is not None:
        found["health"] = f"http://{servers.health.host}:{servers.health.port}"
    if servers.link is not None:
        found["mqtt_user"] = servers.link.name
    return found


def _watch(
    servers: MakerServers,
    settings: ServeSettings,
    log: serve_log.EventLog,
    signals: StopSignals,
    reload: Callable[[], None],
) -> None:
    """Report each change of readiness until a signal ends it."""
    known: dict[str, str] | None = None
    interval_s = watchdog_interval_s()
    while not signals.is_ending:
        problems = {name: text for name, text in servers.readiness().items() if text}
        if (not problems) != (not known) or known is None:
            known = problems
            if problems:
                notify("STATUS=not ready: " + "; ".join(f"{name}: {text}" for name, text in problems.items()))
            else:
                notify("READY=1", "STATUS=ready")
            _report(settings, log, "not_ready" if problems else "ready", problems)
        if interval_s is not None and not any(servers.liveness().values()):
            notify("WATCHDOG=1")
        signals.wait(LOOK_S if interval_s is None else min(LOOK_S, interval_s))
        if signals.is_reload_asked:
            signals.is_reload_asked = False
            _reload(log, reload)


def _reload(log: serve_log.EventLog, reload: Callable[[], None]) -> None:
    """A file that cannot be read leaves everything as it was."""
    try:
        reload()
    except Exception as error:
        if rule_of(error) is None:
            raise
        log("reload_failed", text=message_of(error))
    else:
        log("reloaded")


def _reloader(settings: ServeSettings, store: OscoreStore | None) -> Callable[[], None]:
    """Reads the units' secrets again, if the settings name their file."""
    if not isinstance(settings, CoapSettings) or settings.secrets is None or store is None:
        return lambda: None
    secrets, key = settings.secrets, settings.secrets_key

    def reload() -> None:
        from provisioning.registry.export import import_sealed
        from provisioning.registry.sealed import ServerPrivateKey

        assert key is not None  # noqa: S101 - CoapSettings.plan
        import_sealed(secrets.read_text(encoding="utf-8"), ServerPrivateKey.load(key), store)

    return reload


def _stop(servers: MakerServers, settings: ServeSettings, log: serve_log.EventLog) -> None:
    """Stop within the bound; a stop that takes longer, or fails, ends the process with FAILED."""
    notify("STOPPING=1")
    began_s = time.monotonic()
    failures: list[str] = []

    def stop() -> None:
        try:
            servers.stop()
        except Exception as error:  # a thread has no error boundary
            failures.append(message_of(error))

    thread = threading.Thread(target=stop, name="stop", daemon=True)
    thread.start()
    thread.join(settings.stop_within)
    if thread.is_alive() or failures:
        log("stop_late", seconds=settings.stop_within, reason="; ".join(failures))
        sys.stdout.flush()
        os._exit(int(ExitCode.FAILED))
    _report(settings, log, "stopped", {"milliseconds": round(1000 * (time.monotonic() - began_s))})


def _report(settings: ServeSettings, log: serve_log.EventLog, event: str, facts: dict[str, Any]) -> None:
    log(event, **facts)
    if settings.is_json:
        print_json_line({"event": event, **facts})
