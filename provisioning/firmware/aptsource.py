"""Pinned upstream tarballs from the machine's own Debian mirror, without touching the machine's apt.

Rules:
1. The mirror's address comes from the machine's apt configuration (deb822 or one-line style). The suite is SUITE.
2. apt uses a private state: it writes only to the work folder and does not change the machine's package lists.
3. apt verifies Debian's archive signature. The caller also checks the pinned SHA-256.
4. No message contains the mirror's address, because it may contain a user name and a password.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from provisioning.firmware.errors import MissingToolError, SourcesError

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_FOLDER = Path("/etc/apt")
# Suites with updates to an archive; they do not contain the archive.
_PARTIAL = ("-security", "-updates", "-backports", "-proposed-updates")
_TIMEOUT_S = 300


def mirrors(apt_folder: Path = APT_FOLDER) -> list[str]:
    """Return the URIs of Debian archives in the machine's apt configuration, in the order of its files."""
    found: list[str] = []
    for path in [apt_folder / "sources.list", *sorted(apt_folder.glob("sources.list.d/*"))]:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        entries = _deb822(text) if path.suffix == ".sources" else _one_line(text)
        for uri, suites in entries:
            whole = [suite for suite in suites if not suite.endswith(_PARTIAL) and "/" not in suite]
            if whole and uri.rstrip("/").endswith("/debian") and uri not in found:
                found.append(uri)
    return found


def _deb822(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each URI with its suites, from stanzas in deb822 form (sources.list(5)). Disabled stanzas are skipped."""
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + " " + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        for uri in fields.get("uris", "").split():
            yield uri, fields.get("suites", "").split()


def _one_line(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each URI with its suite, from lines `deb [options] uri suite components`."""
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", "", line.split("#", 1)[0]).split()
        if len(words) >= 3 and words[0] in ("deb", "deb-src"):
            yield words[1], [words[2]]


def download(packages: Sequence[str], work: Path, *, apt_folder: Path = APT_FOLDER) -> list[Path]:
    """Download the source packages of SUITE into `work`. Returns the downloaded files.

    Raises SourcesError if no mirror is configured or no mirror has them, MissingToolError without apt.
    """
    return _download_any("deb-src", packages, work, apt_folder)


def _download_any(kind: str, packages: Sequence[str], work: Path, apt_folder: Path) -> list[Path]:
    if shutil.which("apt-get") is None:
        raise MissingToolError("apt-get", "apt")
    if not KEYRING.exists():
        raise MissingToolError(str(KEYRING), "debian-archive-keyring")
    uris = mirrors(apt_folder)
    if not uris:
        raise SourcesError("this machine's apt configuration has no Debian mirror")
    reason = ""
    for uri in uris:
        try:
            return _download_from(uri, kind, packages, work)
        except SourcesError as error:
            reason = str(error)
    raise SourcesError(reason)


def download_packages(packages: Sequence[str], work: Path, *, apt_folder: Path = APT_FOLDER) -> list[Path]:
    """Download binary packages of SUITE, for any machine, into `work`. Returns the files; errors as `download`."""
    return _download_any("deb", packages, work, apt_folder)


def _download_from(uri: str, kind: str, packages: Sequence[str], work: Path) -> list[Path]:
    for folder in ("lists/partial", "cache/archives/partial", "src"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    sources = work / "sources.list"
    sources.write_text(f"{kind} [signed-by={KEYRING}] {uri} {SUITE} main\n")
    options = [
        f"-oDir::Etc::SourceList={sources}",
        "-oDir::Etc::SourceParts=/dev/null",
        f"-oDir::State::Lists={work / 'lists'}",
        f"-oDir::Cache={work / 'cache'}",
        "-oAcquire::Retries=2",
        "-oAcquire::Languages=none",
    ]
    # Without the lists that `update` could not fetch, the source step fails.
    _apt([*options, "-q", "update", "--error-on=any"], work, uri)
    step = ["source", "--download-only"] if kind == "deb-src" else ["download"]
    _apt([*options, "-q", *step, *packages], work / "src", uri)
    return sorted(path for path in (work / "src").iterdir() if path.is_file())


def _apt(arguments: Iterable[str], cwd: Path, uri: str) -> None:
    try:
        done = subprocess.run(
            ["apt-get", *arguments], cwd=cwd, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SourcesError(f"apt-get did not finish within {_TIMEOUT_S} s") from None
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line[:2] in ("E:", "W:")]
        raise SourcesError("; ".join(_redacted(line, uri) for line in lines[-3:]) or "apt-get failed")


def _redacted(line: str, uri: str) -> str:
    return " ".join("MIRROR" if "://" in word else word for word in line.replace(uri, "MIRROR").split())
