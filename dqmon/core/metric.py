"""What is measured: metrics, requests for them, scans that answer requests, measurements that come back."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from dqmon.core.histogram import Histogram
from dqmon.core.table import Column, TableRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.sql import ColumnElement, FromClause, Select

    from dqmon.core.capabilities import Capabilities


Key: TypeAlias = tuple[str | None, ...]
"""The values of key columns as texts that are equal on all engines when the values are; None is NULL."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Several values for each key of a table. The store keeps only how many keys there were."""

    by_key: Mapping[Key, tuple[Value, ...]]

    def __str__(self) -> str:
        return f"{len(self.by_key):,} keys"


Value: TypeAlias = int | float | Decimal | str | datetime | tuple[Column, ...] | Totals | Histogram | None
"""A measured value. Decimals stay exact, datetimes are aware UTC, None is SQL's NULL (nothing to measure)."""


class MetricKind(StrEnum):
    """Which kind of scan answers a metric."""

    AGGREGATE = "aggregate"
    EXTREMES = "extremes"
    SAMPLED = "sampled"
    GROUPED = "grouped"
    STATEMENT = "statement"
    QUERY = "query"
    ROWS = "rows"
    BINNED = "binned"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Metric(ABC):
    """One thing that can be measured of a table. Equal metrics are measured once.

    A subclass is a frozen, slotted dataclass of hashable fields; `name` is what the store calls it.
    """

    kind: ClassVar[MetricKind]
    name: ClassVar[str]
    empty: ClassVar[Value] = None
    """The value of no rows at all: 0 for a count."""
    is_mergeable: ClassVar[bool] = False
    """True when the value of all rows may follow from those of the table's fragments, by `merge`."""
    is_kept: ClassVar[bool] = True
    """False for a step of a search, such as the buckets that hold differing rows: the store does not keep it."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that the metric reads, as declared; looked up before any SQL runs."""

    @property
    def key(self) -> str:
        """The canonical text `name(field=value, …)`: stable across runs, part of the stored series."""
        fields = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        shown = (f"{name}={json.dumps(value, default=str, sort_keys=True)}" for name, value in fields if value not in (None, ()))
        return f"{self.name}({', '.join(shown)})"

    @property
    def written_sql(self) -> tuple[str, ...]:
        """SQL of the configuration that stands in the metric."""
        return ()

    @property
    def beside(self) -> tuple[Metric, ...]:
        """Further metrics of each fragment that `can_merge`, `merge` and `stands` need."""
        return ()

    def can_merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> bool:
        """True when the fragments' values of `beside` show that `merge` will tell the value of all rows."""
        del fragments
        return self.is_mergeable

    def merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """The value of the rows of several fragments together, from the values of each, this metric's and those of `beside`.

        Exactly what one statement over all rows gives; of doubles, up to their rounding. Only where `can_merge`.
        """
        raise NotImplementedError(f"{self.name} of {len(fragments)} fragments: is_mergeable is False")

    def stands(self, value: Value, others: Mapping[Metric, Value]) -> bool:
        """True when `value`, measured earlier over the very same rows together with `others`, is the value now.

        Override where time enters: what was not in the future then may be now.
        """
        del value, others
        return True

    def restore(self, number: float | None, text: str | None) -> Value:
        """The value of a kept measurement; exact where `text` is kept, since it is kept wherever `number` says less."""
        if text is not None:
            return float(text) if text.lower() in ("nan", "inf", "-inf") else Decimal(text)
        return int(number) if number is not None and number.is_integer() else number

    def decode(self, raw: object) -> Value:
        """The value of what the driver returned; override where more than the raw value is meant."""
        return raw  # type: ignore[return-value]  # drivers return the plain types of Value for numbers and text


@dataclass(frozen=True, slots=True)
class AggregateMetric(Metric):
    """A metric that is one aggregate expression, so that many of them fit in one SELECT."""

    kind: ClassVar[MetricKind] = MetricKind.AGGREGATE

    def row_values(self, caps: Capabilities) -> Mapping[str, ColumnElement[Any]]:
        """Values of a row that are no columns, by a name that no column has; `expression` finds them among its columns.

        Such as a condition that a user has written: in a scan with groups the columns have other names than in the table.
        """
        del caps
        return {}

    @abstractmethod
    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """The aggregate over typed columns, by declared name; `at` is when the scan measures (aware UTC)."""


@dataclass(frozen=True, slots=True)
class ExtremesMetric(AggregateMetric):
    """An aggregate of least and greatest values alone: apart from all others, an engine answers it from its statistics."""

    kind: ClassVar[MetricKind] = MetricKind.EXTREMES


