"""`firstboot keys ca`: the maker's two certificate authorities."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.one_line import LINE_CHARS, one_line
from provisioning.cli.options import JsonOption, KeysOption
from provisioning.cli.output import print_result
from provisioning.cli.signing_time import IN_CERTIFICATES, warn_of_clock
from provisioning.file_system import NewFile, replace_file, replace_files
from provisioning.keys.held_key import HeldKey
from provisioning.keys.key_ring import KeyRing, KeyRingError
from provisioning.keys.pem import write_private
from provisioning.keys.pki import CertificateAuthority
from provisioning.keys.schemes import PKCS11_SCHEME
from provisioning.keys.signers import open_signer
from provisioning.product.public_texts import SERVER, SERVER_HINT

AUTHORITIES: Final = ("device", "server")
KINDS: Final = ("server", "client")
HELP = """Look after the two certificate authorities: `device` certifies devices, `server` certifies servers and tools.

Devices and servers recognise an authority by its name and key. `renew` keeps both, so nothing that was certified has
to change. The key is in the file NAME.key, which may be encrypted, or in a token that the file NAME.uri names.

Example: `firstboot keys ca show --keys maker/keys`
"""

app = CommandGroup(HELP)
WhichArgument = Annotated[str, typer.Argument(metavar="AUTHORITY", help=f"One of: {', '.join(AUTHORITIES)}.")]
DaysOption = Annotated[
    int | None, typer.Option("--days", min=1, max=36500, help="Days of validity. Default: no end.")
]


def _stem(which: str) -> str:
    if which not in AUTHORITIES:
        raise InputError(f"There is no authority {which!r}. Use one of: {', '.join(AUTHORITIES)}.")
    return f"{which}-ca"


def _authority(keys: Path, which: str) -> CertificateAuthority:
    stem = _stem(which)
    ring = KeyRing(keys)
    return ring.device_ca if stem == "device-ca" else ring.server_ca


def _facts(certificate: x509.Certificate) -> dict[str, str | None]:
    end = certificate.not_valid_after_utc
    return {
        "name": certificate.subject.rfc4514_string(),
        "valid_until": None if end.year == 9999 else end.date().isoformat(),  # RFC 5280, 4.1.2.5
        "sha256": hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
    }


def _line(certificate: x509.Certificate) -> str:
    facts = _facts(certificate)
    until = f"valid until {facts['valid_until']}" if facts["valid_until"] else "valid without end"
    return f"{facts['name']}, {until}, SHA-256 {facts['sha256']}"


@app.command()
def show(keys: KeysOption, is_json: JsonOption = False) -> None:
    """Show the certificates of both authorities: name, end of validity, fingerprint.

    Example: `firstboot keys ca show --keys maker/keys`
    """
    found = {
        which: x509.load_pem_x509_certificate((keys / f"{_stem(which)}.crt").read_bytes())
        for which in AUTHORITIES
    }
    rows = [(which, _line(certificate)) for which, certificate in found.items()]
    print_result(rows, {which: _facts(certificate) for which, certificate in found.items()}, is_json)


@app.command()
def renew(
    which: WhichArgument, keys: KeysOption, days: DaysOption = None, is_json: JsonOption = False
) -> None:
    """Renew the certificate of an authority, with the same name and key. The old certificate is kept.

    Devices need no change: their certificates verify under the new one, and devices that hold the old one accept
    servers that are certified from now on. Put the new device-ca.crt on your brokers before the old one ends.

    Example: `firstboot keys ca renew device --keys maker/keys --days 1825`
    """
    warn_of_clock(IN_CERTIFICATES)
    old = _authority(keys, which)
    new = old.renewed(days)
    _check_same(old, new)
    path = keys / f"{_stem(which)}.crt"
    number = old.credentials.certificate.serial_number
    kept = path.with_name(f"{_stem(which)}.{number:040x}.old.crt")
    replace_files([NewFile(kept, path.read_bytes()), NewFile(path, new.certificate_pem)])
    certificate = new.credentials.certificate
    lines = [(which, _line(certificate)), ("old certificate", kept.name)]
    print_result(lines, _facts(certificate) | {"old_certificate": kept.name}, is_json)


def _check_same(old: CertificateAuthority, new: CertificateAuthority) -> None:
    """Check that each certificate verifies with the other, before anything is replaced. Raises KeyRingError."""
    try:
        new.credentials.certificate.verify_directly_issued_by(old.credentials.certificate)
        old.credentials.certificate.verify_directly_issued_by(new.credentials.certificate)
    except Exception as error:
        raise KeyRingError(
            f"the new certificate does not follow the old one: {type(error).__name__}"
        ) from None


@app.command()
def generate(
    which: WhichArgument,
    keys: KeysOption,
    signer: Annotated[
        str,
        typer.Option("--signer", metavar="URI", help="A P-256 key in a token: pkcs11:token=...;object=..."),
    ],
    name: Annotated[
        str,
        typer.Option(
            "--name",
            callback=one_line("authority"),
            help="The authority's name, for example 'Example Ltd device CA'.",
        ),
    ],
    days: DaysOption = None,
    is_json: JsonOption = False,
) -> None:
    """Generate an authority whose key stays in a token. An existing authority is never replaced.

    `firstboot keys init` generates both authorities in files.

    Example: `firstboot keys ca generate device --keys maker/keys --signer "pkcs11:token=hsm;object=device-ca" --name
    "Example Ltd device CA"`
    """
    warn_of_clock(IN_CERTIFICATES)
    stem = _stem(which)
    for suffix in (".crt", ".key", ".uri"):
        if (keys / f"{stem}{suffix}").exists():
            raise InputError(
                f"{stem}{suffix} exists already and devices trust it. `firstboot keys ca renew` keeps its key."
            )
    if not signer.startswith(PKCS11_SCHEME):
        raise InputError("--signer must be a pkcs11: URI: this command is for keys in a token.")
    made = CertificateAuthority.create(name, HeldKey(open_signer(signer)), days)
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(keys / f"{stem}.uri", signer.encode() + b"\n")
    replace_file(keys / f"{stem}.crt", made.certificate_pem)
    certificate = made.credentials.certificate
    print_result([(which, _line(certificate))], _facts(certificate), is_json)


def plain_name(text: str) -> str:
    """The callback of a name that becomes the name of a file, a user of the broker, and a name in a certificate."""
    most = LINE_CHARS["authority"]
    if not _is_host(text) or len(text) > most:
        raise typer.BadParameter(f"must be a plain name: at most {most} letters, digits, dots and dashes")
    return text


def host_names(texts: list[str] | None) -> list[str] | None:
    """The callback of an option with names of hosts."""
    if not all(map(_is_host, texts or ())):
        raise typer.BadParameter(SERVER_HINT)
    return texts


def _is_host(text: str) -> bool:
    return SERVER.fullmatch(text.removeprefix("*.")) is not None


@app.command()
def issue(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="`server`, or `client` for the publisher, the tracker or a tool."
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            callback=plain_name,
            help="Common name. For a client also its MQTT user name.",
        ),
    ],
    keys: KeysOption,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for NAME.crt and NAME.key (mode 0600).")
    ],
    dns: Annotated[
        list[str] | None,
        typer.Option("--dns", callback=host_names, help="DNS name of a server. Default: NAME."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Days of validity.")] = 825,
    is_json: JsonOption = False,
) -> None:
    """Generate a key for a server or a client and certify it with the `server` authority.

    Example: `firstboot keys ca issue server updates.example.com --keys maker/keys --out broker`
    """
    authority = _authority(keys, "server")
    _require_new(kind, name, out)
    warn_of_clock(IN_CERTIFICATES)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_server = kind == "server"
    made = (
        authority.issue_server(name, dns or [name], days) if is_server else authority.issue_client(name, days)
    )
    certificate, key = made.save(out, name)
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).date().isoformat()
    document = {"certificate": str(certificate), "key": str(key), "valid_until": until}
    print_result([(name.replace("_", " "), text) for name, text in document.items()], document, is_json)


def _require_new(kind: str, name: str, out: Path) -> None:
    if kind not in KINDS:
        raise InputError(f"There is no kind {kind!r}. Use one of: {', '.join(KINDS)}.")
    if any((out / f"{name}{suffix}").exists() for suffix in (".crt", ".key")):
        raise InputError(f"{out} contains a key for {name} already. Use another folder for the new one.")
