"""When measured values changed: the arrivals of new rows, seen in the history of a table's newest one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.history import Change
from dqmon.store.measurements import measurements
from dqmon.store.series import HistoryKey
from dqmon.store.writes import chunks

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.engine import Connection


def changes(
    connection: Connection,
    keys: Collection[HistoryKey],
    since: datetime,
) -> dict[HistoryKey, tuple[Change, ...]]:
    """The changes of each series and segment from `since` on, oldest first, in one statement; every key is in the answer.

    Values are compared as they are kept, to the last digit. Failed measurements and old versions are left out.
    """
    m = measurements.c
    found: dict[tuple[str, str], list[Change]] = {}
    for part in chunks(sorted({key.series for key in keys})):
        after, former = (
            _lag(column).over(partition_by=(m.series, m.segment), order_by=m.described_at) for column in (m.described_at, m.value_text)
        )
        points = (
            sa.select(m.series, m.segment, m.described_at, m.value_text, after.label("after"), former.label("former"))
            .where(m.series.in_(part), m.described_at >= since, m.is_current, m.failure.is_(None))
            .subquery()
        )
        p = points.c
        changed = sa.select(p.series, p.segment, p.described_at, p.after, p.value_text)
        changed = changed.where(p.after.is_not(None), p.value_text.is_distinct_from(p.former)).order_by(p.described_at)
        for series, segment, at, after_at, text in connection.execute(changed):
            found.setdefault((series, segment), []).append(Change(at, after_at, text))
    return {key: tuple(found.get((key.series, key.segment), ())) for key in keys}


def _lag(column: sa.Column[Any]) -> sa.Function[Any]:
    """The value of the row before; not `func.lag`, which is whatever the dialect of a warehouse in the same process made of that name."""
    return sa.Function("lag", column, type_=column.type)
