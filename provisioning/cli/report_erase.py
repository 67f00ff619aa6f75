"""`firstboot report erase`: erase what is known about a reporter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.options import ByOption, FilesOption, JsonOption, ReasonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CasesOption, opened
from provisioning.counted import counted
from provisioning.disclosure.erasure import erase
from provisioning.disclosure.spool import Spool


def erase_reporter(
    reporter: Annotated[
        str,
        typer.Argument(
            metavar="REPORTER", help="The reporter's number, as `firstboot report show` prints it."
        ),
    ],
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    spool: Annotated[
        Path | None,
        typer.Option(
            "--spool", metavar="DIR", help="The spool of received mail, whose files are deleted.", exists=True
        ),
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Erase a reporter's address, name, token, words and mails, after the case has ended. The signed log stays valid.

    Backups of the store and the mailbox itself are not touched: they are yours to clean.

    Example: `firstboot report erase 0123456789abcdef --cases reports.db --spool spool --by "E. E." --reason "asked"`
    """
    with opened(cases, files) as store:
        found = erase(store, None if spool is None else Spool(spool), reporter, by, reason)
    lines = [
        f"erased reporter {reporter}: {counted(found.messages, 'message')},"
        f" {counted(found.files, 'file')}; log entries stay"
    ]
    document = {
        "reporter": reporter,
        "cases": list(found.cases),
        "messages": found.messages,
        "files": found.files,
    }
    print_report(lines, document, is_json)
