"""The facts of a unit for the owner's home, out of the unit's parts (device/net/home_assistant.py, Facts)."""

from device.agent import status
from device.agent.home_link import HomeLink
from device.compat import const
from device.errors import FirstbootError
from device.net.home_assistant import Facts, Unit
from device.records import support
from device.update.service import DOWNLOADING, RESTARTING

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.agent.agent import Ports
    from device.agent.apps import ApplicationHost
    from device.agent.assembly import FactoryRecords
    from device.records.store import Store
    from device.update.service import UpdateService


def make_link(
    ports: "Ports",
    user: "Store",
    factory: "FactoryRecords",
    updates: "UpdateService",
    host: "ApplicationHost",
) -> HomeLink:
    """Return the link of a unit."""
    identity = factory.identity
    unit = Unit(factory.name, str(identity.brand), str(identity.model), updates.profile.version)
    return HomeLink(ports, user, unit, updates.consent, lambda word: facts_of(updates, host, word))


def facts_of(updates: "UpdateService", host: "ApplicationHost", word: str = "") -> Facts:
    """Return the present facts; `word` replaces the update state unless it is ""."""
    consent = updates.consent
    waiting = consent.waiting_sequence()
    news, state = consent.offered, updates.state
    is_busy = state in (DOWNLOADING, RESTARTING) or (news is not None and not waiting)
    if news is None and is_busy:
        news = consent.news
    latest, summary = updates.profile.version, ""
    if news is not None:
        latest = news.version or "release {}".format(news.sequence)
        summary = news.mitigates
    bits = updates.trusted.withheld.bits
    return Facts(
        latest,
        waiting,
        is_busy,
        summary,
        _support_end(updates),
        word or status.update_word(updates),
        bool(updates.trusted.staleness.is_stale),
        bool(bits),
        _readings(host),
    )


def _support_end(updates: "UpdateService") -> str:
    """Return the end date as "2031-03-31", "" if the record cannot be read."""
    try:
        found = updates.trusted.support.stored("support", updates.trusted.anchors)
    except FirstbootError:
        return ""
    return "" if found is None else str(support.date_text(found.content.end_day))


def _readings(host: "ApplicationHost") -> "tuple[tuple[Any, ...], ...]":
    found = host.status()
    page = found["page"] if found is not None else None
    if page is None:
        return ()
    return tuple([(one["label"], one["unit"], one["value"]) for one in page["readings"]])
