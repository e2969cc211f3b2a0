"""Late, broken or wrong, from a loading tool and a table to the stored result; and arrivals that are learned."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hand_made import TYPES

from dqmon.checks.freshness import Freshness
from dqmon.checks.last_success import LastSuccess
from dqmon.core.check import Check, PipelineRef, Schedule, SourceLine
from dqmon.core.lineage import Edge, of_edges
from dqmon.core.load_record import LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.table import TableRef
from dqmon.engine.environment import Environment
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.measuring.breaker import Gate
from dqmon.engine.measuring.gated import gated
from dqmon.engine.measuring.outage import outage_key
from dqmon.engine.run import commit, evaluate
from dqmon.errors import ConnectFailed, SourceError
from dqmon.store import alerts, results
from dqmon.store.database import Database
from dqmon.warehouses.sqlite import Sqlite

START = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
TABLE = TableRef("main", None, None, "orders")
LINEAGE = of_edges([Edge("main:orders", "tool/sync")])


class Tool:
    """Loads as they are by its clock; what `error` says while it is set."""

    name, provides = "tool", frozenset({"success", "failures"})

    def __init__(self):
        self.records, self.error, self.polls = [], None, 0
        self.info = PipelineInfo("tool", "sync", schedule=Schedule("0 6 * * *", None, "UTC"))

    def pipelines(self):
        if self.error:
            raise SourceError(self.error)
        return (self.info,)

    def loads(self, since, until):
        self.polls += 1
        return tuple(replace(r, observed_at=until) for r in self.records if since <= r.finished_at < until)

    def backlog(self, at):
        return ()


class World:
    """A table that the tool loads at about 06:10 each day, and its checks."""

    def __init__(self, root):
        self.root, self.database = root, Database(f"sqlite:///{root / 'store.db'}")
        self.database.prepare()
        self.tool, self.at, self.ids = Tool(), START, 0
        with self.rows() as connection:
            connection.execute("create table orders (loaded_at text)")
        self.warehouse = Sqlite("main", Sqlite.Options(path=str(root / "w.db")))
        place = SourceLine("checks/a.yaml", 1)
        rules = {
            "stale": Freshness(column="loaded_at", fail_after=26 * 3600),
            "few": TYPES.get("row_count")(min=1_000),
            "usual": Freshness(arrival="learned"),
        }
        self.checks = {name: Check(name, rule, TABLE, None, place, upstream=("tool/sync",)) for name, rule in rules.items()}

    @contextmanager
    def rows(self):
        connection = sqlite3.connect(self.root / "w.db")
        with connection:
            yield connection
        connection.close()

    def new_id(self):
        self.ids += 1
        return f"{self.ids:08}"

    def load(self, day, status="succeeded", minutes=10, has_rows=True):
        start = START + timedelta(days=day, hours=6)
        end = start + timedelta(minutes=minutes)
        error = "relation raw.orders does not exist" if status == "failed" else None
        self.tool.records.append(
            LoadRecord("tool", "sync", f"{day}", LoadStatus(status), end, started_at=start, finished_at=end, error=error)
        )
        if has_rows and status == "succeeded":
            with self.rows() as connection:
                connection.execute("insert into orders values (?)", [f"{start + timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"])

    def run(self, day, hour, *names, **given):
        self.at = START + timedelta(days=day, hours=hour)
        checks = {name: self.checks[name] for name in names or self.checks}
        known = {"warehouses": {"main": self.warehouse}, "sources": {"tool": self.tool}, "lineage": LINEAGE} | given
        environment = Environment(
            "t", self.database, known["warehouses"], known["sources"], {}, checks, (), known["lineage"], 60.0, lambda: self.at, self.new_id
        )
        if "gate" in known:
            environment = replace(environment, source_gate=known["gate"], breakers=known["gate"].breakers)
        outcome = evaluate(environment, Run(self.new_id()), [Task(check, self.at) for check in checks.values()])
        with self.database.write() as connection:
            commit(connection, [outcome], self.at)
            recorded = results.of_run(connection, outcome.run.id)
        return {one.check_id: one for one in recorded if one.check_id in checks}


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path)
    for day in range(30):
        found.load(day, minutes=10 + day * 7 % 5)
    yield found
    found.warehouse.close()


def test_broken(world):
    world.load(30, "failed")
    found = world.run(30, 14)
    assert {name: (one.verdict.value, one.caused_by) for name, one in found.items()} == {
        "stale": ("fail", "tool/sync"),
        "few": ("fail", "tool/sync"),
        "usual": ("fail", "tool/sync"),
    }
    assert found["stale"].reason.endswith("; tool/sync failed at 06:10 UTC: relation raw.orders does not exist")


def test_late(world):
    found = world.run(30, 14)
    assert {one.caused_by for one in found.values()} == {"tool/sync"}
    assert "; tool/sync has not loaded since 2026-12-01 06:00 UTC, though it was due at 06:00 UTC" in found["stale"].reason
    assert found["usual"].reason.startswith("tool/sync: usually by 06:1"), found["usual"].reason
    assert "now 14:00, not yet here; tool/sync has not loaded since" in found["usual"].reason


def test_unreachable(world):
    world.run(29, 14, "usual")
    world.tool.error = "ingestion tool: HTTP 503"
    found = world.run(30, 14)
    assert (found["stale"].verdict.value, found["stale"].caused_by) == ("fail", "tool/sync")
    assert found["stale"].reason.endswith("could not be read at 14:00 UTC: ingestion tool: HTTP 503")
    assert (found["usual"].verdict.value, found["usual"].reason) == ("error", "ingestion tool: HTTP 503"), "never fine, never late"


def test_wrong(world):
    for day in (30, 31):
        world.load(day, has_rows=False)
    found = world.run(31, 14)
    assert (found["stale"].verdict.value, found["stale"].caused_by, found["usual"].verdict.value) == ("fail", None, "pass")
    assert found["stale"].reason.endswith("; its load tool/sync succeeded at 06:10 UTC: the rows are wrong, not late")


def test_a_learned_arrival_is_seen_before_a_fixed_age_would_be(world):
    world.run(29, 14)
    found = world.run(30, 7.5, "stale", "usual")
    assert {name: one.verdict.value for name, one in found.items()} == {"stale": "pass", "usual": "fail"}
    world.load(30, minutes=100)
    assert world.run(30, 7.8, "usual")["usual"].verdict.value == "pass"


def test_a_fresh_poll_is_not_repeated_and_tables_without_pipelines_read_nothing(world):
    world.run(30, 5)
    polls = world.tool.polls
    world.run(30, 5 + 1 / 120)
    assert world.tool.polls == polls, "half a minute later"
    world.run(30, 5.1)
    assert world.tool.polls == polls + 1
    assert world.run(30, 14, "stale", lineage=of_edges([]))["stale"].caused_by is None


def test_a_tool_is_asked_once_for_all_pipelines_of_a_slot_also_when_it_cannot_be_read(world):
    refs = [PipelineRef("tool", name) for name in ("sync", "other", "third")]
    world.checks = {
        (id_ := f"{ref}.last_success"): Check(id_, LastSuccess(fail_after=7200), None, ref, SourceLine("checks/a.yaml", 1)) for ref in refs
    }
    sources, asked = {"tool": world.tool}, []
    listed = world.tool.pipelines
    world.tool.pipelines = lambda: asked.append(world.at) or listed()
    environment = Environment("t", world.database, {}, sources, {}, world.checks, (), LINEAGE, 60.0, lambda: world.at, world.new_id)

    def batches(slot):
        """Each pipeline is a batch of its own, as in the daemon, ten seconds after the one before; the verdicts, and as of when."""
        world.at, found = slot, []
        for check in world.checks.values():
            found += evaluate(environment, Run(environment.new_id()), [Task(check, slot)]).results
            world.at += timedelta(seconds=10)
        return {(result.verdict.value, result.measured_at) for result in found if result.verdict.value != "skipped"}

    slots = [START + timedelta(days=29, hours=7, minutes=minute) for minute in range(3)]
    assert {at for _, at in batches(slots[0])} == {slots[0]}
    world.tool.error = "HTTP 503"
    assert {verdict for verdict, _ in batches(slots[1])} == {"error"}
    world.tool.error = None
    assert {at for _, at in batches(slots[2])} == {slots[2]}
    assert asked == slots, "found other polls than one for each slot"


def test_arrivals_of_a_table_without_pipelines_are_learned_from_its_newest_row(world):
    plain = Freshness(column="loaded_at", arrival="learned")
    world.checks = {"seen": Check("seen", plain, TABLE, None, SourceLine("checks/a.yaml", 1))}
    with world.rows() as connection:
        loaded = [at for (at,) in connection.execute("select loaded_at from orders order by 1")]
        connection.execute("delete from orders")
    verdicts = []
    for day, at in enumerate(loaded):
        with world.rows() as connection:
            connection.execute("insert into orders values (?)", [at])
        verdicts += [world.run(day, hour, lineage=of_edges([]), sources={})["seen"].verdict.value for hour in (5, 7)]
    assert (verdicts[0], verdicts[-1]) == ("skipped", "pass")
    found = world.run(30, 9, lineage=of_edges([]), sources={})["seen"]
    assert (found.verdict.value, "arrivals), due by 06:" in found.reason) == ("fail", True), found.reason


def test_a_pipeline_behind_a_dead_warehouse_alerts_only_as_the_warehouse(world):
    class Dead:
        name = "main"

        def __getattr__(self, name):
            return getattr(world.warehouse, name)

        @contextmanager
        def open(self):
            raise ConnectFailed("main: connection refused")
            yield

    gate, tried = Gate(), []

    class InSql(Tool):
        """A source that reads a warehouse, as dlt does."""

        def pipelines(self):
            tried.append(1)
            try:
                with gated(Dead(), gate, lambda: world.at).open():
                    return ()
            except ConnectFailed as e:
                raise SourceError(f"ingestion tool cannot be read: {e}") from e

    check = Check("tool/sync.last_success", LastSuccess(fail_after=3600), None, PipelineRef("tool", "sync"), SourceLine("checks/a.yaml", 1))
    world.checks = {check.id: check}
    for minute in range(6):
        found = world.run(31, 14 + minute / 60, sources={"tool": InSql()}, gate=gate)
        assert found[check.id].verdict.value == "error"
    with world.database.read() as connection:
        firing = {key.check_id for key, alert in ((a.key, a) for a in alerts.open_alerts(connection)) if alert.state.value == "firing"}
        (said,) = results.latest(connection, [outage_key("main").check_id])[outage_key("main").check_id]
    assert firing == {outage_key("main").check_id}, "one alert, of the warehouse"
    assert "until it answers, no ingestion source can read it" in said.reason
