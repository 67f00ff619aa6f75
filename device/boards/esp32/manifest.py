# What every ESP32 board freezes. MicroPython's own modules of the port are left out: no WebREPL, no file system.
# FIRSTBOOT_MICRODOT names the folder with the package `microdot` (requirements/runtime.txt has version and hash).
import os

ROOT = "$(BOARD_DIR)/../../.."
PORTS = (
    "appfiles",
    "blocks",
    "esp32",
    "esp32_fuses",
    "esp32_wifi",
    "fuses",
    "littlefs",
    "rtc",
    "slots",
    "socket_group",
    "sockets",
    "wlan",
)
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
        "Set FIRSTBOOT_MICRODOT to the folder that contains microdot/ (see docs/how-to/esp32.md)."
    )

include("$(MPY_DIR)/extmod/asyncio")
package("microdot", ("__init__.py", "microdot.py"), base_path=os.environ["FIRSTBOOT_MICRODOT"], opt=3)
module("_boot.py", base_path="$(BOARD_DIR)/../esp32", opt=3)
for part in PARTS:
    package("device/" + part, base_path=ROOT, opt=3)
files = [name + ".py" for name in MODULES]
files += ["boards/__init__.py", "boards/esp32/__init__.py", "boards/esp32/unit.py", "ports/__init__.py"]
files += ["ports/" + name + ".py" for name in PORTS]
package("device", tuple(files), base_path=ROOT, opt=3)
