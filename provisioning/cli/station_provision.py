"""`firstboot station provision`: one unit on one port."""

from __future__ import annotations

from provisioning.cli.errors import err, printable
from provisioning.cli.output import print_json, print_report
from provisioning.cli.settings import with_settings
from provisioning.cli.signing_time import IN_UNITS, warn_of_clock
from provisioning.cli.station_settings import ProvisionSettings
from provisioning.keys.key_ring import KeyRing
from provisioning.station.phases import PhaseResult, phase_facts
from provisioning.station.ports import open_address
from provisioning.station.station import Station, UnitFailedError, UnitRefusedError, UnitResult


@with_settings(ProvisionSettings, "station.provision")
def provision(settings: ProvisionSettings) -> None:
    """Provision one unit: from bare firmware to locked, labelled and recorded.

    A run that was interrupted continues when you start the command again. Ends with exit code 3 if the unit was
    finished before; nothing is changed then.

    Example: `firstboot station provision --port serial:/dev/ttyUSB0 --product product.toml --keys maker/keys
    --registry registry.db --labels labels --archive archive`
    """
    warn_of_clock(IN_UNITS)
    log = (
        (lambda text: err.print(printable(text), style="dim", markup=False)) if settings.is_verbose else None
    )
    config = settings.config()
    with settings.opened() as registry:
        station = Station(config, registry, KeyRing(settings.keys), log=log)
        stream = open_address(settings.port)
        try:
            result = station.provision(stream, _show_progress)
        except UnitFailedError as failure:
            if settings.is_json:
                print_json(_failed(failure))
            raise
        finally:
            stream.close()
    _report(result, settings.is_json)


def _show_progress(name: str, result: PhaseResult | None) -> None:
    if result is None:
        return
    colour = "green" if result.error is None else "bold red"
    err.print(f"[{colour}]{result.outcome:8}[/]{name:12} {result.seconds:8.3f} s")


def _failed(failure: UnitFailedError) -> dict[str, object]:
    outcome = "REFUSED" if isinstance(failure, UnitRefusedError) else str(failure.outcome)
    return {"outcome": outcome, "error": str(failure), "phases": phase_facts(failure.phases)}


def _report(result: UnitResult, is_json: bool) -> None:
    document = {
        "outcome": "PASS",
        "serial": result.serial,
        "device_id": result.device_id.hex(),
        "record_hash": result.record_hash.hex(),
        "label": str(result.label_path),
        "for_sale": not result.is_development,
        "is_resumed": result.is_resumed,
        "phases": phase_facts(result.phases),
    }
    lines = [f"Unit {result.serial} is locked, labelled and recorded. Label: {result.label_path}"]
    if result.is_development:
        lines.append("NOT FOR SALE: made with development keys.")
    print_report(lines, document, is_json)
