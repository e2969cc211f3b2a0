"""Names are never run and nothing is written, whatever is tried, on every engine that tests run (R30, R31)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from attacks import ATTEMPTS, HOSTILE
from engines import Engine, all_engines, engine

from dqmon.core.measurement import MetricRequest
from dqmon.core.plan import plan
from dqmon.core.table import TableRef
from dqmon.errors import ColumnMissing, TableMissing, UnsafeSql, WarehouseError
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan
from dqmon.sql.raw import query
from dqmon.sql.tables import NamedTable

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)

NO_READ_ONLY = {
    "spark": "its sessions have no such mode: what a role may do is the catalogue's matter",
    "snowflake": "its transactions have no such mode: the role alone says what may be written",
}
"""Engines whose connections cannot be made read-only; there the SELECT rule and the role are all that stands before the data."""

NOT_MADE = {
    "spark": "a table takes it a quarter of a second, most such names are refused, and then its client leaves sockets open",
    "snowflake": "the stand-in folds names otherwise, and leaves sockets open when it refuses one",
}
"""Engines in which no tables of such names are made: there, names that are not there are asked for."""

NO_ROLES = {"snowflake": "the stand-in has no catalogue of roles; tests/unit/test_snowflake.py has the rows that it would give"}

CLIENT_SIDE = {"clickhouse": "into outfile"}
"""What is the client's doing, and no server's: chdb is both in one."""

NEEDS = {
    "mysql": ("create user writer@localhost", "grant all on lab.* to writer@localhost"),
    "postgres": (
        "create sequence s",
        "create materialized view mv as select 1",
        "create function evil() returns int language sql volatile as 'delete from canary returning 1'",
        "do $$ begin create role writer login; exception when duplicate_object then null; end $$",
        "grant all on schema public to writer",
        *(f"alter {kind} owner to writer" for kind in ("table canary", "sequence s", "materialized view mv", "function evil()")),
    ),
}
"""What the attempts of an engine need, besides `canary`. The bare connection is that of `writer`, who may do everything in its database:
whom the server lets write its files or run its programs, as these tests' own role, no read-only transaction keeps from it."""


class Place:
    """An engine with `canary` and `plain` in it: read by `warehouse`, its contents seen by `state`."""

    def __init__(self, found: Engine, location: str) -> None:
        self.engine, self.location = found, location
        self.warehouse = found.warehouse("lab", location)
        found.make(location, [("canary", {"x": "int"}, [[1]]), ("plain", {"x": "int"}, [[1]])])

    def ref(self, name: str) -> TableRef:
        return TableRef("lab", None, self.warehouse.default_schema, name)

    def state(self) -> tuple[object, ...]:
        """The tables that are there, and the rows of `canary`."""
        with self.warehouse.open() as session:
            tables = tuple(ref.name for ref, _ in session.tables(self.warehouse.default_schema))
            rows, values = self.measured(session, self.ref("canary"), m.RowCount(), m.DistinctKeys(("x",))).values()
        return tables, rows, values

    def measured(self, session: Any, ref: TableRef, *found: Any, **how: Any) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        for scan in plan([MetricRequest(ref, metric, **how) for metric in found], lambda _: True):
            compiled = compile_scan(scan, session.columns(ref), (), self.warehouse.capabilities, AT)
            values.update(compiled.decode(session.fetch(compiled.statement, 30)))
        return values


@pytest.fixture(params=[found.kind for found in all_engines()])
def place(request: pytest.FixtureRequest, servers: Callable[[str], str], tmp_path: Path) -> Iterator[Place]:
    """Each engine that this machine can start, in turn."""
    found = engine(request.param)
    place = Place(found, found.place(servers(found.kind), tmp_path))
    with closing(place.warehouse):
        yield place


@pytest.fixture
def attempts() -> Iterator[list[str]]:
    """All of them, with a folder of this test alone in place of /tmp, into which every server may write."""
    with TemporaryDirectory(prefix="dqmon-attempts") as folder:
        Path(folder).chmod(0o777)
        yield [attempt.replace("/tmp/", f"{folder}/") for attempt in ATTEMPTS]
        assert list(Path(folder).iterdir()) == [], "a statement wrote a file"


def make_hostile(place: Place) -> set[str]:
    """The names that the engine takes, each now a table with a column of that name and the rows 1 and NULL."""
    return set(place.engine.make_each(place.location, [(name, {name: "int"}, [[1], [None]]) for name in HOSTILE]))


