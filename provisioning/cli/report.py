"""`firstboot report`: receive security reports, answer them in time, and record everything to the end."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.report_cases import add, list_cases, show
from provisioning.cli.report_decide import (
    acknowledge,
    close,
    confirm,
    discard,
    merge_cases,
    publish,
    reject,
    reopen,
    resolve,
    send_update,
)
from provisioning.cli.report_drill import run_drill
from provisioning.cli.report_due import due_items
from provisioning.cli.report_duties import aware, embargo, filed, worksheet
from provisioning.cli.report_erase import erase_reporter
from provisioning.cli.report_intake import held_mails, intake
from provisioning.cli.report_mail import outbox_command, send, settle_mail
from provisioning.cli.report_page import serve_page
from provisioning.cli.report_serve import serve_form
from provisioning.cli.report_store import checkpoint, export, init, promise, set_clock, verify_store
from provisioning.cli.report_thank import thank
from provisioning.cli.report_triage import triage

HELP = """Receive security reports, answer them in time, and record everything to the end.

The case store is a SQLite file, or `postgresql://HOST/NAME` with `--files` for its key files. Its log is append-only,
hash-chained and signed. Each reporter has the times that your product definition publishes.

Example: `firstboot report due --cases reports.db`
"""

app = CommandGroup(HELP)

# In the order of use, which is the order of the help.
app.command()(init)
app.command()(promise)
app.command("serve")(serve_form)
app.command()(intake)
app.command("held")(held_mails)
app.command()(add)
app.command("list")(list_cases)
app.command()(show)
app.command()(acknowledge)
app.command()(discard)
app.command()(triage)
app.command()(confirm)
app.command()(reject)
app.command("update")(send_update)
app.command()(resolve)
app.command()(publish)
app.command()(close)
app.command()(reopen)
app.command("merge")(merge_cases)
app.command()(thank)
app.command()(embargo)
app.command()(aware)
app.command()(worksheet)
app.command()(filed)
app.command("due")(due_items)
app.command("page")(serve_page)
app.command()(send)
app.command("outbox")(outbox_command)
app.command("settle-mail")(settle_mail)
app.command("erase")(erase_reporter)
app.command()(export)
app.command()(checkpoint)
app.command("verify")(verify_store)
app.command("set-clock")(set_clock)
app.command("drill")(run_drill)
