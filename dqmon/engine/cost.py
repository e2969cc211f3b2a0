"""What checks have cost: `dqmon cost`, and asking engines what their own history says of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.errors import WarehouseError
from dqmon.store import statements
from dqmon.store.statements import Group, Spent
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.protocols import Warehouse
    from dqmon.engine.environment import Environment
    from dqmon.store.database import Database

log = Log(__name__)

BY = ("check", "owner", "day", "warehouse", "dataset")
"""What costs may be summed up by."""

ASKED_FOR = timedelta(days=2)
"""How long an engine's history is asked about a statement once it should know: it leaves out the shortest ones for ever."""

NOBODY = "-"
"""Stands for checks without an owner, or that are not declared any more, and for statements without a check."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one check, owner, day, warehouse or dataset cost in one warehouse, whose credits no other's are like.

    `key` is empty in a total.
    """

    key: str
    warehouse: str
    spent: Spent


@dataclass(frozen=True, slots=True)
class CostReport:
    """Costs of the days since `since`, the dearest first (days: the oldest first), and the sum of each warehouse."""

    since: date
    lines: tuple[Line, ...]
    totals: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many statements engines were asked about, of how many they told the cost, and what went wrong."""

    asked: int
    told: int
    problems: tuple[str, ...]


def spending(database: Database, checks: Mapping[str, Check], chosen: Collection[str] | None, by: str, since: date) -> CostReport:
    """What was spent since a day, by one of `BY`, on the checks with the ids `chosen`; on all, also those that are gone, without.

    Each check bears its part of a statement, so that the lines of a warehouse together are its total. Raises StoreError.
    """
    with database.read() as connection:
        groups = statements.groups(connection, since)
    key_of = _keys(by, checks)
    lines: dict[tuple[str, str], Spent] = {}
    totals: dict[str, Spent] = {}
    for group in groups:
        shares = {check: part for check, part in (group.shares or {NOBODY: 1.0}).items() if chosen is None or check in chosen}
        parts: dict[str, float] = {}
        for check, part in shares.items():
            key = key_of(check, group)
            parts[key] = parts.get(key, 0.0) + part
        for key, part in parts.items():
            lines[group.warehouse, key] = lines.get((group.warehouse, key), Spent()).plus(group.spent, part)
        if parts:
            totals[group.warehouse] = totals.get(group.warehouse, Spent()).plus(group.spent, sum(parts.values()))
    found = [Line(key, warehouse, spent) for (warehouse, key), spent in lines.items()]
    found.sort(key=lambda line: (line.key, line.warehouse) if by == "day" else (*_dearest(line.spent), line.key, line.warehouse))
    return CostReport(since, tuple(found), tuple(Line("", name, spent) for name, spent in sorted(totals.items())))


def refresh(environment: Environment, now: datetime) -> Refreshed:
    """Puts what engines tell in place of estimates, of statements that their history should know by now. Raises StoreError.

    Asked again and again for `ASKED_FOR`; an engine that cannot be asked is a problem of its own.
    """
    asked, told, problems = 0, 0, []
    for name, warehouse in environment.warehouses.items():
        after_s = warehouse.capabilities.attributed_after_s
        if after_s is None:
            continue
        known_by = now - timedelta(seconds=after_s)
        try:
            counts = _refresh(environment.database, warehouse, (known_by - ASKED_FOR, known_by))
        except WarehouseError as e:
            problems.append(f"{name}: {e}")
            log.warning("what statements cost could not be asked", warehouse=name, error=str(e))
        else:
            asked, told = asked + counts[0], told + counts[1]
    return Refreshed(asked, told, tuple(problems))


def first_day(now: datetime, days: int) -> date:
    """The first of the last so many days of UTC, today with them."""
    return (now.astimezone(UTC) - timedelta(days=days - 1)).date()


def _refresh(database: Database, warehouse: Warehouse, sent: tuple[datetime, datetime]) -> tuple[int, int]:
    asked, told, last = 0, 0, 0
    while True:
        with database.read() as connection:
            waiting = statements.unattributed(connection, warehouse.name, sent, last)
        if not waiting:
            return asked, told
        with warehouse.open() as session:
            known = session.attributed([one.statement_id for one in waiting], min(one.started_at for one in waiting))
        found = {one.id: known[one.statement_id] for one in waiting if one.statement_id in known}
        with database.write() as connection:
            statements.attribute(connection, found)
        asked, told, last = asked + len(waiting), told + len(found), waiting[-1].id


def _keys(by: str, checks: Mapping[str, Check]) -> Callable[[str, Group], str]:
    def owner(check: str, group: Group) -> str:
        del group
        return (checks[check].owner if check in checks else None) or NOBODY

    keys: dict[str, Callable[[str, Group], str]] = {
        "check": lambda check, _: check,
        "owner": owner,
        "day": lambda _, group: group.day.isoformat(),
        "warehouse": lambda _, group: group.warehouse,
        "dataset": lambda _, group: group.dataset,
    }
    return keys[by]


def _dearest(spent: Spent) -> tuple[float, ...]:
    paid = spent.bytes_read if spent.bytes_billed is None else spent.bytes_billed
    return -(spent.credits or 0.0), -(paid or 0.0), -spent.seconds
