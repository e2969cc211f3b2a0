"""What statements cost: the price of a warehouse as data, a statement's cost, and how it is shared out over checks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from dqmon.core.spending import NOTHING_TOLD, Spending

TIB = 1 << 40
"""Bytes of a TiB, by which BigQuery is paid (https://cloud.google.com/bigquery/pricing)."""

HOUR_S = 3_600


class Basis(StrEnum):
    """What a statement's cost rests on."""

    SECONDS = "seconds"
    """The warehouse has no price: its seconds are all that is known."""
    ESTIMATE = "estimate"
    """The warehouse's price, times seconds or bytes billed."""
    ATTRIBUTED = "attributed"
    """The engine's own history of statements said it later."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a warehouse costs, in its own unit of payment (`credits`); None both where nothing is known of it.

    per_hour: for an hour of a statement's running, as Snowflake's credits by the size of the warehouse.
    per_tib: for a TiB that the engine bills.
    """

    per_hour: float | None = None
    per_tib: float | None = None

    def credits(self, seconds: float | None, spent: Spending = NOTHING_TOLD) -> float | None:
        """Credits of a statement that takes so long and bills so many bytes; None when that or the price is not known.

        A warehouse that is paid by bytes bills no time.
        """
        if self.per_tib is not None:
            return None if spent.bytes_billed is None else spent.bytes_billed / TIB * self.per_tib
        if self.per_hour is None or seconds is None:
            return None
        return seconds / HOUR_S * self.per_hour


@dataclass(frozen=True, slots=True)
class Cost:
    """What one statement took, or will; None is not known."""

    seconds: float | None = None
    spent: Spending = NOTHING_TOLD
    credits: float | None = None

    @property
    def paid_bytes(self) -> int | None:
        """Bytes that are billed, or where nothing is, those that are read."""
        return self.spent.bytes_read if self.spent.bytes_billed is None else self.spent.bytes_billed

    def part(self, factor: float) -> Cost:
        """So much of it; rows and bytes to the nearest whole number."""
        seconds, credit = (None if number is None else number * factor for number in (self.seconds, self.credits))
        counts = (self.spent.rows_read, self.spent.bytes_read, self.spent.bytes_billed)
        rows, read, billed = (None if count is None else round(count * factor) for count in counts)
        return Cost(seconds, Spending(rows, read, billed), credit)


def shares(served: Sequence[Sequence[str]]) -> Mapping[str, float]:
    """The part of a statement that each check bears, in the order of the ids; together 1, and nothing when it serves none.

    `served` has for each request that the statement answers the checks that asked for it. Each request bears the same part, and
    each of its checks the same part of that.
    """
    asked = [checks for checks in served if checks]
    found: dict[str, float] = {}
    for checks in asked:
        for check in checks:
            found[check] = found.get(check, 0.0) + 1 / (len(asked) * len(checks))
    return dict(sorted(found.items()))


def amount(value: float) -> str:
    """For people: two digits behind the point, none for whole numbers, two that count for what is less than 1; no exponents."""
    return f"{Decimal(f'{value:.2g}'):f}" if 0 < value < 1 else f"{value:,.2f}".removesuffix(".00")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a warehouse may take in a day of UTC; None is no limit."""

    credits_per_day: float | None = None
    bytes_per_day: float | None = None
    seconds_per_day: float | None = None

    def refusal(self, spent: Cost, more: Cost) -> str | None:
        """Why `more` may not be spent besides what was `spent` today; None when it may.

        What is not known of `more` counts nothing, so that it is refused once the budget is spent, and not before.
        """
        for limit, had, further, unit in (
            (self.credits_per_day, spent.credits, more.credits, "credits"),
            (self.bytes_per_day, spent.paid_bytes, more.paid_bytes, "bytes"),
            (self.seconds_per_day, spent.seconds, more.seconds, "seconds"),
        ):
            if limit is None:
                continue
            said = f"{amount(had or 0)} of {amount(limit)} {unit} today"
            if (had or 0) >= limit:
                return f"is spent: {said}"
            if (had or 0) + (further or 0) > limit:
                return f"does not allow about {amount(further or 0)} {unit} more: {said}"
        return None


def together(costs: Iterable[Cost]) -> Cost:
    """The sum; what is known of none stays unknown."""
    listed = tuple(costs)
    rows, read, billed = (_total(getattr(cost.spent, name) for cost in listed) for name in ("rows_read", "bytes_read", "bytes_billed"))
    return Cost(_total(cost.seconds for cost in listed), Spending(rows, read, billed), _total(cost.credits for cost in listed))


Number = TypeVar("Number", int, float)


def _total(numbers: Iterable[Number | None]) -> Number | None:
    known = [number for number in numbers if number is not None]
    return sum(known[1:], known[0]) if known else None
