"""The decisions about an investigation, from `firstboot failure evidence` to `reopen`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from provisioning.cli.failure_access import DecisionSettings, both, decision_of, done
from provisioning.cli.options import ReasonOption
from provisioning.cli.report_access import text_from
from provisioning.cli.settings import with_settings
from provisioning.failures import desk
from provisioning.failures.states import Step

MessageOption = Annotated[
    str, typer.Option("--message", metavar="FILE", help="The text: a file, or - to type it.")
]


class Success(StrEnum):
    """The success of a step."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


_KNOWN = {Success.YES: True, Success.NO: False, Success.UNKNOWN: None}


@dataclass(frozen=True, kw_only=True)
class ReasonSettings(DecisionSettings):
    """The options of a decision with a reason."""

    reason: ReasonOption


@dataclass(frozen=True, kw_only=True)
class EvidenceSettings(DecisionSettings):
    """The options of `failure evidence`."""

    message: MessageOption


@dataclass(frozen=True, kw_only=True)
class ConfirmSettings(DecisionSettings):
    """The options of `failure confirm`: what s. 11(6)(a) and (b) ask for."""

    details: Annotated[
        str, typer.Option("--details", metavar="FILE", help="What failed, for the notices: a text file.")
    ]
    risks: Annotated[
        str, typer.Option("--risks", metavar="FILE", help="The risks that you know of: a text file.")
    ]
    reason: ReasonOption


@dataclass(frozen=True, kw_only=True)
class StepSettings(DecisionSettings):
    """The options of `failure step`."""

    message: MessageOption
    success: Annotated[Success, typer.Option("--successful", help="Whether the step was successful.")] = (
        Success.UNKNOWN
    )


@dataclass(frozen=True, kw_only=True)
class ResultSettings(DecisionSettings):
    """The options of `failure result`."""

    step: Annotated[int, typer.Option("--step", min=1, help="The number of the step.")]
    is_successful: Annotated[
        bool, typer.Option("--successful/--unsuccessful", help="Whether the step was successful.")
    ]


@with_settings(EvidenceSettings, "failure.evidence")
def evidence(settings: EvidenceSettings) -> None:
    """Record what the investigation found.

    Example: `firstboot failure evidence CF-2026-0001 --cases reports.db --registry registry.db --message found.txt
    --by "E. Example"`
    """
    text = text_from(settings.message, desk.LONGEST_TEXT)
    with both(settings) as (store, registry):
        found = desk.add_evidence(store, settings.number, text, decision_of(store, settings))
        done(store, registry, found, settings.by, is_json=settings.is_json)


@with_settings(ConfirmSettings, "failure.confirm")
def confirm(settings: ConfirmSettings) -> None:
    """Record that there is a compliance failure. Next: `firstboot failure notify`, as soon as possible (s. 11(3)).

    Example: `firstboot failure confirm CF-2026-0001 --cases reports.db --registry registry.db --details details.txt
    --risks risks.txt --reason "two units have one password" --by "E. Example"`
    """
    facts = {
        "details": text_from(settings.details, desk.LONGEST_TEXT),
        "risks": text_from(settings.risks, desk.LONGEST_TEXT),
    }
    with both(settings) as (store, registry):
        decision = decision_of(store, settings, settings.reason)
        found = desk.decide(store, settings.number, Step.CONFIRM, decision, facts)
        done(store, registry, found, settings.by, is_json=settings.is_json)


@with_settings(ReasonSettings, "failure.clear")
def clear(settings: ReasonSettings) -> None:
    """Record that there is no compliance failure. --reason is the outcome in the record.

    Example: `firstboot failure clear CF-2026-0001 --cases reports.db --registry registry.db --reason "a wrong label"
    --by "E. Example"`
    """
    _decide(settings, Step.CLEAR)


@with_settings(StepSettings, "failure.step")
def step(settings: StepSettings) -> None:
    """Record a step that you took to remedy the failure, and whether it was successful, if you know it.

    Example: `firstboot failure step CF-2026-0001 --cases reports.db --registry registry.db --message step.txt
    --by "E. Example"`
    """
    text = text_from(settings.message, desk.LONGEST_TEXT)
    with both(settings) as (store, registry):
        found = desk.add_step(
            store, settings.number, text, _KNOWN[settings.success], decision_of(store, settings)
        )
        done(store, registry, found, settings.by, is_json=settings.is_json)


@with_settings(ResultSettings, "failure.result")
def result(settings: ResultSettings) -> None:
    """Record whether a step was successful.

    Example: `firstboot failure result CF-2026-0001 --cases reports.db --registry registry.db --step 1 --successful
    --by "E. Example"`
    """
    with both(settings) as (store, registry):
        found = desk.set_result(
            store, settings.number, settings.step, settings.is_successful, decision_of(store, settings)
        )
        done(store, registry, found, settings.by, is_json=settings.is_json)


@with_settings(ReasonSettings, "failure.recall")
def recall(settings: ReasonSettings) -> None:
    """Record that you call the units back. The signed list on your site then has them as recalled.

    Example: `firstboot failure recall CF-2026-0001 --cases reports.db --registry registry.db --reason "no update helps"
    --by "E. Example"`
    """
    with both(settings) as (store, registry):
        found = desk.recall(store, settings.number, decision_of(store, settings, settings.reason))
        done(store, registry, found, settings.by, is_json=settings.is_json)


@with_settings(ReasonSettings, "failure.remedy")
def remedy(settings: ReasonSettings) -> None:
    """Record that the failure is remedied. Its steps and their success must be recorded first.

    Example: `firstboot failure remedy CF-2026-0001 --cases reports.db --registry registry.db --reason "all replaced"
    --by "E. Example"`
    """
    _decide(settings, Step.REMEDY)


@with_settings(ReasonSettings, "failure.give-up")
def give_up(settings: ReasonSettings) -> None:
    """Record that the failure cannot be remedied. Its batches never ship again.

    Example: `firstboot failure give-up CF-2026-0001 --cases reports.db --registry registry.db --reason "all are scrap"
    --by "E. Example"`
    """
    _decide(settings, Step.GIVE_UP)


@with_settings(ReasonSettings, "failure.close")
def close(settings: ReasonSettings) -> None:
    """Close an investigation without a failure, or with a remedied one. Its batches may ship again.

    Example: `firstboot failure close CF-2026-0001 --cases reports.db --registry registry.db --reason "all replaced"
    --by "E. Example"`
    """
    _decide(settings, Step.CLOSE)


@with_settings(ReasonSettings, "failure.reopen")
def reopen(settings: ReasonSettings) -> None:
    """Continue an investigation that has ended. Its batches are stopped again.

    Example: `firstboot failure reopen CF-2026-0001 --cases reports.db --registry registry.db --reason "it came back"
    --by "E. Example"`
    """
    _decide(settings, Step.REOPEN)


def _decide(settings: ReasonSettings, step_taken: Step) -> None:
    with both(settings) as (store, registry):
        decision = decision_of(store, settings, settings.reason)
        found = desk.decide(store, settings.number, step_taken, decision)
        done(store, registry, found, settings.by, is_json=settings.is_json)
