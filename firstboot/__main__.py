"""The `firstboot` program: choose the device code of this process, then run the command."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the script `firstboot` and of `python -m firstboot`."""
    from firstboot.device_code import DeviceCodeError, from_arguments, use_device_code

    try:
        use_device_code(from_arguments(sys.argv[1:]))
    except DeviceCodeError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    from provisioning.cli.main import app

    app(prog_name="firstboot")


if __name__ == "__main__":
    main()
