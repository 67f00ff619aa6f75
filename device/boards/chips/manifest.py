# What every board of a bought chip freezes. MicroPython's own modules of its port are left out: no file system.
# Options: `folder` in device/boards of the chip's family, `ports` of it, `guide` in docs/how-to. A folder of
# `firstboot board new` also gives `root` (the folder with device/) and `own`: then board.py and port.py are its own.
# FIRSTBOOT_MICRODOT names the folder with the package `microdot` (requirements/runtime.txt has version and hash).
import os

options.defaults(root="$(BOARD_DIR)/../../..", own=0)
ROOT = options.root
PARTS = (
    "agent",
    "codec",
    "crypto",
    "factory",
    "net",
    "owner",
    "records",
    "suit",
    "transport",
    "trust",
    "update",
    "web",
)
MODULES = ("__init__", "compat", "errors", "interfaces", "layout", "limits", "version")

if "FIRSTBOOT_MICRODOT" not in os.environ:
    raise SystemExit(
        f"Set FIRSTBOOT_MICRODOT to the folder that contains microdot/ (see docs/how-to/{options.guide})."
    )

include("$(MPY_DIR)/extmod/asyncio")
package("microdot", ("__init__.py", "microdot.py"), base_path=os.environ["FIRSTBOOT_MICRODOT"], opt=3)
if options.folder:
    module("_boot.py", base_path=f"{ROOT}/device/boards/{options.folder}", opt=3)
for part in PARTS:
    package("device/" + part, base_path=ROOT, opt=3)
files = [name + ".py" for name in MODULES]
files.append("boards/__init__.py")
if options.folder:
    files += [f"boards/{options.folder}/__init__.py", f"boards/{options.folder}/unit.py"]
files += ["ports/__init__.py"] + ["ports/" + name + ".py" for name in options.ports]
package("device", tuple(files), base_path=ROOT, opt=3)
module("main.py", base_path="$(BOARD_DIR)", opt=3)
if options.own:
    for name in ("board.py", "port.py"):
        module(name, base_path="$(BOARD_DIR)", opt=3)
