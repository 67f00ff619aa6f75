"""The firmware's size in flash and RAM by part, from the linker's map: every byte is counted once."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

# First match of the object's path wins.
_PARTS = (
    ("/lib/mbedtls", "tls and crypto library"),
    ("/lib/lwip/", "tcp/ip stack"),
    ("/shared/netutils/", "tcp/ip stack"),
    ("/lib/littlefs/", "file system"),
    ("/lib/libm/", "floating-point library"),
    ("/lib/pico-sdk/", "pico sdk"),
    ("/lib/tinyusb/", "usb"),
    ("/shared/tinyusb/", "usb"),
    ("/lib/cyw43-driver/", "radio"),
    ("/extmod/", "micropython modules"),
    ("/py/", "micropython core"),
    ("/shared/", "micropython core"),
    ("/fbcrypto/", "crypto module"),
    ("/port/", "port"),
    ("main.o", "port"),
    ("nvm.o", "port"),
    ("/boards/", "port"),
    ("firmware.dir/", "port"),  # files of ports/rp2 itself
)
_CODE = (".text", ".ARM.exidx", ".data")
_RAM = (".data", ".bss")
OUTPUTS = (*_CODE, *_RAM)
_STACK = re.compile(r"^\.stack\s+0x[0-9a-f]+\s+0x([0-9a-f]+)", re.MULTILINE)
_LINE = re.compile(r"^ (\.\S+|\*fill\*)(?:\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?:\s+(\S.*))?)?$")
_CONTINUED = re.compile(r"^\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$")
_OUTPUT = re.compile(r"^(\.\S+)(?:\s+0x[0-9a-f]+\s+0x[0-9a-f]+)?")


def by_part(map_text: str, frozen_names: Sequence[str], outputs: Sequence[str] = _CODE) -> dict[str, int]:
    """Return the bytes of the image by part. A part `frozen: NAME` is a package of `frozen_names`.

    `outputs`: the output sections that are in the image.
    """
    modules = sorted(
        ((_symbol(name), _package(name)) for name in frozen_names), key=lambda pair: -len(pair[0])
    )
    totals: dict[str, int] = {}
    for section, size, where in _input_sections(map_text, outputs):
        part = _part(section, where, modules)
        totals[part] = totals.get(part, 0) + size
    return dict(sorted(totals.items()))


def ram_by_part(map_text: str) -> dict[str, int]:
    """Return the bytes of static RAM by part: heap, TLS memory, stack, and the data of the rest."""
    totals: dict[str, int] = {}
    for section, size, where in _input_sections(map_text, _RAM):
        part = _ram_part(section, where)
        totals[part] = totals.get(part, 0) + size
    stack = _STACK.search(map_text)
    if stack:
        totals["stack"] = int(stack.group(1), 16)
    return dict(sorted(totals.items()))


def ram_by_symbols(map_text: str, outputs: Sequence[str]) -> dict[str, int]:
    """Return the bytes of RAM by part where heap and stack are what the linker script of ports/rp2 leaves."""
    totals: dict[str, int] = {}
    for section, size, where in _input_sections(map_text, outputs):
        part = _ram_part(section, where)
        totals[part] = totals.get(part, 0) + size
    for part, bottom, top in (
        ("python heap", "__GcHeapStart", "__GcHeapEnd"),
        ("stack", "__StackBottom", "__StackTop"),
    ):
        totals[part] = _address(map_text, top) - _address(map_text, bottom)
    return dict(sorted(totals.items()))


def _address(map_text: str, symbol: str) -> int:
    found = re.search(rf"^\s+0x([0-9a-f]+)\s+{symbol} = ", map_text, re.MULTILINE)
    return int(found[1], 16) if found else 0


def linked_objects(map_text: str, outputs: Sequence[str] = OUTPUTS) -> list[str]:
    """Return the path of every object, or ARCHIVE(MEMBER), of which at least one byte is in flash or RAM; sorted."""
    found = _input_sections(map_text, outputs)
    return sorted({where for _, size, where in found if size and where})


def _ram_part(section: str, where: str) -> str:
    if section == ".bss.heap":
        return "python heap"
    if section == ".bss.memory" and "tls.o" in where:
        return "tls memory"
    if section == ".bss.rings":
        return "serial lines"
    return "tcp/ip stack" if "/lib/lwip/" in where else "other data"


def _input_sections(map_text: str, outputs: Sequence[str] = _CODE) -> list[tuple[str, int, str]]:
    """Return (section, bytes, object) of every input section in these output sections, by default the image's."""
    found: list[tuple[str, int, str]] = []
    output = waiting = ""
    is_memory_map = False
    for line in map_text.splitlines():
        if line.startswith("Linker script and memory map"):
            is_memory_map = True
        if not is_memory_map:
            continue
        start = _OUTPUT.match(line)
        if start:
            output = start.group(1)
        match = _LINE.match(line)
        if match and match.group(2) is None:
            waiting = match.group(1)
        elif match:
            waiting = ""
            if output in outputs and match.group(3):
                found.append((match.group(1), int(match.group(3), 16), match.group(4) or ""))
        elif waiting and (continued := _CONTINUED.match(line)):
            if output in outputs:
                found.append((waiting, int(continued.group(2), 16), continued.group(3)))
            waiting = ""
    return found


def _part(section: str, where: str, modules: Sequence[tuple[str, str]]) -> str:
    if "frozen_content." in where:
        for symbol, package in modules:
            if symbol in section:
                return f"frozen: {package}"
        return "frozen: names and tables"
    for piece, part in _PARTS:
        if piece in where:
            return part
    return "alignment" if section == "*fill*" else "c library"


def _symbol(name: str) -> str:
    """Return the name of a module in the C symbols of mpy-tool."""
    return "_" + name.removesuffix(".py").replace("/", "_") + "_"


def _package(name: str) -> str:
    parts = name.split("/")
    return ".".join(parts[: min(2, len(parts) - 1)]) or name.removesuffix(".py")


def code_bytes(elf: Path) -> int:
    """Return the bytes of code, constants and initial data of an ELF file."""
    done = subprocess.run(["arm-none-eabi-size", str(elf)], capture_output=True, text=True, check=True)
    text, data = done.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)
