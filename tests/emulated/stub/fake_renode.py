"""A fake Renode for machines without it: the monitor commands that renode.renode uses, and no processor.

It shows that our side follows the protocol. `make renode` checks the commands' effect on a machine with Renode.
With FAKE_RENODE_COMPILES=no it answers to a peripheral as a version of Renode with another API does.
"""

import os
import re
import shutil
import socket
import sys
from pathlib import Path

variables: dict[str, str] = {}
lines: dict[str, socket.socket] = {}
memory: dict[int, int] = {}


def value(word: str) -> str:
    return variables.get(word[1:], word).strip('"') if word.startswith("$") else word


def path(word: str) -> Path:
    named = Path(value(word).lstrip("@").strip('"'))
    if not named.exists():
        raise FileNotFoundError(named)
    return named


class CompileError(Exception):
    """As Renode's compiler reports one."""


def include(script: Path) -> None:
    if script.suffix == ".cs":
        if os.environ.get("FAKE_RENODE_COMPILES") == "no":
            raise CompileError(
                "Errors during compilation or loading:\nThere were compilation errors:\n"
                f"{script}(24,30): error CS1503: Argument `#2' cannot convert `long' expression to type `ulong'"
            )
        return
    variables["ORIGIN"] = str(script.parent)
    for written in script.read_text().splitlines():
        line = written.replace("$ORIGIN", variables["ORIGIN"])
        opened = re.match(r'emulation CreateHostLine "(\w+)" (\$\w+) (\$\w+)', line)
        if opened:
            name, port, word = opened.groups()
            lines[name] = socket.create_connection(("127.0.0.1", int(value(port))))
            lines[name].sendall(value(word).encode())
        elif line.startswith("include "):
            include(path(line.partition(" ")[2]))
        elif line.startswith("machine LoadPlatformDescription "):
            path(line.rpartition(" ")[2])
        elif line.strip().startswith(("sysbus LoadBinary", "sysbus LoadELF")):
            path(line.split()[2])


def console(text: bytes) -> None:
    lines["console"].sendall(text)


def obey(line: str) -> None:
    command = line.split()
    if line.startswith("$"):
        name, _, given = line[1:].partition("=")
        variables[name] = given
    elif command[0] == "echo":
        print(line.split('"')[1])
    elif command[0] == "include":
        include(path(command[1]))
    elif line == "start":
        page = path("$page").read_bytes()
        console(b"fake: started with " + page[:4] + b"\r\n")
    elif command[0] == "dump_file":
        target = Path(command[3].strip('"'))
        shutil.copyfile(path("$nvm"), target)
        with target.open("r+b") as file:
            file.write(b"saved")
        target.write_bytes(target.read_bytes()[: int(command[2], 0)])
    elif line == "machine Reset":
        console(b"fake: reset\r\n")
    elif line.startswith("sysbus ReadDoubleWord"):
        print(f"0x{memory.get(int(command[2], 0), 0):08X}")
    elif line.startswith("sysbus WriteDoubleWord"):
        memory[int(command[2], 0)] = int(command[3], 0)
    elif line != "pause":
        print("No such command: " + line)


print("12:00:00.0000 [WARNING] Could not find '.renode-root' - falling back to current working directory")
for typed in sys.stdin:
    print("(board) " + typed.rstrip())  # a console echoes
    try:
        obey(typed.strip())
    except Exception as error:
        print(f"There was an error executing command: {error}")
    sys.stdout.flush()
