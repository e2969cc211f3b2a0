"""What a table's kept loads say of how many rows it had before: they brought what makes up its total. An estimate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from dqmon.checks.base.load_runs import ended_at
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.past_rows import PastRows, counted_back

if TYPE_CHECKING:
    from dqmon.core.table import TableRef

_WHOLE = frozenset(("reset", "refresh"))
"""Kinds of loads that replace all rows: what was before is not known from them."""

_ALIKE = 0.1
"""By how much of the larger one what the loads brought and what the table grew by may differ: rows of failed loads, deletes. Our choice."""


@dataclass(frozen=True, slots=True)
class Brought:
    """loads: when each ended and how many rows it brought, oldest first. since: from when on they are all that came, None for ever.

    because: who says it.
    """

    loads: tuple[tuple[datetime, int], ...]
    since: datetime | None
    because: str
    is_exact: ClassVar[bool] = False

    def between(self, start: datetime, end: datetime) -> int:
        """The rows of the loads that ended in (start, end]."""
        return sum(rows for at, rows in self.loads if start < at <= end)


def brought(records: Iterable[LoadRecord], table: TableRef, *, is_only_table: bool) -> Brought | str:
    """What the successful loads of the pipelines that load `table` brought it; why that is not known, in words.

    is_only_table: they load no other one, so that a load as a whole is meant where the tool names no tables. Each load counts by
    its last attempt. What was before a reset, a refresh or a load whose rows the tool cannot say is not known.
    """
    last: dict[tuple[str, str, str], LoadRecord] = {}
    for record in sorted(records, key=lambda record: record.attempt):
        is_meant = is_only_table if record.table is None else table.is_called(record.table)
        if record.status is LoadStatus.SUCCEEDED and record.kind != "schema" and is_meant:
            key = (record.source, record.pipeline, record.load_id)
            if record.table is not None or key not in last or last[key].table is None:
                last[key] = record
    by = ", ".join(sorted({f"{record.source}/{record.pipeline}" for record in last.values()}))
    if not last:
        return "no load of a pipeline that loads it is kept"
    unknown = [ended_at(record) for record in last.values() if record.rows is None or record.kind in _WHOLE]
    since = max(unknown, default=None)
    loads = sorted((ended_at(record), record.rows or 0) for record in last.values() if since is None or ended_at(record) > since)
    if not loads:
        return f"{by} does not say how many rows it loads, or replaces all of them"
    return Brought(tuple(loads), since, f"{len(loads)} kept loads of {by}")


def totals(found: Brought, measured: Sequence[tuple[datetime, int]]) -> PastRows:
    """The total after each load up to the first of the measured ones (oldest first, at least one), counted back from that one.

    None, with the reason, when the loads brought more than there is or than the table grew by, as when rows are merged or replaced.
    """
    (first, rows), (last, later) = measured[0], measured[-1]
    grown, loaded = later - rows, found.between(first, last)
    if abs(grown - loaded) > _ALIKE * max(abs(grown), loaded):
        return PastRows(
            (), f"{found.because} brought {loaded:,} rows while the table grew by {grown:,}: rows are merged, replaced or deleted"
        )
    known, left = [], rows
    for at, count in reversed([load for load in found.loads if load[0] <= first]):
        known.append((at, left))
        left -= count
    if not known:
        return PastRows((), f"{found.because} ended after the first measured value")
    if left < 0:
        return PastRows((), f"{found.because} brought more rows than the {rows:,} of the table: rows are merged, replaced or deleted")
    if found.since is not None:
        known.append((found.since, left))
    return counted_back(known, found.because, is_exact=False)