def test_hostile_names_are_names(place):
    assert len(HOSTILE) >= 300
    if (reason := NOT_MADE.get(place.engine.kind)) is not None:
        pytest.skip(reason)
    made = make_hostile(place)
    assert len(made) >= 0.8 * len(HOSTILE), "hardly any such name was made: what was tested?"
    before, refused, measured = place.state(), [], 0
    with place.warehouse.open() as session:
        for name in HOSTILE:
            metrics = m.RowCount(), m.MissingCount(name), m.DistinctKeys((name,))
            try:
                found = place.measured(session, place.ref(name), *metrics, segment_by=(name,))
            except WarehouseError as e:
                refused += [name] if name in made and not isinstance(e, TableMissing) else []
                with pytest.raises(WarehouseError):
                    place.measured(session, place.ref("plain"), m.MissingCount(name))
            else:
                measured += 1
                assert found[None, ((name, None),), metrics[1]] == 1, f"{name!r} was not measured"
    print(f"\n{place.engine.kind}: {len(HOSTILE)} names tried, {len(made)} made, {measured} measured, 0 run")
    assert place.state() == before, "a name was run"
    assert all("%(" in name for name in refused), f"these exist and cannot be measured: {[n for n in refused if '%(' not in n]}"
    assert measured >= 0.8 * len(made), "hardly any name that exists was measured: what was tested?"


def test_a_name_that_is_not_there_is_missing(place):
    before = place.state()
    with place.warehouse.open() as session:
        for name in HOSTILE[:: 1 if place.engine.is_plain else 10]:
            for table, metric in ((place.ref(name), m.RowCount()), (place.ref("plain"), m.MissingCount(name))):
                with pytest.raises((TableMissing, ColumnMissing)):
                    pytest.fail(f"{name!r} is not there, and was measured as {place.measured(session, table, metric)}")
    assert place.state() == before, "a name was run"


def test_nothing_but_a_select_is_sent(place, attempts):
    """dqmon's own way to a statement, its filters and its queries: each attempt is refused, or reads and no more."""
    place.warehouse.close()
    _prepare(place)
    before, read = place.state(), []
    grammar = place.warehouse.capabilities.grammar
    with place.warehouse.open() as session:
        for attempt in attempts:
            with pytest.raises(UnsafeSql, match="only a SELECT"):
                session.fetch(sa.text(attempt), 5)
            for text in (attempt, f"1=1; {attempt}", f"1=1) ; {attempt}; --", f"x in ({attempt})", f"exists ({attempt})"):
                with suppress(WarehouseError):
                    place.measured(session, place.ref("canary"), m.RowCount(), where=text)
                    read.append(text)
            with suppress(WarehouseError):
                every = query(attempt, NamedTable(place.ref("canary")), grammar)
                session.fetch(sa.select(sa.func.count()).select_from(every), 5)
                read.append(attempt)
    print(f"\n{place.engine.kind}: {len(attempts)} attempts, 7 ways each, {len(read)} ran as reading, 0 wrote")
    assert place.state() == before
    assert [text for text in read if "evil()" not in text] == [], "these were let through"


def test_no_write_gets_through_the_connection(place, attempts):
    """Past all that dqmon looks at, each attempt is given to the connection itself: the engine refuses it."""
    assert len(attempts) >= 120
    if (reason := NO_READ_ONLY.get(place.engine.kind)) is not None:
        pytest.skip(reason)
    place.warehouse.close()
    _prepare(place)
    before, ran = place.state(), 0
    warehouse = _as_writer(place)
    here = CLIENT_SIDE.get(place.engine.kind)
    for attempt in attempts:
        if here and here in attempt:
            continue
        # A connection each: what one changes in its session is not the next one's.
        warehouse.close()
        with suppress(WarehouseError, sa.exc.ResourceClosedError), warehouse.open() as session:
            session._rows(sa.text(attempt.replace(":", r"\:")), {}, 1)
            ran += 1
    warehouse.close()
    print(f"\n{place.engine.kind}: {len(attempts)} attempts on the bare connection, {ran} answered, 0 wrote")
    assert place.state() == before


def test_who_may_write_is_told(place):
    """The role of these tests may do everything; that has to be said where there are roles (R31)."""
    if not place.warehouse.grants(()):
        pytest.skip("files have no roles; they are opened read-only")
    if (reason := NO_ROLES.get(place.engine.kind)) is not None:
        pytest.skip(reason)
    with place.warehouse.open() as session:
        assert session.powers() != ()


def _prepare(place: Place) -> None:
    with place.engine.writer(place.location) as execute:
        for statement in NEEDS.get(place.engine.kind, ()):
            with suppress(sa.exc.OperationalError):  # the user of an earlier test
                execute(statement)


def _as_writer(place: Place) -> Any:
    if place.engine.kind not in NEEDS:
        return place.engine.warehouse("lab", place.location)
    url = sa.make_url(place.location).set(username="writer").render_as_string(hide_password=False)
    return place.engine.warehouse("lab", url)
