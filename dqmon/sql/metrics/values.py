"""Counts of rows by the values that a column may or must not have. No rows count 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.sql.conditions import is_one_of
from dqmon.sql.metrics.counts import ColumnCount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class ValueCount(ColumnCount):
    """A count by a list of values (texts, which are read as the column's type is: see `conditions.is_one_of`)."""

    values: tuple[str, ...] = ()
    ignore_case: bool = False

    def _listed(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        return is_one_of(columns[self.column], caps, self.values, ignore_case=self.ignore_case)


@dataclass(frozen=True, slots=True)
class UnlistedCount(ValueCount):
    """Rows whose value is not missing and none of `values`. A NaN that is not missing is none of them."""

    name: ClassVar[str] = "unlisted_count"

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The not missing outside of the list."""
        return sa.and_(sa.not_(self._listed(columns, caps)), sa.not_(self._missing(columns, caps)))


@dataclass(frozen=True, slots=True)
class ListedCount(ValueCount):
    """Rows whose value is not missing and one of `values`."""

    name: ClassVar[str] = "listed_count"

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The not missing in the list."""
        return sa.and_(sa.not_(self._missing(columns, caps)), self._listed(columns, caps))
