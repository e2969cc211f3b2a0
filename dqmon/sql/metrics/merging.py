"""How the values of a table's fragments become the value of all its rows. None is "no value there"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from dqmon.core.metric import Metric, Value


class Adds:
    """A metric whose value of all rows is the sum of its fragments' values."""

    __slots__ = ()
    is_mergeable: ClassVar[bool] = True

    def merge(self: Any, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """The sum; what no rows have (`empty`) of no values."""
        values = present(fragments, self)
        return added(values) if values else self.empty


class TakesLeast:
    """A metric whose value of all rows is the least of its fragments' values."""

    __slots__ = ()
    is_mergeable: ClassVar[bool] = True

    def merge(self: Any, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """The least one."""
        return min(present(fragments, self), default=None)


class TakesGreatest:
    """A metric whose value of all rows is the greatest of its fragments' values."""

    __slots__ = ()
    is_mergeable: ClassVar[bool] = True

    def merge(self: Any, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """The greatest one."""
        return max(present(fragments, self), default=None)


def present(fragments: Iterable[Mapping[Metric, Value]], metric: Metric) -> list[Any]:
    """The metric's values, without None."""
    return [value for fragment in fragments if (value := fragment[metric]) is not None]


def added(values: Sequence[Any]) -> Value:
    """The sum: exact for whole numbers and decimals, doubles by Shewchuk's sum rounded to the 15 digits that they keep; None of none."""
    if not values:
        return None
    if any(isinstance(value, float) for value in values):
        return rounded(math.fsum(values))
    total: Value = sum(values, Decimal(0) if any(isinstance(value, Decimal) for value in values) else 0)
    return total


def rounded(number: float) -> float:
    """The double with 15 significant digits, as statistics are given (`dqmon.sql.metrics.statistics`)."""
    return float(f"{number:.15g}")


def deviation(groups: Iterable[tuple[int, float, float | None]]) -> float | None:
    """The sample's standard deviation of several groups together, each as (count, mean, deviation); None below two values.

    T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
    """
    count, mean, squares = 0, 0.0, 0.0
    for more, its_mean, its_deviation in groups:
        off, both = its_mean - mean, count + more
        squares += (its_deviation or 0.0) ** 2 * (more - 1) + off * off * count * more / both
        mean += off * more / both
        count = both
    return rounded(math.sqrt(squares / (count - 1))) if count > 1 else None


def are_apart(spans: Iterable[tuple[Any, Any]]) -> bool:
    """True when no value can be in two of the spans (least, greatest), whose ends have one order; NaN is in doubt."""
    known = list(spans)
    if any(end != end for span in known for end in span):  # noqa: PLR0124 - NaN
        return False
    ordered = sorted(known)
    return all(before[1] < after[0] for before, after in pairwise(ordered))
