"""Metrics of keys of one or more columns, exact on every engine. No rows count 0."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import sqlalchemy as sa

from dqmon.core.metric import Metric, Value
from dqmon.core.metric_kinds import AggregateMetric, GroupedMetric
from dqmon.sql.conditions import count_where
from dqmon.sql.keys import exact_key
from dqmon.sql.metrics.ends import FirstValue, LastValue
from dqmon.sql.metrics.merging import Adds, are_apart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class CompleteKeyCount(Adds, AggregateMetric):
    """Rows with no NULL among `columns`."""

    name: ClassVar[str] = "complete_key_count"
    empty: ClassVar[Value] = 0

    columns: tuple[str, ...]

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Count where all are not NULL."""
        del caps, at
        return count_where(sa.and_(*(columns[name].is_not(None) for name in self.columns)))


@dataclass(frozen=True, slots=True)
class KeyMetric(Adds, GroupedMetric):
    """A count over the groups of a key. `nulls`: "distinct" leaves keys with a NULL part out, "equal" has NULL = NULL."""

    empty: ClassVar[Value] = 0

    columns: tuple[str, ...]
    nulls: Literal["distinct", "equal"] = "distinct"

    @property
    def keys(self) -> tuple[str, ...]:
        """The key columns."""
        return self.columns

    @property
    def beside(self) -> tuple[Metric, ...]:
        """The ends of each key column's values."""
        return tuple(end(name) for name in self.columns for end in (FirstValue, LastValue))

    def can_merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> bool:
        """True when no key can be in two fragments: the values of one of its columns lie apart."""
        tested = [f for f in fragments if all(f[end] is not None for end in self.beside)]
        return self.nulls == "distinct" and any(are_apart((f[FirstValue(c)], f[LastValue(c)]) for f in tested) for c in self.columns)

    def _tested(self, keys: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
        if self.nulls == "equal":
            return sa.true()
        return sa.and_(*(keys[name].is_not(None) for name in self.columns))

    def decode(self, raw: object) -> Value:
        """A whole number; a sum of counts may come as a decimal."""
        return int(raw or 0)  # type: ignore[call-overload, no-any-return]  # a number of the driver's, or NULL for no groups


@dataclass(frozen=True, slots=True)
class KeyedRows(KeyMetric):
    """Rows whose key is tested."""

    name: ClassVar[str] = "keyed_rows"

    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """Sum of the groups' rows."""
        del caps
        return sa.func.sum(sa.case((self._tested(keys), rows)))


@dataclass(frozen=True, slots=True)
class DistinctKeys(KeyMetric):
    """Distinct tested keys."""

    name: ClassVar[str] = "distinct_keys"

    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """Count of the groups."""
        del rows, caps
        return count_where(self._tested(keys))


@dataclass(frozen=True, slots=True)
class SurplusRows(KeyMetric):
    """Tested rows minus distinct tested keys: the rows to delete until the key is unique."""

    name: ClassVar[str] = "surplus_rows"

    def counted(self, keys: Mapping[str, ColumnElement[Any]], position: ColumnElement[int]) -> ColumnElement[bool]:
        """True for a tested row that is not the first of its key; no condition for WHERE, since it looks at other rows."""
        number = sa.func.row_number().over(partition_by=[exact_key(keys[name]) for name in self.columns], order_by=position)
        return sa.and_(self._tested(keys), number > 1)

    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """Sum of rows − 1 over the groups."""
        del caps
        return sa.func.sum(sa.case((self._tested(keys), rows - 1)))


@dataclass(frozen=True, slots=True)
class DuplicatedKeys(KeyMetric):
    """Tested keys that more than one row has."""

    name: ClassVar[str] = "duplicated_keys"

    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """Count of the groups of two rows or more."""
        del caps
        return count_where(sa.and_(self._tested(keys), rows > 1))
