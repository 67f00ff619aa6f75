"""HSS/LMS signatures (RFC 8554, COSE -46) from a tree in a folder, one level high; pyhsslms does the hashing.

A tree's folder holds `public.hss` (60 bytes), `seed` (mode 0600), `leaves` (the hashes of its one-time public keys, so
that signing does not compute them again), `lock` and `state.json` (provisioning/keys/lms_state.py: read its rules
before you copy anything). Each signing machine has its own tree; an anchor names the tree of each machine.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from pyhsslms import pyhsslms

from device.codec import cose
from device.crypto import lms
from provisioning import file_system
from provisioning.keys.key_id import key_id
from provisioning.keys.lms_state import LmsState, StateDamagedError, write_durably

PUBLIC_NAME: Final = "public.hss"
SEED_NAME: Final = "seed"
LEAVES_NAME: Final = "leaves"
WARN_BELOW: Final = 0.1  # of all signatures: time to generate the next tree

_NODE_BYTES: Final = 32
_ID_BYTES: Final = 16
_LEVELS: Final = (1).to_bytes(4, "big")
_D_LEAF, _D_INTERIOR = b"\x82\x82", b"\x83\x83"  # RFC 8554 5.3


class TreeForm(NamedTuple):
    """Height (5, 10 or 15: 2**height signatures) and Winternitz width in bits (4: fast, 8: short)."""

    height: int
    width: int


FORMS: Final = {f"H{height}/W{width}": TreeForm(height, width) for height in (5, 10, 15) for width in (4, 8)}
_HEIGHTS: Final = {
    5: pyhsslms.lms_sha256_m32_h5,
    10: pyhsslms.lms_sha256_m32_h10,
    15: pyhsslms.lms_sha256_m32_h15,
}
_WIDTHS: Final = {4: pyhsslms.lmots_sha256_n32_w4, 8: pyhsslms.lmots_sha256_n32_w8}


class HssSigner:
    """Signs with the next one-time key of a tree; `repr` shows only the key id.

    `logged` is the highest index of this key in the release log (-1: none); `last_index` the one last used.
    """

    algorithm: int = cose.ALG_HSS_LMS

    def __init__(self, folder: Path, witness: Path | None = None) -> None:
        """Raises StateDamagedError if `folder` has no complete tree, OSError."""
        self.folder = folder
        self.public, self._seed, self._leaves = _read_tree(folder)
        self.key_id = key_id(self.public)
        self.form = _form(self.public)
        self.signatures = 1 << self.form.height
        self._nodes = _nodes(self.public[12:28], self._leaves)
        if self._nodes[1] != self.public[28:]:
            raise StateDamagedError("the leaves do not belong to the public key")
        self._state = LmsState(folder, self.key_id, self.signatures, witness)
        self.logged = -1
        self.last_index: int | None = None

    def __repr__(self) -> str:
        return f"HssSigner({self.key_id.hex()})"

    @classmethod
    def create(cls, folder: Path, form: TreeForm, witness: Path | None = None) -> HssSigner:
        """Generate a tree in the new folder `folder`, which appears complete or not at all.

        H10/W8 takes about 10 s, H15 32 times as long. Raises StateDamagedError, OSError.
        """
        if folder.exists():
            raise StateDamagedError(f"{folder} exists: name a new folder for the tree")
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".tree-", dir=folder.parent))
        try:
            with file_system.naming(folder, draft=draft):
                _make_tree(draft, form)
                os.replace(draft, folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        file_system.sync_folder(folder.parent)
        public = (folder / PUBLIC_NAME).read_bytes()
        LmsState(folder, key_id(public), 1 << form.height, witness).create()
        return cls(folder, witness)

    def left(self) -> int:
        """Return how many signatures are left. Raises LmsStateError if the tree would refuse to sign."""
        return self._state.left()

    def is_nearly_used_up(self) -> bool:
        """True below a tenth of all signatures."""
        return self.left() < WARN_BELOW * self.signatures

    def sign(self, message: bytes) -> bytes:
        """Return the HSS signature over `message`. The one-time key counts as spent before it is used.

        Raises LmsStateError, OSError.
        """
        index = self._state.burn(self.logged)
        self.last_index = index
        one_time = pyhsslms.LmotsPrivateKey(
            I=self.public[12:28],
            q=index.to_bytes(4, "big"),
            SEED=self._seed,
            lmots_type=_WIDTHS[self.form.width],
        )
        signature: bytes = bytes(4) + index.to_bytes(4, "big") + one_time.sign(message)
        signature += self.public[4:8] + b"".join(self._path(index))
        if not lms.hss_verify(self.public, message, signature):
            raise StateDamagedError("the signature does not verify: seed and leaves of the tree differ")
        return signature

    def _path(self, index: int) -> list[bytes]:
        node = self.signatures + index
        path = []
        while node > 1:
            path.append(self._nodes[node ^ 1])
            node //= 2
        return path


def _form(public: bytes) -> TreeForm:
    heights = {kind: height for height, kind in _HEIGHTS.items()}
    widths = {kind: width for width, kind in _WIDTHS.items()}
    if public[:4] != _LEVELS or public[4:8] not in heights or public[8:12] not in widths:
        raise StateDamagedError("the public key is not that of a tree of one level")
    return TreeForm(heights[public[4:8]], widths[public[8:12]])


def _make_tree(folder: Path, form: TreeForm) -> None:
    seed, identity = secrets.token_bytes(_NODE_BYTES), secrets.token_bytes(_ID_BYTES)
    kind = _WIDTHS[form.width]
    leaves = b"".join(
        pyhsslms.LmotsPrivateKey(I=identity, q=index.to_bytes(4, "big"), SEED=seed, lmots_type=kind)
        .publicKey()
        .K
        for index in range(1 << form.height)
    )
    root = _nodes(identity, leaves)[1]
    write_durably(folder / SEED_NAME, seed)
    write_durably(folder / LEAVES_NAME, leaves)
    write_durably(folder / PUBLIC_NAME, _LEVELS + _HEIGHTS[form.height] + kind + identity + root)


def _read_tree(folder: Path) -> tuple[bytes, bytes, bytes]:
    try:
        public, seed, leaves = (
            (folder / name).read_bytes() for name in (PUBLIC_NAME, SEED_NAME, LEAVES_NAME)
        )
    except FileNotFoundError as error:
        raise StateDamagedError(
            f"{folder} has no complete tree: {Path(error.filename).name} is missing"
        ) from None
    if len(public) != 60 or len(seed) != _NODE_BYTES:
        raise StateDamagedError("the public key or the seed has another length")
    if len(leaves) != _NODE_BYTES << _form(public).height:
        raise StateDamagedError("the leaves are not complete")
    return public, seed, leaves


def _nodes(identity: bytes, leaves: bytes) -> list[bytes]:
    """Return every node of the tree, by its number r (RFC 8554 5.3); node 1 is the root, node 0 does not exist."""
    count = len(leaves) // _NODE_BYTES
    nodes = [b""] * (2 * count)
    for number in range(2 * count - 1, 0, -1):
        prefix = identity + number.to_bytes(4, "big")
        if number >= count:
            at = (number - count) * _NODE_BYTES
            content = _D_LEAF + leaves[at : at + _NODE_BYTES]
        else:
            content = _D_INTERIOR + nodes[2 * number] + nodes[2 * number + 1]
        nodes[number] = hashlib.sha256(prefix + content).digest()
    return nodes
