"""The modules that mutation testing changes, and the tests of each (tools/mutation.py)."""

from __future__ import annotations

from typing import Final

DUAL: Final = "tests/dual/test_{}.py"
_ON_HOST: Final = "tests/emulated/test_boot_on_host.py"
_BOARD: Final = "device/boards/mps2_an385"
# A name without a slash is a dual test.
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "device/trust/signatures.py": ("signatures", "keyset", "trusted_records"),
    "device/trust/keyset.py": ("keyset", "keyset_fields", "update_keys", "update_floors"),
    "device/trust/anchors.py": ("anchors", "trusted_records", "keyset", "signatures", "trust"),
    "device/trust/signed_record.py": ("trusted_records", "signatures"),
    "device/trust/verify.py": ("trust", "trust_app", "trust_delta", "signatures"),
    "device/trust/fixed_form.py": ("fixed_form",),
    "device/trust/profile.py": ("profile", "trust_app", "trust_delta"),
    "device/update/trial_state.py": ("trial_state", "update_floors", "verdicts"),
    "device/update/trusted_state.py": (
        "trusted_state",
        "update_keys",
        "update_floors",
        "update_contact",
        "signed_records",
    ),
    "device/update/signed_records.py": ("signed_records", "update_contact", "update_keys", "trusted_state"),
    "device/update/failures.py": ("verdicts", "appset"),
    "device/update/releases.py": ("pending", "appset"),
    "device/update/pending.py": ("pending", "verdicts", "appset"),
    "device/update/service.py": (
        "service",
        "service_withheld",
        "update_keys",
        "update_contact",
        "update_floors",
    ),
    "device/update/withheld.py": ("withheld", "lost_counters"),
    "device/update/slots.py": ("slots", "image_keys"),
    "device/update/running_image.py": ("image_keys",),
    "device/update/app_choice.py": ("app_choice", "appset", "verdicts"),
    "device/update/appset.py": ("appset_slots", "appset", "app_choice"),
    "device/update/flow.py": ("flow", "appset", "patching"),
    "device/update/patching.py": ("patching", "delta"),
    "device/update/delta.py": ("delta", "patching"),
    "device/update/journal.py": ("journal",),
    "device/update/progress.py": ("progress", "pending"),
    "device/update/installer.py": ("installer",),
    "device/owner/onboarding.py": (
        "onboarding",
        "code_proof",
        "improv_ble",
        "password_change",
        "reset",
        "lost_counters",
    ),
    "device/owner/credential.py": ("credential",),
    "device/owner/setup_code.py": ("setup_code", "typed"),
    "device/owner/throttle.py": ("throttle", "onboarding", "reset", "lost_counters"),
    "device/owner/reset.py": ("reset", "lifecycle"),
    "device/owner/lifecycle.py": ("lifecycle", "onboarding", "reset"),
    "device/owner/passwords.py": ("passwords", "password_change"),
    "device/owner/typed.py": ("typed", "passwords", "tests/unit/device/owner/test_typed_ranges.py"),
    "device/records/freshness.py": ("freshness",),
    "device/records/support.py": (
        "support",
        "support_clock",
        "tests/unit/device/records/test_civil_dates.py",
    ),
    "device/records/timekeeper.py": ("support_clock", "update_keys", "uptime"),
    "device/records/staleness.py": ("staleness", "lost_counters"),
    "device/net/places.py": ("places",),
    # The boot decision: of the board's boot ROM, compiled for the host, and of its twin in the simulator.
    f"{_BOARD}/rom/boot.c": (
        f"{_ON_HOST}::test_the_decision_is_the_models_for_every_mix_of_whole_and_torn_marks",
        f"{_ON_HOST}::test_a_trial_whose_tried_mark_cannot_be_written_does_not_start",
        f"{_ON_HOST}::test_every_programmed_unit_counts_whole_or_torn",
        f"{_ON_HOST}::test_a_mark_that_a_cut_tore_is_read_on_the_safe_side",
        f"{_ON_HOST}::test_the_slot_that_was_confirmed_last_starts_and_the_other_one_in_its_place",
        f"{_ON_HOST}::test_a_trial_that_is_refused_leaves_the_confirmed_slot",
        f"{_ON_HOST}::test_any_programmed_byte_makes_a_unit_count",
    ),
    "simulator/boot.py": ("tests/unit/simulator/test_boot.py",),
}

# Modules whose survivors nobody has worked through yet. A run of every module leaves them out and names them; a run of
# one module by its name reports it. When none of its survivors is open any more, take the module out of this list.
PENDING: Final[tuple[str, ...]] = ()


def tests_of(module: str) -> list[str]:
    """Return the tests to run for a module. Raises KeyError for a module without an entry."""
    return [name if "/" in name else DUAL.format(name) for name in TARGETS[module]]
