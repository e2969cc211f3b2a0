"""The rows that differ between two tables, searched for by counts and sums of hashes, bucket by bucket.

A search is a generator: it yields the requests of its next step, is sent all values that are known, and returns what it found.
`follow` plays it from its beginning, so that nothing of it has to be kept between two steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from dqmon.checks.base.elsewhere import measured_totals
from dqmon.checks.base.fields import Names
from dqmon.core.measurement import MetricRequest
from dqmon.core.metric import Key, Metric, Value
from dqmon.core.table import Column, TypeGroup
from dqmon.errors import ColumnMissing
from dqmon.sql.columns import resolve
from dqmon.sql.metrics import Buckets, ComparedColumns, KeyBound, RowCount, RowHashes, RowSums
from dqmon.sql.plain import HASH_BITS

FIRST_BITS, STEP_BITS = 8, 5
"""A first step makes up to 256 buckets, each further one 32 of each bucket that differs: with 17 rows that differ among 5 million
this takes the fewest rows, 3,600, that are fetched in all (tests/benchmarks/test_row_diff_speed.py)."""
FEW_ROWS = 250
"""So many rows are fetched at once, rather than counted first."""
MOST_DIFFERENCES = 100_000
"""What `max_differences` may be at most: 3.2 million buckets or rows of each side, about 1 GB."""
_LARGEST = 2**61
"""Keys whose positions and bounds fit 64 bits, with room for a bucket more."""

_SORTS = {
    **dict.fromkeys((TypeGroup.INTEGER, TypeGroup.DECIMAL, TypeGroup.FLOAT, TypeGroup.BOOLEAN), "a number"),
    **dict.fromkeys((TypeGroup.TEXT, TypeGroup.OTHER), "a text"),
    TypeGroup.DATE: "a date",
    **dict.fromkeys((TypeGroup.TIMESTAMP, TypeGroup.TIMESTAMP_ZONED), "a timestamp"),
}


class Rows(BaseModel):
    """What makes a row, and when searching is given up."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: Annotated[Names, Field(min_length=1)]
    columns: Names = ()
    max_differences: Annotated[int, Field(ge=1, le=MOST_DIFFERENCES)] = 1_000

    @property
    def most(self) -> int:
        """The most buckets, or rows, that one statement returns."""
        return max(FEW_ROWS, 1 << FIRST_BITS, self.max_differences << STEP_BITS)

    @property
    def bounds(self) -> tuple[Metric, ...]:
        """What the search begins with, on both sides: part of the fused statement, and the catalogue."""
        return (RowCount(), KeyBound(self.key, is_greatest=False), KeyBound(self.key, is_greatest=True), ComparedColumns())


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    here, there: rows of each side. changed: keys that both sides have, with other values. only_here, only_there: rows that the
    other side lacks. keyless: rows among these that lack a part of the key. repeated: keys among the differing ones that stand on
    several rows of a side. at_least: set when the search was given up, the others are 0 then. compared: columns besides the key.
    alone: columns that were left out, since one side lacks them.
    """

    here: int
    there: int
    changed: int = 0
    only_here: int = 0
    only_there: int = 0
    keyless: int = 0
    repeated: int = 0
    at_least: int | None = None
    compared: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    @property
    def differing(self) -> int:
        """Rows that differ, or how many at least."""
        return self.changed + self.only_here + self.only_there if self.at_least is None else self.at_least


Known: TypeAlias = Mapping[MetricRequest, Value]
Search: TypeAlias = Generator[tuple[MetricRequest, ...], Known, Found | str]
"""It returns a text when the tables cannot be compared: why, and what to do."""
Sides: TypeAlias = tuple[MetricRequest, MetricRequest]
"""Here and there: requests whose metric is replaced."""
_Pair: TypeAlias = Generator[tuple[MetricRequest, ...], Known, tuple[Value, Value]]
_Sums: TypeAlias = Mapping[Key, tuple[Value, ...]]


def follow(search: Search, known: Known) -> tuple[tuple[MetricRequest, ...], Found | str | None]:
    """All that the search asks for, as far as the answers are known, and what it found; None before its end."""
    asked: dict[MetricRequest, None] = {}
    try:
        step = next(search)
        while True:
            asked.update(dict.fromkeys(step))
            if not all(request in known for request in step):
                return tuple(asked), None
            step = search.send(known)
    except StopIteration as end:
        return tuple(asked), end.value


def search_rows(rows: Rows, sides: Sides) -> Search:
    """The search for the rows of two tables that differ.

    1. Counts and key bounds tell how to split. 2. Sums by bucket, each step only in the buckets that differ, until these have few
    rows. 3. The hashes of these rows. It is given up when more than `max_differences` buckets differ, each by a row at least, and
    when buckets of one key each, the last ones, have more than `most` rows.
    """
    here, there = yield from _ask(sides, RowCount())
    found = Found(_whole(here), _whole(there))
    chosen = yield from _choose(rows, sides)
    if isinstance(chosen, str):
        return chosen
    found = replace(found, compared=chosen.names, alone=chosen.alone)
    if not (found.here and found.there):
        return replace(found, only_here=found.here, only_there=found.there)
    buckets = yield from _all_rows(rows, sides)
    count, bits = max(found.here, found.there), FIRST_BITS
    while count > max(FEW_ROWS, len(buckets.only) << STEP_BITS):
        shift = max(0, buckets.shift - bits)
        mine, theirs = yield from _ask(sides, RowSums(rows.most, rows.key, chosen.names, chosen.doubles, buckets, shift))
        sums, others = measured_totals(mine), measured_totals(theirs)
        different = sorted(int(str(key[0])) for key in {*sums, *others} if sums.get(key) != others.get(key))
        if not different:
            return found
        least, count = _bounds(sums, others, different)
        if len(different) > rows.max_differences or (not shift and count > rows.most):
            return replace(found, at_least=least)
        buckets, bits = Buckets(buckets.low, shift, tuple(different)), STEP_BITS
        if not shift:
            break
    mine, theirs = yield from _ask(sides, RowHashes(rows.most, rows.key, chosen.names, chosen.doubles, buckets))
    return _compared(found, measured_totals(mine), measured_totals(theirs))


def _ask(sides: Sides, metric: Metric) -> _Pair:
    here, there = (replace(side, metric=metric) for side in sides)
    known = yield (here, there)
    return known[here], known[there]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Columns besides the key that are compared, those that one side lacks, and which of all are compared as doubles."""

    names: tuple[str, ...]
    alone: tuple[str, ...]
    doubles: tuple[str, ...]


