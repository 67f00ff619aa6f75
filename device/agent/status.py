"""The dictionaries that pages, JSON and tools show (shapes: docs/reference/local-pages.md). No I/O."""

from device.compat import const
from device.records import support
from device.update import withheld
from device.update.service import IDLE

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.errors import FirstbootError
    from device.owner.settings import News
    from device.records.contact import Contact
    from device.records.identity import Identity
    from device.records.support import SupportRecord
    from device.update.releases import Releases
    from device.update.service import UpdateService

# Why the support state is not known; the page explains it (SP-10).
NO_TIME = "no time"

WITHHELD = "withheld"  # the update state between checks while a source withholds what the tracker names


def public_info(
    unit: "Identity", record: "SupportRecord", contact: "Contact", statement_digest: bytes
) -> "dict[str, Any]":
    """Return the information that is declared public: no serial number, no version, no owner (SE-06)."""
    return {
        "model": unit.model,
        "brand": unit.brand,
        "manufacturer": unit.manufacturer,
        "support": {
            "end_date": support.date_text(record.end_day),
            "sentence": support.sentence(unit.model, record.end_day),
        },
        "contact": {
            "contact": contact.contact,
            "acknowledgement": contact.acknowledgement,
            "status_updates": contact.status_updates,
            "policy": contact.policy,
        },
        "statement_sha256": statement_digest.hex(),
    }


def support_status(model: str, record: "SupportRecord", now_s: "int | None") -> "dict[str, Any]":
    """Return the support period as of the trusted time `now_s` (unix s, None if it is not known)."""
    found = support.support_state(record, now_s)
    return {
        "state": found.state,
        "end_date": support.date_text(record.end_day),
        "days_left": found.days_left,
        "sentence": support.sentence(model, record.end_day),
        "published": support.date_text(record.published_s // support.DAY_S),
        "reason": NO_TIME if found.state == support.UNKNOWN else None,
    }


def update_status(updates: "UpdateService") -> "dict[str, Any]":
    """Return what the update service does, what it refused last, and what it waits for."""
    error = updates.journal.last_error
    total = updates.installer.total
    consent = updates.consent
    return {
        "state": update_word(updates),
        "sequence": updates.releases.progress.value.manifest_sequence,
        "progress": updates.installer.done * 100 // total if total else None,
        "last_error": error_fields(error) if error is not None else None,
        "events": [
            {"time": entry[0] or None, "code": entry[1], "text": entry[2]}
            for entry in updates.journal.entries
        ],
        "up_to_date": updates.up_to_date_s,
        "next_check_s": _next_check_s(updates),
        "is_stale": updates.trusted.staleness.is_stale,
        "withheld": withheld.words(updates.trusted.withheld.bits),
        "automatic": consent.settings.is_automatic,
        "postponed_until": consent.settings.postponed_until_s or None,
        "offered": _news(consent.offered),
        "news": _news(consent.news) if _is_installed(consent.news, updates.releases) else None,
    }


def update_word(updates: "UpdateService") -> str:
    """Return the update state: WITHHELD, or a state of update/service.py."""
    is_withheld = updates.trusted.withheld.bits and updates.state == IDLE
    return WITHHELD if is_withheld else str(updates.state)


def _next_check_s(updates: "UpdateService") -> "int | None":
    """Return the seconds until the next check, None while one is under way."""
    if updates.next_check_ms is None:
        return None
    clock = updates.trusted.time.clock
    return max(0, clock.ticks_diff(updates.next_check_ms, clock.ticks_ms())) // 1000


def _is_installed(news: "News | None", found: "Releases") -> bool:
    """Return whether the stored text is about the running release: one that failed has stored its text too."""
    number = found.progress.value.manifest_sequence
    pending = found.pending.read() if found.pending.is_trial else None
    return news is not None and news.sequence == (number if pending is None else pending.sequence)


def _news(news: "News | None") -> "dict[str, Any] | None":
    if news is None:
        return None
    return {
        "sequence": news.sequence,
        "version": news.version,
        "mitigates": news.mitigates,
        "interrupts": news.interrupts,
    }


def error_fields(error: "FirstbootError") -> "dict[str, Any]":
    """Return a typed error as a dictionary: its number, class name and one line of text."""
    return {"code": error.code, "name": type(error).__name__, "text": error.describe()}
