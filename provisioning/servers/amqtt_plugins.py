"""Plugins for the embedded broker: the certificate identifies a client, the table of rights decides what it may do."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass, field

from amqtt.broker import BrokerContext
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session
from cryptography import x509
from cryptography.x509.oid import NameOID

from provisioning.servers.access import ServedUnits, covers, rights_of

_log = logging.getLogger("amqtt.firstboot")  # below "amqtt", so it goes to the broker's own log


def common_name(certificate_der: bytes) -> str | None:
    """Return the one common name of a certificate, None if there is not exactly one."""
    names = x509.load_der_x509_certificate(certificate_der).subject.get_attributes_for_oid(
        NameOID.COMMON_NAME
    )
    return str(names[0].value) if len(names) == 1 else None


class CertificateIdentity(BaseAuthPlugin):  # type: ignore[misc]
    """The log-in: the user name is the certificate's common name. The client id must be the same, so that no client can
    end another's session."""

    @dataclass
    class Config:
        """This plugin has no settings."""

    async def authenticate(self, *, session: Session) -> bool:
        certificate = session.ssl_object.getpeercert(binary_form=True) if session.ssl_object else None
        name = common_name(certificate) if certificate else None
        if not name or not hmac.compare_digest(name.encode(), (session.client_id or "").encode()):
            _log.info("Client of certificate %r refused: its client id is another", name)
            return False
        session.username = name
        _log.info("Client %s connected", name)
        return True


class TopicRights(BaseTopicPlugin):  # type: ignore[misc]
    """The rights to publish and to subscribe, by provisioning.servers.access. A subscriber may receive."""

    @dataclass
    class Config:
        """The product classes whose releases may be read, in hex, and the devices that have access."""

        class_ids: list[str] = field(default_factory=list)
        units: ServedUnits = field(default_factory=ServedUnits)

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(context)
        self._class_ids = [bytes.fromhex(text) for text in self.config.class_ids]

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        if session is None or not topic or not session.username:
            return False
        if not self.config.units.holds(session.username):
            return False
        rights = rights_of(session.username, self._class_ids)
        allowed = rights.publish if action == Action.PUBLISH else rights.subscribe
        return any(covers(entry, topic) for entry in allowed)
