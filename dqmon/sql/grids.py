"""Which numbers a column can hold, and limits moved to these: engines compare in a type wide enough for both sides, or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING

from dqmon.core.table import TypeGroup
from dqmon.sql.columns import LARGEST_INTEGER

if TYPE_CHECKING:
    from dqmon.sql.columns import Stored

_DIGITS = re.compile(r"(?:decimal|numeric|number)\((\d+),\s?(\d+)\)", re.IGNORECASE)
_INFINITE = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Grid:
    """The multiples of 10**-scale from -most to most."""

    scale: int
    most: Decimal

    def holds(self, number: Decimal) -> bool:
        """True when the finite number is one of them."""
        return self.at_most(number) == number

    def at_most(self, number: Decimal) -> Decimal:
        """The greatest of them that is not above a finite number; infinite beyond both ends."""
        return self._moved(number, ROUND_FLOOR)

    def at_least(self, number: Decimal) -> Decimal:
        """The least of them that is not below a finite number; infinite beyond both ends."""
        return self._moved(number, ROUND_CEILING)

    def _moved(self, number: Decimal, rounding: str) -> Decimal:
        if number.copy_abs() > self.most:
            return _INFINITE.copy_sign(number)
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent >= -self.scale:
            return number
        exact = Context(prec=max(1, number.adjusted() + self.scale + 2))
        return number.quantize(Decimal(1).scaleb(-self.scale), rounding, exact)


def grid_of(kind: Stored) -> Grid | None:
    """The numbers of a column of whole numbers, or of decimals with a declared size; None for others."""
    if kind.group is TypeGroup.INTEGER:
        return Grid(0, Decimal(LARGEST_INTEGER - 1))
    size = _DIGITS.fullmatch(kind.declared) if kind.group is TypeGroup.DECIMAL else None
    if size is None:
        return None
    digits, scale = map(int, size.groups())
    return Grid(scale, Decimal(10**digits - 1).scaleb(-scale, Context(prec=digits)))
