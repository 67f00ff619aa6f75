"""The hash chains of production records, their signatures, and signed checkpoints over them. No database access.

Rules:
1. A chain belongs to one station's key. Record n holds SHA-256(hash of n-1 || body). The station signs that
   hash together with the name of the chain, so no record can be moved within a chain or to another one
   (PR-03).
2. A checkpoint names, for every chain, how many records it has, the hash of the last one and the key; it
   holds the hash of the checkpoint before it. Checkpoints are JSON documents that anyone can keep and check.
3. The chains agree with a checkpoint if each named chain still has that record at that number. If a chain is
   shorter, or has another record there, it was restored, cut or rewritten.
4. The owner of the registry can still undo what no exported checkpoint covers: export checkpoints often.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from provisioning.counted import counted
from provisioning.keys.key_id import key_id
from provisioning.keys.signer import Signer
from provisioning.registry.errors import ChainError

GENESIS: Final = bytes(32)
DECISIONS: Final = "decisions "  # prefix of the chains of decisions; the id of their key follows
UNSIGNED: Final = "unsigned"  # the chain of records that were made before records were signed
CHECKPOINT_VERSION: Final = 1
_RECORD_DOMAIN: Final = b"firstboot production record v1\0"
_CHECKPOINT_DOMAIN: Final = b"firstboot checkpoint v1\0"
MOST_PROBLEMS: Final = 20


@dataclass(frozen=True)
class Entry:
    """One production record in its chain."""

    number: int
    body: str
    previous_hash: bytes
    hash: bytes
    signature: bytes


@dataclass(frozen=True)
class ChainData:
    """A chain and its key (65 bytes; empty for the chain from before records were signed)."""

    name: str
    public_key: bytes
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Report:
    """The checked items: records per chain, checkpoints, the ids of the keys that signed."""

    chains: Mapping[str, int]
    checkpoints: int
    signers: tuple[str, ...]

    @property
    def records(self) -> int:
        """Return the number of production records in the chains of all stations."""
        return sum(count for name, count in self.chains.items() if not name.startswith(DECISIONS))

    @property
    def decisions(self) -> int:
        """Return the number of decision records."""
        return sum(self.chains.values()) - self.records


def entry_hash(previous: bytes, body: str) -> bytes:
    """Return the hash (32 bytes) of the production record that follows `previous` (32 bytes)."""
    return hashlib.sha256(previous + body.encode()).digest()


def make_entry(chain: str, number: int, previous: bytes, facts: Mapping[str, Any], signer: Signer) -> Entry:
    """Return the next record of a chain, signed. Raises OSError if the signer is a token that fails."""
    body = json.dumps({**facts, "chain": chain, "number": number}, sort_keys=True)
    digest = entry_hash(previous, body)
    return Entry(number, body, previous, digest, signer.sign(_record_message(chain, digest)))


def _record_message(chain: str, digest: bytes) -> bytes:
    return _RECORD_DOMAIN + chain.encode() + b"\0" + digest


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (r || s, 64 bytes) over `message` was made with the P-256 key."""
    if len(signature) != 64 or len(public_key) != 65:
        return False
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


# Chains --------------------------------------------------------------------------------------------------


def chain_problems(chain: ChainData) -> list[str]:
    """Return the first problem of a chain, or an empty list. Later records depend on the first broken one."""
    previous = GENESIS
    for expected, entry in enumerate(chain.entries, 1):
        name = f"production record {entry.number} of chain {chain.name}"
        if entry.number != expected:
            return [f"{name} is where number {expected} should be: a record was dropped or moved"]
        if (entry.previous_hash, entry.hash) != (previous, entry_hash(previous, entry.body)):
            return [f"{name} was changed, dropped or moved"]
        if chain.public_key and not is_signed(
            chain.public_key, _record_message(chain.name, entry.hash), entry.signature
        ):
            return [f"{name} is not signed by the chain's key"]
        if not chain.public_key and chain.name != UNSIGNED:
            return [f"chain {chain.name} has no key"]
        previous = entry.hash
    return []


# Checkpoints ---------------------------------------------------------------------------------------------


def make_checkpoint(
    registry_id: bytes,
    number: int,
    time_s: int,
    previous: str | None,
    chains: Iterable[ChainData],
    signer: Signer,
) -> str:
    """Return a signed checkpoint (JSON text) over `chains`. `previous`: the text of the last one, or None."""
    content = {
        "version": CHECKPOINT_VERSION,
        "registry": registry_id.hex(),
        "number": number,
        "time": time_s,
        "previous": hashlib.sha256(previous.encode()).hexdigest() if previous is not None else GENESIS.hex(),
        "chains": {
            chain.name: {
                "records": len(chain.entries),
                "head": (chain.entries[-1].hash if chain.entries else GENESIS).hex(),
                "key": chain.public_key.hex(),
            }
            for chain in chains
        },
        "key": signer.public.hex(),
    }
    text = json.dumps(content, sort_keys=True)
    signature = signer.sign(_CHECKPOINT_DOMAIN + text.encode())
    return json.dumps({"checkpoint": content, "signature": signature.hex()}, sort_keys=True)


