"""docs/tutorial.md as a reader follows it: every block of commands, in order, in an empty folder."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

from tests.demo.blocks import ROOT, run

TUTORIAL = ROOT / "docs" / "tutorial.md"
PASSWORD = "seven copper lanterns under Tay bridge"  # the reader's input
TIMEOUT_S = 300
# Inserted before the last block, while the unit still runs: sign in as its owner and print the status.
READ_STATUS = f"""
{sys.executable} - "$host" <<'PYTHON'
import http.client, json, ssl, sys, time, urllib.parse
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
def ask(method, path, body=None, headers=()):
    connection = http.client.HTTPSConnection(sys.argv[1], context=context, timeout=20)
    connection.request(method, path, body, dict(headers, Accept="application/json"))
    answer = connection.getresponse()
    return answer.getheader("Set-Cookie"), json.loads(answer.read())
for _ in range(60):
    form = urllib.parse.urlencode({{"password": {PASSWORD!r}}})
    cookie, _ = ask("POST", "/login", form, {{"Content-Type": "application/x-www-form-urlencoded"}})
    _, status = ask("GET", "/status.json", headers={{"Cookie": cookie.split(";")[0]}})
    if not status["is_trial"]:
        break
    time.sleep(1)
print("STATUS", status["version"], status["state"], "trial" if status["is_trial"] else "confirmed")
PYTHON
"""


def test_the_tutorial_leads_from_nothing_to_a_unit_that_updates(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 4
    (tmp_path / ".cache").symlink_to(ROOT / ".cache")  # its folder is two levels below a checkout
    # A failing block ends the script; its unit would hold the pipe of the output open.
    trap = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"
    script = "\n".join([trap, *blocks[:-1], READ_STATUS, blocks[-1]])
    exit_code, output = run(script, tmp_path, PASSWORD, timeout_s=TIMEOUT_S, end=signal.SIGTERM)
    assert exit_code == 0, output
    assert "STATUS 2.0.0+2 initialised confirmed" in output
    assert "payload" in output
    assert not (tmp_path / "build" / "tutorial").exists(), "the last block cleans up"
