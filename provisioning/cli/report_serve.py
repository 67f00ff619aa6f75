"""`firstboot report serve`: the report form of the maker's site."""

from __future__ import annotations

from typing import Annotated

import typer

from provisioning.cli.addresses import parse_listen
from provisioning.cli.errors import InputError, err
from provisioning.cli.options import FilesOption, JsonOption
from provisioning.cli.output import print_json_line
from provisioning.cli.report_access import CasesOption, opened
from provisioning.cli.report_mail import LOOPBACK
from provisioning.disclosure import desk

CONNECTIONS = 64


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
    import socket

    import uvicorn

    from provisioning.disclosure.form import make_app

    host, port = parse_listen(listen, "--listen")
    if host not in LOOPBACK:
        raise InputError(
            f"--listen: {host} is not this machine; put your web server with TLS in front of the form."
        )
    with opened(cases, files) as store:
        with store.reading() as session:
            desk.promise_in_force(session)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
            except OSError as error:
                raise InputError(f"--listen: the form cannot listen on {listen}: {error.strerror}.") from None
            address = f"http://{listen.rpartition(':')[0]}:{listener.getsockname()[1]}/"
            if is_json:
                print_json_line({"address": address})
            err.print(f"The report form: {address} (Ctrl-C ends it)", markup=False)
            config = uvicorn.Config(
                make_app(store),
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=2,
            )
            uvicorn.Server(config).run(sockets=[listener])
