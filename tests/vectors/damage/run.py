"""Checks a SUIT implementation against cases.jsonl; needs Python 3.9 and nothing else.

    python run.py [--sample N] [--any-reason] -- COMMAND [ARGUMENT ...]

COMMAND is called as `COMMAND ARGUMENT... ENVELOPE --anchor KEY [--anchor KEY ...] --threshold N
[--require ALGORITHM ...] --vendor UUID --class UUID --installed SEQUENCE --now SECONDS`, with keys as COSE_Key files.
It prints `accept` (exit code 0) or `refuse: REASON` (exit code 1); the first word of REASON is compared, unless
--any-reason is given. Ours is

    python run.py --sample 50 -- firstboot conformance check

Exit codes: 0 every verdict is right, 1 one is not, 2 wrong command line.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = Path(__file__).with_name("cases.jsonl")


def load(path=CASES):
    """(recipient, anchors by name, cases); a case is (name, envelope, expected reason or None, anchors)."""
    recipient, anchors, good, cases = {}, {}, {}, []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if "vendor" in entry:
            recipient = entry
        elif "keys" in entry:
            anchors[entry["anchors"]] = entry
        elif "accept" in entry:
            good[entry["anchors"]] = bytes.fromhex(entry["accept"])
            cases.append((entry["case"], good[entry["anchors"]], None, entry["anchors"]))
        else:
            envelope = apply(good[entry["anchors"]], entry["patch"])
            cases.append((entry["case"], envelope, entry["refuse"], entry["anchors"]))
    return recipient, anchors, cases


def apply(base, patch):
    """Return `base` with every patch [offset, bytes to remove, hex to insert] applied."""
    parts, at = [], 0
    for offset, removed, added in patch:
        parts += [base[at:offset], bytes.fromhex(added)]
        at = offset + removed
    return b"".join([*parts, base[at:]])


def verdict(command, folder, envelope, trusted, recipient):
    """Return the implementation's verdict: (accepted, first word of the reason)."""
    path = folder / "envelope.suit"
    path.write_bytes(envelope)
    arguments = [str(path), "--threshold", str(trusted["threshold"])]
    for number, key in enumerate(trusted["keys"]):
        anchor = folder / f"{trusted['anchors']}-{number}.cose"
        anchor.write_bytes(bytes.fromhex(key))
        arguments += ["--anchor", str(anchor)]
    for algorithm in trusted["require"]:
        arguments += ["--require", algorithm]
    for name in ("vendor", "class", "installed", "now"):
        arguments += [f"--{name}", str(recipient[name])]
    done = subprocess.run(command + arguments, capture_output=True, text=True, check=False)
    text = done.stdout.strip()
    if text == "accept" and done.returncode == 0:
        return True, ""
    if text.startswith("refuse: ") and done.returncode == 1:
        return False, text[len("refuse: ") :].split(":")[0].split()[0]
    return None, f"neither accept nor refuse (exit code {done.returncode}): {text[:100]} {done.stderr[-200:]}"


def main(arguments):
    """Run every case, or N of them evenly spread; print each wrong verdict and a last line."""
    if "--" not in arguments or not arguments[arguments.index("--") + 1 :]:
        print(__doc__)
        return 2
    options, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    recipient, anchors, cases = load()
    if "--sample" in options:
        step = max(1, len(cases) // int(options[options.index("--sample") + 1]))
        cases = [case for number, case in enumerate(cases) if case[2] is None or number % step == 0]
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        for case, envelope, expected, trusted in cases:
            is_accepted, reason = verdict(command, Path(name), envelope, anchors[trusted], recipient)
            is_right = is_accepted is (expected is None)
            if expected is not None and "--any-reason" not in options:
                is_right = is_right and reason == expected
            if not is_right:
                wrong += 1
                print(f"WRONG {case}: expected {expected or 'accept'}, got {reason or 'accept'}")
    print(f"damage: cases={len(cases)} wrong={wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
