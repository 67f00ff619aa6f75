"""Build a provisioned unit from its ports. This reads records and writes nothing; Unit.start() writes."""

import asyncio
from collections import namedtuple

from device.agent.apps import ApplicationHost
from device.agent.facade import Facade
from device.agent.home import HomeHost
from device.agent.presence import Presence
from device.agent.unit import Unit, migrate
from device.compat import const
from device.crypto import backend, der
from device.errors import FirstbootError
from device.owner.onboarding import Owner
from device.owner.settings import Consent
from device.records import contact, identity, setup, store
from device.records.events import Events
from device.records.floors import Floors
from device.records.store import Store
from device.records.timekeeper import TimeKeeper
from device.trust import anchors as trust_anchors
from device.trust import keyset
from device.trust.signed_record import verify_record
from device.update import releases
from device.update.appset import AppSets
from device.update.journal import Journal
from device.update.service import Hooks, Profile, UpdateService
from device.update.trusted_state import TrustedState
from device.version import version_text

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.agent import Ports
    from device.agent.home_link import HomeLink
    from device.agent.wifi import WifiHost
    from device.trust.anchors import Anchors
    from device.update.releases import Releases
    from device.update.slots import BootState

STATEMENT_TYP = "application/vnd.firstboot.statement+json"

# The two record stores. `is_confirmed`: the running image is confirmed, so records may take its newest form.
Stores = namedtuple("Stores", ("device", "user", "is_confirmed"))
# What the factory wrote, verified with the factory's keys: a key that is revoked later does not invalidate it.
# anchors: Anchors; identity: Identity; contact: Contact; statement_sha256: of its JSON; web_certificate: DER;
# name: what the certificate calls the unit on the network.
FactoryRecords = namedtuple(
    "FactoryRecords", ("anchors", "identity", "contact", "statement_sha256", "web_certificate", "name")
)
# asyncio.Event each. owned: the unit has an owner; wake: check for updates at once; reset: a factory reset began.
Signals = namedtuple("Signals", ("owned", "wake", "reset"))
# The parts of one unit. ports: Ports; stores: Stores; factory: FactoryRecords; owner: Owner; updates: UpdateService;
# host: ApplicationHost; presence: Presence; signals: Signals; wifi: WifiHost, None on a board without a radio; home:
# HomeHost
Parts = namedtuple(
    "Parts", ("ports", "stores", "factory", "owner", "updates", "host", "presence", "signals", "wifi", "home")
)


def assemble(ports: "Ports", boot_state: "BootState") -> Unit:
    """Build the unit. Raises StorageError, CodecError, TrustError if a factory record cannot be used."""
    stores = _open_stores(ports, boot_state)
    factory = _read_factory_records(stores.device)
    signals = Signals(asyncio.Event(), asyncio.Event(), asyncio.Event())
    owner = Owner(
        stores.device,
        stores.user,
        ports.clock,
        ports.entropy,
        ports.board.PBKDF2_ITERATIONS,
        factory.name,
        ports.key_store,
        bool(ports.board.HAS_BUTTON),
    )
    found = releases.load(
        ports.boot,
        boot_state,
        stores.device,
        AppSets(ports.flash, ports.layout),
        lambda: migrate(stores, ports.say),
    )
    host = ApplicationHost(ports, found, stores.device, stores.user)
    updates = _update_service(ports, stores, factory, found, Hooks(_pause, host.is_proven), signals)
    presence = Presence(ports, factory.name)
    wifi = _wifi(ports, stores, factory, updates, signals) if ports.wifi is not None else None
    home = HomeHost(stores.user, lambda: _home_link(ports, stores, factory, updates, host))
    parts = Parts(ports, stores, factory, owner, updates, host, presence, signals, wifi, home)
    return Unit(parts, Facade(parts))


def _open_stores(ports: "Ports", boot_state: "BootState") -> Stores:
    # A release on trial keeps every record in a form that the previous release can read (store.py, rule 6).
    is_confirmed = bool(boot_state.marks(ports.boot.slot).is_confirmed)
    return Stores(
        Store(ports.mount(store.DEVICE), store.DEVICE, is_confirmed),
        Store(ports.mount(store.USER), store.USER, is_confirmed),
        is_confirmed,
    )


def _read_factory_records(device: "Store") -> FactoryRecords:
    anchors = trust_anchors.decode(device.require("anchors"))

    def verified(name: str, typ: str, role: int) -> bytes:
        return verify_record(device.require(name), typ, role, anchors, backend)

    web_certificate = device.require("web.crt")
    return FactoryRecords(
        anchors,
        identity.decode(device.require("identity")),
        contact.decode(verified("contact", contact.TYP, trust_anchors.ROLE_SUPPORT)),
        backend.sha256(verified("statement", STATEMENT_TYP, trust_anchors.ROLE_SIGNATORY)),
        web_certificate,
        der.certificate_facts(web_certificate).common_name,
    )


def _update_service(
    ports: "Ports",
    stores: Stores,
    factory: FactoryRecords,
    found: "Releases",
    hooks: Hooks,
    signals: Signals,
) -> UpdateService:
    floor_s = max(factory.anchors.build_time_floor_s, found.progress.value.time_floor_s)
    time = TimeKeeper(ports.clock, floor_s)
    journal = Journal(Events(stores.user), time)
    trusted = TrustedState(
        stores.device,
        _newest_anchors(ports, stores.device, factory.anchors),
        time,
        ports.entropy,
        found.progress,
        journal,
    )
    return UpdateService(
        Profile(factory.identity.device_id, version_text(ports.boot.version)),
        found,
        trusted,
        Consent(stores.user, time, signals.wake.set),
        journal,
        hooks,
    )


def _newest_anchors(ports: "Ports", device: "Store", factory_anchors: "Anchors") -> "Anchors":
    """Return the keys of the stored key set. If it is damaged or lost: only the root keys (UP-11)."""
    floor = Floors(device).keyset
    try:
        return keyset.effective(factory_anchors, device.read("keyset"), floor)
    except FirstbootError as error:
        ports.say("key set: " + error.describe())
        return keyset.roots_only(factory_anchors, floor)


def _wifi(
    ports: "Ports", stores: Stores, factory: FactoryRecords, updates: UpdateService, signals: Signals
) -> "WifiHost":
    # Imported here: a board without a radio has neither the modules nor the heap for them.
    from device.agent.portal import Portal
    from device.agent.wifi import WifiHost

    passphrase = setup.decode(stores.device.require("setup")).passphrase
    portal = Portal(lambda: str(factory.identity.model), ports.say)

    def joined() -> None:
        wifi.earlier_contact = updates.trusted.last_contact
        signals.wake.set()

    wifi = WifiHost(ports, stores.user, factory.name, passphrase, joined, portal)
    return wifi


def _home_link(
    ports: "Ports", stores: Stores, factory: FactoryRecords, updates: UpdateService, host: ApplicationHost
) -> "HomeLink":
    # Imported here: a unit without a link has no heap for its modules.
    from device.agent.home_unit import make_link

    return make_link(ports, stores.user, factory, updates, host)


async def _pause() -> None:
    await asyncio.sleep(0)
