"""schemathesis drives docs/openapi.json against a simulated unit: no server error, no undocumented answer.

It runs before set-up, after it without a session, and with one. Afterwards the unit is in the same state, and its code
or password still works.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import urllib3
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.interfaces import DOCS
from tests.running import PASSWORD, FactoryUnit, simulated

__all__ = ["simulated"]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDS_SESSION = ("/logout", "/password", "/reset")
EXAMPLES = 8


def cases_of(unit: FactoryUnit, session: str, examples: int) -> dict[str, int]:
    """Send `examples` generated requests for each operation; return the count of each status. Raises if one fails."""
    schema = schemathesis.openapi.from_path(DOCS / "openapi.json")
    schema.config.update(base_url=unit.url)
    seen: dict[str, int] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        if session and operation.path in ENDS_SESSION:
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def drive(case: Any) -> None:
            headers = {"Accept": "application/json"} | ({"Cookie": f"session={session}"} if session else {})
            response = case.call(headers=headers, verify=False, timeout=600, allow_redirects=False)
            seen[str(response.status_code)] = seen.get(str(response.status_code), 0) + 1
            case.validate_response(response, checks=CHECKS)

        drive()
    return seen


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The certificate is the unit's own, and this client pins nothing."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    yield


@pytest.fixture
def examples(is_nightly: bool) -> int:
    return 300 if is_nightly else EXAMPLES


def test_before_set_up_every_answer_is_a_documented_one(simulated: FactoryUnit, examples: int) -> None:
    unit = simulated.fresh()
    seen = cases_of(unit, "", examples)
    assert {"200", "404"} <= set(seen)
    assert {"403", "422", "429"} & set(seen), "no drawn form was one that the policy had to look at"
    unit.wait(
        "set-up with the label's code",
        lambda: unit.world.owner.set_up(unit.world.unit.setup_code, PASSWORD).status == 303 or None,
    )


@pytest.mark.parametrize("is_signed_in", [False, True], ids=["stranger", "owner"])
def test_after_set_up_every_answer_is_a_documented_one(
    simulated: FactoryUnit, examples: int, is_signed_in: bool
) -> None:
    unit = simulated.owned()
    session = ""
    if is_signed_in:
        unit.wait("sign-in", lambda: unit.world.owner.sign_in(PASSWORD) or None)
        session = unit.world.owner._session
    seen = cases_of(unit, session, examples)
    assert "200" in seen and "404" in seen
    assert unit.machine.failure is None
    unit.machine.press_button()
    unit.wait("the owner's password", lambda: unit.world.owner.sign_in(PASSWORD) or None)
    if is_signed_in:
        assert unit.world.owner.status()["version"]


def test_the_checks_find_an_answer_that_is_not_documented(simulated: FactoryUnit) -> None:
    """The checks can fail: here the description lacks answers of the unit."""
    raw = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    get = raw["paths"]["/public.json"]["get"]
    get["responses"] = {"404": get["responses"]["404"]}
    schema = schemathesis.openapi.from_dict(raw)
    schema.config.update(base_url=simulated.fresh().url)
    case = schema["/public.json"]["GET"].Case()
    response = case.call(verify=False, headers={"Host": urllib.parse.urlsplit(simulated.url).netloc})
    with pytest.raises(FailureGroup) as found:
        case.validate_response(response, checks=CHECKS)
    assert [type(failure).__name__ for failure in found.value.exceptions] == ["UndefinedStatusCode"]
