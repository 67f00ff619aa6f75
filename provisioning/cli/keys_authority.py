"""`firstboot station ca`: the maker's two authorities: make, renew, look at them; certify servers and tools."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.cli.release_output import told
from provisioning.keys.held_key import HeldKey
from provisioning.keys.key_ring import KeyRing, KeyRingError
from provisioning.keys.pem import write_private
from provisioning.keys.pki import CertificateAuthority
from provisioning.keys.signers import PKCS11_SCHEME, open_signer

AUTHORITIES: Final = ("device", "server")
HELP = """Look after the two authorities: `device` certifies units, `server` certifies servers and the maker's tools.

Devices and servers know an authority by its name and key. Renewing keeps both, so nothing that was certified has to
be touched. A key lies in NAME.key (it may be encrypted), or in a token that NAME.uri names; a PIN or passphrase is
asked for, or comes from FIRSTBOOT_PKCS11_PIN or FIRSTBOOT_KEY_PASSPHRASE (or the file that ..._FILE names).
"""

app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_show_locals=False)
Keys = Annotated[Path, typer.Option("--keys", help="Folder with the maker's keys.")]
Which = Annotated[str, typer.Argument(help=f"Which authority: {' or '.join(AUTHORITIES)}.")]
Days = Annotated[
    int | None, typer.Option("--days", min=1, max=36500, help="Valid this long; left out: without end.")
]


def _stem(which: str) -> str:
    if which not in AUTHORITIES:
        raise KeyRingError(f"there is no authority {which!r}; there are {' and '.join(AUTHORITIES)}")
    return f"{which}-ca"


def _authority(keys: Path, which: str) -> CertificateAuthority:
    stem = _stem(which)
    ring = KeyRing(keys)
    return ring.device_ca if stem == "device-ca" else ring.server_ca


def _words(certificate: x509.Certificate) -> str:
    end = certificate.not_valid_after_utc
    until = "without end" if end.year == 9999 else f"until {end.date().isoformat()}"
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return f"{certificate.subject.rfc4514_string()}, valid {until}, SHA-256 {digest}"


@app.command()
def show(keys: Keys) -> None:
    """Show both authorities' certificates: name, end, fingerprint."""
    with told():
        for which in AUTHORITIES:
            path = keys / f"{_stem(which)}.crt"
            typer.echo(f"{which}: {_words(x509.load_pem_x509_certificate(path.read_bytes()))}")


@app.command()
def renew(which: Which, keys: Keys, days: Days = None) -> None:
    """Give an authority a new certificate over the same key and name; the old one is kept beside it.

    Units go on as they are: their certificates verify under the new one, and servers that are certified from now on
    verify on units that hold the old one. Put the new device-ca.crt on brokers when the old one would end.
    """
    with told():
        old = _authority(keys, which)
        new = old.renewed(days)
        _check_same(old, new)
        path = keys / f"{_stem(which)}.crt"
        number = old.credentials.certificate.serial_number
        kept = path.with_name(f"{_stem(which)}.{number:040x}.old.crt")
        kept.write_bytes(path.read_bytes())
        _replace(path, new.certificate_pem)
    typer.echo(f"{which}: {_words(new.credentials.certificate)}")
    typer.echo(f"the certificate before it is {kept.name}")


def _check_same(old: CertificateAuthority, new: CertificateAuthority) -> None:
    """Both verify under each other's certificate; else nothing is replaced. Raises KeyRingError."""
    try:
        new.credentials.certificate.verify_directly_issued_by(old.credentials.certificate)
        old.credentials.certificate.verify_directly_issued_by(new.credentials.certificate)
    except Exception as error:
        raise KeyRingError(
            f"the new certificate does not follow the old one: {type(error).__name__}"
        ) from None


@app.command()
def create(
    which: Which,
    keys: Keys,
    signer: Annotated[str, typer.Option(help="pkcs11:token=...;object=...: a P-256 key in a token.")],
    name: Annotated[str, typer.Option(help="The authority's name, like 'Example Ltd device CA'.")],
    days: Days = None,
) -> None:
    """Make an authority whose key stays in a token; refused where there is one already."""
    with told():
        stem = _stem(which)
        for suffix in (".crt", ".key", ".uri"):
            if (keys / f"{stem}{suffix}").exists():
                raise KeyRingError(f"{stem}{suffix} is there already: units trust it; renew keeps its key")
        if not signer.startswith(PKCS11_SCHEME):
            raise KeyRingError("this makes authorities whose key is in a token: pkcs11:...")
        made = CertificateAuthority.create(name, HeldKey(open_signer(signer)), days)
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(keys / f"{stem}.uri", signer.encode() + b"\n")
        _replace(keys / f"{stem}.crt", made.certificate_pem)
    typer.echo(f"{which}: {_words(made.credentials.certificate)}")


@app.command()
def issue(
    kind: Annotated[str, typer.Argument(help="server, or client (publisher, tracker, a tool).")],
    name: Annotated[str, typer.Argument(help="Common name; of a client its MQTT user name.")],
    keys: Keys,
    out: Annotated[Path, typer.Option(help="Folder for NAME.crt and NAME.key (mode 0600).")],
    dns: Annotated[list[str] | None, typer.Option(help="A server's DNS name; left out: its name.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Valid this long.")] = 825,
) -> None:
    """Draw a key and certify it with the server authority."""
    with told():
        authority = _authority(keys, "server")
        if kind not in ("server", "client"):
            raise KeyRingError("a certificate is for a server or for a client")
        if any((out / f"{name}{suffix}").exists() for suffix in (".crt", ".key")):
            raise KeyRingError(f"{name} is there already; give its successor another folder")
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        if kind == "server":
            made = authority.issue_server(name, dns or [name], days)
        else:
            made = authority.issue_client(name, days)
        certificate, key = made.save(out, name)
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).date()
    typer.echo(f"wrote {certificate} and {key}; valid until {until.isoformat()}")


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(data)
    os.replace(draft, path)
