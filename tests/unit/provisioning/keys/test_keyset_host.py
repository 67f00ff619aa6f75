"""The maker's side of the key set: the plan, the signed set, the commands, the drill (UP-11)."""

import dataclasses
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device.codec import cose
from device.errors import SignatureError
from device.limits import KEYSET_BYTES, KEYSET_REVOKED, KEYSET_SIGNATURES
from device.trust import anchors as trust_anchors
from device.trust import keyset as device_keyset
from device.trust.keyset import NO_CEILINGS, Ceilings
from provisioning.cli.keys import app
from provisioning.keys import keyset
from provisioning.keys.key_ring import KeyRing
from provisioning.product.example import EXAMPLE
from provisioning.product.product import parse_product
from provisioning.product.record import anchors_record
from provisioning.release.drill import Maker, drill

PRODUCT = parse_product(EXAMPLE)
NOW_S = 1_790_000_000


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    KeyRing.generate_development(folder)
    keyset.KeySetPlan.load(folder).with_tracker_from(NOW_S).save(folder)
    (tmp_path / "product.toml").write_text(EXAMPLE)
    return folder


def _anchors(folder: Path) -> trust_anchors.Anchors:
    keys = KeyRing(folder).anchor_keys()
    return trust_anchors.decode(anchors_record(PRODUCT, keys, NOW_S, keyset.KeySetPlan.load(folder)))


