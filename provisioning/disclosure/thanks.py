"""Thanks to reporters in an advisory (CSAF 2.0 section 3.2.1.1): only to those who agreed, in the name that they chose.

Rules:
1. A person records who agreed, how, and the name. Without that record nobody is named.
2. A reporter without an address stays anonymous: nobody could ask them, and nobody names them.
3. The name is in a table and its salted digest in the log, so an erased reporter's name is gone (`models.py`, rule 2).
4. A reporter can withdraw: the next revision of the advisory does not have the name.
"""

from __future__ import annotations

from typing import Final

from provisioning.disclosure import reception
from provisioning.disclosure.case import THANKS, Case
from provisioning.disclosure.desk import Decision, case_of, load
from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.models import Reporter
from provisioning.disclosure.reception import Incoming
from provisioning.disclosure.store import CaseStore

LONGEST: Final = 200


def record(store: CaseStore, code: str, reporter: str, name: str, decision: Decision) -> Case:
    """Record that a reporter of a case agreed to be thanked by this name; "": they do not agree any more.

    Raises CaseInputError, UnknownCaseError, CaseConflictError.
    """
    if name and not (name.strip() and name.isprintable() and len(name) <= LONGEST):
        raise CaseInputError(f"the name is one line of at most {LONGEST} characters")
    with store.writing() as session:
        case = case_of(session, code)
        if reporter not in case.reporters:
            raise CaseInputError(f"case {code} has no reporter {reporter}")
        person = session.get(Reporter, reporter)
        if name and (person is None or person.address is None):
            raise CaseInputError(f"reporter {reporter} is anonymous: nobody names them")
        if not name and reporter not in case.thanks:
            raise CaseInputError(f"case {code} does not thank reporter {reporter}")
        facts = {"reporter": reporter, **decision.facts()}
        if name:
            said = Incoming(reception.HAND, name)
            facts["digest"] = reception.add_message(store, session, code, reporter, said).hex()
        store.append(session, THANKS, facts, case=code, expected=decision.version)
    return load(store, code)
