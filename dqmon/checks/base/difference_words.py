"""What differs between two sides of a comparison, in words: worst first, a few of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dqmon.checks.base.differences import Difference
from dqmon.checks.base.invalid import shown
from dqmon.checks.base.words import count, number, percent
from dqmon.core.metric import Key
from dqmon.core.threshold import Threshold

LISTED = 5
"""Groups, and metrics of each, that are named; the words stand in messages, which hold a few lines."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The metrics, the columns that make groups (none: all rows are one), and the other table for people."""

    metrics: tuple[str, ...]
    by: tuple[str, ...]
    other: str


def difference_words(compared: Compared, ranked: Sequence[Difference], applied: Threshold | None) -> str:
    """What differs, of differences worst first; what is the same when nothing does. `applied` is the threshold that shares are held to."""
    different = [one for one in ranked if one.amount]
    if not different:
        metrics, agree = " and ".join(compared.metrics[:LISTED]), "agree" if len(compared.metrics) > 1 else "agrees"
        return f"{metrics} {agree} with {compared.other}{_all(compared, ranked)}"
    if not compared.by:
        return "; ".join(_sides(one, f"in {compared.other}", applied) for one in different[:LISTED])
    by_group: dict[Key, list[str]] = {}
    for one in different:
        by_group.setdefault(one.group, []).append(_sides(one, "there", applied))
    listed = [f"{_name(compared, group)}: {', '.join(texts[:LISTED])}" for group, texts in list(by_group.items())[:LISTED]]
    listed += [f"and {number(len(by_group) - LISTED)} more"] if len(by_group) > LISTED else []
    groups = count(len({one.group for one in ranked}), "groups")
    return f"{number(len(by_group))} of {groups} differ{'s' if len(by_group) == 1 else ''} from {compared.other}: {'; '.join(listed)}"


def _all(compared: Compared, same: Sequence[Difference]) -> str:
    """What there is when both sides are the same: the groups, or the values."""
    if not compared.by:
        return f": {', '.join(_shown(one.here) for one in same[:LISTED])}"
    groups = {one.group for one in same} - {()}
    return f" in {count(len(groups), 'groups')} of {', '.join(compared.by)}" if groups else "; neither has a row"


def _name(compared: Compared, group: Key) -> str:
    pairs = zip(compared.by, group, strict=True)
    return ", ".join(f"{name} {'NULL' if part is None else shown(part)}" for name, part in pairs)


def _sides(one: Difference, where: str, applied: Threshold | None) -> str:
    share = f" ({percent(one.percent, applied)})" if one.percent.is_finite() else ""
    return f"{one.measure.label} is {_shown(one.here)} here and {_shown(one.there)} {where}{share}"


def _shown(value: Decimal | None) -> str:
    return "nothing" if value is None else number(value)
