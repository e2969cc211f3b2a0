"""Two sides of a comparison: what differs, and by how much. Exact, and total for all numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TypeAlias

from dqmon.core.metric import Key, Value

Side: TypeAlias = Mapping[Key, tuple[Value, ...]]
"""The values of each group of one side, in the order of the measures."""

_EXACT = Context(prec=400)
"""Room for every decimal of a warehouse, and for every double written out."""

_INFINITE = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Measure:
    """What is compared. `is_total`: of no rows it is 0, as counts and sums are; else there is none, as of min and max."""

    label: str
    is_total: bool
    is_count: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one group on both sides; None where there is no value."""

    group: Key
    measure: Measure
    here: Decimal | None
    there: Decimal | None

    @property
    def amount(self) -> Decimal:
        """abs(here − there), exactly; infinite when one side alone has a value, or an infinite one."""
        if self.here == self.there:
            return Decimal(0)
        if self.here is None or self.there is None or not (self.here.is_finite() and self.there.is_finite()):
            return _INFINITE
        return _EXACT.subtract(self.here, self.there).copy_abs()

    @property
    def percent(self) -> Decimal:
        """The amount as a percentage of abs(here); of 0 it is infinite unless there is no difference."""
        if not self.amount:
            return Decimal(0)
        return self.amount * 100 / self.here.copy_abs() if self.here and self.here.is_finite() else _INFINITE


def differences(here: Side, there: Side, measures: tuple[Measure, ...]) -> tuple[Difference, ...]:
    """Each measure of each group that either side has, whether it differs or not; groups sorted, NULL first.

    Without any group there is the one of all rows, the empty key, with no rows in it.
    """
    groups = sorted({*here, *there} or {()}, key=lambda group: [(part is not None, part or "") for part in group])
    return tuple(
        Difference(group, measure, _number(mine, index, measure), _number(theirs, index, measure))
        for group in groups
        for mine, theirs in ((here.get(group), there.get(group)),)
        for index, measure in enumerate(measures)
    )


def _number(values: tuple[Value, ...] | None, index: int, measure: Measure) -> Decimal | None:
    value = values[index] if values is not None else None
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value))
    return Decimal(0) if measure.is_total else None
