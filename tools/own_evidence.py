"""`make evidence`: the evidence folder of this checkout's own firmware, with keys that are made for it and thrown away.

The product is the example of `firstboot station init`. Arguments go to `firstboot evidence run`: without any, every
test that docs/requirements.md names runs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.firmware.build import build
from provisioning.product.example import EXAMPLE
from provisioning.release.image import sign_image

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "evidence"
WORK = ROOT / "build" / "evidence-work"
VERSION = "0.1.0+1"
WORKERS = ("--workers", "3")  # as `make test`


def main(arguments: Sequence[str]) -> int:
    """Return 0 if every test passed, else the exit code of the first command that failed."""
    for folder in (WORK, OUT):  # evidence of an earlier run must not pass for this one's
        shutil.rmtree(folder, ignore_errors=True)
    WORK.mkdir(parents=True)
    runner, image_key = _key("runner"), _key("image")
    (WORK / "product.toml").write_text(EXAMPLE, encoding="utf-8")
    image = WORK / "firmware.img"
    sign_image(build("release", root=ROOT).image, image_key, version=VERSION, security_counter=1, out=image)
    key, public = ("--key", str(runner)), ("--runner", str(runner.with_suffix(".pub")))
    run = _firstboot("run", "--image", str(image), *key, "--out", str(WORK / "run"), *WORKERS, *arguments)
    if not (WORK / "run" / "run.dsse.json").is_file():
        return run
    made = _firstboot(
        "build", "--product", str(WORK / "product.toml"), "--image", str(image), "--run", str(WORK / "run"),
        *public, *key, "--out", str(OUT),
    )  # fmt: skip
    if not OUT.is_dir():
        return made
    checked = _firstboot("verify", str(OUT), *public, "--image", str(image))
    sys.stdout.write(f"{OUT.relative_to(ROOT)}/index.html\n")
    return run or made or checked


def _firstboot(*arguments: str) -> int:
    command = [sys.executable, "-m", "firstboot", "evidence", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _key(name: str) -> Path:
    """Generate a P-256 key, and return the path of its private half; the public half is beside it."""
    path = WORK / f"{name}.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    path.with_suffix(".pub").write_bytes(public)
    return path


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
