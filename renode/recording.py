"""A recording: one file that replays what an emulated board did, instruction by instruction.

It is a ZIP archive with `recording.json` and one member for each content, named by its SHA-256. A *run* is the time
from power-on to power-off. Rules:
1. A file from outside is untrusted. Counts, sizes and types are bounded and checked before a byte is used, and every
   member is compared with its digest. Everything that is wrong is a RecordingError.
2. A recording contains the seed of each power-on, so every key of that unit. Its file is readable by its owner only.
docs/reference/recordings.md describes the format.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from device.layout import MPS2
from renode.errors import MachineError
from renode.recording_fields import Fields
from renode.rings import LINES

FORMAT: Final = "firstboot-recording"
VERSION: Final = 1
HEAD: Final = "recording.json"
OUTPUTS: Final = (*LINES, "nvm")
ACTIONS: Final = ("input", "reset", "write")
RUNS_MAX: Final = 1000
ACTIONS_MAX: Final = 1_000_000  # of one run
HEAD_MAX_BYTES: Final = 64 * 1024 * 1024
CONTENT_MAX_BYTES: Final = 512 * 1024 * 1024  # of one content
TOTAL_MAX_BYTES: Final = 1024 * 1024 * 1024
PAGE_MAX_BYTES: Final = 256
INPUT_MAX_BYTES: Final = 65536
INSTRUCTIONS_MAX: Final = 1 << 62
_TEXT_MAX_CHARS: Final = 4096
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal recordings are equal files
_PART_BYTES: Final = 1024 * 1024


class RecordingError(MachineError, ValueError):
    """This file is not a recording, is damaged, or exceeds a limit. The text says which."""


@dataclass(frozen=True)
class Action:
    """Something that came to the running board from outside. `at` is the number of instructions since power-on.

    `input`: `data` arrived on `line`. `reset`: the reset line was pulled. `write`: the machine wrote `data` at the
    physical `address` (the button, an ordered power cut).
    """

    at: int
    kind: str
    line: str = ""
    address: int = 0
    data: bytes = b""


@dataclass(frozen=True)
class Run:
    """One run. Contents are digests (hexadecimal) of the recording's contents.

    `nvm` is the flash at power-on, None if it is as the previous run left it. `page` is the power-on page with the
    seed. `log` is the emulator's own. The power was cut after `instructions` instructions.
    `outputs` has a SHA-256 for each name in OUTPUTS: the bytes that left each line, and the flash at the end.
    """

    rom: str
    nvm: str | None
    page: bytes
    has_network: bool
    log: str
    instructions: int
    actions: tuple[Action, ...]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Recording:
    """All runs of one board. `instruction_ns` is how long the guest's clock takes one instruction to be."""

    title: str
    emulator: str
    emulator_version: str
    instruction_ns: int
    runs: tuple[Run, ...]
    contents: dict[str, Path | bytes] = field(default_factory=dict, repr=False)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 over all outputs of all runs, in hexadecimal."""
        return fingerprint_of([run.outputs for run in self.runs])

    def content(self, digest: str) -> bytes:
        """Return the content with this digest. Raises RecordingError without one."""
        found = self.contents.get(digest)
        if found is None:
            raise RecordingError(f"the recording has no content {digest[:16]}")
        return found if isinstance(found, bytes) else found.read_bytes()


def fingerprint_of(outputs: list[dict[str, str]]) -> str:
    """Return the SHA-256 over the digests of OUTPUTS, run by run, in hexadecimal."""
    digest = hashlib.sha256()
    for run in outputs:
        for name in OUTPUTS:
            digest.update(bytes.fromhex(run[name]))
    return digest.hexdigest()


def digest_of(data: bytes | Path) -> str:
    """Return the SHA-256 of bytes or of a file, in hexadecimal."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def summary(recording: Recording) -> dict[str, Any]:
    """Return what a recording is, for `--json`: without seeds and without contents."""
    return {
        "title": recording.title,
        "emulator": recording.emulator,
        "emulator_version": recording.emulator_version,
        "instruction_ns": recording.instruction_ns,
        "fingerprint": recording.fingerprint,
        "runs": [
            {"instructions": run.instructions, "inputs": len(run.actions), "outputs": run.outputs}
            for run in recording.runs
        ],
    }


# -- writing ---------------------------------------------------------------------------------------------


def save(recording: Recording, path: Path) -> None:
    """Write the recording to `path` in one step; only its owner can read it. Raises RecordingError, OSError."""
    head = json.dumps(_head(recording), indent=1, sort_keys=True).encode()
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            _add(archive, HEAD, head)
            for digest in _needed(recording):
                _add(archive, digest, recording.content(digest))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o600 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def _needed(recording: Recording) -> list[str]:
    digests = {run.rom for run in recording.runs} | {run.log for run in recording.runs}
    return sorted(digests | {run.nvm for run in recording.runs if run.nvm is not None})


def _head(recording: Recording) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": recording.title,
        "emulator": recording.emulator,
        "emulator_version": recording.emulator_version,
        "instruction_ns": recording.instruction_ns,
        "fingerprint": recording.fingerprint,
        "runs": [_run_head(run) for run in recording.runs],
    }


