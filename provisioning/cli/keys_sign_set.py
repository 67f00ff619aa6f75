"""`firstboot keys sign-set`: sign which keys devices trust from now on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError, warn
from provisioning.cli.keys_ceilings import (
    ManifestCeilingOption,
    SupportEndCeilingOption,
    ceiling_lines,
    end_date,
    resolved_ceilings,
)
from provisioning.cli.options import JsonOption, KeysOption, ProductOption
from provisioning.cli.output import print_result
from provisioning.cli.settings import with_settings
from provisioning.cli.signing_time import signing_time, text_of
from provisioning.counted import counted
from provisioning.file_system import replace_file
from provisioning.keys import keyset
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.signer import Signer
from provisioning.product.product import load_product
from provisioning.release.capacities import require_capacity


@dataclass(frozen=True, kw_only=True)
class SignSetSettings:
    """The options of `keys sign-set`: the key folder, the changes of its key set, and the file for the result."""

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
    """Sign the key set of a key folder with its root keys. Devices of the product class then trust exactly these keys.

    Publish the file with `firstboot release publish --keyset FILE`.

    Example: `firstboot keys sign-set --product product.toml --keys maker/keys --out keyset.cose`
    """
    now_s = signing_time(
        settings.time_s, "Units accept no time before a key set's: check it, or give --time."
    )
    plan = keyset.KeySetPlan.load(settings.keys)
    plan = plan.with_tracker_from(now_s) if settings.renew else plan
    _require_valid_tracker(plan, now_s)
    plan = resolved_ceilings(
        plan, settings.manifest_ceiling, settings.support_end_ceiling, settings.is_without_ceilings
    )
    content = keyset.key_set(
        plan, load_product(settings.product).class_id, KeyRing(settings.keys).anchor_keys(), now_s
    )
    signers = keyset.minimal(plan, _root_signers(settings.keys, settings.root))
    data = keyset.sign_key_set(content, signers)
    require_capacity("key set", len(data))
    plan.save(settings.keys)
    replace_file(settings.out, data)
    _warn_of_missed_roots(keyset.missed_out(plan, signers))
    _print_signed(plan, now_s, len(content.keys), len(data), settings)


def _require_valid_tracker(plan: keyset.KeySetPlan, now_s: int) -> None:
    """Refuse a time after which units take none from the tracker: its key's interval would be over.

    A clock that is a year ahead is found here. A key set with the right time undoes a wrong one (docs/signing.md).
    """
    if now_s > plan.tracker_last_s:
        raise InputError(
            f"The time of this key set is {text_of(now_s)}, and the tracker's key ends on "
            f"{text_of(plan.tracker_last_s)}: units would accept no time any more. Check the clock, or renew the "
            "tracker's key with --renew-tracker."
        )


def _print_signed(
    plan: keyset.KeySetPlan, now_s: int, keys: int, size: int, settings: SignSetSettings
) -> None:
    out = settings.out
    lines = [
        (
            "key set",
            f"{plan.sequence}: {counted(keys, 'key')}, {len(plan.revoked)} revoked, {size} bytes",
        ),
        ("time", f"{text_of(now_s)}; units accept no time before it"),
        *ceiling_lines(plan),
        ("next", f"firstboot release publish --keyset {out}"),
    ]
    document = {
        "file": str(out),
        "sequence": plan.sequence,
        "time": now_s,
        "keys": keys,
        "revoked": len(plan.revoked),
        "bytes": size,
        "manifest_ceiling": plan.manifest_ceiling,
        "support_end_ceiling": end_date(plan),
    }
    print_result(lines, document, settings.is_json)


def _root_signers(keys: Path, roots: list[Path] | None) -> list[Signer]:
    return [FileSigner.load(path) for path in roots] if roots else keyset.root_signers(keys)


def _warn_of_missed_roots(missed: int) -> None:
    """A device that was off through several changes of roots needs an older key set first."""
    if missed:
        warn(
            f"{missed} earlier sets of roots did not sign. Devices that know only those roots cannot verify this key "
            "set. Publish an earlier key set first, and this one after they have it."
        )
