"""From a Scan to one SELECT, and from its rows to values.

| kind | statement |
|---|---|
| AGGREGATE | `select [segments, bucket,] metrics from table where …` |
| GROUPED | the same over `(select [segments, bucket,] keys, count(*) … group by …)` |
| STATEMENT | the same over the metric's join of the rows with the other table's |
| QUERY | the metric's own over `(the user's query)` |
| ROWS | the metric's own over the table, with a limit |
| BINNED | the metric's own grouping, within segments and bucket |
| SAMPLED | `select metrics from (select … from table limit …)` |

With segments or partitions, `from` is a subquery that gives them names, so that GROUP BY repeats no parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.measurement import Scan, Segment, Slice
from dqmon.core.metric import Metric, MetricKind, Value
from dqmon.core.metric_kinds import (
    SAMPLE,
    AggregateMetric,
    BinnedMetric,
    GroupedMetric,
    QueryMetric,
    RowsMetric,
    SampledMetric,
    StatementMetric,
)
from dqmon.core.table import Column
from dqmon.errors import TooManySegments
from dqmon.sql.aggregates import numbers
from dqmon.sql.keys import exact_key
from dqmon.sql.metrics.statistics import ValueAtQuantile
from dqmon.sql.ranks import numbered
from dqmon.sql.raw import query
from dqmon.sql.source import COUNT, OUTSIDE, Source, other_rows
from dqmon.sql.tables import NamedTable, typed

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement, FromClause, Select

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class CompiledScan:
    """One SELECT and how to read its rows. `columns` are the table's."""

    scan: Scan
    statement: Select[tuple[object, ...]]
    buckets: Mapping[str, Slice] = field(default_factory=dict)
    columns: tuple[Column, ...] = field(default=())

    def decode(self, rows: Sequence[tuple[object, ...]]) -> Mapping[tuple[Slice, Segment, Metric], Value]:
        """The value of each metric for each partition or fragment asked for and segment.

        What no row speaks of has the metric's value of no rows: each of these for each segment seen anywhere, and one
        empty segment when there is none at all. Raises TooManySegments, and QueryFailed for values that are none.
        """
        scan, width = self.scan, len(self.scan.segment_by)
        if scan.kind is MetricKind.QUERY:
            asked = _query_of(scan)
            return {(partition, (), asked): asked.answer(rows) for partition in scan.slices}
        if scan.kind is MetricKind.ROWS:
            return {(request.slice, (), request.metric): _rows_of(scan).answer(rows, self.columns) for request in scan.requests}
        found: dict[tuple[Slice, Segment], list[tuple[object, ...]]] = {}
        for row in rows:
            segment = tuple(zip(scan.segment_by, (None if v is None else str(v) for v in row[:width]), strict=True))
            if len(self.buckets) < 2:  # noqa: PLR2004 - no bucket column
                found.setdefault((next(iter(self.buckets.values()), None), segment), []).append(row[width:])
            elif row[width] != OUTSIDE:
                found.setdefault((self.buckets[str(row[width])], segment), []).append(row[width + 1 :])
        segments = dict.fromkeys(segment for _, segment in found)
        if len(segments) > scan.max_segments:
            raise TooManySegments(self._too_many(len(segments), len(rows)))
        spoken = {rows_of for rows_of, _ in found}
        for rows_of in scan.slices:
            # Segments of a fragment are only its own: what is kept of it must not depend on the other fragments.
            for segment in (segments if not scan.fragments else ()) or (() if rows_of in spoken else ((),)):
                found.setdefault((rows_of, segment), [])
        return {(*part, metric): value for part, answered in found.items() for metric, value in _values(scan.metrics, answered)}

    def _too_many(self, count: int, rows: int) -> str:
        said = f"more than {count - 1}" if rows >= row_limit(self.scan) else str(count)
        names = ", ".join(self.scan.segment_by)
        return f"segment_by [{names}] has {said} value combinations, max_segments is {self.scan.max_segments}; raise it or drop a column"


def _values(metrics: Sequence[Metric], rows: Sequence[tuple[object, ...]]) -> Iterable[tuple[Metric, Value]]:
    """The values of one partition and segment: one row has all metrics, or all rows are one metric's."""
    if not rows:
        return ((metric, metric.empty) for metric in metrics)
    if isinstance(metrics[0], BinnedMetric):
        return ((metrics[0], metrics[0].answer(rows)),)
    return ((metric, metric.decode(raw)) for metric, raw in zip(metrics, rows[0], strict=True))


def row_limit(scan: Scan) -> int:
    """Rows that prove that there are too many segments: one more than as many in each bucket, with that of the rest."""
    first = scan.metrics[0]
    bins = first.most_bins if isinstance(first, BinnedMetric) else 1
    return (scan.max_segments * (1 if scan.slices == (None,) else len(scan.slices) + 1) + 1) * bins


