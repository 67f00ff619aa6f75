"""HSS signer: another implementation verifies its signatures; an incomplete or absent tree does not sign."""

import shutil
from pathlib import Path

import pytest
from pyhsslms import pyhsslms

from device.crypto import lms
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.keys.lms_state import StateCopiedError, StateDamagedError, StateOlderError


def signature_index(signature: bytes) -> int:
    """The one-time key of an HSS signature with one level (RFC 8554, 6.2 and 5.4)."""
    return int.from_bytes(signature[4:8], "big")


@pytest.fixture
def tree(tmp_path: Path) -> HssSigner:
    return HssSigner.create(tmp_path / "tree", FORMS["H5/W4"], tmp_path / "witness")


@pytest.mark.parametrize("form", ["H5/W4", "H5/W8"])
def test_a_signature_verifies_with_device_code_and_with_another_implementation(
    tmp_path: Path, form: str
) -> None:
    tree = HssSigner.create(tmp_path / "tree", FORMS[form], tmp_path / "witness")
    peer = pyhsslms.HssPublicKey.deserialize(tree.public)
    for message in (b"", b"first", bytes(5000)):
        signature = tree.sign(message)
        assert lms.hss_verify(tree.public, message, signature)
        assert peer.verify(message, signature)
        assert not lms.hss_verify(tree.public, message + b"!", signature)


def test_every_leaf_signs_once_and_then_none(tree: HssSigner) -> None:
    signatures = [tree.sign(b"the same message") for _ in range(32)]
    assert [signature_index(one) for one in signatures] == list(range(32))
    assert all(lms.hss_verify(tree.public, b"the same message", one) for one in signatures)
    with pytest.raises(Exception, match="all 32 signatures"):
        tree.sign(b"one more")


def test_a_tree_opened_again_continues_after_the_last_index(tree: HssSigner, tmp_path: Path) -> None:
    tree.sign(b"one")
    again = HssSigner(tmp_path / "tree", tmp_path / "witness")
    assert signature_index(again.sign(b"two")) == 1
    assert again.left() == tree.left() == 30


def test_the_index_is_spent_even_when_signing_fails(tree: HssSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pyhsslms.LmotsPrivateKey, "sign", killed)
        with pytest.raises(KeyboardInterrupt):
            tree.sign(b"first")
    assert signature_index(tree.sign(b"second")) == 1


def test_few_left_begins_below_a_tenth(tree: HssSigner) -> None:
    for _ in range(28):
        tree.sign(b"spent")
    assert (tree.left(), tree.is_nearly_used_up()) == (4, False)
    tree.sign(b"spent")
    assert (tree.left(), tree.is_nearly_used_up()) == (3, True)


def test_a_copied_tree_refuses(tree: HssSigner, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "tree", tmp_path / "copy")
    with pytest.raises(StateCopiedError):
        HssSigner(tmp_path / "copy", tmp_path / "witness").sign(b"twice")


def test_an_index_below_the_release_log_refuses(tree: HssSigner) -> None:
    tree.logged = 0
    with pytest.raises(StateOlderError):
        tree.sign(b"message")


@pytest.mark.parametrize("name", ["public.hss", "seed", "leaves", "lock", "state.json"])
def test_a_tree_with_a_file_missing_refuses(tree: HssSigner, tmp_path: Path, name: str) -> None:
    (tmp_path / "tree" / name).unlink()
    with pytest.raises(StateDamagedError):
        HssSigner(tmp_path / "tree", tmp_path / "witness").sign(b"message")


@pytest.mark.parametrize("name", ["public.hss", "seed", "leaves"])
def test_a_tree_with_a_changed_file_hands_out_nothing(tree: HssSigner, tmp_path: Path, name: str) -> None:
    path = tmp_path / "tree" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StateDamagedError):
        HssSigner(tmp_path / "tree", tmp_path / "witness").sign(b"message")


def test_the_seed_is_for_its_owner_alone_and_in_no_representation(tree: HssSigner, tmp_path: Path) -> None:
    seed = tmp_path / "tree" / "seed"
    assert seed.stat().st_mode & 0o777 == 0o600
    assert seed.read_bytes().hex() not in repr(vars(tree).get("_state")) + repr(tree)


def test_a_tree_is_never_made_over_another(tree: HssSigner, tmp_path: Path) -> None:
    with pytest.raises(StateDamagedError):
        HssSigner.create(tmp_path / "tree", FORMS["H5/W4"], tmp_path / "witness")
