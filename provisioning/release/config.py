"""`release.yaml`: what a maker would otherwise repeat on every command line. Flags win over it.

    product: product.toml
    log: releases.jsonl
    signers: [keys/author.pem, "hss:keys/author-hss"]
    mitigates: what the release mends, for the owner
    interrupts: what the owner notices meanwhile

Paths are relative to the file. Every name is optional, any other is refused. It holds no secret: a PIN in a PKCS#11
URI is refused where the URI is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from provisioning.keys.signers import FILE_SCHEME, HSS_SCHEME, PKCS11_SCHEME

CONFIG_NAME: Final = "release.yaml"
MAX_BYTES: Final = 65536
_TEXTS: Final = ("product", "log", "mitigates", "interrupts")


class ReleaseConfigError(ValueError):
    """The file is not YAML, or not of this form."""


@dataclass(frozen=True)
class ReleaseConfig:
    """None and () where the file says nothing."""

    product: Path | None = None
    log: Path | None = None
    signers: tuple[str, ...] = ()
    mitigates: str | None = None
    interrupts: str | None = None


def load_config(path: Path | None) -> ReleaseConfig:
    """What `path` says; nothing without a path. Raises OSError, ReleaseConfigError."""
    if path is None:
        return ReleaseConfig()
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise ReleaseConfigError(f"{path} has more than {MAX_BYTES} bytes")
    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ReleaseConfigError(f"{path} is not YAML ({type(error).__name__})") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ReleaseConfigError(f"{path} is no map of names and values")
    return _config(content, path)


def _config(content: Mapping[Any, Any], path: Path) -> ReleaseConfig:
    unknown = sorted(str(name) for name in content if name not in (*_TEXTS, "signers"))
    if unknown:
        raise ReleaseConfigError(f"{path}: unknown {', '.join(unknown)}")
    for name in _TEXTS:
        if not isinstance(content.get(name, ""), str):
            raise ReleaseConfigError(f"{path}: {name} is no text")
    signers = content.get("signers", [])
    if not isinstance(signers, list) or not all(isinstance(one, str) for one in signers):
        raise ReleaseConfigError(f"{path}: signers is no list of texts")
    folder = path.parent
    return ReleaseConfig(
        product=folder / content["product"] if "product" in content else None,
        log=folder / content["log"] if "log" in content else None,
        signers=tuple(_relative_to(one, folder) for one in signers),
        mitigates=content.get("mitigates"),
        interrupts=content.get("interrupts"),
    )


def _relative_to(signer: str, folder: Path) -> str:
    """The same signer, its path seen from `folder`."""
    if signer.startswith(PKCS11_SCHEME):
        return signer
    for scheme in (HSS_SCHEME, FILE_SCHEME, ""):
        if signer.startswith(scheme):
            return scheme + os.fspath(folder / signer.removeprefix(scheme))
    raise AssertionError("every text begins with nothing")
