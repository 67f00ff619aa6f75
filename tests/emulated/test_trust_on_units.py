"""Trust of a whole unit, on every available machine: TLS, trusted time, key sets, two kinds of signature.

One life on each machine; its servers behave as hostile, wrong or rotated ones. The unit is the firmware itself, with a
real broker and the machine's own TLS (OpenSSL in the simulator, Mbed TLS on the emulated board).
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from device.errors import CertificateError, FreshnessError, LinkError, SignatureError
from device.trust.anchors import ROLE_AUTHOR
from provisioning.keys import keyset
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.pki import CertificateAuthority, Credentials
from provisioning.keys.signer import Signer
from provisioning.release.release import build_release
from provisioning.release.store import PublishError
from provisioning.servers.broker import BrokerSetup
from provisioning.servers.local_broker import make_broker
from simulator.story.flash_edit import edit_device_records
from simulator.story.maker_keys import KEYS
from simulator.story.product import CHECK_INTERVAL_S, SERVER_NAME
from simulator.story.runner import wait_until
from simulator.story.world import World

ANSWERS_S = 60
UPDATE_S = 120
DAY_S = 86400
SHORT_DAYS = 30  # validity of the short-lived certificate
AUTHORITY_WORDS = {"sim": "issuer certificate", "qemu": "not correctly signed"}
LATER_S = (SHORT_DAYS + 10) * DAY_S


class Life:
    """One unit's life; `seen` has the observations of each part, for the tests below."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: dict[str, Any] = {}

    def live(self) -> None:
        world = self.world
        assert world.owner.set_up(world.unit.setup_code, world.password).status == 303
        self.until("the time", lambda found: found["time"])
        self.hear_untrue_times()
        self.meet_wrong_servers()
        self.meet_an_expired_server()
        self.sleep_through_changes_of_roots()
        self.lose_the_key_set()

    # parts -------------------------------------------------------------------------------------------------
    def hear_untrue_times(self) -> None:
        """Send a record with yesterday's nonce, then one from after the interval of the tracker's key."""
        world = self.world
        old = world.servers.tracker.answer(self._request_of_before())
        honest = world.servers.tracker.answer
        world.servers.tracker.answer = lambda request: old  # type: ignore[method-assign]
        self.restart()
        self.seen["replayed"] = self.refusal(FreshnessError.code, "reason=nonce")
        world.servers.tracker.answer = honest  # type: ignore[method-assign]
        world.clock.shift_s = 500 * DAY_S
        self.seen["forward-dated"] = self.refusal(FreshnessError.code, "interval")
        world.clock.shift_s = 0
        self.seen["honest"] = self.until("the time", lambda found: found["time"])

    def meet_wrong_servers(self) -> None:
        """Offer servers of another name and authority: the handshake fails, so they receive nothing from the unit."""
        stranger = CertificateAuthority.create("somebody else's CA")
        with self.broker_with(self.world.keys.ring.server_ca.issue_server("other.test", ["other.test"])):
            self.seen["other name"] = self.link_error("match")
        with self.broker_with(stranger.issue_server(SERVER_NAME, [SERVER_NAME])):
            self.seen["other authority"] = self.link_error(AUTHORITY_WORDS[self.world.on])

    def meet_an_expired_server(self) -> None:
        """Offer an expired server: the first connection gets the trusted time, and the next one then fails."""
        world = self.world
        server = world.keys.ring.server_ca.issue_server(SERVER_NAME, [SERVER_NAME], days=SHORT_DAYS)
        world.machine.cut_power()
        with self.broker_with(server):
            self.publish(lambda: world.publish(2, "mqtt"))  # the maker's own clients check the real date
            world.clock.shift_s = LATER_S
            world.machine.power_on()
            self.seen["expired"] = self.until("the end of the certificate", _is_expired)
            self.seen["asked by then"] = world.servers.tracker.asked
            time.sleep(3 * CHECK_INTERVAL_S[world.on])
            self.seen["asked later"] = world.servers.tracker.asked
            self.seen["version meanwhile"] = world.status()["version"]
            self.publish(lambda: world.publish(1, "mqtt"))

    def sleep_through_changes_of_roots(self) -> None:
        """Change the roots twice and add a second author's key of another kind while the unit is off."""
        world = self.world
        world.machine.cut_power()
        folder = world.keys.folder
        for _ in range(2):
            world.keys.plan = world.keys.plan.with_roots(keyset.generate_roots(folder))
        tree = HssSigner.create(folder / "tree", FORMS["H5/W4"], folder / "witness")
        world.keys.plan = world.keys.plan.changed(author_threshold=2, author_algorithms=(-9, -46))
        self.publish_keys(AnchorKey(tree.key_id, tree.algorithm, ROLE_AUTHOR, tree.public))
        author = world.keys.ring.signer("author")
        self.publish_release(2, [author])
        world.machine.power_on()
        self.seen["P-256 alone"] = self.refusal(SignatureError.code, "need=2")
        self.seen["version before both"] = world.status()["version"]
        self.publish_release(2, [author, tree])
        self.seen["both"] = self.until(
            "release 2", lambda found: found["version"].startswith("2.") and not found["is_trial"], UPDATE_S
        )

    def lose_the_key_set(self) -> None:
        """Damage the stored key set: the unit trusts only the roots until the set arrives again."""
        world = self.world
        silent = world.servers.publisher
        silent.publish_raw(f"fb/{world.product.class_id.hex()}/keyset", b"")
        edit_device_records(world.machine, lambda records: records.write("keyset", b"not what was written"))
        world.machine.power_on()
        self.seen["told"] = world.machine.console.wait_for(r"key set: [^\n]*\n", ANSWERS_S).group(0)
        self.seen["roots alone"] = self.refusal(SignatureError.code, "no such key")
        silent.publish_keyset(self.keys)
        self.seen["found again"] = self.until("the time", lambda found: found["time"])

    # what the parts use ------------------------------------------------------------------------------------
    def until(self, what: str, is_so: Callable[[Any], Any], seconds: float = ANSWERS_S) -> Any:
        def probe() -> Any:
            found = self.world.status()
            return found if is_so(found) else None

        return wait_until(what, probe, seconds, 0.3)

    def restart(self) -> None:
        self.world.machine.cut_power()
        self.world.machine.power_on()

    def refusal(self, code: int, words: str) -> Any:
        """Return the status once the newest event is this one."""

        def is_refused(found: Any) -> bool:
            error = found["update"]["last_error"]
            return bool(error and error["code"] == code and words in error["text"])

        return self.until(f"a refusal: {words}", is_refused)

    def link_error(self, words: str) -> str:
        """Return the text of a link error that contains this; an error about the old broker does not count."""

        def is_it(found: Any) -> bool:
            error = found["update"]["last_error"]
            codes = (LinkError.code, CertificateError.code)
            return bool(error and error["code"] in codes and words in error["text"])

        return str(self.until(f"a link error: {words}", is_it)["update"]["last_error"]["text"])

    def publish(self, put: Callable[[], object]) -> None:
        """Let the maker's publisher do this as soon as it is connected again."""

        def attempt() -> bool | None:
            with contextlib.suppress(PublishError):
                put()
                return True
            return None

        wait_until("the publisher", attempt, ANSWERS_S)

    def _request_of_before(self) -> bytes:
        from device.records import freshness

        return freshness.encode_request(freshness.challenge(bytes(16), self.world.product.class_id, 0))

    @contextlib.contextmanager
    def broker_with(self, server: Credentials) -> Iterator[None]:
        """Let a broker with this certificate answer at the broker's port, then the world's own again."""
        world = self.world
        own = world.servers.broker
        setup: BrokerSetup = dataclasses.replace(
            own._setup, server=server, port=own.port, units=(bytes.fromhex(world.unit.device_id),)
        )
        own.stop()
        try:
            with make_broker(setup):
                yield
        finally:
            own.start()

    def publish_keys(self, *more: AnchorKey) -> None:
        world = self.world
        keys = [*world.keys.ring.anchor_keys(), *more]
        content = keyset.key_set(world.keys.plan, world.product.class_id, keys, world.clock.now())
        self.keys = keyset.sign_key_set(
            content, keyset.minimal(world.keys.plan, keyset.root_signers(world.keys.folder))
        )
        self.publish(lambda: world.servers.publisher.publish_keyset(self.keys))

    def publish_release(self, number: int, signers: list[Signer]) -> None:
        world = self.world
        release = build_release(
            world.images.signed[number].read_bytes(),
            vendor_id=world.product.vendor_id,
            class_id=world.product.class_id,
            sequence_number=number,
            signer=signers,
            version=f"{number}.0.0",
            mitigates="a weakness",
            interrupts="one restart",
        )
        self.publish(lambda: world.servers.publisher.publish_release(release))