def open_checkpoint(text: str, trusted: Sequence[bytes] = ()) -> dict[str, Any]:
    """Return the content of a checkpoint after its signature was verified.

    `trusted`: public keys or key ids (8 bytes) that may have signed it; empty accepts the key that it names.
    Raises ChainError.
    """
    try:
        document = json.loads(text)
        content: dict[str, Any] = document["checkpoint"]
        public, signature = bytes.fromhex(content["key"]), bytes.fromhex(document["signature"])
        shape = [
            (str(name), int(c["records"]), bytes.fromhex(c["head"])) for name, c in content["chains"].items()
        ]
        is_known = (
            content["version"] == CHECKPOINT_VERSION
            and int(content["number"]) > 0
            and len(content["previous"]) == 64
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ChainError(["the checkpoint is damaged"]) from None
    if not is_known or any(records < 0 or len(head) != 32 for _, records, head in shape):
        raise ChainError(["the checkpoint is damaged"])
    canonical = json.dumps(content, sort_keys=True)
    if not is_signed(public, _CHECKPOINT_DOMAIN + canonical.encode(), signature):
        raise ChainError([f"checkpoint {content['number']} was changed: its signature is wrong"])
    if trusted and public not in trusted and key_id(public) not in trusted:
        raise ChainError(
            [f"checkpoint {content['number']} is signed by {key_id(public).hex()}, which is not trusted"]
        )
    return content


def checkpoint_problems(content: Mapping[str, Any], chains: Mapping[str, ChainData]) -> list[str]:
    """Return where the chains disagree with a checkpoint (rule 3), one sentence each."""
    problems = []
    for name, claim in content["chains"].items():
        count, head = claim["records"], bytes.fromhex(claim["head"])
        chain = chains.get(name)
        if chain is None:
            if count:
                problems.append(
                    f"chain {name} is gone; checkpoint {content['number']} saw {counted(count, 'record')} in it"
                )
            continue
        if chain.public_key.hex() != claim["key"]:
            problems.append(f"chain {name} has another key than in checkpoint {content['number']}")
        if len(chain.entries) < count:
            problems.append(
                f"chain {name} has {counted(len(chain.entries), 'record')}, checkpoint {content['number']} saw {count}:"
                " records were dropped or an old registry was restored"
            )
        elif count and chain.entries[count - 1].hash != head:
            problems.append(
                f"record {count} of chain {name} is not the one that checkpoint {content['number']} saw"
            )
    return problems


def sequence_problems(stored: Sequence[str], contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return where the checkpoints of one registry have a gap, one sentence each."""
    previous = GENESIS.hex()
    for expected, (text, content) in enumerate(zip(stored, contents, strict=True), 1):
        if content["number"] != expected or content["previous"] != previous:
            return [f"checkpoint {content['number']} does not follow the one before it"]
        previous = hashlib.sha256(text.encode()).hexdigest()
    return []


def verify_chains(
    chains: Sequence[ChainData],
    stored: Mapping[str, Sequence[str]],
    exported: Sequence[str] = (),
    trusted: Sequence[bytes] = (),
) -> Report:
    """Check chains and checkpoints completely and return what was checked.

    `stored`: checkpoints by registry id (hex), in order; `exported`: checkpoints that were kept elsewhere.
    With `trusted`, every chain and checkpoint must be signed by one of these keys. Raises ChainError with
    every problem.
    """
    by_name = {chain.name: chain for chain in chains}
    problems = [problem for chain in chains for problem in chain_problems(chain)]
    if trusted:
        problems += [
            f"chain {chain.name} is signed by {key_id(chain.public_key).hex()}, which is not trusted"
            for chain in chains
            if chain.public_key not in trusted and key_id(chain.public_key) not in trusted
        ]
    count, signers = 0, {key_id(chain.public_key).hex() for chain in chains if chain.public_key}
    for registry_id, texts in stored.items():
        contents = _opened(texts, trusted, problems)
        if len(contents) == len(texts):
            problems += sequence_problems(texts, contents)
        problems += _disagreements(contents, by_name)
        problems += [
            f"checkpoint {content['number']} belongs to another registry"
            for content in contents
            if content["registry"] != registry_id
        ]
        count += len(contents)
        signers |= {key_id(bytes.fromhex(content["key"])).hex() for content in contents}
    outside = _opened(exported, trusted, problems)
    problems += _disagreements(outside, by_name)
    if problems:
        raise ChainError(list(dict.fromkeys(problems))[:MOST_PROBLEMS])
    return Report(
        {chain.name: len(chain.entries) for chain in chains}, count + len(outside), tuple(sorted(signers))
    )


def _opened(texts: Sequence[str], trusted: Sequence[bytes], problems: list[str]) -> list[dict[str, Any]]:
    contents = []
    for text in texts:
        try:
            contents.append(open_checkpoint(text, trusted))
        except ChainError as error:
            problems += error.problems
    return contents


def _disagreements(contents: Sequence[Mapping[str, Any]], chains: Mapping[str, ChainData]) -> list[str]:
    return [problem for content in contents for problem in checkpoint_problems(content, chains)]
