"""Coverage-guided fuzzing of one parser: python tests/fuzz/fuzz.py TARGET SECONDS [CORPUS]; --list names the targets.

`runs=N` in place of SECONDS tries N inputs; they are the same in every run of the same code.

Exit codes: 0 no fault was found, other: libFuzzer's (a crashing input is written to the working directory).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["device"]):
    from tests import cbor_in_c
    from tests.fuzz.targets import TARGETS


def main(arguments: list[str]) -> int:
    """Run one target for so many seconds or inputs."""
    if arguments == ["--list"]:
        print(" ".join(TARGETS))
        return 0
    if len(arguments) < 2 or arguments[0] not in TARGETS:
        print(__doc__)
        return 2
    target, seeds = TARGETS[arguments[0]]
    with tempfile.TemporaryDirectory() as fresh:
        corpus = Path(arguments[2] if len(arguments) > 2 else fresh)
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        options = [*_bound(arguments[1]), "-max_len=9000", "-rss_limit_mb=1024", "-timeout=10"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], target)
        with cbor_in_c.comparing():  # every target that decodes CBOR compares both decoders
            atheris.Fuzz()
    return 0


def _bound(text: str) -> list[str]:
    """Return libFuzzer's options for SECONDS or runs=N."""
    if text.startswith("runs="):
        return [f"-{text}", "-seed=1"]
    return [f"-max_total_time={text}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