def _is_expired(found: Any) -> bool:
    error = found["update"]["last_error"]
    return bool(found["time"] and error and "expired" in error["text"])


@pytest.fixture(scope="module")
def life(on: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """The life of a unit, with its own keys, because it rotates the roots."""
    folder: Path = tmp_path_factory.mktemp(on)
    from provisioning.keys.key_ring import KeyRing

    KeyRing.generate_development(KEYS)
    keyset.ensure_plan(KEYS)
    shutil.copytree(KEYS, folder / "keys")  # the same image keys, so the boot ROM is built already
    with World(on, ("mqtt",), folder / "world", lambda text: None, keys_folder=folder / "keys") as world:
        world.build()
        world.provision()
        wait_until("its page", lambda: world.owner.request("GET", "/").status == 200 or None, ANSWERS_S)
        life = Life(world)
        life.live()
        yield life


def test_a_replayed_record_gives_a_unit_no_time(life: Life) -> None:
    assert life.seen["replayed"]["time"] is None
    assert life.seen["replayed"]["support"]["state"] == "unknown"


def test_a_forward_dated_record_gives_a_unit_no_time_and_moves_no_floor(life: Life) -> None:
    assert life.seen["forward-dated"]["time"] is None
    assert abs(life.seen["honest"]["time"] - time.time()) < DAY_S


def test_a_server_of_another_name_is_refused_by_a_unit(life: Life) -> None:
    assert life.seen["other name"].startswith("CertificateError reason=connect")


def test_a_server_of_another_authority_is_refused_by_a_unit(life: Life) -> None:
    assert life.seen["other authority"].startswith("CertificateError reason=connect")


def test_an_expired_chain_gives_the_time_and_then_nothing(life: Life) -> None:
    """Before trusted time TLS does not check dates; then the connection is opened again, with dates checked."""
    found = life.seen["expired"]
    assert abs(found["time"] - time.time() - LATER_S) < DAY_S
    assert found["last_contact"]["source"] == "mqtt"


def test_nothing_more_is_asked_of_an_expired_server(life: Life) -> None:
    assert life.seen["asked later"] == life.seen["asked by then"]


def test_a_release_on_an_expired_server_is_not_even_fetched(life: Life) -> None:
    assert life.seen["version meanwhile"].startswith("1.")


def test_a_unit_that_slept_through_two_changes_of_roots_follows(life: Life) -> None:
    assert "need=2" in life.seen["P-256 alone"]["update"]["last_error"]["text"]


def test_a_release_that_lacks_the_post_quantum_signature_is_refused(life: Life) -> None:
    assert life.seen["version before both"].startswith("1.")


def test_a_release_of_p256_and_hss_is_installed_and_confirmed(life: Life) -> None:
    assert life.seen["both"]["version"].startswith("2.")
    assert life.seen["both"]["slot"] == 1


def test_a_damaged_key_set_leaves_only_the_roots(life: Life) -> None:
    assert "RecordDamagedError" in life.seen["told"]
    assert life.seen["roots alone"]["time"] is None


def test_a_damaged_key_set_is_made_good_when_it_arrives_again(life: Life) -> None:
    assert life.seen["found again"]["update"]["sequence"] == 2
