"""What `dqmon plan --changed-since` found, as text and as JSON. Pure: nothing is printed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dqmon.alerts.wording import count
from dqmon.cli.units import amount

if TYPE_CHECKING:
    from dqmon.app.changes import ChangePlan
    from dqmon.core.changes import Change
    from dqmon.core.plain import Json

_WEEK = 7


def lines(found: ChangePlan) -> Iterator[str]:
    """The sums, then a line for each check: what is new, what has changed from what to what, what goes."""
    counts = Counter(change.sign for change in found.changes)
    sums = ", ".join((f"{count(found.statements, 'statement')} a run", *_costs(found), *_pages(found)))
    yield f"Plan: {counts['+']} add, {counts['~']} change, {counts['-']} remove ({sums})"
    for change in found.changes:
        yield "  ".join((f"{change.sign} {change.check.id}", *_facts(found, change)))


def document(found: ChangePlan) -> Json:
    """The same as one object."""
    before, after = found.per_day
    return {
        "schema_version": 1,
        "days": found.days,
        "data_statements": found.statements,
        "pages": {"before": found.pages[0], "after": found.pages[1]},
        "credits_per_day": {"before": before.credits, "after": after.credits},
        "seconds_per_day": {"before": before.seconds, "after": after.seconds},
        "changes": [_json(found, change) for change in found.changes],
    }


def _costs(found: ChangePlan) -> Iterator[str]:
    """`+0.06 credits/day`, where that is known of both; else the seconds, else nothing."""
    for unit in ("credits", "seconds"):
        before, after = (getattr(cost, unit) for cost in found.per_day)
        if after is not None or before is not None:
            more = (after or 0.0) - (before or 0.0)
            yield f"{'-' if more < 0 else '+'}{amount(abs(more))} {unit}/day"
            return


def _pages(found: ChangePlan) -> Iterator[str]:
    before, after = found.pages
    a_week = (after - before) * _WEEK / found.days
    yield f"{a_week:+.2g} pages a week expected, back-test {found.days}d"


def _facts(found: ChangePlan, change: Change) -> Iterator[str]:
    if change.sign == "-":
        end = found.open_incidents.get(change.check.id)
        yield "history kept" + (f", open incident {end} will be closed" if end else "")
        return
    yield from (f"{one.key} {one.before} -> {one.after}" for one in change.differences)
    (pages, after), (alerts, alerts_after) = found.pages_of(change), found.alerts_of(change)
    if not found.is_replayed(change):
        yield "nothing that it judges is kept, so no back-test"
    elif change.sign == "+":
        yield f"back-test alerts {alerts_after}, pages {after}"
    else:
        yield f"back-test alerts {alerts} -> {alerts_after}, pages {pages} -> {after}"
    if change.check.id in found.unmeasured:
        yield f"cannot be measured: {found.unmeasured[change.check.id]}"
    if found.needs_review(change):
        yield "REVIEW"


def _json(found: ChangePlan, change: Change) -> Json:
    pages, alerts = found.pages_of(change), found.alerts_of(change)
    return {
        "sign": change.sign,
        "check_id": change.check.id,
        "source": {"path": change.check.source.path, "line": change.check.source.line},
        "differences": [{"key": one.key, "before": one.before, "after": one.after} for one in change.differences],
        "alerts": {"before": alerts[0], "after": alerts[1]},
        "pages": {"before": pages[0], "after": pages[1]},
        "needs_review": found.needs_review(change),
        "unmeasured": found.unmeasured.get(change.check.id),
        "open_incident": found.open_incidents.get(change.check.id),
    }
