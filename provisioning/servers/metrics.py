"""Counters of the maker's servers for Prometheus, as OpenMetrics text.

Rules:
1. Every label has a fixed set of values; a value that is not in it counts as "other". Nothing that a peer sends
   becomes a label, and a device id never does.
2. Sizes of the store are measured at a scrape, at most once in STORE_S.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from provisioning.servers import observer
from provisioning.servers.observer import Fact

STORE_S: Final = 10.0
OTHER: Final = "other"
SOURCES: Final = frozenset({"mqtt", "coap"})
KINDS: Final = frozenset(
    {"freshness", "report", "manifest", "object", "support", "contact", "keyset", "message"}
)
REASONS: Final = frozenset(
    {
        "size", "encoding", "structure", "class",  # a freshness request or a report
        "not found", "method", "option", "block", "unavailable",  # a CoAP request
        "unprotected", "unknown unit", "decryption", "replay",  # before it is decrypted
        "clock", "key",  # of signing
        "disk", "share",  # a report that cannot be kept, or of a unit that has used its share
    }
)  # fmt: skip


@dataclass(frozen=True)
class ClassFacts:
    """The store's content for one product class: sizes, and the numbers that the tracker signs."""

    files: int
    size: int
    manifest: int
    support: int


class Metrics:
    """An observer that counts the events; `text()` returns the counters."""

    def __init__(
        self,
        *,
        classes: Callable[[], Mapping[str, ClassFacts]],
        units: Callable[[], int],
        is_ready: Callable[[], bool],
    ) -> None:
        """`classes`: by class id in hex; `units`: returns how many units have access over CoAP."""
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests received", "source", "kind")
        self._refused = self._counter("refused_requests", "Requests refused", "source", "kind", "reason")
        self._answered = self._counter("freshness_answers", "Signed freshness records returned", "source")
        self._reported = self._counter("reports", "Reports received", "source")
        self._sent = self._counter("sent_bytes", "Bytes of published files sent", "source", "kind")
        self._not_signed = self._counter("signing_refusals", "Freshness records not signed", "reason")
        self._connections = self._counter("broker_connections", "Connections that the broker accepted")
        self._takeovers = self._counter("broker_takeovers", "Sessions that another client took over")
        self._is_connected = Gauge(
            "firstboot_broker_connected", "1 while the broker sends requests", registry=self._registry
        )
        ready = Gauge("firstboot_ready", "1 if every part answers", registry=self._registry)
        ready.set_function(lambda: float(is_ready()))
        granted = Gauge("firstboot_coap_units", "Units with access over CoAP", registry=self._registry)
        granted.set_function(_rarely(units))
        self._registry.register(_StoreCollector(_rarely(classes)))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"firstboot_{name}", text, labels, registry=self._registry)

    def __call__(self, event: str, /, **facts: Fact) -> None:
        """Count one event."""
        source = _bounded(facts.get("source"), SOURCES)
        kind = _bounded(facts.get("kind"), KINDS)
        reason = _bounded(facts.get("reason"), REASONS)
        if event == observer.REQUEST:
            self._requests.labels(source, kind).inc()
        elif event == observer.REFUSED:
            self._refused.labels(source, kind, reason).inc()
        elif event == observer.SENT:
            self._sent.labels(source, kind).inc(int(facts["size"]))
        elif event == observer.NOT_SIGNED:
            self._not_signed.labels(reason).inc()
        elif event in (observer.ANSWERED, observer.REPORTED):
            (self._answered if event == observer.ANSWERED else self._reported).labels(source).inc()
        else:
            self._count_broker(event)

    def _count_broker(self, event: str) -> None:
        if event == observer.BROKER_UP:
            self._connections.inc()
            self._is_connected.set(1)
        elif event in (observer.BROKER_DOWN, observer.TAKEOVER):
            self._is_connected.set(0)
            if event == observer.TAKEOVER:
                self._takeovers.inc()

    def text(self) -> tuple[str, bytes]:
        """Return content type and text."""
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)  # type: ignore[no-untyped-call, unused-ignore]


class _StoreCollector:
    """A collector of each class's sizes and numbers at the time of the scrape."""

    def __init__(self, classes: Callable[[], Mapping[str, ClassFacts]]) -> None:
        self._classes = classes

    def describe(self) -> Iterable[Any]:
        return ()

    def collect(self) -> Iterable[Any]:
        families = {
            "files": GaugeMetricFamily("firstboot_store_files", "Published files", labels=["class"]),
            "size": GaugeMetricFamily(
                "firstboot_store_bytes", "Size of the published files", labels=["class"]
            ),
            "manifest": GaugeMetricFamily(
                "firstboot_published_manifest", "Sequence number of the published manifest", labels=["class"]
            ),
            "support": GaugeMetricFamily(
                "firstboot_published_support",
                "Sequence number of the published support record",
                labels=["class"],
            ),
        }
        for class_id, facts in self._classes().items():
            for name, family in families.items():
                family.add_metric([class_id], getattr(facts, name))
        return families.values()


def _bounded(value: Fact | None, known: frozenset[str]) -> str:
    return value if isinstance(value, str) and value in known else OTHER


def _rarely(measure: Callable[[], Any]) -> Callable[[], Any]:
    """Return `measure` with its result kept for STORE_S, so that it is called at most once in that time."""
    kept: list[Any] = []

    def measured() -> Any:
        now_s = time.monotonic()
        if not kept or now_s - kept[0] > STORE_S:
            kept[:] = [now_s, measure()]
        return kept[1]

    return measured