def _run(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--keys", str(folder)])
    assert result.exit_code == 0, result.output
    return result.output


def _sign(folder: Path, *options: str) -> bytes:
    out = folder.parent / "keyset.cbor"
    _run(folder, "sign-set", "--product", str(folder.parent / "product.toml"), "--out", str(out), *options)
    return out.read_bytes()


def test_a_unit_of_the_line_knows_the_newest_key_set(folder: Path) -> None:
    anchors = _anchors(folder)
    assert anchors.rules.sequence == 2
    assert trust_anchors.policy_of(anchors, trust_anchors.ROLE_ROOT).threshold == 2
    assert [one.role for one in anchors.keys].count(trust_anchors.ROLE_ROOT) == 3
    interval = anchors.rules.intervals[0]
    assert interval.last_s - interval.first_s == 400 * 86400


def test_development_keys_are_generated_once_and_the_tracker_renewed_in_time(folder: Path) -> None:
    first = keyset.KeySetPlan.load(folder)
    assert keyset.ensure_plan(folder, NOW_S + 100 * 86400) == first
    later = keyset.ensure_plan(folder, NOW_S + 300 * 86400)
    assert later.sequence == first.sequence + 1
    assert later.roots == first.roots


@pytest.mark.parametrize("role", ["author", "support", "tracker", "signatory"])
def test_a_rotated_and_revoked_key_is_replaced_in_every_unit(folder: Path, role: str) -> None:
    anchors = _anchors(folder)
    old = next(
        one
        for one in KeyRing(folder).anchor_keys()
        if one.role == trust_anchors.__dict__[f"ROLE_{role.upper()}"]
    )
    _run(folder, "rotate", role, "--revoke")
    found = device_keyset.verify(_sign(folder), anchors)
    assert old.key_id in found.rules.revoked
    assert old.key_id not in {one.key_id for one in found.keys}
    assert {one.role for one in found.keys} == {1, 2, 3, 4, 5}


def test_rotated_roots_are_signed_by_old_and_new(folder: Path) -> None:
    anchors = _anchors(folder)
    _run(folder, "rotate", "root")
    after = device_keyset.apply(anchors, device_keyset.verify(_sign(folder), anchors))
    roots = {one.public for one in after.keys if one.role == trust_anchors.ROLE_ROOT}
    old = {one.public for one in anchors.keys}
    assert not roots & old
    content = device_keyset.decode(cose.decode(_sign(folder), KEYSET_BYTES, KEYSET_SIGNATURES).payload)
    signers = keyset.root_signers(folder)
    new_alone = keyset.sign_key_set(content, [one for one in signers if one.public not in old])
    with pytest.raises(SignatureError, match="no such key"):
        device_keyset.verify(new_alone, anchors)
    with pytest.raises(keyset.KeySetError, match="no such key"):
        keyset.sign_key_set(content, [one for one in signers if one.public in old])
    renewed = device_keyset.verify(_sign(folder, "--renew-tracker", "--time", str(NOW_S + 9)), after)
    assert renewed.root_time_s == NOW_S + 9


@pytest.mark.parametrize("missed", [1, 2, 3])
def test_a_unit_that_slept_through_changes_of_roots_follows_at_once(folder: Path, missed: int) -> None:
    asleep = _anchors(folder)
    for _ in range(missed):
        _run(folder, "rotate", "root")
        newest = _sign(folder)
    after = device_keyset.apply(asleep, device_keyset.verify(newest, asleep))
    roots = {one.public for one in after.keys if one.role == trust_anchors.ROLE_ROOT}
    assert roots == {bytes.fromhex(public) for _, public in keyset.KeySetPlan.load(folder).roots}
    assert len(newest) < KEYSET_BYTES


def test_a_unit_that_slept_through_more_follows_over_the_key_set_of_between(folder: Path) -> None:
    asleep = _anchors(folder)
    sets = []
    for _ in range(4):
        _run(folder, "rotate", "root")
        sets.append(_sign(folder))
    with pytest.raises(SignatureError):
        device_keyset.verify(sets[3], asleep)
    between = device_keyset.apply(asleep, device_keyset.verify(sets[2], asleep))
    assert device_keyset.verify(sets[3], between).rules.sequence == keyset.KeySetPlan.load(folder).sequence


def test_the_command_warns_of_roots_that_no_longer_find_room(folder: Path) -> None:
    for _ in range(4):
        _run(folder, "rotate", "root")
    told = _run(
        folder, "sign-set", "--product", str(folder.parent / "product.toml"), "--out", str(folder / "set")
    )
    assert "1 earlier sets of roots did not sign" in told


def test_a_plan_of_version_0_1_still_has_every_previous_root_sign(folder: Path) -> None:
    asleep = _anchors(folder)
    _run(folder, "rotate", "root")
    fields = json.loads((folder / "keyset.json").read_text())
    del fields["earlier"]
    (folder / "keyset.json").write_text(json.dumps(fields))
    assert device_keyset.verify(_sign(folder), asleep).rules.sequence > asleep.rules.sequence


def test_a_boot_image_key_is_revoked_and_never_the_last(folder: Path) -> None:
    _run(folder, "revoke", "image-0")
    _run(folder, "revoke", "image-2")
    assert keyset.KeySetPlan.load(folder).revoked_images == (0, 2)
    with pytest.raises(AssertionError, match="image keys"):
        _run(folder, "revoke", "image-1")
    assert keyset.KeySetPlan.load(folder).revoked_images == (0, 2)


def test_too_few_roots_sign_nothing(folder: Path) -> None:
    plan = keyset.KeySetPlan.load(folder)
    content = keyset.key_set(plan, PRODUCT.class_id, KeyRing(folder).anchor_keys(), NOW_S)
    with pytest.raises(keyset.KeySetError, match="need=2"):
        keyset.sign_key_set(content, keyset.root_signers(folder)[:1])


def test_a_damaged_plan_is_named(folder: Path) -> None:
    for text in ("", "{}", '{"roots": 5}', "[]"):
        (folder / keyset.PLAN_NAME).write_text(text)
        with pytest.raises(keyset.KeySetError, match=r"keyset\.json"):
            keyset.KeySetPlan.load(folder)


def test_a_station_without_a_plan_writes_anchors_of_version_1(folder: Path) -> None:
    anchors = trust_anchors.decode(anchors_record(PRODUCT, KeyRing(folder).anchor_keys(), NOW_S))
    assert anchors.rules == trust_anchors.NO_RULES


def _decoded(data: bytes) -> device_keyset.KeySet:
    return device_keyset.decode(cose.decode(data, KEYSET_BYTES, KEYSET_SIGNATURES).payload)


def test_a_key_set_without_a_stated_ceiling_has_none(folder: Path) -> None:
    assert _decoded(_sign(folder)).ceilings == NO_CEILINGS
    assert "ceiling" not in (folder / keyset.PLAN_NAME).read_text()


@pytest.mark.parametrize(
    "command", [("revoke", "0011223344556677"), ("rotate", "author", "--revoke"), ("rotate", "root")]
)
def test_ceilings_that_are_stated_with_a_change_are_signed_with_the_next_key_set(
    folder: Path, command: tuple[str, ...]
) -> None:
    anchors = _anchors(folder)
    _run(folder, *command, "--manifest-ceiling", "42", "--support-end-ceiling", "2031-05-31")
    found = device_keyset.verify(_sign(folder), anchors)
    assert found.ceilings == Ceilings(42, 22430)
    assert found.rules.sequence == anchors.rules.sequence + 1


def test_a_ceiling_that_is_stated_while_signing_makes_the_next_key_set(folder: Path) -> None:
    before = keyset.KeySetPlan.load(folder).sequence
    found = _decoded(_sign(folder, "--manifest-ceiling", "0"))
    assert (found.ceilings, found.rules.sequence) == (Ceilings(0, None), before + 1)


def test_a_ceiling_of_an_earlier_key_set_is_signed_again_with_a_warning_until_it_is_removed(
    folder: Path,
) -> None:
    _sign(folder, "--manifest-ceiling", "42")
    options = ("sign-set", "--product", str(folder.parent / "product.toml"), "--out", str(folder / "set"))
    assert "manifest ceiling of an earlier key set still applies" in _run(folder, *options)
    assert _decoded((folder / "set").read_bytes()).ceilings == Ceilings(42, None)
    assert "still applies" not in _run(folder, *options, "--manifest-ceiling", "50")
    assert "still applies" not in _run(folder, *options, "--no-ceilings")
    assert _decoded((folder / "set").read_bytes()).ceilings == NO_CEILINGS


@pytest.mark.parametrize(
    "options",
    [
        ("--support-end-ceiling", "31.05.2031"),
        ("--support-end-ceiling", "1969-12-31"),
        ("--manifest-ceiling", "-1"),
        ("--manifest-ceiling", "4", "--no-ceilings"),
    ],
)
def test_a_ceiling_that_is_not_one_changes_nothing(folder: Path, options: tuple[str, ...]) -> None:
    before = (folder / keyset.PLAN_NAME).read_bytes()
    with pytest.raises(AssertionError):
        _sign(folder, *options)
    assert (folder / keyset.PLAN_NAME).read_bytes() == before


@pytest.mark.parametrize("name", ["manifest_ceiling", "support_end_ceiling_day"])
@pytest.mark.parametrize("value", [-1, "5", True, 1.5])
def test_a_damaged_ceiling_is_named(folder: Path, name: str, value: object) -> None:
    fields = json.loads((folder / keyset.PLAN_NAME).read_text())
    (folder / keyset.PLAN_NAME).write_text(json.dumps({**fields, name: value}))
    with pytest.raises(keyset.KeySetError, match=name):
        keyset.KeySetPlan.load(folder)


def test_a_key_set_that_is_too_large_is_not_signed(folder: Path) -> None:
    plan = keyset.KeySetPlan.load(folder)
    many = tuple(f"{number:016x}" for number in range(KEYSET_REVOKED + 1))
    content = keyset.key_set(
        dataclasses.replace(plan, revoked=many), PRODUCT.class_id, KeyRing(folder).anchor_keys(), NOW_S
    )
    with pytest.raises(keyset.KeySetError, match="refuse"):
        keyset.sign_key_set(content, keyset.root_signers(folder))


def test_every_stolen_key_is_made_worthless_by_a_new_key_set() -> None:
    lines = list(drill())
    assert {line.stolen for line in lines} == {"tracker", "author", "support", "root"}
    assert [line for line in lines if not line.is_good] == []


@pytest.mark.parametrize(("role", "what"), [("author", "release"), ("support", "support record")])
def test_the_drill_shows_the_way_back_from_a_fast_forward(role: str, what: str) -> None:
    texts = [line.text for line in drill() if line.stolen == role]
    raised = texts.index(f"refused: the maker's {what}, because the thief's is higher")
    assert texts[raised + 1 : raised + 3] == [
        "the unit takes the key set with ceilings",
        f"the maker's {what} is taken again",
    ]


def test_the_drill_notices_ceilings_that_are_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset.KeySetPlan, "ceilings", NO_CEILINGS)
    assert [(line.stolen, line.text) for line in drill() if not line.is_good] == [
        ("author", "the maker's release is taken again"),
        ("author", "the maker's release is taken"),
        ("author", "the maker's release with an application set is taken"),
        ("support", "the maker's support record is taken again"),
        ("support", "the maker's support record is taken"),
    ]