def _run_head(run: Run) -> dict[str, Any]:
    actions = [
        {"at": one.at, "kind": one.kind, "line": one.line, "address": one.address, "data": one.data.hex()}
        for one in run.actions
    ]
    return {
        "rom": run.rom,
        "nvm": run.nvm,
        "page": run.page.hex(),
        "has_network": run.has_network,
        "log": run.log,
        "instructions": run.instructions,
        "actions": actions,
        "outputs": run.outputs,
    }


# -- reading ---------------------------------------------------------------------------------------------


def load(path: Path) -> Recording:
    """Return the recording in the file `path`, completely checked. Raises RecordingError, OSError."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _load(archive)
        except RecordingError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
            raise RecordingError(f"{path} is not a recording: {error}") from None
        except (RuntimeError, OverflowError, KeyError, RecursionError) as error:  # of zipfile
            raise RecordingError(f"{path} is not a recording: {type(error).__name__}") from None


def _load(archive: zipfile.ZipFile) -> Recording:
    members = archive.infolist()
    if len({entry.filename for entry in members}) != len(members):
        raise RecordingError("two members of the archive have the same name")
    if not members or members[0].filename != HEAD:
        raise RecordingError(f"the first member of the archive is not {HEAD}")
    if sum(entry.file_size for entry in members) > TOTAL_MAX_BYTES:
        raise RecordingError(f"the recording has more than {TOTAL_MAX_BYTES} bytes")
    head = parse_head(_read(archive, members[0], HEAD_MAX_BYTES))
    wanted = _needed(head)
    if sorted(entry.filename for entry in members[1:]) != wanted:
        raise RecordingError("the members of the archive are not those that its runs name")
    contents: dict[str, Path | bytes] = {}
    for entry in members[1:]:
        data = _read(archive, entry, CONTENT_MAX_BYTES)
        if digest_of(data) != entry.filename:
            raise RecordingError(f"the content {entry.filename[:16]} is damaged")
        contents[entry.filename] = data
    for run in head.runs:
        if run.nvm is not None and len(contents[run.nvm]) != MPS2.size_bytes:  # type: ignore[arg-type]
            raise RecordingError(f"a flash image must have {MPS2.size_bytes} bytes")
    return Recording(
        head.title, head.emulator, head.emulator_version, head.instruction_ns, head.runs, contents
    )


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    """Return one member. What it claims as its size is checked while it is unpacked."""
    if entry.file_size > most:
        raise RecordingError(f"{entry.filename[:16]} has more than {most} bytes")
    parts = bytearray()
    with archive.open(entry) as member:
        while part := member.read(_PART_BYTES):
            parts += part
            if len(parts) > most:
                raise RecordingError(f"{entry.filename[:16]} has more than {most} bytes")
    return bytes(parts)


def parse_head(data: bytes) -> Recording:
    """Return the recording that `recording.json` describes, without contents. Raises RecordingError."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise RecordingError(f"{HEAD} is not JSON") from None
    head = Fields(found, HEAD, RecordingError)
    if head.text("format", 64) != FORMAT or head.number("version", 1, INSTRUCTIONS_MAX) != VERSION:
        raise RecordingError(f"the format is not {FORMAT} version {VERSION}")
    runs = tuple(_parse_run(one) for one in head.objects("runs", RUNS_MAX))
    if not runs or runs[0].nvm is None:
        raise RecordingError("the first run has no flash image")
    recording = Recording(
        head.text("title", _TEXT_MAX_CHARS),
        head.text("emulator", 64),
        head.text("emulator_version", _TEXT_MAX_CHARS),
        head.number("instruction_ns", 1, 1024),
        runs,
    )
    if head.digest("fingerprint") != recording.fingerprint:
        raise RecordingError("the fingerprint is not that of the outputs")
    head.end()
    return recording


def _parse_run(run: Fields) -> Run:
    instructions = run.number("instructions", 0, INSTRUCTIONS_MAX)
    actions = tuple(_parse_action(one, instructions) for one in run.objects("actions", ACTIONS_MAX))
    if [one.at for one in actions] != sorted(one.at for one in actions):
        raise RecordingError("the actions of a run are not in the order of their instructions")
    outputs = run.object("outputs")
    parsed = Run(
        rom=run.digest("rom"),
        nvm=run.digest("nvm") if run.has("nvm") else None,
        page=run.data("page", PAGE_MAX_BYTES),
        has_network=run.flag("has_network"),
        log=run.digest("log"),
        instructions=instructions,
        actions=actions,
        outputs={name: outputs.digest(name) for name in OUTPUTS},
    )
    outputs.end()
    run.end()
    return parsed


def _parse_action(action: Fields, instructions: int) -> Action:
    kind, line = action.text("kind", 16), action.text("line", 16)
    if kind not in ACTIONS or (line not in LINES if kind == "input" else line):
        raise RecordingError(f"an action is {', '.join(ACTIONS)}, and an input has a line")
    parsed = Action(
        action.number("at", 0, instructions),
        kind,
        line,
        action.number("address", 0, 0xFFFFFFFF),
        action.data("data", INPUT_MAX_BYTES),
    )
    action.end()
    return parsed
