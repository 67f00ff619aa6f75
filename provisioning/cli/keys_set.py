"""`firstboot keys rotate | revoke | sign-set | drill`: which keys devices trust from now on."""

from __future__ import annotations

import datetime as dt
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from device.limits import IMAGE_KEYS
from device.trust import keyset as device_keyset
from provisioning.cli.addresses import parse_key_id
from provisioning.cli.errors import InputError, RefusedError, warn
from provisioning.cli.options import JsonOption, KeysOption, ProductOption
from provisioning.cli.output import print_line, print_report, print_result
from provisioning.cli.settings import with_settings
from provisioning.keys import keyset
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_ring import SIGNING_ROLES, KeyRing
from provisioning.keys.pem import private_pem, write_private
from provisioning.keys.signer import Signer
from provisioning.product.product import load_product
from provisioning.release.capacities import require_capacity

RETIRED: Final = "retired"
ROOT: Final = "root"
IMAGE_PREFIX: Final = "image-"
NEXT: Final = "firstboot keys sign-set"
EPOCH: Final = dt.date(1970, 1, 1)

ManifestCeilingOption = Annotated[
    int | None,
    typer.Option(
        "--manifest-ceiling",
        metavar="N",
        min=0,
        help="Use this if a stolen author key signed a huge sequence number. Devices above N go back to N and take "
        "your next release again. N is the number of your newest release.",
    ),
]
SupportEndCeilingOption = Annotated[
    str | None,
    typer.Option(
        "--support-end-ceiling",
        metavar="YYYY-MM-DD",
        help="Use this if a stolen support key promised a date that is too late. Devices with a later end date go "
        "back to this one. It is the latest end date that you published.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class SignSetSettings:
    """The key folder whose key set is signed, what changes in it, and where the result goes."""

    product: ProductOption
    keys: KeysOption
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the signed key set.")]
    root: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="FILE",
            help="Private key of a root (PEM). Repeat it for several. Default: `roots/` of the key folder.",
        ),
    ] = None
    time_s: Annotated[
        int | None,
        typer.Option("--time", min=0, help="Signing time in unix seconds. Default: now."),
    ] = None
    renew: Annotated[
        bool, typer.Option("--renew-tracker", help="Let the tracker's key be valid for another 400 days.")
    ] = False
    manifest_ceiling: ManifestCeilingOption = None
    support_end_ceiling: SupportEndCeilingOption = None
    is_without_ceilings: Annotated[
        bool, typer.Option("--no-ceilings", help="Remove both ceilings from the key set.")
    ] = False
    is_json: JsonOption = False


@with_settings(SignSetSettings, "keys.sign-set")
def sign_set(settings: SignSetSettings) -> None:
    """Sign the key set of a key folder with its roots. Devices of the product class then trust exactly these keys.

    Publish the file with `firstboot release publish --keyset FILE`.

    Example: `firstboot keys sign-set --product product.toml --keys maker/keys --out keyset.cose`
    """
    now_s = int(time.time()) if settings.time_s is None else settings.time_s
    plan = keyset.KeySetPlan.load(settings.keys)
    plan = plan.with_tracker_from(now_s) if settings.renew else plan
    plan = _resolved_ceilings(
        plan, settings.manifest_ceiling, settings.support_end_ceiling, settings.is_without_ceilings
    )
    content = keyset.key_set(
        plan, load_product(settings.product).class_id, KeyRing(settings.keys).anchor_keys(), now_s
    )
    signers = keyset.minimal(plan, _root_signers(settings.keys, settings.root))
    data = keyset.sign_key_set(content, signers)
    require_capacity("key set", len(data))
    plan.save(settings.keys)
    settings.out.write_bytes(data)
    _warn_of_missed_roots(keyset.missed_out(plan, signers))
    _print_signed(plan, len(content.keys), len(data), settings.out, settings.is_json)


