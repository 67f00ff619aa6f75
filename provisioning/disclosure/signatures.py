"""OpenPGP signatures of the CSAF documents, and the public keys beside them (CSAF 2.0 sections 7.1.19 and 7.1.20).

Rules:
1. Every document in the provider's folder has a detached signature, DOCUMENT.asc. The public keys are in `openpgp/`.
2. A signature that was published stays as long as it is valid: the document has the same bytes, and the key that made
   it is listed, not revoked, and valid for 30 days more. Every other document is signed again with the present key.
3. A public key that was published stays listed, so that older copies of documents can be verified after a new key.
4. What was published with signatures is not published without: programs that rely on them would take nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provisioning.csaf_names import FOLDER, KEYS, METADATA, SIGNATURE, TRUSTED
from provisioning.disclosure.errors import CaseInputError
from provisioning.file_system import paths_in
from provisioning.keys.openpgp import OpenPgpSigner, PublicKey, read_public, signed_by


@dataclass(frozen=True)
class Published:
    """The keys and signatures that a folder already has. `signatures`: by the path of the document below FOLDER."""

    keys: tuple[PublicKey, ...] = ()
    signatures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Signing:
    """The maker's key, and earlier public keys that the maker names (for a new folder, or with a revocation)."""

    signer: OpenPgpSigner
    earlier: Sequence[PublicKey] = ()


def key_path(key: PublicKey) -> str:
    """Return the path of a public key below FOLDER."""
    return f"{KEYS}/{key.fingerprint}.asc"


def keys_of(signing: Signing | None, published: Published) -> list[PublicKey]:
    """Return the keys that the metadata lists: the present one, then the earlier ones (rule 3)."""
    if signing is None:
        return []
    found = {key.fingerprint: key for key in (*published.keys, *signing.earlier)}
    present = signing.signer.public
    found.pop(present.fingerprint, None)
    return [present, *(found[name] for name in sorted(found))]


def files_of(
    signing: Signing, published: Published, documents: Mapping[str, bytes], now_s: int
) -> dict[str, bytes]:
    """Return signatures and public keys by their paths below FOLDER. `documents`: by theirs. `now_s`: unix seconds."""
    keys = keys_of(signing, published)
    usable = [key for key in keys if key.is_valid_for(now_s)]
    found = {}
    for path, data in documents.items():
        kept = _kept(published.signatures.get(path), data, usable)
        found[path + SIGNATURE] = kept or signing.signer.sign(data)
    return found | {key_path(key): key.armored for key in keys}


def _kept(earlier: bytes | None, data: bytes, usable: Sequence[PublicKey]) -> bytes | None:
    """Return the published signature of a document if it may stay (rule 2)."""
    return None if earlier is None or signed_by(data, earlier, usable) is None else earlier


def published_in(out: Path) -> Published:
    """Return what a build has published in `out`. Raises CaseInputError, OpenPgpMissingError, OSError."""
    folder = out / FOLDER
    try:
        keys = tuple(
            read_public(path.read_bytes(), path.name) for path in paths_in(folder / KEYS, f"*{SIGNATURE}")
        )
    except ValueError as error:
        raise CaseInputError(f"a published key is damaged: {error}") from None
    signatures = {}
    for year in paths_in(folder, "[0-9]*"):
        for path in paths_in(year, f"*.json{SIGNATURE}"):
            signatures[path.relative_to(folder).as_posix().removesuffix(SIGNATURE)] = path.read_bytes()
    return Published(keys, signatures)


def require_signed(out: Path, signing: Signing | None) -> None:
    """Raise CaseInputError if `out` was published with signatures and this build has no key (rule 4)."""
    metadata = out / METADATA
    if signing is not None or not metadata.is_file():
        return
    try:
        role = json.loads(metadata.read_bytes())["role"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CaseInputError(f"{METADATA} is damaged") from None
    if role == TRUSTED:
        raise CaseInputError(f"{out} was published with OpenPGP signatures: give the key with --openpgp-key")
