"""`firstboot report serve`: the report form of the maker's site."""

from __future__ import annotations

from typing import Annotated

import typer

from provisioning.cli.errors import err
from provisioning.cli.options import FilesOption, JsonOption
from provisioning.cli.output import print_json_line
from provisioning.cli.report_access import CasesOption, opened
from provisioning.disclosure import desk


def serve_form(
    cases: CasesOption,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="A loopback address; your web server forwards to it."
        ),
    ] = "127.0.0.1:8642",
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Serve the report form and the status page, until Ctrl-C. Put your web server with TLS in front of it.

    Visitors need no account. A visitor without a mail address gets a code to read the answers.

    Example: `firstboot report serve --cases reports.db --listen 127.0.0.1:8642`
    """
    from provisioning.cli.page_server import PageServer
    from provisioning.disclosure.form import make_app

    with opened(cases, files) as store:
        with store.reading() as session:
            desk.promise_in_force(session)
        server = PageServer(make_app(store), listen, "--listen")
        if is_json:
            print_json_line({"address": server.address})
        err.print(f"The report form: {server.address} (Ctrl-C ends it)", markup=False)
        server.serve()