@dataclass(frozen=True, slots=True)
class SampledMetric(AggregateMetric):
    """An aggregate of the first `SAMPLE` rows that the engine comes upon: for choosing a way, never for a verdict.

    The engine's ways ask it of the whole table, whatever filter and partition they are about.
    """

    kind: ClassVar[MetricKind] = MetricKind.SAMPLED


SAMPLE = 10_000
"""Rows of a sample: in them 1,000 values are told from 100,000, and reading them takes DuckDB 5 to 20 ms from any table."""


@dataclass(frozen=True, slots=True)
class GroupedMetric(Metric):
    """A metric over the groups of a key: `select <outer> from (select keys, count(*) n … group by keys)`.

    Metrics with equal `keys` share one scan. NULL keys form groups like any other value.
    """

    kind: ClassVar[MetricKind] = MetricKind.GROUPED

    @property
    @abstractmethod
    def keys(self) -> tuple[str, ...]:
        """The key columns, as declared."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The key columns."""
        return self.keys

    @abstractmethod
    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """The aggregate over groups; `rows` is the number of rows of a group."""


@dataclass(frozen=True, slots=True)
class OtherTable:
    """A further table that a statement reads: its columns as declared, and its own filter."""

    table: TableRef
    columns: tuple[str, ...]
    where: str | None = None


@dataclass(frozen=True, slots=True)
class StatementMetric(Metric):
    """A metric that needs a statement of its own, such as a join with another table of the same warehouse."""

    kind: ClassVar[MetricKind] = MetricKind.STATEMENT

    @property
    @abstractmethod
    def other(self) -> OtherTable:
        """The further table; its columns are looked up first, too."""

    @abstractmethod
    def expression(self, rows: FromClause, other: FromClause) -> tuple[FromClause, ColumnElement[Any]]:
        """What to select from, and the aggregate over it.

        `rows` has the filtered rows with `columns` (and what the scan groups by), `other` the filtered rows of the
        other table; columns are labelled by their declared names.
        """


@dataclass(frozen=True, slots=True)
class QueryMetric(Metric):
    """A metric of the rows that a user's own query returns.

    The query says itself what it reads: filter, partition and segments of the request do not reach into it.
    """

    kind: ClassVar[MetricKind] = MetricKind.QUERY

    query: str

    @property
    def columns(self) -> tuple[str, ...]:
        """None that are known: they stand in the query."""
        return ()

    @abstractmethod
    def select(self, returned: FromClause) -> Select[Any]:
        """The statement over the rows that the query returns."""

    @abstractmethod
    def answer(self, rows: Sequence[tuple[object, ...]]) -> Value:
        """The value of the statement's rows. Raises QueryFailed for an answer of another shape."""


@dataclass(frozen=True, slots=True)
class RowsMetric(Metric):
    """A metric whose value is made of rows of a statement of its own, of which `limit` and one more are fetched at most.

    One that names no columns is given all of the table's, in their order. Requests for it have no segments. What the store keeps
    of its value does not bring it back, so that it is always measured.
    """

    kind: ClassVar[MetricKind] = MetricKind.ROWS

    limit: int

    @abstractmethod
    def select(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> Select[Any]:
        """The statement but for its table, filter, partition and limit, which the compiler adds."""

    @abstractmethod
    def answer(self, rows: Sequence[tuple[object, ...]], columns: Sequence[Column]) -> Value:
        """The value of the statement's rows; `columns` are all of the table's. Raises QueryFailed.

        More rows than `limit` tell that there are more.
        """

    def restore(self, number: float | None, text: str | None) -> Value:
        """Nothing."""
        del number, text
        return None

    def stands(self, value: Value, others: Mapping[Metric, Value]) -> bool:
        """False: there is no earlier value."""
        del value, others
        return False


@dataclass(frozen=True, slots=True)
class BinnedMetric(Metric):
    """A metric whose value is made of a few rows for each partition and segment, from a grouping of its own."""

    kind: ClassVar[MetricKind] = MetricKind.BINNED
    most_bins: ClassVar[int]
    """Rows of one partition and segment at most."""

    @abstractmethod
    def select(self, columns: Mapping[str, ColumnElement[Any]], groups: Sequence[ColumnElement[Any]], caps: Capabilities) -> Select[Any]:
        """The statement over the rows that `columns` and `groups` are of: the groups, then what `answer` reads.

        Raises QueryFailed for a column of another type.
        """

    @abstractmethod
    def answer(self, rows: Sequence[tuple[object, ...]]) -> Value:
        """The value of one partition and segment."""


@dataclass(frozen=True, slots=True)
class MetadataMetric(Metric):
    """A metric that the catalogue answers. The only one so far is the list of columns."""

    kind: ClassVar[MetricKind] = MetricKind.METADATA

    @property
    def columns(self) -> tuple[str, ...]:
        """None: the catalogue is read, not the table."""
        return ()
