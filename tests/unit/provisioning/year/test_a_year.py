"""docs/how-to/a-year.md as a maker lives it: every block of commands, at the time in its first line, in virtual time.

The commands run in this process. The units run the firmware's own code, and mail goes over SMTP and IMAP on loopback.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import time_machine

from provisioning.disclosure.drill_server import PASSWORD, Inbox, Mailbox, imap_server, smtp_server
from provisioning.station.batch_check import check_codes
from tests import openpgp
from tests.unit.provisioning.real_maker import BASE_URL
from tests.unit.provisioning.year.maker_bench import Maker

PAGE: Final = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "a-year.md"
BLOCK: Final = re.compile(
    r"^## (.+?)$|```sh\n# (\d{4}-\d\d-\d\d \d\d:\d\d)\n(.*?)```", re.MULTILINE | re.DOTALL
)
HERE: Final = re.compile(r"cat > (\S+) <<'TEXT'\n(.*?)^TEXT\n", re.MULTILINE | re.DOTALL)
ADA, BEN = "ada@reporter.example", "ben@reporter.example"
REPORT: Final = (
    f"From: Ada <{ADA}>\r\nTo: security@example.com\r\nSubject: Lamp restarts\r\nMessage-ID: <1@reporter.example>\r\n"
    "Date: Mon, 11 Jan 2027 08:30:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "A crafted packet from my laptop restarts the lamp.\r\n"
).encode()
CHECK: Final = "provisioning.cli.station_batch.check_codes"
FIRST_DAY: Final = dt.datetime(2026, 12, 2, 9, 0, tzinfo=dt.UTC)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


class Year:
    """The maker's year: what happened outside of the maker's commands, and what the commands printed."""

    def __init__(self, maker: Maker, inbox: Inbox, box: Mailbox, port: int) -> None:
        self.maker, self.inbox, self.box, self.port = maker, inbox, box, port
        self.printed: dict[str, list[str]] = defaultdict(list)  # by section
        self.versions: list[str] = []
        self.refused: list[str] = []

    def before(self) -> None:
        """Make and ship two batches, and let their owners set the units up."""
        maker = self.maker
        maker.begins()
        maker.does(
            "release sign images/release-1.img --out releases/release-1 --product product.toml --keys maker/keys"
            ' --sbom images/release-1.cdx.json --mitigates "nothing" --interrupts "nothing"'
        )
        self.field = [*maker.makes("2026-001", 1, 1), *maker.makes("2026-002", 1, 1)]
        for batch in ("2026-001", "2026-002"):
            maker.ships(batch)
        for unit in self.field:
            unit.set_up()

    def arrives(self, section: str) -> None:
        """Let the world do its part of a section, before its commands."""
        if section.startswith("11 January"):
            self.box.put(REPORT)
        elif section.startswith("8 February"):
            self.versions = [unit.update(self.maker.folder / "releases/release-2") for unit in self.field]
        elif section.startswith("6 April"):
            self.maker.makes("2026-003", 2, 2)

    def lives(self, section: str, block: str) -> None:
        """Run the commands of a block."""
        for name, text in HERE.findall(block):
            (self.maker.folder / name).write_text(text)
        for line in HERE.sub("", block).replace("\\\n", " ").splitlines():
            is_refused = line.startswith("! ")
            command = line.removeprefix("! ").replace(
                "mail.example.com:993", f"127.0.0.1:{self.box.port} --security none"
            )
            command = command.replace("mail.example.com:587", f"127.0.0.1:{self.port} --security none")
            command = command.replace("https://example.com/", BASE_URL)
            assert command.startswith("firstboot "), f"the page has a line that is not a command: {line}"
            code, output = self.maker.runs(command.removeprefix("firstboot "))
            assert (code == 1) == is_refused and code in (0, 1), f"{line}\n{code}\n{output}"
            self.printed[section].append(output)

    def mails_to(self, address: str) -> list[str]:
        mails = [(to[0], message_from_bytes(data)) for to, data in self.inbox.mails]
        return [str(mail["Subject"]) for to, mail in mails if to == address]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """The year, lived once."""
    folder, inbox = tmp_path_factory.mktemp("maker"), Inbox()
    box = Mailbox(date="11-Jan-2027 08:30:00 +0000")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(folder)
        patch.setenv("FIRSTBOOT_IMAP_PASSWORD", PASSWORD)
        # A whole check of a batch costs half a minute; tests/unit/provisioning/station/test_batch_check.py runs it.
        patch.setattr(CHECK, partial(check_codes, small_numbers=256))
        stack.enter_context(imap_server(box))
        found = Year(Maker(folder), inbox, box, stack.enter_context(smtp_server(inbox)))
        with time_machine.travel(FIRST_DAY):
            found.before()
        section = ""
        for title, when, block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            if title:
                section, is_new = title, True
                continue
            with time_machine.travel(at(when)):
                if is_new:
                    found.arrives(section)
                is_new = False
                found.lives(section, block)
        yield found


def section_of(year: Year, start: str) -> str:
    return next("\n".join(text) for title, text in year.printed.items() if title.startswith(start))


def document(year: Year, command: str) -> dict[str, object]:
    with time_machine.travel(at("2027-12-31 13:00")):
        found: dict[str, object] = json.loads(year.maker.does(f"{command} --json"))
    return found


def test_every_section_of_the_page_was_lived(year: Year) -> None:
    titles = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert list(year.printed) == titles and len(titles) == 9


def test_the_reporter_is_informed_at_every_step_and_at_the_end(year: Year) -> None:
    wanted = ("received your", "confirm", "Status of", "is fixed", "Advisory", "is closed")
    subjects = year.mails_to(ADA)
    assert len(subjects) == len(wanted), subjects
    assert [word for word, subject in zip(wanted, subjects, strict=True) if word not in subject] == []


def test_rp_08_everything_was_in_time(year: Year) -> None:
    figures = document(year, "report due --cases reports.db")["punctuality"]
    assert isinstance(figures, dict)
    assert (figures["acknowledged_in_time"], figures["acknowledged_late"], figures["updates_late"]) == (
        2,
        0,
        0,
    )
    assert figures["updates_in_time"] >= 6


def test_nobody_gets_a_message_twice(year: Year) -> None:
    numbers = [str(message_from_bytes(data)["Message-ID"]) for _, data in year.inbox.mails]
    assert len(numbers) == len(set(numbers)) > 10


def test_both_batches_were_found_affected(year: Year) -> None:
    assert "batch 2026-001: 1\n  batch 2026-002: 1" in section_of(year, "14 January")


def test_up_08_the_units_installed_the_fix_and_reported_it(year: Year) -> None:
    assert year.versions == ["2.0.0+2", "2.0.0+2"]
    assert "2 of 2 units that need the fix have it; 0 never reported" in section_of(year, "8 February")
    assert (
        "2 of 2 units have it, 0 never reported; 95 % reached after 3.0 days" in Path("fix.svg").read_text()
    )


def test_the_advisory_is_on_the_site(year: Year) -> None:
    site = year.maker.folder / "site"
    assert "CVE-2027-12345" in (site / "advisories/sa-2027-0001.html").read_text()
    csaf = json.loads((site / ".well-known/csaf/2027/sa-2027-0001.json").read_text())
    assert csaf["vulnerabilities"][0]["cve"] == "CVE-2027-12345"
    assert csaf["vulnerabilities"][0]["cwe"] == {"id": "CWE-125", "name": "Out-of-bounds Read"}
    assert csaf["document"]["acknowledgments"][0]["names"] == ["Ada L."]


def test_the_advisory_on_the_site_is_signed_with_the_key_that_the_site_names(
    year: Year, tmp_path: Path
) -> None:
    folder = year.maker.folder / "site/.well-known/csaf"
    (key,) = (folder / "openpgp").glob("*.asc")
    data, signature = ((folder / f"2027/sa-2027-0001.json{suffix}").read_bytes() for suffix in ("", ".asc"))
    assert openpgp.gpgv(tmp_path / "check", key.read_bytes(), data, signature)
    assert json.loads((folder / "provider-metadata.json").read_text())["role"] == "csaf_trusted_provider"


def test_cf_04_the_batch_of_the_failure_did_not_ship_until_it_was_closed(year: Year) -> None:
    assert "CF-2027-0001" in section_of(year, "3 May")
    assert "Shipped 1 unit " in section_of(year, "28 May")


def test_cf_03_authority_and_distributor_got_the_failure_and_its_result(year: Year) -> None:
    assert len(year.mails_to("notify@authority.example")) == 2
    assert len(year.mails_to("goods@hillside.example")) == 2


def test_an_importer_saw_the_recall(year: Year) -> None:
    assert "NO" in section_of(year, "3 May")


def test_cf_02_the_record_is_complete_and_names_its_day(year: Year) -> None:
    record = json.loads((year.maker.folder / "records/CF-2027-0001.json").read_text())
    assert (record["missing"], record["keep_until"]) == ([], "2037-05-28")
    assert record["recalled"] and record["authority_notified"] and len(record["notices"]) == 4
