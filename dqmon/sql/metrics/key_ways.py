"""What is asked of a key to find its copies without counting the rows of every key (`dqmon.engine.measuring.ways`).

Keys are the same as in the groupings of `dqmon.sql.metrics.keys`; rows with a NULL in the key are left out. The store keeps none
of these: they are steps of a search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Totals, Value
from dqmon.core.metric_kinds import AggregateMetric, BinnedMetric, RowsMetric, SampledMetric
from dqmon.core.table import TypeGroup
from dqmon.sql.columns import stored
from dqmon.sql.conditions import count_where
from dqmon.sql.integers import big_integer
from dqmon.sql.keys import exact_key
from dqmon.sql.texts import exact_text, length

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement, Select

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.table import Column


class _OfKey:
    """Its columns are the key's."""

    __slots__ = ()
    is_kept: ClassVar[bool] = False

    @property
    def columns(self: Any) -> tuple[str, ...]:
        """The key."""
        return tuple(self.keys)


@dataclass(frozen=True, slots=True)
class IsOutOfOrder(_OfKey, BinnedMetric):
    """0 when each key is greater than the one before it, in the order in which the engine happens to read the rows; else 1.

    Whatever that order is: where keys ascend along all rows, none is there twice. It stops at the first one that does not.
    """

    name: ClassVar[str] = "is_out_of_order"
    empty: ClassVar[Value] = 0
    most_bins: ClassVar[int] = 1

    keys: tuple[str, ...]

    def select(self, columns: Mapping[str, ColumnElement[Any]], groups: Sequence[ColumnElement[Any]], caps: Capabilities) -> Select[Any]:
        """A row for a key that is not greater; `lag` without an order, so that rows are not sorted."""
        del caps
        keys = [exact_key(columns[name]) for name in self.keys]
        before = [sa.func.lag(key, type_=key.type).over(partition_by=groups or None) for key in keys]
        named = [key.label(f"dq_key{i}") for i, key in enumerate(keys)] + [key.label(f"dq_before{i}") for i, key in enumerate(before)]
        pairs = sa.select(*groups, *named).where(_is_full(columns, self.keys)).subquery("dq_pairs")
        parts = [(pairs.c[f"dq_key{i}"], pairs.c[f"dq_before{i}"]) for i in range(len(keys))]
        found = sa.select(*(pairs.c[group.name] for group in groups)) if groups else sa.select(_ONE)
        # The first row has none before it: NULL, which is not true.
        found = found.where(sa.not_(_is_greater(parts)))
        return found.distinct() if groups else found.limit(1)

    def answer(self, rows: Sequence[tuple[object, ...]]) -> Value:
        """1: there is such a key."""
        return len(rows)


@dataclass(frozen=True, slots=True)
class SurplusByBitmap(_OfKey, AggregateMetric):
    """Rows minus distinct keys, of integers between `lows` and `highs`, which fit into 64 bits: one bit for each possible key."""

    name: ClassVar[str] = "surplus_by_bitmap"
    empty: ClassVar[Value] = 0

    keys: tuple[str, ...]
    lows: tuple[int, ...]
    highs: tuple[int, ...]

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """`count(keys) - bit_count(bitstring_agg(place of the key))`."""
        del caps, at
        place: ColumnElement[Any] = big_integer(0)
        spans = list(zip(self.keys, self.lows, self.highs, strict=True))
        for name, low, high in spans:
            place = place * big_integer(high - low + 1) + (sa.cast(columns[name], sa.BigInteger()) - big_integer(low))
        # Another partition of the same statement may have keys elsewhere, which would be an error.
        within = sa.and_(*(columns[name].between(big_integer(low), big_integer(high)) for name, low, high in spans))
        size = math.prod(high - low + 1 for _, low, high in spans)
        bits = sa.func.bit_count(sa.func.bitstring_agg(sa.case((within, place)), big_integer(0), big_integer(size - 1)))
        return count_where(_is_full(columns, self.keys)) - sa.func.coalesce(bits, big_integer(0))


