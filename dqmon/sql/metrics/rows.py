"""Rows of two tables compared without fetching them: counts and sums of row hashes, bucket by bucket (`dqmon.sql.plain`).

A row's *position* decides its bucket: a whole number that is the same in both tables. It is the key itself, counted from
`Buckets.low`, where that is one integer, so that a bucket is a range of keys that an index serves; else a hash of the key, and
of the row where a part of the key is NULL. An integer key with a NULL anywhere counts as one that is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.metric import Key, Totals, Value
from dqmon.core.metric_kinds import AggregateMetric, MetadataMetric, RowsMetric
from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.aggregates import Total
from dqmon.sql.arguments import arguments
from dqmon.sql.columns import stored
from dqmon.sql.integers import big_integer
from dqmon.sql.plain import HASH_BITS, as_double, plain_text, row_hash

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement, Select
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.table import Column

MOST_RANGES = 64
"""Ranges of keys that a statement names one by one; above it an engine is quicker with one range and a list of buckets."""


@dataclass(frozen=True, slots=True)
class ComparedColumns(MetadataMetric):
    """The table's columns, asked for to compare rows; unlike `ColumnList` it makes no schema an accepted one."""

    name: ClassVar[str] = "compared_columns"


@dataclass(frozen=True, slots=True)
class KeyBound(AggregateMetric):
    """The least or greatest key where the key is one integer column and no row lacks it; else None, as of no rows."""

    name: ClassVar[str] = "key_bound"

    keys: tuple[str, ...]
    is_greatest: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The key."""
        return self.keys

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """`min(key)` or `max(key)`, NULL if there is a NULL."""
        del caps, at
        key = columns[self.keys[0]]
        if len(self.keys) > 1 or stored(key).group is not TypeGroup.INTEGER:
            return sa.cast(sa.null(), sa.BigInteger())
        bound = (sa.func.max if self.is_greatest else sa.func.min)(key, type_=sa.types.NullType())
        return sa.case((sa.func.count() == sa.func.count(key), bound))


@dataclass(frozen=True, slots=True)
class Buckets:
    """Positions in buckets of 2**shift: the buckets with the numbers `only`, ascending. `low` is None for hashes.

    Of hashes there is the one bucket 0 at shift HASH_BITS, which has all rows.
    """

    low: int | None
    shift: int
    only: tuple[int, ...] = (0,)

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The first position of each run of neighbouring buckets, and the one after its last."""
        runs: list[list[int]] = []
        for number in self.only:
            if runs and runs[-1][1] == number - 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        return tuple((first << self.shift, (last + 1) << self.shift) for first, last in runs)


