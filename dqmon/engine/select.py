"""Which checks a selector means, states included."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dqmon.core.check import Check
from dqmon.core.selector import Selector
from dqmon.core.verdict import Verdict
from dqmon.store import results, slots

if TYPE_CHECKING:
    from sqlalchemy import Connection

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


def no_check(check_id: str, known: Iterable[str]) -> str:
    """What is said of a check that is not there, with the nearest id."""
    near = get_close_matches(check_id, list(known), 1, 0.5)
    return f"there is no check {check_id!r}" + (f"; did you mean {near[0]!r}?" if near else "; `dqmon plan` names them")


def select(checks: Iterable[Check], selector: Selector, database: Database, now: datetime) -> tuple[Check, ...]:
    """The checks that the selector means, in declared order. The store is read only when it asks for a state."""
    listed = tuple(checks)
    states: Mapping[str, tuple[str, ...]] = {}
    if selector.uses("state"):
        with database.read() as connection:
            states = states_of(connection, {check.id for check in listed}, now)
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


def states_of(connection: Connection, check_ids: Collection[str], now: datetime) -> dict[str, tuple[str, ...]]:
    """What `state:` means of each check: the words of its newest results, and `overdue`; nothing of one that has never run."""
    newest = results.latest(connection, check_ids)
    overdue = slots.overdue(connection, now - OVERDUE_AFTER)
    found = {check_id: _words(records) for check_id, records in newest.items()}
    return {check_id: (*found.get(check_id, ()), *(("overdue",) if check_id in overdue else ())) for check_id in check_ids}


def _words(records: tuple[ResultRecord, ...]) -> tuple[str, ...]:
    """The states of a check with several results: each of them."""
    words = ["learning" if record.is_learning else _STATES[record.verdict] for record in records]
    return tuple(dict.fromkeys(words))
