"""No file replaces a module of the firmware, wherever a file system is mounted and whatever the path contains."""

import subprocess

import pytest

from provisioning.firmware.frozen import VARIANTS, frozen_files
from provisioning.firmware.sources import source_tree
from tests.emulated.firmware_support import CHECKOUT, kit, prompt

__all__ = ["kit", "prompt"]

pytestmark = pytest.mark.emulated

# Every module that is compiled in; those that MicroPython calls extensible are among them.
BUILT_IN = (
    "_asyncio _fbcrypto _mps2 array binascii builtins collections errno gc hashlib heapq io json lwip math "
    "micropython os re select socket struct sys time tls vfs"
).split()


def frozen_top_level():
    tree = source_tree(CHECKOUT, lambda text: None)
    generated = tree.path  # only names are requested
    files = frozen_files(CHECKOUT, tree.path, VARIANTS["development"], generated)
    return sorted({file.name.split("/")[0].removesuffix(".py") for file in files})


@pytest.fixture(scope="module")
def mounted(prompt):
    """The prompt with a littlefs on /app that has a file for each name, and /app at the end of the path."""
    prompt.run("""
import sys, vfs, _mps2
from device.layout import MPS2
block = _mps2.NvmBlock(MPS2.user_offset, MPS2.user_bytes)
vfs.VfsLfs2.mkfs(block, readsize=32, progsize=32, lookahead=32)
vfs.mount(vfs.VfsLfs2(block, readsize=32, progsize=32, lookahead=32), "/app")
def put(name):
    with open("/app/" + name + ".py", "w") as file:
        file.write("HIJACKED = True")
def is_hijacked(name):
    for known in list(sys.modules):
        if known == name or known.startswith(name + "."):
            del sys.modules[known]
    try:
        return hasattr(__import__(name), "HIJACKED")
    except ImportError:
        return False
""")
    names = [*frozen_top_level(), *BUILT_IN]
    prompt.run(f"for name in {names!r}:\n    put(name)\nput('own_module')\n")
    prompt.run("sys.path.append('/app')")
    return prompt


def test_the_path_has_only_the_frozen_modules(prompt):
    assert prompt.evaluate("__import__('sys').path[:1]") == "['.frozen']"


def test_a_file_of_a_new_name_is_imported_so_the_test_can_fail(mounted):
    assert mounted.evaluate("is_hijacked('own_module')") == "True"


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_module_is_never_replaced(mounted, name):
    mounted.run(f"sys.path.remove('/app')\ncompiled_in = __import__({name!r})\nsys.path.append('/app')")
    mounted.run("assert not hasattr(compiled_in, 'HIJACKED')")
    assert mounted.evaluate(f"is_hijacked({name!r})") == "False"


@pytest.mark.parametrize("name", ["device", "microdot", "asyncio", "device.trust.verify", "device.errors"])
def test_a_frozen_module_is_never_replaced(mounted, name):
    assert mounted.evaluate(f"is_hijacked({name!r})") == "False"


def test_every_module_that_is_compiled_in_is_tested_here(kit):
    """The table of built-in modules has as many entries (8 bytes each) as the list above has names."""
    elf = kit.firmware("development").elf
    symbols = subprocess.run(
        ["arm-none-eabi-nm", "-S", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    sizes = {
        line.split()[3]: int(line.split()[1], 16) for line in symbols.splitlines() if len(line.split()) == 4
    }
    assert sizes["mp_builtin_module_table"] // 8 == len(BUILT_IN) + 1  # and __main__
    assert sizes.get("mp_builtin_extensible_module_table", 0) == 0


def test_every_frozen_top_level_name_is_guarded(mounted):
    names = [name for name in frozen_top_level() if name != "asyncio"]
    assert names
    for name in names:
        assert mounted.evaluate(f"is_hijacked({name!r})") == "False"


def test_no_boot_or_main_file_is_run(kit, tmp_path):
    """Files of those names in both regions change nothing at the next start: no region is mounted automatically."""
    from tests.emulated.firmware_support import Prompt

    with kit.board(tmp_path) as board:
        board.power_on()
        at_prompt = Prompt(board).enter()
        at_prompt.run("""
from device.ports import mps2
regions = mps2.regions(False)
for region in ("device", "user"):
    records = regions.format(region)
    for name in ("boot.py", "main.py"):
        records.write(name, b"print('HIJACKED')")
""")
        board.cut_power()
        before = len(board.console.text)
        board.power_on()
        at_prompt = Prompt(board).enter()
        assert at_prompt.run("import os\nprint(os.listdir('/'))").strip() == "[]"
        assert "HIJACKED" not in board.console.text[before:]
