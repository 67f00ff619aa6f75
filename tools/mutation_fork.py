"""Run one piece of work in a fork of this process, with limits on its processor time and its memory."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any, Final

MEMORY_BYTES: Final = 4 << 30


def in_child(work: Callable[[], Any], processor_s: float, is_bounded: bool = True) -> Any:
    """Return what `work` returns in a fork of this process, None if it ended or used more than `processor_s`.

    `is_bounded`: its memory has a limit, which sanitizers of C do not bear.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _confine(processor_s)
            if is_bounded:
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            os.write(writer, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    answer = b""
    deadline = time.monotonic() + 60 + 20 * processor_s  # a fork that waits uses no processor time
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(reader, 1 << 16)
        if not part:
            break
        answer += part
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(answer) if answer else None


def _confine(processor_s: float) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    limit = int(processor_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
