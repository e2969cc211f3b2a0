"""Kept histograms and a new one, brought to the same bins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from dqmon.checks.base.invalid import shown
from dqmon.checks.base.words import number, percent
from dqmon.core.histogram import LISTED, Histogram, coarse, grid_span

_TENTH = 10
"""Bins of numbers hold a tenth of the earlier rows each, as is usual for PSI (Siddiqi 2006), unless one value has more."""
_RARE = 100
"""Values that fewer than one in so many rows have, on both sides, are one bin: alone they are chance, not drift."""
_NARROW = 0.02
"""A bin whose ends differ by less than this share is named by one of them."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin on both sides, in rows. `is_value`: it is one value, so that it can be new or have vanished."""

    label: str
    before: int
    now: int
    is_value: bool = False


def compared(before: Sequence[Histogram], now: Histogram) -> tuple[Bin, ...]:
    """The bins of `now` and of the sum of `before`, which is of the same kind; NULL last, if there is any."""
    bins = _of_numbers(before, now) if now.step or any(one.step for one in before) else _of_texts(before, now)
    null = Bin("NULL", sum(one.missing for one in before), now.missing)
    return (*bins, null) if null.before or null.now else bins


def in_order(before: Sequence[Histogram], now: Histogram) -> tuple[tuple[int, int, int], ...]:
    """Numbers alone, as fine as both sides know them: code, rows before, rows now, ascending."""
    step = max(one.step for one in (*before, now))
    earlier, later = (_coarse(side, step) for side in (before, (now,)))
    return tuple((code, earlier[code], later[code]) for code in sorted(earlier | later))


def _of_numbers(before: Sequence[Histogram], now: Histogram) -> tuple[Bin, ...]:
    """Tenths of the earlier rows, and what lies below and above all of them."""
    step = max(one.step for one in (*before, now))
    fine = in_order(before, now)
    known = [code for code, rows, _ in fine if rows]
    if not known:
        return (Bin("any number", 0, now.valued),) if now.valued else ()
    least, greatest = _ends(*grid_span(known[0], step))[0], _ends(*grid_span(known[-1], step))[-1]
    outside = (
        Bin(f"below {least}", 0, sum(rows for code, _, rows in fine if code < known[0])),
        Bin(f"above {greatest}", 0, sum(rows for code, _, rows in fine if code > known[-1])),
    )
    inside = tuple(_tenths([item for item in fine if known[0] <= item[0] <= known[-1]], step))
    return tuple(one for one in (outside[0], *inside, outside[1]) if one.before or one.now)


def _tenths(fine: Sequence[tuple[int, int, int]], step: int) -> Iterable[Bin]:
    total = sum(rows for _, rows, _ in fine)
    starts, held = [0], 0
    for place, (_, rows, _) in enumerate(fine):
        if held and (held + rows) * _TENTH > total:
            starts.append(place)
            held = 0
        held += rows
    for start, end in pairwise((*starts, len(fine))):
        part = fine[start:end]
        low, high = grid_span(part[0][0], step)[0], grid_span(part[-1][0], step)[1]
        yield Bin(" to ".join(_ends(low, high)), sum(rows for _, rows, _ in part), sum(rows for *_, rows in part))


def _ends(low: float, high: float) -> tuple[str, ...]:
    """Both ends for people; of a narrow bin the one next to 0 alone, which is the value where there is one only."""
    if high - low <= _NARROW * max(abs(low), abs(high)):
        return (number(low if low >= 0 else high),)
    return number(low), number(high)


def _coarse(side: Iterable[Histogram], step: int) -> Counter[int]:
    found: Counter[int] = Counter()
    for one in side:
        for code, rows in one.bins:
            found[coarse(int(code), step)] += rows
    return found


def _of_texts(before: Sequence[Histogram], now: Histogram) -> tuple[Bin, ...]:
    """Each value that is not rare on both sides, and all others together.

    A value that a histogram does not list may hide among its others. It is taken to be as frequent there as it can be, so that
    no drift is seen where there is none.
    """
    values = sorted({str(value) for one in (*before, now) for value, _ in one.bins})
    earlier: Counter[str] = Counter()
    for one in before:
        earlier.update(_with_hidden(one, values))
    later = Counter(_with_hidden(now, values))
    all_before, all_now = sum(one.rows for one in before), now.rows
    frequent = [v for v in values if earlier[v] * _RARE >= all_before or later[v] * _RARE >= all_now]
    rest = (sum(one.valued for one in before) - sum(earlier[v] for v in frequent), now.valued - sum(later[v] for v in frequent))
    bins = tuple(Bin(shown(value), earlier[value], later[value], is_value=True) for value in frequent)
    return (*bins, Bin("all others", *rest)) if any(rest) else bins


def _with_hidden(one: Histogram, values: Iterable[str]) -> dict[str, int]:
    found = {str(value): rows for value, rows in one.bins}
    left, most = one.other, max(0, one.rows - 1) // LISTED
    for value in values:
        if value not in found and left:
            found[value] = min(left, most)
            left -= found[value]
    return found


def moved(bins: Sequence[Bin], listed: int) -> str:
    """What changed most, in words: `DE: 40 % → 12 %; new: XX (3 %); gone: UK (5 %)`; `listed` of each sort at most."""
    before, now = sum(one.before for one in bins), sum(one.now for one in bins)
    ranked = sorted(bins, key=lambda one: -abs(one.now * before - one.before * now))
    new = [one for one in ranked if one.is_value and not one.before]
    gone = [one for one in ranked if one.is_value and not one.now]
    rest = [one for one in ranked if one not in new and one not in gone and one.now * before != one.before * now]
    parts = [f"{one.label}: {_share(one.before, before)} → {_share(one.now, now)}" for one in rest[:listed]]
    parts = [", ".join(parts)] if parts else []
    for word, texts in (
        ("new", [f"{one.label} ({_share(one.now, now)})" for one in new]),
        ("gone", [f"{one.label} ({_share(one.before, before)})" for one in gone]),
    ):
        more = [f"{len(texts) - listed} more"] if len(texts) > listed else []
        parts += [f"{word}: {', '.join((*texts[:listed], *more))}"] if texts else []
    return "; ".join(parts) or "no bin changed"


def lines(bins: Sequence[Bin]) -> tuple[str, ...]:
    """Each bin with both its shares, for `explain`."""
    before, now = sum(one.before for one in bins), sum(one.now for one in bins)
    return tuple(f"{one.label}: {_share(one.before, before)} before, {_share(one.now, now)} now" for one in bins)


def _share(rows: int, total: int) -> str:
    return percent(Decimal(rows) * 100 / total) if total else "nothing"
