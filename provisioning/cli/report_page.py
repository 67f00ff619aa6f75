"""`firstboot report page`: the maker's own page of reports, due times and compliance failures."""

from __future__ import annotations

from typing import Annotated

import typer

from provisioning.cli.errors import err
from provisioning.cli.options import FilesOption, JsonOption
from provisioning.cli.output import print_json_line
from provisioning.cli.report_access import CasesOption, opened
from provisioning.cli.report_due import held_items
from provisioning.disclosure import desk
from provisioning.disclosure.clocks import due, punctuality
from provisioning.disclosure.overview import Examined, Shown
from provisioning.disclosure.store import CaseStore
from provisioning.failures import desk as failure_desk
from provisioning.failures.investigation import Investigation
from provisioning.failures.states import State

WITHIN_S = 14 * 86400


def serve_page(
    cases: CasesOption,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="A loopback address of this machine.")
    ] = "127.0.0.1:8643",
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Serve a page with what is due and overdue, the open cases and the compliance failures, until Ctrl-C.

    The page only shows. It names no reporter and quotes none. It has no login: everyone who uses this machine can read
    it.

    Example: `firstboot report page --cases reports.db`
    """
    from provisioning.cli.page_server import PageServer
    from provisioning.disclosure.cases_page import make_app

    with opened(cases, files) as store:
        with store.reading() as session:
            desk.promise_in_force(session)
        server = PageServer(make_app(lambda: read_shown(store)), listen, "--listen")
        if is_json:
            print_json_line({"address": server.address})
        err.print(f"Reports and failures: {server.address} (Ctrl-C ends it)", markup=False)
        server.serve()


def read_shown(store: CaseStore) -> Shown:
    """Return what the page shows now: items that are due within 14 days. Raises CaseError, OSError."""
    found, now_s = desk.load_all(store), store.now()
    items = sorted([*due(found.values()), *held_items(store)], key=lambda item: item.due_s)
    return Shown(
        now_s,
        [item for item in items if item.due_s <= now_s + WITHIN_S],
        list(found.values()),
        [_examined(one) for one in failure_desk.load_all(store).values() if one.state is not State.CLOSED],
        punctuality(found.values(), now_s),
    )


def _examined(one: Investigation) -> Examined:
    batches = f"batches {', '.join(one.batches)}" if any(one.batches) else f"every batch of {one.model}"
    return Examined(one.code, str(one.state), batches, one.suspicion, one.stop)
