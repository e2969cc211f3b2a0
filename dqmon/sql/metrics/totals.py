"""Aggregates for each key of a table, keys written so that they compare across engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Totals, Value
from dqmon.core.metric_kinds import AggregateMetric, RowsMetric
from dqmon.core.table import Column, TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.columns import stored
from dqmon.sql.instant import instant
from dqmon.sql.texts import exact_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement, Select

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class TotalsByKey(RowsMetric):
    """The values of `totals` for each key (values of `keys`); NULL is a key like any other. No rows: no keys.

    Above `limit` keys: QueryFailed.
    """

    name: ClassVar[str] = "totals_by_key"

    keys: tuple[str, ...]
    totals: tuple[AggregateMetric, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The key columns and those of the aggregates."""
        return tuple(dict.fromkeys((*self.keys, *(name for total in self.totals for name in total.columns))))

    def select(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> Select[Any]:
        """`select keys, aggregates … group by keys`."""
        keys = [_comparable(columns[name], caps) for name in self.keys]
        values = (total.expression(columns, caps, at) for total in self.totals)
        labelled = [value.label(f"dq_{index}") for index, value in enumerate((*keys, *values))]
        return sa.select(*labelled).group_by(*keys)

    def answer(self, rows: Sequence[tuple[object, ...]], columns: Sequence[Column]) -> Value:
        """The totals; QueryFailed also when values that the engine tells apart are one instant or number."""
        del columns
        shown = ", ".join(self.keys)
        if len(rows) > self.limit:
            raise QueryFailed(f"[{shown}] has more than {self.limit:,} different values, the most that max_keys lets through")
        width = len(self.keys)
        found = {
            tuple(map(key_text, row[:width])): tuple(total.decode(raw) for total, raw in zip(self.totals, row[width:], strict=True))
            for row in rows
        }
        if len(found) < len(rows):
            raise QueryFailed(f"[{shown}] has values that differ in writing only, such as one instant at two local times")
        return Totals(found)


def _comparable(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[Any]:
    """The column as `key_text` takes it: instants as instants, texts by their code points, the rest as the driver has it."""
    match stored(column).group:
        case TypeGroup.TIMESTAMP | TypeGroup.TIMESTAMP_ZONED:
            return instant(column, caps)
        case TypeGroup.TEXT | TypeGroup.OTHER:
            return exact_text(column)
        case _:
            return sa.type_coerce(column, sa.types.NullType())


def key_text(value: object) -> str | None:
    """A driver's value as a text that is equal on all engines: 1.50 is `1.5`, true is `1`, an instant is in UTC; NULL is None."""
    match value:
        case None:
            return None
        case bool() | int():
            return str(int(value))
        case float() | Decimal():
            text = format(Decimal(str(value)), "f")
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return "0" if text == "-0" else text
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _:
            return str(value)
