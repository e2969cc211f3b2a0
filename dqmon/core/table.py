"""Names of tables and what a warehouse says of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TypeGroup(StrEnum):
    """The kinds of column types that checks tell apart; the engine's own name stands in `Column.type`."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMP_ZONED = "timestamp_zoned"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the warehouse's catalogue has it; `type` in the engine's own words, `position` from 1."""

    name: str
    type: str
    group: TypeGroup
    nullable: bool
    position: int


@dataclass(frozen=True, slots=True, order=True)
class TableRef:
    """A table of a warehouse; name parts are exact, without quotes."""

    warehouse: str
    catalog: str | None
    schema: str | None
    name: str

    @property
    def dataset(self) -> str:
        """The dotted name as written in check files, parts with dots, quotes, `*` or blanks quoted."""
        return ".".join(quote_part(part) for part in (self.catalog, self.schema, self.name) if part is not None)

    def __str__(self) -> str:
        return f"{self.warehouse}:{self.dataset}"

    def is_called(self, name: str) -> bool:
        """True when a tool's name of a table means this one: alone, with its schema, or in full; letters' case does not matter."""
        parts = [part for part in (self.catalog, self.schema, self.name) if part is not None]
        return name.lower() in {".".join(parts[start:]).lower() for start in range(len(parts))}


_SIGNS = frozenset('."*:/, \t\n')
"""What a name part holds in quotes only."""


def quote_part(part: str) -> str:
    """A name part as a check file must write it."""
    if part and _SIGNS.isdisjoint(part):
        return part
    return '"' + part.replace('"', '""') + '"'


def split_dataset(text: str) -> tuple[str, ...]:
    """The parts of `[catalog.][schema.]table`; `"a.b"` is one part, `""` inside quotes is a quote.

    ValueError when a part is empty, a quote stays open, or there are more than three parts.
    """
    parts: list[str] = []
    rest = text
    while True:
        if rest.startswith('"'):
            end, part = 1, ""
            while True:
                close = rest.find('"', end)
                if close < 0:
                    msg = f"{text!r} has an open quote"
                    raise ValueError(msg)
                part += rest[end:close]
                if rest[close + 1 : close + 2] != '"':
                    break
                part, end = part + '"', close + 2
            rest = rest[close + 1 :]
        else:
            part = rest.split(".", 1)[0]
            rest = rest[len(part) :]
        if not part or (rest and not rest.startswith(".")):
            msg = f"{text!r} is not a dataset; write [catalog.][schema.]table"
            raise ValueError(msg)
        parts.append(part)
        if not rest:
            break
        rest = rest[1:]
    if len(parts) > 3:  # noqa: PLR2004 - catalog, schema, table
        msg = f"{text!r} has {len(parts)} parts; write [catalog.][schema.]table"
        raise ValueError(msg)
    return tuple(parts)


def table_ref(warehouse: str, text: str, default_schema: str | None) -> TableRef:
    """The table that `text` names; without a schema it gets the warehouse's."""
    parts = split_dataset(text)
    catalog = parts[0] if len(parts) == 3 else None  # noqa: PLR2004 - catalog, schema, table
    schema = parts[-2] if len(parts) > 1 else default_schema
    return TableRef(warehouse, catalog, schema, parts[-1])
