"""Whether everything that the configured checks need is there: asked of the real warehouses, sources, channels and store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

import sqlalchemy as sa

from dqmon.core.table import TableRef
from dqmon.engine.measuring.asked import Task, asked_by
from dqmon.engine.measuring.planning import reads
from dqmon.errors import ColumnMissing, ConnectFailed, DqmonError, PermissionDenied, TableMissing, WarehouseError
from dqmon.sql.columns import resolve
from dqmon.sql.tables import NamedTable, typed
from dqmon.store.leases import check_writable

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.protocols import Channel, Session, Source, Warehouse
    from dqmon.core.route import Route
    from dqmon.store.database import Database

CLOCKS_DIFFER_S = 5.0
"""Hosts may differ by so much."""

AT_ONCE = 50
"""Tables that one statement tries to read; when it is refused, halves of them are tried."""

Needs: TypeAlias = Mapping[TableRef, Collection[str]]
"""The columns that the checks read, by table."""


class Rating(StrEnum):
    """A PROBLEM keeps a check from being measured, or a message from being sent."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` is what to do about it, a line each."""

    subject: str
    rating: Rating
    text: str
    remedy: tuple[str, ...] = ()


def needs(checks: Iterable[Check], at: datetime) -> dict[str, dict[TableRef, dict[str, None]]]:
    """What the checks read, by warehouse; also the tables of others that they compare with."""
    found: dict[str, dict[TableRef, dict[str, None]]] = {}
    for request in asked_by([Task(check, at) for check in checks]):
        for table, columns in reads(request):
            found.setdefault(table.warehouse, {}).setdefault(table, {}).update(dict.fromkeys(columns))
    return found


def store(prepare: Callable[[], Database]) -> Finding:
    """Whether the store opens, and has this version's tables or can be brought to them."""
    try:
        with prepare().write() as connection:
            check_writable(connection)
    except DqmonError as e:
        return Finding("store", Rating.PROBLEM, str(e), ("correct store.url in config/dqmon.yaml, or start the server",))
    return Finding("store", Rating.OK, "can be read and written")


