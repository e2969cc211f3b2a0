"""Numbers, durations and partitions as people read them: the one place for texts of alerts and messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from dqmon.core.alert import AlertKind, MemberExit, MemberKey
from dqmon.core.duration import format_duration
from dqmon.core.verdict import Dimension, Unit

if TYPE_CHECKING:
    from dqmon.core.alert import AlertKey
    from dqmon.core.message import Affected
    from dqmon.core.result import ResultRecord

SHOWN = 3
"""How many names a sentence lists before it counts the rest."""

_BAD_ROWS = {
    Dimension.COMPLETENESS: "missing",
    Dimension.UNIQUENESS: "duplicate",
    Dimension.ACCURACY: "different",
}


def number(value: float | Decimal) -> str:
    """`1,204`, `0.0421`, `12,345.68`: thousands with commas, whole numbers exact, others to 4 digits or 2 decimals."""
    if isinstance(value, int):
        return f"{value:,}"
    exact = Decimal(str(value))
    if not exact.is_finite():
        return str(value)
    if exact == exact.to_integral_value() and abs(exact) < Decimal("1e15"):
        return f"{int(exact):,}"
    if abs(exact) >= Decimal("1e15") or 0 < abs(exact) < Decimal("0.0001"):
        return f"{exact:.3e}"
    return f"{exact:,.2f}" if abs(exact) >= 100 else f"{float(f'{exact:.4g}'):g}"  # noqa: PLR2004 - two decimals are enough there


def percent(ratio: float) -> str:
    """`57.5 %` of a ratio. Never rounds to 0 % or 100 % what is neither."""
    share = ratio * 100
    if 0 < share < 0.001:  # noqa: PLR2004 - three decimals are shown
        return "< 0.001 %"
    if 99.95 <= share < 100:  # noqa: PLR2004 - one decimal is shown
        return "> 99.9 %"
    return f"{float(f'{share:.3f}' if share < 1 else f'{share:.1f}'):g} %"


def instant(at: datetime) -> str:
    """`2013-02-09 13:00 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def observed_text(result: ResultRecord, *, is_short: bool = False) -> str:
    """What was seen: `57.5 % missing (467 of 812 rows)`; short, as in a title: `57.5 % missing`.

    The short form says the percentage when the expectation is one, else the count. Empty when nothing was measured.
    """
    value = result.observed_value
    if value is None:
        return ""
    if isinstance(value, list):
        return f"{count(len(value), 'change')}: {some(value)}" if value else "no change"
    amount = _amount(value, result.unit)
    if result.ratio is None:
        return amount
    word = _BAD_ROWS.get(Dimension(result.dimension), "invalid")
    share = f"{percent(result.ratio)} {word}"
    if is_short:
        return share if "%" in result.expected_text else f"{amount} {word}"
    of = "" if result.rows_tested is None else f" of {number(result.rows_tested)}"
    return f"{share} ({_plain(value)}{of} rows)"


def partition_text(key: str) -> str:
    """A stored partition key for people: a day by its date, others by both bounds; empty for the whole table."""
    if key == "null":
        return "rows without a partition key"
    start, _, end = key.partition("/")
    if not end:
        return key
    days = [text.removesuffix("T00:00:00Z") for text in (start, end)]
    both = [text.replace(":00Z", "Z") for text in days]
    is_day = all("T" not in day for day in days) and (datetime.fromisoformat(days[1]) - datetime.fromisoformat(days[0])).days == 1
    return days[0] if is_day else f"{both[0]} to {both[1]}"


def segment_text(key: str) -> str:
    """A stored segment key for people: `origin=EWR, carrier=NULL`; empty without segments."""
    found: dict[str, str | None] = json.loads(key)
    return ", ".join(f"{name}={'NULL' if value is None else value}" for name, value in found.items())


def member_text(key: MemberKey) -> str:
    """Partition and segment; empty when the check has neither."""
    return ", ".join(text for text in (partition_text(key.partition), segment_text(key.segment)) if text)


def named_member(alert: AlertKey, member: MemberKey) -> str:
    """`main.flights.completeness.dep_time [2013-02-08]`: a member as groups remember and messages list it."""
    text = member_text(member)
    return f"{alert} [{text}]" if text else str(alert)


def exit_text(keys: Iterable[MemberKey], why: MemberExit) -> str:
    """Which members left, and why: `recovered: 2013-02-08`."""
    words = {
        MemberExit.PASSED: "recovered",
        MemberExit.AGED_OUT: "out of the lookback, not measured again",
        MemberExit.GONE: "no rows of it any more",
        MemberExit.REMOVED: "removed from the configuration",
    }
    names = [text for key in sorted(keys) if (text := member_text(key))]
    return f"{words[why]}: {some(names)}" if names else words[why]


def affected_text(item: Affected) -> str:
    """`fails: mart.orders, last good 2026-03-01 06:00 UTC`; `dashboard Revenue, @bi, https://bi.example.com/7`."""
    name = item.name if item.kind == "table" else f"{item.kind} {item.name}"
    good = f"last good {instant(item.last_good_at)}" if item.last_good_at else "never seen good" if item.is_failing else None
    return ", ".join(text for text in (f"fails: {name}" if item.is_failing else name, good, item.owner, item.url) if text)


def count(amount: int, noun: str) -> str:
    """`1 partition`, `2 partitions`."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def some(names: Iterable[str]) -> str:
    """The first few names, then how many more."""
    every = list(names)
    rest = f" and {len(every) - SHOWN:,} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + rest


def cut(text: str, limit: int) -> str:
    """`text`, at most `limit` characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def more_trouble(added: Sequence[MemberKey], kind: AlertKind) -> str:
    """`1 more partition fails`, `2 more segments cannot be measured`."""
    noun = "more partition" if added[0].partition else "more segment"
    return f"{count(len(added), noun)} {trouble(kind, len(added))}"


def trouble(kind: AlertKind, amount: int = 1) -> str:
    """What bad members of such an alert do."""
    if kind is AlertKind.ERROR:
        return "cannot be measured"
    return "fails" if amount == 1 else "fail"


def _amount(value: object, unit: str | None) -> str:
    if unit == Unit.SECONDS and isinstance(value, int | float):
        return format_duration(value)
    if unit == Unit.ROWS:
        return f"{_plain(value)} row{'' if value == 1 else 's'}"
    return _plain(value)


def _plain(value: object) -> str:
    """A number for people; decimals are stored as text, instants are shown as they are stored."""
    if isinstance(value, int | float):
        return number(value)
    try:
        return number(Decimal(str(value)))
    except InvalidOperation:
        return str(value)