@dataclass(frozen=True, slots=True)
class SampledLength(_OfKey, SampledMetric):
    """Characters of the key's texts, together, on an average of a sample's rows; 0 of no rows."""

    name: ClassVar[str] = "sampled_length"
    empty: ClassVar[Value] = 0

    keys: tuple[str, ...]

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """`sum(length(text)) / count(*)`."""
        del caps, at
        texts = [columns[name] for name in self.keys if stored(columns[name]).group is TypeGroup.TEXT]
        lengths = (sa.func.coalesce(sa.func.sum(length(exact_text(text))), big_integer(0)) for text in texts)
        return sa.cast(sum(lengths, big_integer(0)) / sa.func.greatest(sa.func.count(), _ONE), sa.BigInteger())


@dataclass(frozen=True, slots=True)
class RepeatedHashes(_OfKey, RowsMetric):
    """The hashes that several rows' keys have; None when these are more than `limit`. Two keys may share one by chance."""

    name: ClassVar[str] = "repeated_hashes"

    keys: tuple[str, ...]

    def select(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> Select[Any]:
        """`select hash(keys) … group by 1 having count(*) > 1`."""
        del caps, at
        hashed = key_hash(columns, self.keys).label("dq_hash")
        return sa.select(hashed).where(_is_full(columns, self.keys)).group_by(_ONE).having(sa.func.count() > _ONE)

    def answer(self, rows: Sequence[tuple[object, ...]], columns: Sequence[Column]) -> Value:
        """The hashes."""
        del columns
        return Totals({(): tuple(int(str(hashed)) for (hashed,) in rows)}) if len(rows) <= self.limit else None


@dataclass(frozen=True, slots=True)
class Copies(_OfKey, RowsMetric):
    """(surplus rows, keys that several rows have); None when these keys are more than `limit`.

    With `hashes`, of the keys that have one of these.
    """

    name: ClassVar[str] = "copies"

    keys: tuple[str, ...]
    hashes: tuple[int, ...] = ()

    def select(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> Select[Any]:
        """`select count(*) … group by keys having count(*) > 1`."""
        del caps, at
        found = sa.select(sa.func.count().label("dq_count")).where(_is_full(columns, self.keys))
        if self.hashes:
            found = found.where(key_hash(columns, self.keys).in_([big_integer(hashed) for hashed in self.hashes]))
        return found.group_by(*(_sorted_fast(columns[name]) for name in self.keys)).having(sa.func.count() > _ONE)

    def answer(self, rows: Sequence[tuple[object, ...]], columns: Sequence[Column]) -> Value:
        """The sum of rows − 1, and how many keys."""
        del columns
        return Totals({(): (sum(int(str(count)) - 1 for (count,) in rows), len(rows))}) if len(rows) <= self.limit else None


def key_hash(columns: Mapping[str, ColumnElement[Any]], names: Sequence[str]) -> ColumnElement[int]:
    """The engine's own hash of a key: the same for keys that are the same to it."""
    return sa.func.hash(*(exact_key(columns[name]) for name in names), type_=sa.BigInteger())


def _sorted_fast(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The key's value; texts in the order of their bytes, which takes two thirds of the time of a language's order, or less."""
    return exact_text(column) if stored(column).group is TypeGroup.TEXT else exact_key(column)


def _is_greater(parts: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]]) -> ColumnElement[bool]:
    """Compares two keys part by part."""
    (own, other), *rest = parts
    return sa.or_(own > other, sa.and_(own == other, _is_greater(rest))) if rest else own > other


def _is_full(columns: Mapping[str, ColumnElement[Any]], names: Sequence[str]) -> ColumnElement[bool]:
    return sa.and_(*(columns[name].is_not(None) for name in names))


_ONE = big_integer(1)
