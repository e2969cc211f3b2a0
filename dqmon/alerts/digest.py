"""What an owner's digest says. Pure: figures in, a title and lines out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.wording import SHOWN, count, percent
from dqmon.core.cost import amount
from dqmon.core.duration import format_duration
from dqmon.core.feedback import Feedback

if TYPE_CHECKING:
    from collections.abc import Iterator

WEEK = timedelta(days=7)
QUIET_DAYS = 180
"""So long without a failure, a check may run less often."""
BLIND_DAYS = 3
"""So long without being measured, a check protects nobody."""

_CLOCKS = timedelta(hours=2)
"""By so much a week differs from 7 days where clocks change, at most."""


@dataclass(frozen=True, slots=True)
class Spending:
    """Credits of one warehouse, in the time of the digest and in the time before; None: not known. top: the dearest check."""

    credits: float
    before: float | None
    top: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of an owner's checks from `since` to `until`. owner: empty for checks without one.

    healthy: checks without an open alert at `until`; healthy_before: at `since`, of the checks that there are by now. mtta_s, mttr_s:
    means from opening to acknowledging and resolving, of incidents that were acknowledged and resolved in the time; None: none was.
    pages: how many people were woken by; said: what was said of them. to_tune: checks whose pages came of a bad threshold.
    noisiest: checks and how often they fired, the loudest first. never_failed: checks without an alert in 180 days that were measured
    before. errors: checks that could not be measured for 3 days. overdue: checks that nobody ran for as long. ending: silences
    of theirs that end within a week.
    """

    owner: str
    since: datetime
    until: datetime
    checks: int
    healthy: int
    healthy_before: int
    incidents: int = 0
    mtta_s: float | None = None
    mttr_s: float | None = None
    pages: int = 0
    said: Mapping[Feedback, int] = field(default_factory=dict)
    to_tune: tuple[str, ...] = ()
    noisiest: tuple[tuple[str, int], ...] = ()
    never_failed: int = 0
    errors: int = 0
    overdue: int = 0
    ending: int = 0
    spent: Mapping[str, Spending] = field(default_factory=dict)


def digest_title(figures: Figures) -> str:
    """`finance-data, week 47: 99.2 % of 310 checks healthy (-0.3)`; the change is in percentage points, left out where there is none."""
    share, before = (number / figures.checks if figures.checks else 1.0 for number in (figures.healthy, figures.healthy_before))
    points = round((share - before) * 100, 1)
    change = f" ({points:+g})" if points else ""
    whose = figures.owner or "checks without an owner"
    return f"{whose}, {_period(figures)}: {percent(share)} of {count(figures.checks, 'check')} healthy{change}"


def digest_lines(figures: Figures) -> tuple[tuple[str, str], ...]:
    """The lines below it, each a label and its text; what there is nothing to say of is left out, but for incidents, pages, blind spots."""
    return tuple(_lines(figures))


def _lines(figures: Figures) -> Iterator[tuple[str, str]]:
    means = [f"{name} {format_duration(s)}" for name, s in (("MTTA", figures.mtta_s), ("MTTR", figures.mttr_s)) if s is not None]
    yield "Incidents", ", ".join((f"{figures.incidents or 'none'}", *means))
    yield "Pages", _pages(figures)
    if figures.noisiest:
        yield "Noisiest", ", ".join(f"{check_id} {count(times, 'alert')}" for check_id, times in figures.noisiest[:SHOWN])
    if figures.never_failed:
        yield f"Never failed in {QUIET_DAYS}d", f"{figures.never_failed:,} (run less often?)"
    blind = (
        (figures.errors, f"{count(figures.errors, 'check')} in error > {BLIND_DAYS}d"),
        (figures.overdue, f"{count(figures.overdue, 'check')} not run for > {BLIND_DAYS}d"),
        (figures.ending, f"{count(figures.ending, 'silence')} ending within a week"),
    )
    yield "Blind spots", ", ".join(text for number, text in blind if number) or "none"
    if figures.spent:
        yield "Cost", "; ".join(_cost(name, spent) for name, spent in sorted(figures.spent.items()))


def _pages(figures: Figures) -> str:
    words = [f"{word.replace('_', ' ')} {figures.said[word]}" for word in Feedback if figures.said.get(word)]
    unsaid = figures.pages - sum(figures.said.values())
    words += [f"not said {unsaid}"] if words and unsaid else []
    tune = f": tune {', '.join(figures.to_tune[:SHOWN])}" if figures.to_tune else ""
    return f"{figures.pages or 'none'}" + (f" ({', '.join(words)})" if words else "") + tune


def _cost(warehouse: str, spent: Spending) -> str:
    more = spent.credits - (spent.before or 0.0)
    change = "" if spent.before is None else f" ({'-' if more < 0 else '+'}{amount(abs(more))})"
    top = f", top: {spent.top[0]} {amount(spent.top[1])}" if spent.top else ""
    return f"{amount(spent.credits)} credits of {warehouse}{change}{top}"


def _period(figures: Figures) -> str:
    """`week 47` by ISO 8601, the one in which the middle of those days is; else from which day to which."""
    length = figures.until - figures.since
    if abs(length - WEEK) <= _CLOCKS:
        return f"week {(figures.since + length / 2).astimezone(UTC).isocalendar().week}"
    return f"{figures.since.astimezone(UTC):%Y-%m-%d} to {figures.until.astimezone(UTC):%Y-%m-%d}"
