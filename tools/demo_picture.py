"""Draw the demo as an animated terminal: `.venv/bin/python tools/demo_picture.py` writes docs/assets/demo.svg.

Each row comes from a real run of `firstboot demo --on sim`: the step, its result, its observation. The rows appear one
after the other; with reduced motion all of them are visible from the start.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "assets" / "demo.svg"
WIDTH, ROW, MARGIN, SIZE = 960, 21, 16, 13  # pixels
NAME_X, DETAIL_X = 62, 250
DETAIL_LETTERS: Final = 88
SECONDS_A_ROW: Final = 0.55

STYLE: Final = """
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d0d7de}
.p{fill:#7d8590}.k{fill:#3fb950;font-weight:700}.n{fill:#fff;font-weight:700}
g{opacity:0;animation:a .2s forwards}@keyframes a{to{opacity:1}}
@media(prefers-reduced-motion:reduce){g{animation:none;opacity:1}}
"""


def run_demo() -> dict[str, Any]:
    """Return the demo's report of a run on the simulator. Raises CalledProcessError if a step failed."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "demo.json"
        command = [
            sys.executable,
            "-m",
            "provisioning.cli.main",
            "demo",
            "--on",
            "sim",
            "--json",
            str(result),
        ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def shortened(text: str) -> str:
    """Return the text in one row: cut at a word, with an ellipsis, if it is too long."""
    if len(text) <= DETAIL_LETTERS:
        return text
    return text[: DETAIL_LETTERS - 1].rsplit(" ", 1)[0] + " …"


def draw(steps: list[dict[str, Any]]) -> str:
    """Return the SVG of a list of steps (`name`, `status`, `seconds`, `detail`)."""
    rows = ['<tspan class="p">$</tspan> <tspan class="n">firstboot demo --on sim</tspan>']
    for step in steps:
        rows.append(
            f'<tspan class="k">{escape(step["status"].upper()[:4])}</tspan>'
            f'<tspan class="n" x="{NAME_X}">{escape(step["name"])}</tspan>'
            f'<tspan x="{DETAIL_X}">{escape(shortened(step["detail"]))}</tspan>'
        )
    total = sum(step["seconds"] for step in steps)
    rows.append(f'<tspan class="k">PASSED</tspan>: {len(steps)} steps in {total:.0f} s')
    height = ROW * len(rows) + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The demo on the simulator: each step of a device's life, with what was seen</title>",
        f"<style>{''.join(STYLE.split(chr(10)))}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#0d1117"/>',
    ]
    for number, row in enumerate(rows):
        y = MARGIN + ROW * number + SIZE
        delay = f"{SECONDS_A_ROW * number:.2f}".rstrip("0").rstrip(".")
        lines.append(f'<g style="animation-delay:{delay}s"><text x="{MARGIN}" y="{y}">{row}</text></g>')
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Run the demo, or take the result of a run, and write the picture."""
    parser = argparse.ArgumentParser(
        description="Draw the demo as an animated terminal, docs/assets/demo.svg."
    )
    parser.add_argument(
        "--result", type=Path, help="result of `firstboot demo --json FILE`; without it the demo runs"
    )
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text(encoding="utf-8")) if arguments.result else run_demo()
    PICTURE.write_text(draw(result["steps"]), encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
