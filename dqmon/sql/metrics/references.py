"""Metrics of references to another table of the same warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Value
from dqmon.core.metric_kinds import OtherTable, StatementMetric
from dqmon.sql.conditions import count_where
from dqmon.sql.keys import exact_key

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement, FromClause


@dataclass(frozen=True, slots=True)
class MissingReference(StatementMetric):
    """Rows whose key (`columns`, none NULL) is not among the keys of `other` (its `columns`, in the same order).

    A key with a NULL part is not tested; keys of `other` may repeat; texts compare character by character. No rows count 0.
    """

    name: ClassVar[str] = "missing_reference"
    empty: ClassVar[Value] = 0

    columns: tuple[str, ...]
    other: OtherTable

    @property
    def written_sql(self) -> tuple[str, ...]:
        """The other table's filter."""
        return (self.other.where,) if self.other.where else ()

    def expression(self, rows: FromClause, other: FromClause) -> tuple[FromClause, ColumnElement[Any]]:
        """An outer join with the other table's distinct keys, and the count of full keys without a partner.

        The keys are made distinct first, so that a repeated one does not multiply rows.
        """
        known = sa.select(*(exact_key(other.c[name]).label(name) for name in self.other.columns)).distinct().subquery("known")
        pairs = list(zip(self.columns, self.other.columns, strict=True))
        joined = rows.outerjoin(known, sa.and_(*(exact_key(rows.c[mine]) == known.c[theirs] for mine, theirs in pairs)))
        full = (rows.c[name].is_not(None) for name in self.columns)
        return joined, count_where(sa.and_(*full, known.c[self.other.columns[0]].is_(None)))