def _choose(rows: Rows, sides: Sides) -> Generator[tuple[MetricRequest, ...], Known, _Chosen | str]:
    """The columns to compare, or what is wrong with them."""
    here, there = yield from _ask(sides, ComparedColumns())
    assert isinstance(here, tuple)  # noqa: S101 - for the type checker
    assert isinstance(there, tuple)  # noqa: S101 - for the type checker
    alone: tuple[str, ...] = ()
    names = rows.columns
    if not names:
        known = {side: {column.name.casefold() for column in columns} for side, columns in (("here", here), ("there", there))}
        keys = {name.casefold() for name in rows.key}
        names = tuple(column.name for column in here if column.name.casefold() in known["there"] - keys)
        alone = tuple(column.name for column in (*here, *there) if column.name.casefold() in known["here"] ^ known["there"])
    resolved: list[dict[str, Column]] = []
    for side, columns in zip(sides, (here, there), strict=True):
        try:
            resolved.append(resolve((*rows.key, *names), columns))
        except ColumnMissing as e:
            return f"{side.table}: {e}"
    mine, theirs = resolved
    wrong = [_unlike(name, mine[name], theirs[name]) for name in mine if _SORTS[mine[name].group] != _SORTS[theirs[name].group]]
    if wrong:
        return f"{'; '.join(wrong)}; leave them out of rows: columns, or make them alike in a view"
    doubles = tuple(name for name in mine if TypeGroup.FLOAT in (mine[name].group, theirs[name].group))
    return _Chosen(names, alone, doubles)


def _unlike(name: str, here: Column, there: Column) -> str:
    return f"{name} is {_SORTS[here.group]} here ({here.type}) and {_SORTS[there.group]} there ({there.type})"


def _all_rows(rows: Rows, sides: Sides) -> Generator[tuple[MetricRequest, ...], Known, Buckets]:
    """The one bucket that has all rows of both sides."""
    bounds: list[Value] = []
    for is_greatest in (False, True):
        bounds += yield from _ask(sides, KeyBound(rows.key, is_greatest))
    whole = [bound for bound in bounds if isinstance(bound, int) and abs(bound) < _LARGEST]
    if len(whole) < len(bounds):
        return Buckets(None, HASH_BITS)
    return Buckets(min(whole), (max(whole) - min(whole)).bit_length())


def _bounds(here: _Sums, there: _Sums, different: list[int]) -> tuple[int, int]:
    """Of the buckets that differ: how many rows of them differ at least, and how many rows the larger side has."""
    least, most = 0, [0, 0]
    for number in different:
        counts = [_whole(side.get((str(number),), (0,))[0]) for side in (here, there)]
        least += max(1, abs(counts[0] - counts[1]))
        most = [most[0] + counts[0], most[1] + counts[1]]
    return least, max(most)


def _compared(found: Found, here: _Sums, there: _Sums) -> Found:
    """The differing rows, counted from their hashes by key. Rows that lack a part of the key are never one row changed."""
    for key in {*here, *there}:
        mine, theirs = Counter(here.get(key, ())), Counter(there.get(key, ()))
        gone, come = (mine - theirs).total(), (theirs - mine).total()
        is_whole = None not in key
        changed = min(gone, come) if is_whole else 0
        found = replace(
            found,
            changed=found.changed + changed,
            only_here=found.only_here + gone - changed,
            only_there=found.only_there + come - changed,
            keyless=found.keyless + (0 if is_whole else gone + come),
            repeated=found.repeated + (is_whole and gone + come > 0 and max(mine.total(), theirs.total()) > 1),
        )
    return found


def _whole(value: Value) -> int:
    return int(str(value or 0))
