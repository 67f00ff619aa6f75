"""A fake Renode for machines without it: the monitor commands that renode.renode uses, and no processor.

It shows that our side follows the protocol. `make renode` checks the commands' effect on a machine with Renode.
"""

import re
import shutil
import socket
import sys
import threading
import time
from pathlib import Path

variables: dict[str, str] = {}
terminals: dict[str, socket.socket] = {}
clients: dict[str, socket.socket] = {}


def value(word: str) -> str:
    return variables.get(word[1:], word) if word.startswith("$") else word


def path(word: str) -> Path:
    named = Path(value(word).lstrip("@").strip('"'))
    if not named.exists():
        raise FileNotFoundError(named)
    return named


def accept(name: str) -> None:
    clients[name], _ = terminals[name].accept()


def include(script: Path) -> None:
    variables["ORIGIN"] = str(script.parent)
    for written in script.read_text().splitlines():
        line = written.replace("$ORIGIN", variables["ORIGIN"])
        terminal = re.match(r'emulation CreateServerSocketTerminal (\$\w+) "(\w+)" false', line)
        if terminal:
            name = terminal.group(2)
            terminals[name] = socket.create_server(("127.0.0.1", int(value(terminal.group(1)))))
            threading.Thread(target=accept, args=(name,), daemon=True).start()
        elif line.startswith(("include ", "machine LoadPlatformDescription ")):
            path(line.rpartition(" ")[2])
        elif line.strip().startswith(("sysbus LoadBinary", "sysbus LoadELF")):
            path(line.split()[2])


def console(text: bytes) -> None:
    while "console" not in clients:
        time.sleep(0.001)
    clients["console"].sendall(text)


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
    elif line != "pause":
        print("No such command: " + line)


for typed in sys.stdin:
    print("(board) " + typed.rstrip())  # a console echoes
    try:
        obey(typed.strip())
    except Exception as error:
        print(f"There was an error executing command: {error}")
    sys.stdout.flush()
