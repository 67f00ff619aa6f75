"""Parts that the tests of the boot ROM share: a ROM with its own keys, stub images, images signed by hand."""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from pyhsslms import pyhsslms

from device.boards.mps2_an385.memory_map import FIRMWARE_ADDRESS, RAM_ADDRESS
from device.layout import IMAGE_HEADER_BYTES, IMAGE_LOAD_ADDRESS
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.header import write_headers
from provisioning.firmware.sources import source_tree
from provisioning.release.image import ImageKey, key_hash
from renode.qemu import QemuBoard

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
BOARD = CHECKOUT / "device" / "boards" / "mps2_an385"
CROSS = "arm-none-eabi-"
MAGIC = 0x96F3B83D
VECTORS = (RAM_ADDRESS + 0x10000).to_bytes(4, "little") + (FIRMWARE_ADDRESS + 9).to_bytes(4, "little")
RAM_LOAD = 0x20
START_TIMEOUT_S = 30  # generous: the machine may be busy with other things


def missing_tools() -> list[str]:
    needed = ("qemu-system-arm", CROSS + "gcc", "make")
    return [tool for tool in needed if shutil.which(tool) is None]


def mbedtls_tree() -> Path:
    """Return the unpacked Mbed TLS sources; skip the test if they are absent and cannot be fetched."""
    named = os.environ.get("FIRSTBOOT_MBEDTLS")
    if named:
        return Path(named)
    try:
        return source_tree(CHECKOUT, lambda line: None).mbedtls
    except FirmwareError as error:
        pytest.skip(f"firmware sources: {error}")


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def new_key(path: Path) -> Path:
    """Return a new P-256 key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem)
    return path


def new_tree(levels: int, width: int) -> pyhsslms.HssPrivateKey:
    """Return an HSS key of small trees (H5) that signs with another implementation than the project's own."""
    kind = {4: pyhsslms.lmots_sha256_n32_w4, 8: pyhsslms.lmots_sha256_n32_w8}[width]
    return pyhsslms.HssPrivateKey(levels, pyhsslms.lms_sha256_m32_h5, kind)


def build_rom(build: Path, key_hashes: list[bytes | ImageKey]) -> Path:
    layout = build / "layout"
    layout.mkdir(parents=True)
    write_headers(layout)
    keys = [one if isinstance(one, ImageKey) else ImageKey(one) for one in key_hashes]
    keys_text = ",".join(key.text for key in keys)
    run(
        "make",
        "-s",
        "-j2",
        "-C",
        BOARD / "rom",
        f"BUILD={build}",
        f"MBEDTLS={mbedtls_tree()}",
        f"LAYOUT={layout}",
        f"IMAGE_KEYS={keys_text}",
    )
    return build / "rom.elf"


def build_stub(build: Path) -> bytes:
    """Return the stub's body, which follows the image header."""
    build.mkdir(parents=True, exist_ok=True)
    write_headers(build)
    elf, raw = build / "stub.elf", build / "stub.bin"
    flags = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-ffreestanding", "-nostartfiles", "--specs=nano.specs"]
    includes = ["-I", BOARD / "include", "-I", build]
    script = ["-L", build, "-T", HERE / "stub" / "stub.ld"]
    run(CROSS + "gcc", *flags, *includes, *script, "-o", elf, HERE / "stub" / "stub.c")
    run(CROSS + "objcopy", "-O", "binary", elf, raw)
    return raw.read_bytes()


@dataclass(frozen=True)
class Recipe:
    """An image put together by hand, so that a test can make each field wrong and still sign it."""

    body: bytes
    key: ec.EllipticCurvePrivateKey
    magic: int = MAGIC
    load_address: int = IMAGE_LOAD_ADDRESS
    header_bytes: int = IMAGE_HEADER_BYTES
    flags: int = RAM_LOAD
    version: tuple[int, int, int, int] = (1, 0, 0, 0)
    counter: int = 0
    protected: tuple[tuple[int, bytes], ...] | None = None  # None: only the counter
    extra: tuple[tuple[int, bytes], ...] = ()  # unprotected, after the regular ones
    left_out: tuple[int, ...] = ()  # unprotected types that are not written
    body_bytes: int | None = None  # header fields with wrong values
    hss: pyhsslms.HssPrivateKey | None = None  # signs the digest as well

    def but(self, **changes: object) -> "Recipe":
        return replace(self, **changes)

    def signed(self) -> bytes:
        protected = self.protected
        if protected is None:
            protected = ((0x50, self.counter.to_bytes(4, "little")),)
        area = tlv_area(0x6908, protected) if protected else b""
        hashed = self._header(len(area)) + self.body + area
        digest = hashlib.sha256(hashed).digest()
        public = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signature = self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        plain = [(0x10, digest), (0x02, public), (0x22, signature)]
        kept = [entry for entry in plain if entry[0] not in self.left_out]
        second = [] if self.hss is None else [(0xA0, self.hss.sign(digest))]
        return hashed + tlv_area(0x6907, [*kept, *second, *self.extra])

    def _header(self, protected_bytes: int) -> bytes:
        body_bytes = len(self.body) if self.body_bytes is None else self.body_bytes
        fields = (
            (self.magic, 4),
            (self.load_address, 4),
            (self.header_bytes, 2),
            (protected_bytes, 2),
            (body_bytes, 4),
            (self.flags, 4),
            (self.version[0], 1),
            (self.version[1], 1),
            (self.version[2], 2),
            (self.version[3], 4),
        )
        header = b"".join(number.to_bytes(size, "little") for number, size in fields)
        return header.ljust(IMAGE_HEADER_BYTES, b"\0")


def tlv_area(magic: int, entries) -> bytes:
    values = b"".join(
        kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for kind, value in entries
    )
    return magic.to_bytes(2, "little") + (len(values) + 4).to_bytes(2, "little") + values


def stub_line(board, timeout_s: float = START_TIMEOUT_S) -> dict[str, str]:
    """Return the names and values that the stub printed about its start."""
    match = board.console.wait_for(r"^stub: (magic=.*)\n", timeout_s)
    return dict(re.findall(r"(\w+)=(\S+)", match.group(1)))


@dataclass(frozen=True)
class Bench:
    """A ROM that knows three keys, a stub to start, and a stranger's key."""

    rom: Path
    keys: tuple[ec.EllipticCurvePrivateKey, ...]
    key_pems: tuple[Path, ...]
    stranger: ec.EllipticCurvePrivateKey
    stub: bytes

    @property
    def recipe(self) -> Recipe:
        return Recipe(body=self.stub, key=self.keys[0])

    def board(self, directory: Path, **options: object) -> QemuBoard:
        """Return a board with this ROM and erased NVM, powered off."""
        board = QemuBoard(directory, has_network=False, **options)
        shutil.copyfile(self.rom, board.rom_path)
        board.nvm.erase_all()
        return board


def load_key(pem: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def make_bench(work: Path) -> Bench:
    pems = tuple(new_key(work / f"image-{index}.pem") for index in range(3))
    rom = build_rom(work / "rom", [key_hash(pem) for pem in pems])
    keys = tuple(load_key(pem) for pem in pems)
    stranger = load_key(new_key(work / "stranger.pem"))
    return Bench(rom, keys, pems, stranger, build_stub(work / "stub"))


@pytest.fixture(scope="session")
def bench(tmp_path_factory) -> Bench:
    missing = missing_tools()
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    return make_bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def board(bench: Bench, tmp_path: Path):
    with bench.board(tmp_path / "board") as board:
        yield board
