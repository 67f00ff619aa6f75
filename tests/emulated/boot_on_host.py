"""The ROM's C code compiled for the host: the decision as a library, the image checks as a program."""

import ctypes
import os
import subprocess
from pathlib import Path

from device.layout import MPS2
from provisioning.firmware.header import write_headers
from provisioning.release.image import key_hash
from tests.emulated.boot_support import (
    BOARD,
    CHECKOUT,
    HERE,
    VECTORS,
    load_key,
    mbedtls_tree,
    new_key,
    new_tree,
    run,
)

LIBRARY = ["platform_util", "sha256"]


def build_decision(folder: Path):
    """Compile the ROM's decision for the host; return the library and its NVM, which is erased."""
    write_headers(folder)
    sources = [HERE / "stub" / "host_decision.c", BOARD / "rom" / "boot.c"]
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-I", folder, "-I", BOARD / "rom"]
    flags += [
        "-fsanitize=undefined",
        "-fsanitize-undefined-trap-on-error",
    ]  # an index out of bounds ends the test
    run("gcc", *flags, "-o", folder / "decision.so", *sources)
    library = ctypes.CDLL(str(folder / "decision.so"))
    library.host_nvm.restype = ctypes.POINTER(ctypes.c_uint8 * MPS2.size_bytes)
    nvm = library.host_nvm().contents
    ctypes.memset(nvm, 0xFF, MPS2.size_bytes)
    return library, nvm


def put(nvm, offset: int, data: bytes) -> None:
    ctypes.memmove(ctypes.byref(nvm, offset), data, len(data))


TREE = new_tree(1, 4)  # the third key requires both signatures


def _bytes(data: bytes) -> str:
    return ",".join(map(str, data))


def build_judge(folder: Path):
    """Compile the ROM's image checks with sanitizers; return a function (slot contents -> verdicts) and three keys."""
    write_headers(folder)
    pems = [new_key(folder / f"{index}.pem") for index in range(3)]
    trees = [b"", b"", TREE.publicKey().serialize()]
    entries = [
        f"{{{{{_bytes(key_hash(pem))}}}, {int(bool(tree))}, {{{_bytes(tree or bytes(1))}}}}}"
        for pem, tree in zip(pems, trees, strict=True)
    ]
    (folder / "image_keys.h").write_text("#define IMAGE_KEYS_INIT " + ", ".join(entries) + "\n")
    mbedtls = mbedtls_tree()
    rom, crypto = BOARD / "rom", CHECKOUT / "device" / "cmodules" / "fbcrypto"
    folders = (
        folder,
        rom,
        crypto,
        BOARD / "include",
        mbedtls / "include",
        mbedtls / "3rdparty" / "p256-m" / "p256-m",
    )
    includes = [part for path in folders for part in ("-I", path)]
    library = [mbedtls / "library" / f"{name}.c" for name in LIBRARY]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags = ["-g", "-O1", "-w", "-std=gnu11", '-DMBEDTLS_CONFIG_FILE="rom_mbedtls.h"', *checks, *includes]
    own = [HERE / "stub" / "host_image.c", rom / "image.c", crypto / "hss.c", crypto / "p256.c"]
    run("gcc", *flags, "-I", mbedtls / "library", "-o", folder / "image", *own, *library)

    def judge(contents: list[bytes]) -> list[str]:
        fed = b"".join(len(content).to_bytes(4, "little") + content for content in contents)
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1"}
        done = subprocess.run(
            [folder / "image"], input=fed, capture_output=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    return judge, [load_key(pem) for pem in pems]


BODY = VECTORS + bytes(300)
