"""The rows of tests/fixtures/same_suite, and what its checks should find, computed in plain Python."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
COLUMNS = {
    "order_id": "int",
    "customer_id": "int",
    "quantity": "int",
    "big": "int",
    "amount": "decimal",
    "score": "float",
    "status": "text",
    "country": "text",
    "email": "text",
    "sku": "text",
    "note": "text",
    "is_test": "bool",
    "ordered_on": "date",
    "created_at": "timestamp",
    "loaded_at": "timestamptz",
}
SHARED = ("order_id", "customer_id", "country", "amount", "ordered_on")
LEDGER_COLUMNS = {name: COLUMNS[name] for name in SHARED}

STATUSES = ("new", "new", "paid", "shipped", "", "n/a", "NEW", "new ", None)
COUNTRIES = ("NO", "SE", "DE", "FR", "no", "日本", "", "NOR", "N ", None)
BAD_EMAILS = ("ann@", "", "ann@example..com", "a b@example.com", "søn@example.com", "ann@example.com\n")
NOTES = (
    "",
    " ",
    "xx",
    "fine",
    "snake_case",
    "50 %",
    "back\\slash",
    "it's",
    "æøå",
    "e\u0301te\u0301",
    "😀😀",
    "two\nlines",
    "a__________b",
    None,
)
EDGES = (-(2**63) + 1, 2**63 - 1, 2**53 + 1, -(2**53) - 1, 2**31, -(2**31) - 1, 0, None)
AMOUNTS = ("0", "-0.0001", "1000", "1000.0001", "99999999999999.9999", "-99999999999999.9999", None)
SCORES = (20.0, 19.999999999999996, 80.25, 80.24999999999999, 0.1 + 0.2, -0.0, math.nan, None)
DAYS = ("1970-01-02", "2024-02-28", "2024-02-29", "2026-01-09", "2026-01-10", "2199-12-31", None)
QUANTITIES = (0, -1, 1, 2**31 - 1, 2**31, None)


def _rows() -> Iterator[tuple[Any, ...]]:
    """1,000 rows: boundary values first, each column at its own pace, then values by chance."""
    chance = Random(4)
    for number in range(1_000):
        day = chance.randrange(12)
        made = datetime(2026, 1, 9, 6) - timedelta(days=day, microseconds=chance.randrange(10**10))
        loaded = made + timedelta(microseconds=chance.randrange(6 * 10**9))
        email = (
            chance.choice(BAD_EMAILS)
            if chance.random() < 0.05
            else f"{chance.choice(('ann', 'Ann', 'bo'))}{chance.randrange(400)}@example.com"
        )
        row = (
            None if number in (500, 501) else number % 990 + 1,
            chance.choice([None, *range(100, 220)]),
            chance.choice((None, *range(-2, 40))),
            chance.randrange(-(10**15), 10**15),
            None if chance.random() < 0.03 else str(Decimal(chance.randrange(-(10**4), 99 * 10**5)) / 10**4),
            chance.choice((None, math.nan)) if chance.random() < 0.06 else chance.gauss(50 + day, 9),
            chance.choice(STATUSES),
            chance.choices(COUNTRIES, [30, 10 + 3 * day, 20, 9, 3, 2, 2, 1, 1, 4])[0],
            None if chance.random() < 0.08 else email,
            f"{chance.choice(('ABC', 'XYZ', 'AbC'))}-{chance.randrange(500, 20_000) % 10_000:03}",
            chance.choice(NOTES),
            chance.choice((True, False, False, None)),
            made.date().isoformat(),
            None if chance.random() < 0.02 else made.isoformat(),
            None if chance.random() < 0.02 else loaded.isoformat() + "+00:00",
        )
        yield tuple(edge[number] if number < len(edge := _EDGES.get(name, ())) else value for name, value in zip(COLUMNS, row, strict=True))


_EDGES: dict[str, tuple[Any, ...]] = {
    "quantity": QUANTITIES,
    "big": EDGES,
    "amount": AMOUNTS,
    "score": SCORES,
    "ordered_on": DAYS,
    "created_at": ("1970-01-02T00:00:00", "2026-01-10T09:59:59.999999", "2026-01-10T12:30:00", None, "2024-02-29T23:59:59.999999"),
    # The last two are more than 5 minutes ahead of the clock and do not count.
    "loaded_at": (
        "1970-01-02T01:00:00+00:00",
        None,
        "2026-01-10T12:43:21.500000+01:00",
        "2026-01-10T12:06:00+00:00",
        "2038-01-19T03:14:07+00:00",
    ),
}

ROWS = list(_rows())


def _ledger() -> Iterator[tuple[Any, ...]]:
    """The orders up to 250, with a few lost, changed and added."""
    for row in _dicts():
        number = row["order_id"]
        if number is None or number > 250 or number % 83 == 0:
            continue
        if number % 61 == 0:
            row["amount"] = str(Decimal(row["amount"] or 0) + Decimal("0.0001"))
        if number == 17:
            row["country"] = "NO" if row["country"] != "NO" else "no"
        yield tuple(row[name] for name in SHARED)
    yield (9_999, None, None, None, None)


def _dicts() -> Iterator[dict[str, Any]]:
    return (dict(zip(COLUMNS, row, strict=True)) for row in ROWS)


LEDGER = list(_ledger())


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN


class Reference:
    """What the checks should observe: (value, rows tested), by name; rows tested None where the type does not say."""

    def __init__(self) -> None:
        self.rows = list(_dicts())
        self.ledger = [dict(zip(SHARED, row, strict=True)) for row in LEDGER]
        self.first = [row for row in self.rows if row["order_id"] is not None and row["order_id"] <= 250]

    def found(self) -> dict[str, tuple[Any, int | None]]:
        """All of them."""
        return self._counts() | self._keys() | self._values() | self._statistics() | self._other()

    def _of(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows if not _is_missing(row[name])]

    def _bad(self, name: str, is_bad: Any) -> tuple[int, int]:
        values = self._of(name)
        return sum(map(bool, map(is_bad, values))), len(values)

    def _counts(self) -> dict[str, tuple[Any, int | None]]:
        def missing(name: str, *others: str) -> tuple[int, int]:
            return sum(_is_missing(row[name]) or row[name] in others for row in self.rows), len(self.rows)

        return {
            "status_given": missing("status", "", "n/a"),
            "score_given": missing("score"),
            "note_given": missing("note", "", " ", "xx"),
            "quantity_positive": (sum(not 0 < q < 2**31 for q in self._of("quantity")), len(self.rows)),
            "query_rows": (
                sum(row["customer_id"] is None and row["quantity"] is not None and row["quantity"] < 10 for row in self.rows),
                None,
            ),
            "test_nulls": (sum(row["is_test"] is None for row in self.rows) / len(self.rows), None),
        }

    def _keys(self) -> dict[str, tuple[Any, int | None]]:
        orders, emails = self._of("order_id"), self._of("email")
        pairs = [(row["customer_id"], row["ordered_on"]) for row in self.rows]
        both = {(row["customer_id"], row["country"]) for row in self.ledger}
        keys = [key for row in self.rows if None not in (key := (row["customer_id"], row["country"]))]
        nulls = len(self.rows) - len(emails)
        return {
            "order_once": (len(orders) - len(set(orders)), len(orders)),
            "customer_day_once": (len(pairs) - len(set(pairs)), len(pairs)),
            "email_once": (len(emails) - len(set(emails)) + nulls, len(self.rows)),
            "customer_country_in_ledger": (sum(key not in both for key in keys), len(keys)),
        }

    def _values(self) -> dict[str, tuple[Any, int | None]]:
        notes = [note for note in self._of("note") if note]
        return {
            "amount_range": self._bad("amount", lambda amount: not 0 <= Decimal(amount) <= 1_000),
            "score_range": self._bad("score", lambda score: not 20 <= score < 80.25),
            "day_range": self._bad("ordered_on", lambda day: not "2024-02-29" <= day <= "2026-01-09"),
            "status_known": self._bad("status", lambda status: status not in {"new", "paid", "shipped"}),
            "no_test": self._bad("is_test", lambda is_test: is_test),
            "country_gone": self._bad("country", lambda country: country in {"no", "日本", ""}),
            "email_format": self._bad("email", lambda email: email in BAD_EMAILS),
            "sku_regex": self._bad("sku", lambda sku: not re.fullmatch("[A-Z]{3}-[0-9]{4}", sku)),
            "note_like": self._bad("note", lambda note: "_" in note),
            "note_length": (sum(not 1 <= len(note) <= 6 for note in notes), len(notes)),
        }

    def _statistics(self) -> dict[str, tuple[Any, int | None]]:
        amounts, scores, big = [Decimal(amount) for amount in self._of("amount")], self._of("score"), self._of("big")
        place = Decimal("0.9") * (len(amounts) - 1)
        low, high = sorted(amounts)[int(place)], sorted(amounts)[int(place) + 1]
        found = {
            "big_most": max(big),
            "amount_sum": sum(amounts),
            "amount_avg": Fraction(sum(amounts)) / len(amounts),
            "score_deviation": statistics.stdev(map(Fraction, scores)),
            "score_median": statistics.median(map(Fraction, scores)),
            "amount_quantile": low + (high - low) * (place % 1),
            "country_count": len(set(self._of("country"))),
        }
        return {name: (value, None) for name, value in found.items()}

    def _other(self) -> dict[str, tuple[Any, int | None]]:
        loaded = [datetime.fromisoformat(at) for at in self._of("loaded_at")]
        created = [datetime.fromisoformat(at).replace(tzinfo=UTC) for at in self._of("created_at")]
        both = [
            datetime.fromisoformat(row["loaded_at"]) - datetime.fromisoformat(row["created_at"]).replace(tzinfo=UTC)
            for row in self.rows
            if row["loaded_at"] and row["created_at"]
        ]
        soon = NOW + timedelta(minutes=5)
        rich = {row["customer_id"] for row in self.rows if row["customer_id"] and row["amount"] and Decimal(row["amount"]) > 100}
        here, there = (Counter(_compared(row) for row in side) for side in (self.first, self.ledger))
        return {
            "loaded": (max(0.0, (NOW - max(at for at in loaded if at <= soon)).total_seconds()), None),
            # Oslo is an hour ahead of UTC in January.
            "created_in_oslo": (
                (NOW - max(at - timedelta(hours=1) for at in created if at - timedelta(hours=1) <= soon)).total_seconds(),
                None,
            ),
            "lag": (max(both).total_seconds(), None),
            "query_value": (len(rich), None),
            "row_by_row": (len({key for key, *_ in (here - there) | (there - here)}), None),
        }

    def by_country(self) -> dict[str | None, int]:
        """Rows of each segment."""
        return dict(Counter(row["country"] for row in self.rows))


def _compared(row: dict[str, Any]) -> tuple[Any, ...]:
    amount = row["amount"]
    return row["order_id"], row["country"], amount and Decimal(amount), row["ordered_on"]