def _print_signed(plan: keyset.KeySetPlan, keys: int, size: int, out: Path, is_json: bool) -> None:
    lines = [
        (
            "key set",
            f"{plan.sequence}: {keys} keys, {len(plan.revoked)} revoked, {size} bytes",
        ),
        *_ceiling_lines(plan),
        ("next", f"firstboot release publish --keyset {out}"),
    ]
    document = {
        "file": str(out),
        "sequence": plan.sequence,
        "keys": keys,
        "revoked": len(plan.revoked),
        "bytes": size,
        "manifest_ceiling": plan.manifest_ceiling,
        "support_end_ceiling": _end_date(plan),
    }
    print_result(lines, document, is_json)


def _resolved_ceilings(
    plan: keyset.KeySetPlan, manifest: int | None, support_end: str | None, is_without: bool
) -> keyset.KeySetPlan:
    """Return the plan with the ceilings that the options state: the next plan if that changes it. Raises InputError."""
    if is_without and (manifest is not None or support_end is not None):
        raise InputError("--no-ceilings removes the ceilings: give it without a ceiling.")
    without = replace(plan, manifest_ceiling=None, support_end_ceiling_day=None)
    changed = without if is_without else _with_ceilings(plan, manifest, support_end)
    if changed == plan:
        _warn_of_ceilings(plan)
        return plan
    return changed.changed()


def _with_ceilings(
    plan: keyset.KeySetPlan, manifest: int | None, support_end: str | None
) -> keyset.KeySetPlan:
    """Return the plan with the given ceilings and the same sequence number. Raises InputError."""
    if manifest is not None:
        plan = replace(plan, manifest_ceiling=manifest)
    if support_end is not None:
        try:
            day = (dt.date.fromisoformat(support_end) - EPOCH).days
        except ValueError:
            day = -1
        if day < 0:
            raise InputError(f"{support_end!r} is not a date. Write it as YYYY-MM-DD.")
        plan = replace(plan, support_end_ceiling_day=day)
    return plan


def _warn_of_ceilings(plan: keyset.KeySetPlan) -> None:
    """A ceiling of an earlier key set also lowers what honest keys signed since then."""
    for name, value in _ceiling_lines(plan):
        warn(
            f"The {name} of an earlier key set still applies: {value}. If you have published something higher since "
            "then, state that value, or use --no-ceilings after all devices have taken the earlier key set."
        )


def _ceiling_lines(plan: keyset.KeySetPlan) -> list[tuple[str, str]]:
    end_date = _end_date(plan)
    lines = []
    if plan.manifest_ceiling is not None:
        lines.append(("manifest ceiling", f"devices go back to sequence number {plan.manifest_ceiling}"))
    if end_date is not None:
        lines.append(("support end ceiling", f"devices go back to {end_date}"))
    return lines


def _end_date(plan: keyset.KeySetPlan) -> str | None:
    day = plan.support_end_ceiling_day
    return None if day is None else (EPOCH + dt.timedelta(days=day)).isoformat()


def _root_signers(keys: Path, roots: list[Path] | None) -> list[Signer]:
    return [FileSigner.load(path) for path in roots] if roots else keyset.root_signers(keys)


def _warn_of_missed_roots(missed: int) -> None:
    """A device that was off through several changes of roots needs an older key set first."""
    if missed:
        warn(
            f"{missed} earlier sets of roots did not sign. Devices that know only those roots cannot verify this key "
            "set. Publish an earlier key set first, and this one after they have it."
        )


def rotate(
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help=f"One of: {', '.join((*SIGNING_ROLES, ROOT))}.")
    ],
    keys: KeysOption,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The new private key (PEM). Default: a new key is generated."
        ),
    ] = None,
    is_revoked: Annotated[
        bool, typer.Option("--revoke", help="Also revoke the old key permanently, because it was stolen.")
    ] = False,
    manifest_ceiling: ManifestCeilingOption = None,
    support_end_ceiling: SupportEndCeilingOption = None,
    is_json: JsonOption = False,
) -> None:
    """Replace the key of a role. Then sign a new key set with `firstboot keys sign-set`.

    `root` replaces all roots together. The old roots sign too until no device needs them.

    Example: `firstboot keys rotate author --keys maker/keys --revoke`
    """
    plan = _with_ceilings(keyset.KeySetPlan.load(keys), manifest_ceiling, support_end_ceiling)
    if role == ROOT:
        if key is not None or is_revoked:
            raise InputError(
                "Roots are replaced together: `root` takes neither --key nor --revoke. A root that is not in the next "
                "key set is no longer trusted."
            )
        plan = plan.with_roots(keyset.generate_roots(keys, len(plan.roots)))
    else:
        plan = _rotate(plan, role, keys, key, is_revoked)
    plan.save(keys)
    lines = [f"{role}: replaced. Next, sign key set {plan.sequence}: {NEXT}"]
    print_report(lines, {"role": role, "is_revoked": is_revoked, "next_sequence": plan.sequence}, is_json)


