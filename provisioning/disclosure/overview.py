"""The content of the maker's page (`cases_page.py`): due items, cases, investigations, and how the times were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.disclosure.case import Case
from provisioning.disclosure.clocks import Due, Punctuality


@dataclass(frozen=True)
class Examined:
    """One investigation of a possible compliance failure. `stop`: the state of its batches' stops, or None."""

    code: str
    state: str
    batches: str
    suspicion: str
    stop: str | None


@dataclass(frozen=True)
class Shown:
    """The content of the page, read at `now_s` (unix seconds). `due`: the most urgent first."""

    now_s: int
    due: Sequence[Due]
    cases: Sequence[Case]
    examined: Sequence[Examined]
    punctuality: Punctuality