def test_the_drill_notices_a_unit_that_accepts_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_keyset, "require_interval", lambda *_: None)
    assert [line.text for line in drill() if not line.is_good] == [
        "thief moves time beyond the key's interval"
    ]


def test_a_maker_who_lost_two_of_three_roots_cannot_sign_a_key_set() -> None:
    maker = Maker()
    with pytest.raises(keyset.KeySetError, match="refuse"):
        keyset.sign_key_set(maker.content(NOW_S), maker.roots[:1])


def test_private_roots_are_readable_by_their_owner_only(folder: Path) -> None:
    for path in (folder / keyset.ROOTS).glob("*.pem"):
        assert path.stat().st_mode & 0o077 == 0


def test_the_plan_holds_no_secret(folder: Path) -> None:
    fields = dataclasses.asdict(keyset.KeySetPlan.load(folder))
    assert set(fields) == {
        "sequence", "root_threshold", "roots", "tracker_first_s", "tracker_last_s",
        "author_threshold", "author_algorithms", "revoked", "revoked_images",
        "earlier", "manifest_ceiling", "support_end_ceiling_day",
    }  # fmt: skip
    assert all(public.startswith("04") and len(public) == 130 for _, public in fields["roots"])


def test_a_unit_that_knows_other_roots_refuses(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "others"
    KeyRing.generate_development(other)
    with pytest.raises(SignatureError):
        device_keyset.verify(_sign(folder, "--renew-tracker"), _anchors(other))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(
            (name, wrong)
            for name in ("sequence", "root_threshold", "author_threshold")
            for wrong in ([], "1", True, -1)
        ),
        ("tracker_first_s", 1.5),
        ("tracker_last_s", "00"),
        ("revoked", [[]]),
        ("revoked", ["x"]),
        ("revoked_images", ["1"]),
        ("author_algorithms", [None]),
        ("roots", [["-9", "00"]]),
        ("roots", [[-9, 7]]),
        ("earlier", [["2", []]]),
        ("manifest_ceiling", -1),
        ("support_end_ceiling_day", True),
    ],
)
def test_a_plan_with_a_value_of_another_kind_is_refused_by_type(
    name: str, wrong: object, folder: Path
) -> None:
    path = folder / keyset.PLAN_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: wrong}))
    with pytest.raises(keyset.KeySetError, match="cannot be read"):
        keyset.KeySetPlan.load(folder)
    assert CliRunner().invoke(app, ["rotate", "tracker", "--keys", str(folder)]).exit_code == 1