@dataclass(frozen=True, slots=True)
class _ByPosition(RowsMetric):
    """What is asked of the rows in some buckets; a further step of one search, which the store does not keep.

    `doubles` are the columns that one side or both have as floats, so that both compare them as such.
    """

    is_kept: ClassVar[bool] = False

    keys: tuple[str, ...]
    others: tuple[str, ...]
    doubles: tuple[str, ...]
    within: Buckets

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are compared, the key first."""
        return (*self.keys, *self.others)

    def values(self, columns: Mapping[str, ColumnElement[Any]], names: Iterable[str]) -> list[ColumnElement[Any]]:
        """The columns as they are compared."""
        return [as_double(columns[name]) if name in self.doubles else columns[name] for name in names]

    def position(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[int]:
        """The position of a row."""
        if self.within.low is not None:
            # A cast of the bound, not of the column, makes the difference of two small integers a large one.
            key = sa.type_coerce(columns[self.keys[0]], sa.BigInteger())
            return sa.cast(key - sa.cast(big_integer(self.within.low), sa.BigInteger()), sa.BigInteger())
        is_whole = sa.and_(*(columns[name].is_not(None) for name in self.keys))
        return sa.case((is_whole, row_hash(self.values(columns, self.keys), caps)), else_=self.hash(columns, caps))

    def hash(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[int]:
        """The hash of a row, its key with it."""
        return row_hash(self.values(columns, self.columns), caps)

    def conditions(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> Iterator[ColumnElement[bool]]:
        """That a row is in one of the buckets; ranges of an integer key stand as such, so that an index serves them."""
        within = self.within
        ranges = within.ranges()
        is_few = within.low is not None and len(ranges) <= MOST_RANGES
        if within.low is not None:
            named = ranges if is_few else ((ranges[0][0], ranges[-1][1]),)
            key, low = columns[self.keys[0]], within.low
            yield sa.or_(*(sa.and_(key >= big_integer(low + first), key < big_integer(low + end)) for first, end in named))
        if not is_few and within.shift < HASH_BITS:
            yield _bucket(self.position(columns, caps), within.shift).in_(list(map(big_integer, within.only)))

    def refuse_above(self, count: int, noun: str) -> None:
        """QueryFailed for more than was counted before."""
        if count > self.limit:
            found = f"more than {self.limit:,} {noun}, so that the table changed while its rows were compared"
            raise QueryFailed(f"there are {found}; compare what is finished, by partition or filter")


@dataclass(frozen=True, slots=True)
class RowSums(_ByPosition):
    """By bucket of 2**shift positions how many rows it has, and the sum of their hashes."""

    name: ClassVar[str] = "row_sums"

    shift: int

    def select(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> Select[Any]:
        """`select bucket, count(*), sum(hash) … group by bucket`."""
        del at
        bucket = _bucket(self.position(columns, caps), self.shift)
        values: tuple[ColumnElement[Any], ...] = (bucket, sa.func.count(), Total(self.hash(columns, caps)))
        labelled = (value.label(f"dq_{index}") for index, value in enumerate(values))
        # By its place: the expression again would have parameters of other names.
        return sa.select(*labelled).where(*self.conditions(columns, caps)).group_by(sa.literal_column("1"))

    def answer(self, rows: Sequence[tuple[object, ...]], columns: Sequence[Column]) -> Value:
        """(rows, sum) by bucket."""
        del columns
        self.refuse_above(len(rows), "buckets")
        return Totals({(str(bucket),): (int(str(count)), int(str(total))) for bucket, count, total in rows})


@dataclass(frozen=True, slots=True)
class RowHashes(_ByPosition):
    """By key the hashes of its rows, ascending; a key that stands on several rows has several."""

    name: ClassVar[str] = "row_hashes"

    def select(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> Select[Any]:
        """`select keys, hash …`."""
        del at
        values: tuple[ColumnElement[Any], ...] = (
            *(plain_text(key, caps) for key in self.values(columns, self.keys)),
            self.hash(columns, caps),
        )
        labelled = (value.label(f"dq_{index}") for index, value in enumerate(values))
        return sa.select(*labelled).where(*self.conditions(columns, caps))

    def answer(self, rows: Sequence[tuple[object, ...]], columns: Sequence[Column]) -> Value:
        """The hashes by key."""
        del columns
        self.refuse_above(len(rows), "rows")
        found: dict[Key, list[int]] = {}
        for *key, hashed in rows:
            found.setdefault(tuple(None if part is None else str(part) for part in key), []).append(int(str(hashed)))
        return Totals({key: tuple(sorted(hashes)) for key, hashes in found.items()})


def _bucket(position: ColumnElement[int], shift: int) -> ColumnElement[int]:
    return Shifted(position, big_integer(shift))


class Shifted(FunctionElement[int]):
    """A whole number without its last bits (number, how many)."""

    name = "shifted"
    type = sa.BigInteger()
    inherit_cache = True


@compiles(Shifted)
def _shift(element: Shifted, compiler: SQLCompiler, **kw: Any) -> str:
    number, bits = arguments(element, compiler, kw)
    return f"({number} >> {bits})"