def warehouse(found: Warehouse, tables: Needs, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """1. Connects. 2. Compares clocks. 3. Looks the columns up, a statement a schema. 4. Tries to read each table, without its rows.

    Statements of 4: one for each AT_ONCE tables, and about ten more for each table that is refused.
    """
    subject = f"warehouse {found.name}"
    started = perf_counter()
    try:
        with found.open() as session:
            yield Finding(subject, Rating.OK, f"{found.type}, connects in {perf_counter() - started:.2f} s")
            yield from _clock(subject, found, session, clock)
            yield from _tables(subject, found, session, tables)
            yield from _role(subject, found, session)
    except WarehouseError as e:
        server = "" if found.capabilities.is_file else ", or start the server"
        yield Finding(subject, Rating.PROBLEM, str(e), (f"correct warehouses.{found.name} in config/dqmon.yaml{server}",))


def mirror(found: Warehouse) -> Iterator[Finding]:
    """Whether the warehouse that the mirror writes to answers; nothing is written. A file is made by the first copy."""
    subject = f"warehouse {found.name}"
    if found.capabilities.is_file:
        yield Finding(subject, Rating.OK, f"{found.type}, for the mirror")
        return
    try:
        with found.open() as session:
            writes = session.powers()
    except WarehouseError as e:
        yield Finding(subject, Rating.PROBLEM, str(e), (f"correct warehouses.{found.name} in config/dqmon.yaml",))
        return
    if writes:
        yield Finding(subject, Rating.OK, f"{found.type}, for the mirror: its role may {'; '.join(writes)}")
    else:
        yield Finding(subject, Rating.PROBLEM, "its role can only read, and the mirror writes", ("grant it CREATE on the mirror's schema",))


def source(found: Source) -> Finding:
    """Whether an ingestion source answers."""
    subject = f"source {found.name}"
    try:
        count = len(found.pipelines())
    except DqmonError as e:
        return Finding(subject, Rating.PROBLEM, str(e), (f"correct ingestion.{found.name} in config/dqmon.yaml",))
    return Finding(subject, Rating.OK, f"{found.type}, knows {count} {'pipeline' if count == 1 else 'pipelines'}")


def channel(found: Channel, routes: Iterable[Route]) -> Finding:
    """Whether a route leads to a channel, and it may send; it is not asked. That its secrets are set was seen when they were read."""
    subject = f"channel {found.name}"
    if not any(found.name in route.to for route in routes):
        return Finding(subject, Rating.WARNING, "no route leads to it", (f"name it in a route's `to:`, or take out channels.{found.name}",))
    if found.options.dry_run:
        remedy = f"take out channels.{found.name}.dry_run to send"
        return Finding(subject, Rating.WARNING, "dry_run: what it is told is recorded and not sent", (remedy,))
    return Finding(subject, Rating.OK, f"{found.type}, has all its settings; nothing was sent")


def _clock(subject: str, found: Warehouse, session: Session, clock: Callable[[], datetime]) -> Iterator[Finding]:
    before = clock()
    theirs = session.clock()
    if theirs is None:
        return
    skew_s = (theirs - (before + (clock() - before) / 2)).total_seconds()
    side, zone = "ahead" if skew_s >= 0 else "behind", found.naive_timezone
    said = f"its clock is {abs(skew_s):.1f} s {side}; timestamps without zone are read as {zone}"
    if abs(skew_s) > CLOCKS_DIFFER_S:
        remedy = "set the clock of this machine or of the server by NTP: freshness would be wrong by as much"
        yield Finding(subject, Rating.WARNING, said, (remedy,))
    else:
        yield Finding(subject, Rating.OK, said)


def _role(subject: str, found: Warehouse, session: Session) -> Iterator[Finding]:
    powers = session.powers()
    if powers:
        remedy = f"let dqmon sign in as a role that can only read: dqmon grants {found.name}"
        yield Finding(subject, Rating.WARNING, f"the role may {'; '.join(powers)}", (remedy,))
    else:
        yield Finding(subject, Rating.OK, "the role can only read")
    for said in session.advice():
        yield Finding(subject, Rating.WARNING, said)


def _tables(subject: str, found: Warehouse, session: Session, tables: Needs) -> Iterator[Finding]:
    session.announce(tables)
    probes: dict[TableRef, sa.Select[tuple[int]]] = {}
    refused: dict[TableRef, WarehouseError] = {}
    for table, names in tables.items():
        try:
            probes[table] = _probe(table, session, names)
        except ConnectFailed:
            raise
        except WarehouseError as e:
            refused[table] = e
    refused |= dict(_refused(session, list(probes.items()), found.timeout_s))
    readable = probes.keys() - refused.keys()
    if readable:
        count = f"{len(readable):,} {'table' if len(readable) == 1 else 'tables'}"
        yield Finding(subject, Rating.OK, f"{count} that the checks name can be read")
    held = set(found.grants(readable).splitlines())
    for table, error in sorted(refused.items()):
        may_be_a_right = isinstance(error, PermissionDenied | TableMissing)
        script = found.grants([table]).splitlines() if may_be_a_right else []
        grants = tuple(line for line in script if line.upper().startswith("GRANT ") and line not in held)
        if isinstance(error, ColumnMissing):
            grants = (f"correct the checks of {table.dataset}, or add the column",)
        yield Finding(subject, Rating.PROBLEM, f"{table.dataset}: {error}", grants)


def _probe(table: TableRef, session: Session, names: Collection[str]) -> sa.Select[tuple[int]]:
    """A SELECT that needs every right that the checks need and reads no row. Raises a WarehouseError for what is not there."""
    columns = typed(resolve(tuple(names), session.columns(table)), "UTC")
    nothing = sa.literal_column("1") == sa.literal_column("0")
    used = sa.or_(*(column.is_(None) for column in columns.values())) if columns else sa.true()
    return sa.select(sa.literal_column("1").label("dq_one")).select_from(NamedTable(table)).where(nothing, used)


def _refused(
    session: Session, probes: Sequence[tuple[TableRef, sa.Select[tuple[int]]]], timeout_s: float
) -> Iterator[tuple[TableRef, WarehouseError]]:
    """The tables that cannot be read, each with why. Raises ConnectFailed."""
    for start in range(0, len(probes), AT_ONCE):
        part = probes[start : start + AT_ONCE]
        every = sa.union_all(*(probe for _, probe in part)).subquery("dq_probe")
        try:
            session.fetch(sa.select(every.c.dq_one) if len(part) > 1 else part[0][1], timeout_s)
        except ConnectFailed:
            raise
        except WarehouseError as e:
            if len(part) == 1:
                yield part[0][0], e
            else:
                half = len(part) // 2
                yield from _refused(session, part[:half], timeout_s)
                yield from _refused(session, part[half:], timeout_s)
