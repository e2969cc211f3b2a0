"""What the store has of checks for a replay, read a few checks at a time, so that months of many of them fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from dqmon.core.check_type import DatasetCheck
from dqmon.engine.judging.knowledge import HISTORY
from dqmon.engine.measuring.asked import Task, keyless, requests, windows
from dqmon.engine.past.past_values import Word
from dqmon.engine.past.recalled import Memory
from dqmon.engine.past.recorded import why_not
from dqmon.store import remembered
from dqmon.store.alerts import firing_spans
from dqmon.store.feedback import words
from dqmon.store.series import series

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.check import Check
    from dqmon.store.alerts import Span

_AT_ONCE = 10
"""Checks read in one statement: 90 days of ten hourly ones are some 50,000 values."""
_GRAINS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=31)}


def memories(connection: Connection, checks: Sequence[Sequence[Check]], since: datetime) -> Iterator[Memory]:
    """What is kept of each check, in their order; of one that is declared in several ways (all of one id), for all of them.

    Raises StoreError.
    """
    for start in range(0, len(checks), _AT_ONCE):
        part = checks[start : start + _AT_ONCE]
        ids = [forms[0].id for forms in part]
        runs, began = remembered.runs(connection, ids, since), remembered.first_slots(connection, ids)
        fired = firing_spans(connection, ids)
        said = _words(connection, fired)
        values: dict[str, tuple[remembered.KeptValue, ...]] = {}
        for reach, names in _by_reach(part, since).items():
            values |= remembered.values(connection, names, since - reach)
        for forms in part:
            id_ = forms[0].id
            mine = {name: values[name] for check in forms for name in _series(check, since) if name in values}
            records = partial(remembered.records, connection, id_, since)
            yield Memory(mine, runs.get(id_, ()), began.get(id_), records, fired.get(id_, ()), said.get(id_, ()))


def _by_reach(checks: Iterable[Sequence[Check]], since: datetime) -> dict[timedelta, set[str]]:
    """Series by how far back of the replay their values are wanted: a baseline's span, or the partitions that are looked at."""
    reaches: dict[str, timedelta] = {}
    for check in (check for forms in checks for check in forms):
        for name in _series(check, since):
            reaches[name] = max(_reach(check), reaches.get(name, timedelta(0)))
    found: dict[timedelta, set[str]] = {}
    for name, reach in reaches.items():
        found.setdefault(reach, set()).add(name)
    return found


def _reach(check: Check) -> timedelta:
    rule, by = check.rule, check.partition
    if isinstance(rule, DatasetCheck) and rule.history_metric(check) is not None:
        return rule.history_span or HISTORY
    return timedelta(0) if by is None else _GRAINS[by.grain] * (by.lookback + 1) + timedelta(seconds=by.lag_s)


def _series(check: Check, at: datetime) -> frozenset[str]:
    """The stored keys of all that judging the check takes; none where that does not tell its verdicts."""
    if why_not(check) is not None:
        return frozenset()
    task = Task(check, at)
    asked = [request for window in windows(task) for request in requests(task, window)]
    return frozenset(series(request) for request in (*asked, *keyless(task)))


def _words(connection: Connection, fired: Mapping[str, tuple[Span, ...]]) -> dict[str, tuple[Word, ...]]:
    """By check, what was said of its alerts, with when they fired."""
    spans = {(check_id, span[0]): span for check_id, found in fired.items() for span in found}
    kept: dict[str, tuple[Word, ...]] = {}
    for check_id, slot, feedback, said_at in words(connection, fired.keys()):
        if (span := spans.get((check_id, slot))) is not None:
            kept[check_id] = (*kept.get(check_id, ()), Word(span, feedback, said_at))
    return kept
