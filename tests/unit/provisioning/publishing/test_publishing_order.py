"""Publishing goes forward: an older release or record replaces a newer one only on request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import cose
from device.records import contact, support
from device.trust import keyset
from device.trust.anchors import ROLE_AUTHOR, ROLE_SUPPORT, ROLE_TRACKER
from device.trust.anchors import Key as AnchorKey
from provisioning.keys import keyset as plans
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_id import key_id
from provisioning.keys.signer import sign_record
from provisioning.publishing.records import KINDS, SignedRecord
from provisioning.publishing.targets import Parcel, TargetResult, publish_to
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import Release, build_release
from tests.folder_target import folder_target

CLASS_ID = bytes(range(16))
SIGNER, *OTHERS = [FileSigner(ec.generate_private_key(ec.SECP256R1())) for _ in range(4)]
KIND = {kind.name: kind for kind in KINDS}


def release(number: int) -> Release:
    return build_release(
        b"payload",
        vendor_id=bytes(16),
        class_id=CLASS_ID,
        sequence_number=number,
        signer=SIGNER,
        version="1.0.0",
        mitigates="nothing",
        interrupts="no",
    )


def contact_record(number: int, signer: FileSigner = SIGNER) -> bytes:
    texts = ("mailto:security@lamps.test", "5 days", "14 days", "https://lamps.test/policy")
    return sign_record(contact.encode(contact.Contact(number, *texts)), contact.TYP, signer)


def support_record(number: int, signer: FileSigner = SIGNER, end_day: int = 30_000) -> bytes:
    payload = support.encode(support.SupportRecord(CLASS_ID, end_day, number, 1_800_000_000, 90))
    return sign_record(payload, support.TYP, signer)


def key_set(number: int, signer: FileSigner = SIGNER) -> bytes:
    plan = plans.KeySetPlan(number - 1, 1, ((cose.ALG_ESP256, SIGNER.public.hex()),), 0, 0).with_tracker_from(
        1_800_000_000
    )
    roles = [
        AnchorKey(key_id(one.public), cose.ALG_ESP256, role, one.public)
        for one, role in zip(OTHERS, (ROLE_AUTHOR, ROLE_SUPPORT, ROLE_TRACKER), strict=True)
    ]
    return sign_record(keyset.encode(plans.key_set(plan, CLASS_ID, roles, 1_800_000_000)), keyset.TYP, signer)


RECORDS: dict[str, Callable[..., bytes]] = {
    "contact": contact_record,
    "support": support_record,
    "keyset": key_set,
}


def publish(
    path: Path, *records: tuple[str, bytes], release: Release | None = None, may_go_back: bool = False
) -> TargetResult:
    found = [SignedRecord(KIND[name], data, CLASS_ID) for name, data in records]
    (result,) = publish_to([folder_target(path)], Parcel(CLASS_ID, release, found, may_go_back))
    return result


@pytest.mark.parametrize("name", RECORDS)
def test_an_older_record_does_not_replace_a_newer_one_and_a_newer_one_does(name: str, tmp_path: Path) -> None:
    made = RECORDS[name]
    newer = made(5)
    assert publish(tmp_path, (name, newer)).error is None
    refused = publish(tmp_path, (name, made(4)))
    assert refused.error is not None and "5 is published there, and this one is 4" in refused.error
    assert FolderStore(tmp_path, CLASS_ID).read(name) == newer
    assert publish(tmp_path, (name, made(6))).error is None


@pytest.mark.parametrize("name", RECORDS)
def test_the_same_record_is_published_again_also_with_another_signature(name: str, tmp_path: Path) -> None:
    made = RECORDS[name]
    first, again = made(5), made(5, OTHERS[0])
    assert first != again
    assert [publish(tmp_path, (name, one)).error for one in (first, first, again)] == [None] * 3


def test_another_record_with_the_same_number_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, ("support", support_record(5)))
    refused = publish(tmp_path, ("support", support_record(5, end_day=30_001)))
    assert refused.error is not None and "with the number 5" in refused.error


def test_an_older_release_is_refused_before_anything_is_published(tmp_path: Path) -> None:
    publish(tmp_path, release=release(9))
    refused = publish(tmp_path, ("contact", contact_record(1)), release=release(8))
    assert refused.error is not None and "release 9 is published" in refused.error and not refused.done
    assert FolderStore(tmp_path, CLASS_ID).size("contact") is None


def test_a_thiefs_higher_number_is_replaced_on_request(tmp_path: Path) -> None:
    publish(tmp_path, release=release(2**60))
    own = release(10)
    assert publish(tmp_path, release=own, may_go_back=True).error is None
    assert FolderStore(tmp_path, CLASS_ID).read("manifest") == own.envelope


def test_what_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    FolderStore(tmp_path, CLASS_ID).put_raw("keyset", b"garbage")
    assert publish(tmp_path, ("keyset", key_set(1))).error is None
