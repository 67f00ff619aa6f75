"""`firstboot keys rotate`, `revoke` and `drill`: replace and revoke keys, and practise the theft of every key."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from device.limits import IMAGE_KEYS
from device.trust import keyset as device_keyset
from provisioning.cli.addresses import parse_key_id
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.keys_ceilings import ManifestCeilingOption, SupportEndCeilingOption, with_ceilings
from provisioning.cli.options import JsonOption, KeysOption
from provisioning.cli.output import print_line, print_report
from provisioning.cli.signing_time import warn_of_clock
from provisioning.file_system import PRIVATE, NewFile, replace_files
from provisioning.keys import keyset
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_ring import SIGNING_ROLES, KeyRing
from provisioning.keys.pem import private_pem

RETIRED: Final = "retired"
ROOT: Final = "root"
IMAGE_PREFIX: Final = "image-"
NEXT: Final = "firstboot keys sign-set"


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
    plan = with_ceilings(keyset.KeySetPlan.load(keys), manifest_ceiling, support_end_ceiling)
    if role == ROOT:
        if key is not None or is_revoked:
            raise InputError(
                "Roots are replaced together: `root` takes neither --key nor --revoke. A root that is not in the next "
                "key set is no longer trusted."
            )
        roots, files = keyset.new_roots(keys, len(plan.roots))
        plan = plan.with_roots(roots)
    else:
        plan, files = _rotate(plan, role, keys, key, is_revoked)
    replace_files([*files, plan.as_file(keys)])
    lines = [f"{role}: replaced. Next, sign key set {plan.sequence}: {NEXT}"]
    print_report(lines, {"role": role, "is_revoked": is_revoked, "next_sequence": plan.sequence}, is_json)


def _rotate(
    plan: keyset.KeySetPlan, role: str, keys: Path, key: Path | None, is_revoked: bool
) -> tuple[keyset.KeySetPlan, list[NewFile]]:
    """Return the new plan, and the key files to write together with it."""
    if role not in SIGNING_ROLES:
        raise InputError(f"There is no role {role!r}. Use one of: {', '.join((*SIGNING_ROLES, ROOT))}.")
    path = keys / f"{role}.pem"
    old = FileSigner.load(path).key_id
    pem = private_pem(ec.generate_private_key(ec.SECP256R1())) if key is None else key.read_bytes()
    FileSigner.from_pem(pem)  # refused before anything is written
    (keys / RETIRED).mkdir(exist_ok=True)
    retired = keys / RETIRED / f"{role}-{old.hex()}.pem"
    files = [NewFile(retired, path.read_bytes(), PRIVATE), NewFile(path, pem, PRIVATE)]
    if role == "tracker":
        warn_of_clock("The new tracker key counts from it: units take no time from this key that is earlier.")
        plan = plan.with_tracker_from(int(time.time()))
    return (plan.with_revoked(old) if is_revoked else plan.changed()), files


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
    plan = with_ceilings(keyset.KeySetPlan.load(keys), manifest_ceiling, support_end_ceiling)
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