def _rotate(
    plan: keyset.KeySetPlan, role: str, keys: Path, key: Path | None, is_revoked: bool
) -> keyset.KeySetPlan:
    if role not in SIGNING_ROLES:
        raise InputError(f"There is no role {role!r}. Use one of: {', '.join((*SIGNING_ROLES, ROOT))}.")
    path = keys / f"{role}.pem"
    old = FileSigner.load(path).key_id
    pem = private_pem(ec.generate_private_key(ec.SECP256R1())) if key is None else key.read_bytes()
    FileSigner.from_pem(pem)  # refused before anything is moved
    (keys / RETIRED).mkdir(exist_ok=True)
    os.replace(path, keys / RETIRED / f"{role}-{old.hex()}.pem")
    write_private(path, pem)
    if role == "tracker":
        plan = plan.with_tracker_from(int(time.time()))
    return plan.with_revoked(old) if is_revoked else plan.changed()


def revoke(
    name: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="Key id in hex (see `firstboot keys show`), or image-N for a boot image key."
        ),
    ],
    keys: KeysOption,
    manifest_ceiling: ManifestCeilingOption = None,
    support_end_ceiling: SupportEndCeilingOption = None,
    is_json: JsonOption = False,
) -> None:
    """Revoke a key permanently. Then sign a new key set with `firstboot keys sign-set`.

    Example: `firstboot keys revoke image-0 --keys maker/keys`
    """
    plan = _with_ceilings(keyset.KeySetPlan.load(keys), manifest_ceiling, support_end_ceiling)
    if name.startswith(IMAGE_PREFIX):
        numbers = {*plan.revoked_images, _image_number(name)}
        plan = plan.changed(revoked_images=tuple(sorted(numbers)))
    else:
        plan = plan.with_revoked(parse_key_id(name))
    content = keyset.key_set(plan, bytes(16), KeyRing(keys).anchor_keys(), 0)
    device_keyset.encode(content)  # a key set that every device would refuse is not saved
    plan.save(keys)
    lines = [f"{name}: revoked. Next, sign key set {plan.sequence}: {NEXT}"]
    print_report(lines, {"key": name, "is_revoked": True, "next_sequence": plan.sequence}, is_json)


def _image_number(name: str) -> int:
    number = name.removeprefix(IMAGE_PREFIX)
    if number not in map(str, range(IMAGE_KEYS)):
        raise InputError(f"There is no image key {name!r}. Use one of: image-0 to image-{IMAGE_KEYS - 1}.")
    return int(number)


def stolen_key_drill(is_json: JsonOption = False) -> None:
    """Practise the theft of every key: show what a thief can do, and recover the devices with a new key set.

    The command generates devices and keys for this run only. It fails if a device was not recovered.

    Example: `firstboot keys drill`
    """
    from provisioning.release.drill import drill

    attempts = []
    for line in drill():  # a line is printed when it is known: the drill takes seconds
        attempts.append(line)
        if not is_json:
            print_line(f"{'ok ' if line.is_good else 'BAD'}  {line.stolen:14} {line.text}")
    document = [{"stolen": one.stolen, "is_good": one.is_good, "text": one.text} for one in attempts]
    print_report([], document, is_json)
    if not all(one.is_good for one in attempts):
        raise RefusedError(["Not every device was recovered."])