def compile_scan(
    scan: Scan,
    columns: Sequence[Column],
    other_columns: Sequence[Column],
    caps: Capabilities,
    at: datetime,
) -> CompiledScan:
    """The SELECT of a scan that is not METADATA; `at` (aware UTC) is when it measures.

    `columns` are all of the table's, `other_columns` all of the other table's (STATEMENT only). Raises ColumnMissing,
    UnsafeSql for SQL of the user, QueryFailed for a column whose type a metric cannot use.
    """
    if scan.kind is MetricKind.QUERY:
        asked = _query_of(scan)
        return CompiledScan(scan, asked.select(query(asked.query, NamedTable(scan.table), caps.grammar)))
    source = Source(scan, columns, caps)
    match scan.kind:
        case MetricKind.GROUPED:
            statement = _grouped(source, caps)
        case MetricKind.STATEMENT:
            statement = _joined(source, other_columns)
        case MetricKind.BINNED:
            statement = _binned(source)
        case MetricKind.ROWS:
            listed = _rows_of(scan)
            select = listed.select(source.columns or typed({c.name: c for c in columns}, scan.naive_timezone), caps, at)
            statement = select.select_from(source.table).where(*source.where).limit(listed.limit + 1)
        case MetricKind.SAMPLED:
            statement = _sampled(source, at)
        case _:
            statement = _aggregate(source, at)
    if scan.segment_by:
        statement = statement.limit(row_limit(scan))
    return CompiledScan(scan, statement, source.buckets, tuple(columns))


def _aggregate(source: Source, at: datetime) -> Select[Any]:
    metrics = [metric for metric in source.scan.metrics if isinstance(metric, AggregateMetric)]
    for name, value in (item for metric in metrics for item in metric.row_values(source.caps).items()):
        source.labels[name] = source.labels.get(name, f"dq_column{len(source.labels)}")
        source.columns[name] = value
    ranked = () if source.caps.has_quantiles else dict.fromkeys(m.column for m in metrics if isinstance(m, ValueAtQuantile))
    if not source.groups and not ranked:
        values = [metric.expression(source.columns, source.caps, at) for metric in metrics]
        return _select((), values, source.table).where(*source.where)
    rows = source.rows()
    places: dict[str, ColumnElement[Any]] = {}
    if ranked:
        ranks = {name: numbers(rows.c[source.labels[name]], source.caps, ValueAtQuantile.name) for name in ranked}
        rows, places = numbered(rows, ranks, source.groups_of(rows))
    known = {name: rows.c[label] for name, label in source.labels.items()} | places
    return _select(source.groups_of(rows), [metric.expression(known, source.caps, at) for metric in metrics], rows)


def _sampled(source: Source, at: datetime) -> Select[Any]:
    metrics = [metric for metric in source.scan.metrics if isinstance(metric, SampledMetric)]
    rows = source.rows(SAMPLE)
    known = {name: rows.c[label] for name, label in source.labels.items()}
    return _select((), [metric.expression(known, source.caps, at) for metric in metrics], rows)


def _query_of(scan: Scan) -> QueryMetric:
    (metric,) = (metric for metric in scan.metrics if isinstance(metric, QueryMetric))
    return metric


def _rows_of(scan: Scan) -> RowsMetric:
    (metric,) = (metric for metric in scan.metrics if isinstance(metric, RowsMetric))
    return metric


def _grouped(source: Source, caps: Capabilities) -> Select[Any]:
    metrics = [metric for metric in source.scan.metrics if isinstance(metric, GroupedMetric)]
    rows = source.rows()
    keys = {name: exact_key(rows.c[label]).label(label) for name, label in source.labels.items()}
    groups = source.groups_of(rows)
    counted = sa.select(*groups, *keys.values(), sa.func.count().label(COUNT)).group_by(*groups, *keys.values()).subquery("dq_keys")
    inner = {name: counted.c[label] for name, label in source.labels.items()}
    return _select(source.groups_of(counted), [metric.expression(inner, counted.c[COUNT], caps) for metric in metrics], counted)


def _binned(source: Source) -> Select[Any]:
    (metric,) = (metric for metric in source.scan.metrics if isinstance(metric, BinnedMetric))
    rows = source.rows()
    known = {name: rows.c[label] for name, label in source.labels.items()}
    return metric.select(known, source.groups_of(rows), source.caps)


def _joined(source: Source, other_columns: Sequence[Column]) -> Select[Any]:
    (metric,) = (metric for metric in source.scan.metrics if isinstance(metric, StatementMetric))
    rows = source.rows(declared=True)
    joined, value = metric.expression(rows, other_rows(metric.other, other_columns, source))
    return _select(source.groups_of(rows), [value], joined)


def _select(groups: Sequence[ColumnElement[Any]], values: Sequence[ColumnElement[Any]], source: FromClause) -> Select[Any]:
    labelled = (value.label(f"m{i}") for i, value in enumerate(values))
    return sa.select(*groups, *labelled).select_from(source).group_by(*groups)


def fits(scan: Scan, caps: Capabilities) -> bool:
    """True when the engine takes the scan in one statement; counts at least what the statement will have."""
    columns = len(scan.metrics) + len(scan.segment_by) + 1
    parameters = 4 * len(scan.partitions) + sum(_leaves(metric) for metric in scan.metrics)
    return columns <= caps.max_expressions and parameters <= caps.max_parameters


def _leaves(value: object) -> int:
    """The plain values in a metric or a field of one, doubled (a condition and its opposite), and two for the time of measuring."""
    if isinstance(value, Metric):
        names = (name for base in type(value).__mro__ for name in getattr(base, "__slots__", ()))
        return 2 + sum(_leaves(getattr(value, name)) for name in names)
    return 2 * len(value) if isinstance(value, tuple) else 2
