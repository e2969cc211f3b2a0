"""The aggregates of numbers that SQLite lacks, or that it computes in doubles; anything but a number is an error."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable
from decimal import Context, Decimal

_EXACT = Context(prec=60, traps=[])
"""Digits enough for 10^18 sums of money of 38 digits; infinities of both signs make NaN."""


class _Numbers(ABC):
    """Takes each number; `fail` notes and raises an error, since SQLite does not pass messages on."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        self.fail = fail

    def step(self, value: object) -> None:
        """One row; NULL is left out."""
        if isinstance(value, int | float):
            self.take(value)
        elif value is not None:
            self.fail(f"{str(value)[:60]!r} is no number")

    @abstractmethod
    def take(self, value: float) -> None:
        """One number."""


class Total(_Numbers):
    """The exact sum as text, doubles by their shortest decimal; infinite ones as a double."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        super().__init__(fail)
        self.count = 0
        self.whole = 0
        self.rest = Decimal(0)

    def take(self, value: float) -> None:
        """Adds it."""
        self.count += 1
        if isinstance(value, int):
            self.whole += value
        else:
            self.rest = _EXACT.add(self.rest, Decimal(repr(value)))

    def finalize(self) -> str | float | None:
        """The sum, None of no numbers."""
        return self.shown(_EXACT.add(self.rest, Decimal(self.whole))) if self.count else None

    def shown(self, number: Decimal) -> str | float:
        """What SQLite is given."""
        if number.is_nan():
            self.fail("there are infinities of both signs")
        return str(number) if number.is_finite() else float(number)


class Average(Total):
    """The exact mean as text, to 28 digits."""

    def shown(self, number: Decimal) -> str | float:
        """The sum divided by the count; 28 digits are what PostgreSQL's and Python's decimals have at least."""
        return super().shown(Context(prec=28, traps=[]).divide(number, Decimal(self.count)))


class Deviation(_Numbers):
    """The standard deviation of a sample, by B. P. Welford, Technometrics 4 (1962)."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        super().__init__(fail)
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0

    def take(self, value: float) -> None:
        """Moves mean and squares."""
        self.count += 1
        off = value - self.mean
        self.mean += off / self.count
        self.squares += off * (value - self.mean)

    def finalize(self) -> float | None:
        """The deviation; None below two numbers."""
        if math.isnan(self.squares):
            self.fail("there is an infinity, so that there is no deviation")
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else None


class Quantile(_Numbers):
    """The quantile by linear interpolation; keeps all numbers, eight bytes each."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        super().__init__(fail)
        self.values = array("d")
        self.q = 0.0

    def step(self, value: object, q: float = 0.0) -> None:
        """One row; `q` is the same in each."""
        self.q = q
        super().step(value)

    def take(self, value: float) -> None:
        """Keeps it."""
        self.values.append(value)

    def finalize(self) -> float | None:
        """The value at q (n − 1) of the sorted ones; None of no numbers."""
        if not self.values:
            return None
        place = self.q * (len(self.values) - 1)
        ordered = sorted(self.values)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        found = low if low == high else low + (place - math.floor(place)) * (high - low)
        if math.isnan(found):
            self.fail("there are infinities of both signs")
        return found


AGGREGATES: dict[str, tuple[int, type[_Numbers]]] = {
    "dqmon_sum": (1, Total),
    "dqmon_avg": (1, Average),
    "dqmon_stddev_samp": (1, Deviation),
    "dqmon_quantile": (2, Quantile),
}
"""By the name that `dqmon.sql.aggregates` gives them: number of arguments, and class."""
