"""ESP-IDF images, signatures and eFuses as Espressif's own esptool makes them, from an ELF file made here."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

# Addresses of mapped flash and of RAM, as the chips' memory maps give them (esptool's loader classes).
ADDRESSES = {"esp32c3": (0x3C000020, 0x42010020, 0x3FC80000), "esp32s3": (0x3C000020, 0x42010020, 0x3FC88000)}
MACHINES = {"esp32c3": 243, "esp32s3": 94}  # ELF e_machine: RISC-V, Xtensa


def description(version: str, security_counter: int) -> bytes:
    """Return an esp_app_desc_t of 256 bytes (ESP-IDF, "Application description")."""
    head = struct.pack("<IIII", 0xABCD5432, security_counter, 0, 0)
    names = version.encode().ljust(32, b"\0") + b"lamp".ljust(32, b"\0") + b"12:00:00".ljust(16, b"\0")
    return (head + names + b"Nov 29 2026".ljust(16, b"\0") + b"v5.4".ljust(32, b"\0")).ljust(256, b"\0")


def elf(chip: str, version: str, security_counter: int) -> bytes:
    """Return an ELF file with a description in mapped flash, code in mapped flash, and data in RAM."""
    rodata, text, data = ADDRESSES[chip]
    sections = [
        (".flash.appdesc", rodata, description(version, security_counter) + bytes(range(256)) * 3, 2),
        (".flash.text", text, b"\x13\x00\x00\x00" * 900, 6),
        (".dram0.data", data, b"\x5a" * 400, 3),
    ]
    names = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in sections) + b".shstrtab\0"
    offset, body, headers = 52, b"", [bytes(40)]
    for name, address, content, flags in sections:
        at = names.index(name.encode())
        headers.append(
            struct.pack("<10I", at, 1, flags, address, offset + len(body), len(content), 0, 0, 4, 0)
        )
        body += content
    at = names.index(b".shstrtab")
    headers.append(struct.pack("<10I", at, 3, 0, 0, offset + len(body), len(names), 0, 0, 1, 0))
    body += names + bytes(-len(names) % 4)
    count = len(headers)
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    head = struct.pack(
        "<HHIIIIIHHHHHH", 2, MACHINES[chip], 1, text, 0, 52 + len(body), 0, 52, 32, 0, 40, count, count - 1
    )
    return ident + head + body + b"".join(headers)


def run(tool: str, *arguments: str | Path) -> str:
    """Run one of esptool's commands and return what it printed. A failure fails the test with its words."""
    done = subprocess.run(
        [sys.executable, "-m", tool, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{tool} {arguments[0]}: {done.stdout[-600:]} {done.stderr[-600:]}")
    return done.stdout


def image(
    folder: Path, chip: str = "esp32c3", version: str = "1.2.3+4", counter: int = 7, padded: bool = True
) -> Path:
    """Return the application image that `esptool elf2image` makes."""
    source, target = folder / "app.elf", folder / f"app-{chip}.bin"
    source.write_bytes(elf(chip, version, counter))
    padding = ["--secure-pad-v2"] if padded else []
    run("esptool", "--chip", chip, "elf2image", *padding, "--output", target, source)
    return target


def sign(plain: Path, scheme: str, *keys: Path) -> Path:
    """Return `plain` with a signature block for each key, as `espsecure sign-data` appends them."""
    source, extra = plain, []
    for number, key in enumerate(keys):
        target = plain.with_suffix(f".signed{number}")
        if not key.exists():
            run("espsecure", "generate-signing-key", "--version", "2", "--scheme", scheme, key)
        run("espsecure", "sign-data", "--version", "2", *extra, "--keyfile", key, "--output", target, source)
        source, extra = target, ["--append-signatures"]
    return source
