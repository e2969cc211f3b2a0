"""What a scan selects from: the table's rows under the filter, with segments and partition bucket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities
from dqmon.core.measurement import Scan, Slice
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.table import Column
from dqmon.sql.columns import bound, resolve
from dqmon.sql.instant import instant
from dqmon.sql.integers import integer
from dqmon.sql.raw import condition, quoted_names
from dqmon.sql.tables import FRAGMENT, FragmentedTable, NamedTable, SampledTable, typed
from dqmon.sql.texts import exact_text

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement, FromClause, Subquery

COUNT = "dq_count"
"""The number of rows of a key."""

OUTSIDE = -1
"""The bucket of rows between the partitions asked for."""

_LISTED = 8
"""So many partitions are compared one after the other; with more, halving them saves more than it costs."""


class Source:
    """The rows of one scan. Raises ColumnMissing, UnsafeSql, and QueryFailed for a partition column without instants.

    `columns` are the metrics' columns by declared name, `labels` their names in `rows`, `groups` the labelled segments and
    bucket, `buckets` what the bucket's values mean: numbers for partitions, the one of NULL keys last, names for fragments. A
    single one needs no bucket: condition or table says all.
    """

    def __init__(self, scan: Scan, columns: Sequence[Column], caps: Capabilities) -> None:
        self.scan = scan
        self.caps = caps
        self.table = _table(scan, columns)
        names = dict.fromkeys(name for metric in scan.metrics for name in metric.columns)
        key = [scan.partitions[0].column] if scan.partitions else []
        found = typed(resolve((*names, *scan.segment_by, *key), columns), scan.naive_timezone)
        self.columns = {name: found[name] for name in names}
        # Numbered, since names that differ in case alone, or a column called "true", are no names in a subquery.
        self.labels = {name: f"dq_column{index}" for index, name in enumerate(names)}
        self.where = _filter(scan.where, columns, caps)
        self.buckets: dict[str, Slice] = {fragment.name: fragment for fragment in scan.fragments}
        groups = [exact_text(found[name]).label(f"dq_segment{i}") for i, name in enumerate(scan.segment_by)]
        if len(self.buckets) > 1:
            groups.append(sa.literal_column(FRAGMENT, sa.String()).label("dq_bucket"))
        for name in key:
            column = found[name]
            dated = sorted(((p.start, p.end, p) for p in scan.partitions if p.start is not None and p.end is not None), key=itemgetter(0))
            at = instant(column, caps) if dated else column
            null = [p for p in scan.partitions if p.start is None]
            self.buckets = {str(index): partition for index, partition in enumerate((*(p for *_, p in dated), *null))}
            hull = [_within(at, dated[0][0], max(end for _, end, _ in dated))] if dated else []
            self.where.append(sa.or_(*hull, *(column.is_(None) for _ in null)))
            if len(self.buckets) > 1:
                spans = [(start, end, index) for index, (start, end, _) in enumerate(dated)]
                groups.append(_bucket(spans, at, column.is_(None)).label("dq_bucket"))
        self.groups = tuple(groups)

    def rows(self, limit: int | None = None, *, declared: bool = False) -> Subquery:
        """The rows, or the first ones, with the metrics' columns and the groups; columns by `labels`, or by their `declared` names."""
        columns = [column.label(name if declared else self.labels[name]) for name, column in self.columns.items()]
        return sa.select(*columns, *self.groups).select_from(self.table).where(*self.where).limit(limit).subquery("dq_rows")

    def groups_of(self, rows: FromClause) -> list[ColumnElement[Any]]:
        """The segments and the bucket, as columns of a subquery that has them."""
        return [rows.c[group.name] for group in self.groups]


def _table(scan: Scan, columns: Sequence[Column]) -> sa.TableClause:
    if scan.fragments:
        return FragmentedTable(scan.table, scan.fragments, columns)
    return NamedTable(scan.table) if scan.sample is None else SampledTable(scan.table, scan.sample)


def _filter(where: str | None, columns: Sequence[Column], caps: Capabilities) -> list[ColumnElement[bool]]:
    """The condition, if there is one; ColumnMissing for a name in quotes that is no column, which SQLite would take for a text."""
    if not where:
        return []
    resolve(quoted_names(where), columns)
    return [condition(where, caps.grammar)]


def _within(key: ColumnElement[Any], start: datetime, end: datetime) -> ColumnElement[bool]:
    return sa.and_(key >= bound(start, key), key < bound(end, key))


def _bucket(spans: Sequence[tuple[datetime, datetime, int]], at: ColumnElement[Any], is_null: ColumnElement[bool]) -> ColumnElement[Any]:
    """The index of the span that holds the instant; for NULL the one after the last; OUTSIDE between spans.

    spans: in order of time, apart from each other. Many are halved by comparisons, so that a row of a year of days is compared
    nine times, not hundreds of times.
    """

    def arms(spans: Sequence[tuple[datetime, datetime, int]], *first: tuple[ColumnElement[bool], ColumnElement[int]]) -> ColumnElement[Any]:
        if len(spans) <= _LISTED:
            return sa.case(*first, *((_within(at, start, end), integer(index)) for start, end, index in spans), else_=integer(OUTSIDE))
        half = len(spans) // 2
        return sa.case(*first, (at < bound(spans[half][0], at), arms(spans[:half])), else_=arms(spans[half:]))

    return arms(spans, (is_null, integer(len(spans))))


def other_rows(other: OtherTable, columns: Sequence[Column], source: Source) -> Subquery:
    """The filtered rows of a further table, its columns by their declared names."""
    found = typed(resolve(other.columns, columns), source.scan.naive_timezone)
    tests = _filter(other.where, columns, source.caps)
    labelled = (column.label(name) for name, column in found.items())
    return sa.select(*labelled).select_from(NamedTable(other.table)).where(*tests).subquery("dq_other")
