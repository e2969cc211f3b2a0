"""Which checks a selector means, states included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check import Check
from dqmon.core.selector import Selector
from dqmon.core.verdict import Verdict
from dqmon.store import results, slots

if TYPE_CHECKING:
    from dqmon.core.result import ResultRecord
    from dqmon.store.database import Database

OVERDUE_AFTER = timedelta(minutes=1)
"""A slot that nobody has taken for so long is overdue."""

_STATES = {
    Verdict.PASS: "passing",
    Verdict.WARN: "warning",
    Verdict.FAIL: "failing",
    Verdict.ERROR: "error",
    Verdict.SKIPPED: "skipped",
}


def select(checks: Iterable[Check], selector: Selector, database: Database, now: datetime) -> tuple[Check, ...]:
    """The checks that the selector means, in declared order. The store is read only when it asks for a state."""
    listed = tuple(checks)
    states = _states(listed, database, now) if selector.uses("state") else {}
    return tuple(check for check in listed if selector.matches(attributes(check, states.get(check.id, ()))))


def attributes(check: Check, states: tuple[str, ...] = ()) -> Mapping[str, tuple[str, ...]]:
    """What selectors see of a declared check; `state` is given by the caller."""
    return {
        "": (check.subject, check.id),
        "id": (check.id,),
        "type": (check.type,),
        "tag": check.tags,
        "owner": (check.owner,) if check.owner else (),
        "severity": (check.severity.value,),
        "kind": ("data",),
        "state": states,
        "warehouse": (check.warehouse,) if check.warehouse else (),
        "dimension": (check.rule.dimension.value,),
    }


def _states(checks: tuple[Check, ...], database: Database, now: datetime) -> dict[str, tuple[str, ...]]:
    with database.read() as connection:
        newest = results.latest(connection, {check.id for check in checks})
        overdue = slots.overdue(connection, now - OVERDUE_AFTER)
    found = {check_id: _words(records) for check_id, records in newest.items()}
    return {check.id: (*found.get(check.id, ()), *(("overdue",) if check.id in overdue else ())) for check in checks}


def _words(records: tuple[ResultRecord, ...]) -> tuple[str, ...]:
    """The states of a check with several results: each of them."""
    words = ["learning" if record.is_learning else _STATES[record.verdict] for record in records]
    return tuple(dict.fromkeys(words))
