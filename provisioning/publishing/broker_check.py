"""Check that a broker keeps what units, publisher and tracker need of it: any broker, over its own port.

Rules:
1. The check connects as the maker's own users do, with their certificates. It writes only objects named by the digest
   of random bytes, and messages of two units that exist for the check, and removes what it wrote.
2. A message that must not arrive is never waited for: a message that must arrive is sent after it, and is the fence.
3. A broker may end the connection of a user who did what it denies. That counts as denied.
4. What was not checked is a finding of its own: it is never counted as passed.

docs/reference/topics.md has the topics and rights.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from device.limits import CHUNK_BYTES, ENVELOPE_BYTES
from provisioning import fair_time
from provisioning.counted import counted
from provisioning.keys.pki import CertificateAuthority
from provisioning.publishing.broker_bench import Bench, Inbox, common_name, removed
from provisioning.publishing.topics import WINDOW, RetainedTopics
from provisioning.release.store import PublishError
from provisioning.servers.access import PUBLISHER
from provisioning.servers.errors import ServerError
from provisioning.servers.mqtt_client import MqttClient

ARRIVAL_S: Final = 15.0
ATTEMPTS: Final = 3
RESTART_S: Final = 120.0
_RETAINED: Final = "retained objects"
_OBJECTS: Final = "retained objects that come back"
MANY: Final = 1100  # objects: more than the 1 000 messages that brokers queue for a client


@dataclass(frozen=True)
class Finding:
    """The result of one check. `is_met`: None if it was not checked, and `text` says why."""

    name: str
    is_met: bool | None
    text: str


class _NotMet(Exception):
    """The broker does not do what a check asks for. The message says what was seen."""


class BrokerCheck:
    """The checks of one broker.

    `others`: addresses of further nodes of a cluster. `restart()` kills the broker and starts
    it again; it raises OSError if that fails.
    """

    def __init__(
        self,
        bench: Bench,
        others: Sequence[tuple[str, int]] = (),
        restart: Callable[[], None] | None = None,
    ) -> None:
        self._bench = bench
        self._others = tuple(others)
        self._restart = restart
        self._keeps_retained = False

    def run(self) -> Iterator[Finding]:
        """Yield each finding as it is made."""
        for name, needs, check in (
            ("certificate of a client", (), self._asks_for_certificates),
            (_RETAINED, ("a publisher",), self._retains),
            ("size of a message", ("a publisher", _OBJECTS), self._takes_large),
            ("many objects", ("a publisher", _OBJECTS), self._gives_many),
            ("what a unit reads", ("a publisher", "a unit", _OBJECTS), self._serves_units),
            ("what a unit may not write", ("a publisher", "a unit", _OBJECTS), self._keeps_objects),
            ("what a unit may not read", ("a tracker", "two units"), self._keeps_units_apart),
            ("requests and answers", ("a tracker", "a unit"), self._carries_requests),
            ("a unit that comes back", ("a publisher", "a unit", _OBJECTS), self._lets_back_in),
            ("every node", ("a publisher", "another node", _OBJECTS), self._has_every_node),
            ("a broker that is killed", ("a publisher", "a restart command", _OBJECTS), self._survives),
        ):
            missing = [need for need in needs if not self._has(need)]
            if missing:
                yield Finding(name, None, f"not checked: it needs {' and '.join(missing)}")
                continue
            found = _finding(name, check)
            if name == _RETAINED:
                self._keeps_retained = bool(
                    found.is_met
                )  # else every later check would wait for what never comes
            yield found

    def _has(self, need: str) -> bool:
        return {
            _OBJECTS: self._keeps_retained,
            "a publisher": self._bench.users.publisher is not None,
            "a tracker": self._bench.users.tracker is not None,
            "a unit": bool(self._bench.users.units),
            "two units": len(self._bench.users.units) > 1,
            "another node": bool(self._others),
            "a restart command": self._restart is not None,
        }[need]

    # the checks -------------------------------------------------------------------------------------------
    def _asks_for_certificates(self) -> str:
        if self._bench.is_let_in(None):
            raise _NotMet("a client without a certificate is let in")
        with tempfile.TemporaryDirectory(prefix="fb-check-") as folder:
            stranger = CertificateAuthority.create("a stranger").issue_client(PUBLISHER)
            certificate, _ = stranger.save(Path(folder), PUBLISHER)
            if self._bench.is_let_in(certificate):
                raise _NotMet("a client with the certificate of a stranger is let in")
        return "a client without a certificate, or with a stranger's, is refused"

    def _retains(self) -> str:
        (topic, first), (_, second) = self._bench.objects(2, 64).items()
        with self._bench.topics() as topics:
            topics.put({topic: first})
            topics.put({topic: second})
            if topics.get([topic]) != {topic: second}:
                raise _NotMet("a retained message that was replaced is not given back")
            topics.remove([topic])
            if topics.get([topic]):
                raise _NotMet("a retained message that was removed is given back")
        return "a message is kept, replaced and removed"

    def _takes_large(self) -> str:
        made = self._bench.objects(1, max(CHUNK_BYTES, ENVELOPE_BYTES))
        with self._bench.topics() as topics, removed(topics, made):
            topics.put(made)
        return f"a message of {max(CHUNK_BYTES, ENVELOPE_BYTES)} bytes passes"

    def _gives_many(self) -> str:
        made = self._bench.objects(MANY, 32)
        with self._bench.topics() as topics, removed(topics, made):
            topics.put(made)
            for _ in range(3):
                missing = len(made) - len(topics.get(list(made)))
                if missing:
                    raise _NotMet(
                        f"{missing} of {MANY} retained objects are missing in windows of {WINDOW}: the broker holds"
                        " some back, or acknowledges the end of a subscription before it has sent them"
                    )
        return f"{MANY} objects are all given back, in windows of {WINDOW}"

    def _serves_units(self) -> str:
        made = self._bench.objects(WINDOW, CHUNK_BYTES)
        unit = self._bench.users.units[0]
        with self._bench.topics() as topics, removed(topics, made):
            topics.put(made)
            with RetainedTopics(self._bench.access(unit), common_name(unit)) as reader:
                if reader.get(list(made)) != made:
                    raise _NotMet("a unit does not read what is published for its class")
        return f"a unit reads {WINDOW} chunks of its class"

    def _keeps_objects(self) -> str:
        made = self._bench.objects(2, 64)
        (planted, data), (kept, true) = made.items()
        with self._bench.topics() as topics, removed(topics, made):
            topics.put({kept: true})
            for topic in (planted, kept):
                self._bench.try_to_publish(self._bench.users.units[0], topic, data[:1], is_retained=True)
            if topics.get([planted, kept]) != {kept: true}:
                raise _NotMet("a unit writes and replaces what is published for its class")
        return "a unit cannot write what is published for its class"

    def _keeps_units_apart(self) -> str:
        unit, other = self._bench.users.units[:2]
        own, foreign = (common_name(path) for path in (unit, other))
        for wanted in (f"fb/d/{foreign}/fresh", f"fb/d/{foreign}/#", "fb/d/+/fresh", "#"):
            inbox, fence = Inbox(), os.urandom(8)
            with (
                self._bench.listening(unit, [f"fb/d/{own}/fresh"], inbox) as client,
                MqttClient(
                    self._bench.access(self._bench.users.tracker),
                    common_name(self._bench.users.tracker or Path()),
                ) as tracker,
            ):
                with suppress(ServerError):
                    client.subscribe([wanted])
                if not _arrives(tracker, inbox, [f"fb/d/{foreign}/fresh", f"fb/d/{own}/fresh"], fence):
                    raise _NotMet(f"a unit that asks for {wanted} no longer gets its own answers")
                if inbox.has(f"fb/d/{foreign}/fresh"):
                    raise _NotMet(f"a unit that asks for {wanted} reads the answers of another unit")
        return "a unit reads no answers of another"

    def _carries_requests(self) -> str:
        unit, tracker = self._bench.users.units[0], self._bench.users.tracker or Path()
        name, inbox, answers, fence = common_name(unit), Inbox(), Inbox(), os.urandom(8)
        others = [f"fb/d/{common_name(other)}/report" for other in self._bench.users.units[1:]]
        with self._bench.listening(tracker, ["fb/d/+/fresh/req", "fb/d/+/report"], inbox) as server:
            for topic in others:
                self._bench.try_to_publish(unit, topic, fence, is_retained=False)
            with self._bench.listening(unit, [f"fb/d/{name}/fresh"], answers) as client:
                for topic in (f"fb/d/{name}/fresh/req", f"fb/d/{name}/report"):
                    if not _arrives(client, inbox, [topic], fence):
                        raise _NotMet(f"{topic} does not reach the tracker")
                if any(inbox.has(topic) for topic in others):
                    raise _NotMet("a unit writes the report of another")
                if not _arrives(server, answers, [f"fb/d/{name}/fresh"], fence):
                    raise _NotMet("the tracker's answer does not reach the unit")
        return "a unit's request and report reach the tracker, the answer reaches the unit"

    def _lets_back_in(self) -> str:
        """A unit whose power failed comes back while the broker still keeps the old connection."""
        made = self._bench.objects(1, 64)
        unit = self._bench.users.units[0]
        with self._bench.topics() as topics, removed(topics, made), self._bench.silent(unit) as is_connected:
            if not is_connected:
                raise _NotMet("a unit is not let in")
            topics.put(made)
            with RetainedTopics(self._bench.access(unit), common_name(unit)) as reader:
                found = reader.get(list(made))
            if found != made:
                raise _NotMet("a unit that connects again does not read")
        return "a unit that connects again is served, although its old connection stands"

    def _has_every_node(self) -> str:
        made = self._bench.objects(WINDOW, 64)
        with self._bench.topics() as topics, removed(topics, made):
            topics.put(made)
            for host, port in self._others:
                with self._bench.topics(
                    replace(self._bench.access(self._bench.users.publisher), host=host, port=port)
                ) as other:
                    missing = len(made) - len(other.get(list(made)))
                if missing:
                    raise _NotMet(
                        f"{host}:{port} lacks {missing} of {counted(len(made), 'object')}: publish to each node, or use"
                        " brokers that share retained messages"
                    )
        return f"{len(self._others)} other nodes give the same objects"

    def _survives(self) -> str:
        made = self._bench.objects(WINDOW, 64)
        with self._bench.topics() as topics:
            topics.put(made)
            topics.make_durable(f"{self._bench.class_prefix}fence")
        if self._restart is not None:
            self._restart()
        with self._reopened() as topics, removed(topics, made):
            missing = len(made) - len(topics.get(list(made)))
            if missing:
                raise _NotMet(f"{missing} of {len(made)} acknowledged objects are gone after the restart")
        return "what was acknowledged is there after the restart"

    def _reopened(self) -> RetainedTopics:
        """Return a connection to a broker that is starting. Raises PublishError after RESTART_S."""
        end_s = fair_time.now() + RESTART_S
        pause = threading.Event()
        while True:
            topics = self._bench.topics()
            try:
                topics.start()
                topics.stop()
                return self._bench.topics()
            except PublishError:
                if fair_time.now() > end_s:
                    raise
            pause.wait(0.5)


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except _NotMet as reason:
        return Finding(name, False, str(reason))
    except (ServerError, PublishError, OSError) as error:
        return Finding(name, False, f"the check could not be made: {error}")


def _arrives(sender: MqttClient, inbox: Inbox, topics: Sequence[str], fence: bytes) -> bool:
    """Publish `fence` to each topic until it arrives under the last one; a receiver may connect again (rule 3)."""
    for _ in range(ATTEMPTS):
        sender.wait([sender.publish(topic, fence, is_retained=False) for topic in topics])
        if inbox.waits_for(topics[-1], fence, ARRIVAL_S / ATTEMPTS):
            return True
    return False
