"""OpenPGP keys for tests, made by the library of the product; gpgv, which shares no code with it, verifies."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

USER = "Security team <security@example.com>"


def library() -> Any:
    """Return pysequoia; the test is skipped, with a reason, if it is not installed."""
    return pytest.importorskip("pysequoia", reason="pysequoia is not installed (tools/setup.sh dev)")


def program(name: str) -> str:
    """Return the path of gpgv or gpg; the test is skipped, with a reason, if it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (tools/setup.sh dev)")
    return found


def private_key(path: Path, **options: Any) -> Path:
    """Write a new private key, as `gpg --export-secret-keys --armor` does, with the mode of a private key."""
    made = library().Tsk.generate(USER, **options)
    return written(path, str(made).encode())


def written(path: Path, data: bytes) -> Path:
    """Write the file of a private key with its mode."""
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def public_key(path: Path) -> bytes:
    """Return the public half of a private key's file, in ASCII armour."""
    return str(library().Tsk.from_file(str(path)).extract_certificate()).encode()


def revoked(path: Path) -> Path:
    """Add to a private key's file the signature that revokes it."""
    key = library().Tsk.from_file(str(path))
    return written(path, bytes(key) + bytes(key.extract_certificate().revoke(key.certifier())))


def without_signing_part(path: Path) -> Path:
    """Remove from a private key's file the part that signs: what stays can certify and decrypt."""
    kept, part = [], []
    for packet in library().packet.PacketPile.from_file(str(path)):
        if "Subkey" in str(packet.tag):
            part = [packet]
        elif not part:
            kept.append(packet)
        else:
            kept += [] if packet.key_flags.signing else [*part, packet]
            part = []
    return written(path, b"".join(bytes(packet) for packet in kept))


def gpgv(folder: Path, key: bytes, document: bytes, signature: bytes) -> bool:
    """Return whether gpgv accepts a detached signature. `key`: a public key in ASCII armour; `folder`: a new one."""
    folder.mkdir()
    files = {"key": _unarmored(key), "document": document, "signature": signature}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    paths = [str(folder / name) for name in ("signature", "document")]
    command = [program("gpgv"), "--homedir", str(folder), "--keyring", str(folder / "key"), *paths]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class GnuPG:
    """GnuPG with a folder of its own. Its path is short: a socket's has 108 bytes at most."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, passphrase: str = "") -> bytes:
        options = ("--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase)
        environment = {**os.environ, "GNUPGHOME": str(self.folder)}
        command = [program("gpg"), *options, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    def private_key(self, passphrase: str) -> bytes:
        """Return a new private key in ASCII armour, encrypted with a passphrase."""
        self.run("--quick-generate-key", USER, "ed25519", "sign", "2y", passphrase=passphrase)
        return self.run("--armor", "--export-secret-keys", passphrase=passphrase)

    def private_key_whose_signing_part_ends(self, days: int) -> bytes:
        """Return a new private key of two years with a part that signs for `days`, without a passphrase."""
        self.run("--quick-generate-key", USER, "ed25519", "cert", "2y")
        self.run("--quick-add-key", self.fingerprint(), "ed25519", "sign", f"{days}d")
        return self.run("--armor", "--export-secret-keys")

    def fingerprint(self) -> str:
        """Return the fingerprint of the only key."""
        lines = self.run("--with-colons", "--list-keys").decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr"))


def gnupg() -> Iterator[GnuPG]:
    """A GnuPG for one test; its agent ends with it."""
    program("gpg")
    folder = Path(tempfile.mkdtemp(prefix="fb-gpg-"))
    try:
        yield GnuPG(folder)
    finally:
        end = [program("gpgconf"), "--homedir", str(folder), "--kill", "gpg-agent"]
        subprocess.run(end, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _unarmored(key: bytes) -> bytes:
    """Return the bytes of a public key in ASCII armour (RFC 9580 section 6), without its checksum."""
    body = key.decode().partition("\n\n")[2].partition("-----END")[0].split()
    return base64.b64decode("".join(line for line in body if not line.startswith("=")))
