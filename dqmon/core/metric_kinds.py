"""The kinds of metrics, by the statement that answers them; a metric derives from one of these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from dqmon.core.metric import Metric, MetricKind, Value
from dqmon.core.table import Column, TableRef

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement, FromClause, Select

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.facts import TableFacts


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
    """A metric that the catalogue answers; by default it is the list of columns."""

    kind: ClassVar[MetricKind] = MetricKind.METADATA
    needs_facts: ClassVar[bool] = False
    """True when `told` looks at the table's facts."""

    @property
    def columns(self) -> tuple[str, ...]:
        """None: the catalogue is read, not the table."""
        return ()

    def told(self, columns: tuple[Column, ...], facts: TableFacts, caps: Capabilities) -> tuple[Value, str]:
        """The value, and in words who says it. Raises QueryFailed where the catalogue does not tell, with what to do."""
        del facts, caps
        return columns, "the catalogue"
