"""The sqlmesh source on the state that SQLMesh 0.236 really left behind, in DuckDB and SQLite."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from ingestion_contract import check_source

from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus
from dqmon.core.protocols import Lineaged
from dqmon.errors import SourceError
from dqmon.ingestion.base import sqlmesh_state
from dqmon.ingestion.sqlmesh import Sqlmesh, SqlmeshOptions
from dqmon.warehouses.duckdb import Duckdb
from dqmon.warehouses.sqlite import Sqlite

FIXTURE = Path(__file__).parents[1] / "fixtures" / "ingestion" / "sqlmesh" / "state.json"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
DAY_MS = 86_400_000
END = 1795132800000
SEED, INCREMENTAL, FULL = (f"sqlmesh_example.{name}_model" for name in ("seed", "incremental", "full"))


def recorded():
    found = json.loads(FIXTURE.read_text())
    for snapshot in found["_snapshots"]:
        snapshot["snapshot"] = json.dumps(snapshot.pop("snapshot_subset"))
    return found


class Place:
    """A state database that a test writes, and the source that reads it."""

    def __init__(self, kind, path):
        self.kind, self.path = kind, str(path / f"state.{kind}")
        self.state = recorded()
        self.warehouse = (Duckdb if kind == "duckdb" else Sqlite)(
            "state", {"duckdb": Duckdb, "sqlite": Sqlite}[kind].Options(path=self.path)
        )

    def source(self, **options):
        """The source on `state` as it is then."""
        schema = "sqlmesh." if self.kind == "duckdb" else ""
        statements = ["create schema sqlmesh"] if schema else []
        for table, rows in self.state.items():
            columns = dict.fromkeys(key for row in rows for key in row)
            kinds = {
                c: "boolean" if c.startswith("is_") else "bigint" if c.endswith(("_ts", "schema_version")) else "text" for c in columns
            }
            statements.append(f"create table {schema}{table} ({', '.join(f'{c} {kinds[c]}' for c in columns)})")
            insert = f"insert into {schema}{table} values ({', '.join('?' * len(columns))})"
            statements += [(insert, [row.get(c) for c in columns]) for row in rows]
        self._run(statements)
        given = {"warehouse": "state"} | ({} if schema else {"db_schema": "main"})
        return Sqlmesh("mesh", SqlmeshOptions(**given | options), self.warehouse)

    def _run(self, statements):
        if self.kind == "duckdb":
            with duckdb.connect(self.path) as connection:
                for statement in statements:
                    connection.execute(*([statement] if isinstance(statement, str) else statement))
            return
        with sa.create_engine(f"sqlite:///{self.path}", poolclass=sa.NullPool).begin() as connection:
            for statement in statements:
                text, values = (statement, ()) if isinstance(statement, str) else statement
                connection.exec_driver_sql(text, tuple(values))

    def interval(self, number, **changes):
        """One more interval, like the recorded one of that number."""
        made = dict(self.state["_intervals"][number]) | {"id": f"new{len(self.state['_intervals'])}"} | changes
        self.state["_intervals"].append(made)

    def models(self):
        return json.loads(self.state["_environments"][0]["snapshots"])

    def set_models(self, models):
        self.state["_environments"][0]["snapshots"] = json.dumps(models)

    def unfinished(self, name="new_model", **changes):
        """A snapshot that a failed plan left behind."""
        finalized = self.state["_environments"][0]["finalized_ts"]
        hashes = json.dumps({"data_hash": "77", "metadata_hash": "1", "parent_data_hash": "0", "parent_metadata_hash": "0"})
        made = self.state["_snapshots"][2] | {"name": f'"db"."sqlmesh_example"."{name}"', "identifier": "4711", "version": "4712"}
        self.state["_snapshots"].append(made | {"fingerprint": hashes, "unpaused_ts": None, "updated_ts": finalized + 60_000} | changes)


@pytest.fixture(params=["duckdb", "sqlite"])
def place(request, tmp_path):
    found = Place(request.param, tmp_path)
    yield found
    found.warehouse.close()


def only(records, pipeline):
    (found,) = [record for record in records if record.pipeline == pipeline]
    return found


def test_recorded_state(place):
    source = place.source()
    records = check_source(source, SINCE, NOW)
    assert [(r.pipeline, r.status.value, r.data_through, r.cursor) for r in records] == [
        (model, "succeeded", MIDNIGHT, "2026-11-20T00:00:00+00:00") for model in (SEED, INCREMENTAL, FULL)
    ]
    incremental = only(records, INCREMENTAL)
    assert incremental.finished_at == datetime(2026, 11, 20, 13, 9, 27, 157000, UTC)
    assert (incremental.schema_version, incremental.load_id) == ("2489246794", "3572673861@2026-11-20T00:00:00+00:00")
    daily = Schedule("0 0 * * *", None, "UTC")
    assert [(i.pipeline, i.tables, i.is_paused, i.schedule) for i in source.pipelines()] == [
        (FULL, (FULL,), False, daily),
        (INCREMENTAL, (INCREMENTAL,), False, daily),
        (SEED, (SEED,), False, None),
    ], "a seed is loaded once, whatever its cron says"


def test_the_lineage_is_that_of_the_environment(place):
    source = place.source(tables_in="dwh")
    assert isinstance(source, Lineaged)
    assert source.lineage().parents == {
        f"dwh:{SEED}": {f"mesh/{SEED}"},
        f"dwh:{INCREMENTAL}": {f"dwh:{SEED}", f"mesh/{INCREMENTAL}"},
        f"dwh:{FULL}": {f"dwh:{INCREMENTAL}", f"mesh/{FULL}"},
    }


def test_without_tables_in_the_models_are_where_the_state_is(place):
    assert f"state:{FULL}" in place.source().lineage().parents


def test_tables_of_others_are_parents_and_no_pipelines(place):
    models = place.models()
    models[0] |= {"kind_name": "EXTERNAL"}
    models.append(models[1] | {"name": '"db"."sqlmesh_example"."an audit"', "node_type": "audit"})
    place.set_models(models)
    source = place.source()
    assert [i.pipeline for i in source.pipelines()] == [FULL, INCREMENTAL]
    assert source.lineage().parents.keys() == {f"state:{INCREMENTAL}", f"state:{FULL}"}


def test_the_catalog_is_written_where_two_models_would_be_called_alike(place):
    models = place.models()
    place.set_models([*models, models[2] | {"name": '"eu"."sqlmesh_example"."full_model"', "parents": []}])
    source = place.source(tables_in="dwh")
    assert {f"dwh:db.{FULL}", f"dwh:eu.{FULL}", f"dwh:{SEED}"} <= source.lineage().parents.keys()
    assert f"db.{FULL}" in {i.pipeline for i in source.pipelines()}


def test_names_of_snowflake_are_written_in_small_letters(place):
    place.set_models([{"name": '"DB"."SHOP"."ORDERS"', "parents": [{"name": '"DB"."RAW"."Mixed"'}], "kind_name": "FULL"}])
    assert place.source(tables_in="snow").lineage().parents == {"snow:shop.orders": {"snow:RAW.Mixed", "mesh/shop.orders"}}


@pytest.mark.parametrize("flag", ["is_dev", "is_removed", "is_pending_restatement"])
def test_what_is_no_data_of_production_makes_no_model_fresh(place, flag):
    place.interval(1, start_ts=END, end_ts=END + DAY_MS, **{flag: True})
    assert only(place.source().loads(SINCE, NOW), INCREMENTAL).data_through == MIDNIGHT


def test_an_interval_that_was_added_is_a_new_load(place):
    place.interval(1, start_ts=END, end_ts=END + DAY_MS // 3 * 2, last_altered_ts=END + DAY_MS // 3 * 2 + 5_000)
    record = only(check_source(place.source(), SINCE, NOW), INCREMENTAL)
    assert record.data_through == MIDNIGHT + timedelta(hours=16)
    assert record.finished_at == MIDNIGHT + timedelta(hours=16, seconds=5)
    assert record.load_id == "3572673861@2026-11-20T16:00:00+00:00"


def test_a_restatement_whose_reload_failed_leaves_the_model_stale(place):
    """SQLMesh appends the removal; the interval that was there stays in the table until it is compacted."""
    later = place.state["_intervals"][1]["created_ts"] + 1_000
    place.interval(1, start_ts=END - 7 * DAY_MS, end_ts=END, is_removed=True, created_ts=later)
    assert only(place.source().loads(SINCE, NOW), INCREMENTAL).data_through == MIDNIGHT - timedelta(days=7)


def test_a_restatement_that_was_reloaded_is_whole_again(place):
    at = place.state["_intervals"][1]["created_ts"]
    place.interval(1, start_ts=END - 7 * DAY_MS, end_ts=END, is_removed=True, created_ts=at + 1_000)
    place.interval(1, start_ts=END - 7 * DAY_MS, end_ts=END, created_ts=at + 2_000)
    assert only(place.source().loads(SINCE, NOW), INCREMENTAL).data_through == MIDNIGHT


def test_a_model_whose_intervals_are_all_removed_has_no_load(place):
    at = place.state["_intervals"][1]["created_ts"]
    place.interval(1, is_removed=True, created_ts=at + 1_000)
    assert [r.pipeline for r in place.source().loads(SINCE, NOW)] == [SEED, FULL]


def test_another_version_of_the_model_does_not_count(place):
    place.interval(1, version="1", dev_version="1", start_ts=END, end_ts=END + DAY_MS)
    assert only(place.source().loads(SINCE, NOW), INCREMENTAL).data_through == MIDNIGHT


def test_a_model_that_failed_has_a_snapshot_without_intervals(place):
    place.unfinished()
    source = place.source()
    record = only(check_source(source, SINCE, NOW), "sqlmesh_example.new_model")
    assert (record.status, record.load_id, record.finished_at, record.kind) == (LoadStatus.PARTIAL, "4711", None, "backfill")
    assert record.started_at == datetime(2026, 11, 20, 13, 10, 27, 532000, UTC)
    assert "the plan that made it failed, or still runs" in record.error
    assert "sqlmesh_example.new_model" not in {i.pipeline for i in source.pipelines()}, "it is in no environment"
    assert "orphans" in source.provides


def test_a_new_version_of_a_model_that_failed_leaves_the_old_one_as_it_is(place):
    place.unfinished("full_model")
    records = [r for r in place.source().loads(SINCE, NOW) if r.pipeline == FULL]
    assert [(r.status.value, r.data_through) for r in records] == [("succeeded", MIDNIGHT), ("partial", None)]


@pytest.mark.parametrize("why", ["older than the last plan", "in use", "of development, with rows", "in production"])
def test_a_snapshot_that_nothing_went_wrong_with_is_not_told(place, why):
    changes = {"older than the last plan": {"updated_ts": 1}, "in production": {"unpaused_ts": END}}.get(why, {})
    place.unfinished(**changes)
    if why == "in use":
        made = place.state["_snapshots"][-1]
        model = place.models()[2] | {"name": made["name"], "fingerprint": json.loads(made["fingerprint"]), "version": "4712"}
        other = place.state["_environments"][0] | {"name": "dev", "snapshots": json.dumps([model])}
        place.state["_environments"].append(other)
    if why == "of development, with rows":
        place.interval(2, name=place.state["_snapshots"][-1]["name"], version="4712", is_dev=True)
    assert {r.status for r in place.source().loads(SINCE, NOW)} == {LoadStatus.SUCCEEDED}


def test_while_a_plan_is_being_finished_nothing_is_called_unfinished(place):
    place.unfinished()
    place.state["_environments"][0]["finalized_ts"] = None
    assert {r.status for r in place.source().loads(SINCE, NOW)} == {LoadStatus.SUCCEEDED}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"cron": "15 6 * * 1-5", "cron_tz": "Europe/Oslo"}, Schedule("15 6 * * 1-5", None, "Europe/Oslo")),
        ({"cron": "@HOURLY", "cron_tz": None}, Schedule("0 * * * *", None, "UTC")),
        ({"cron": "@daily", "cron_tz": "Mars/Olympus"}, None),
        ({"cron": "@daily", "cron_tz": "../../etc/passwd"}, None),
        ({"cron": "@fortnightly"}, None),
        ({"cron": 7}, None),
        ({}, None),
        (None, None),
    ],
)
def test_schedules(place, node, expected):
    place.state["_snapshots"][2]["snapshot"] = json.dumps({"node": node})
    assert {i.pipeline: i.schedule for i in place.source().pipelines()}[FULL] == expected


def test_the_code_of_a_model_is_read_once(place, monkeypatch):
    source, asked = place.source(), []
    nodes = sqlmesh_state.SqlmeshState.nodes
    monkeypatch.setattr(sqlmesh_state.SqlmeshState, "nodes", lambda self, some: nodes(self, [asked.append(s) or s for s in some]))
    first = source.pipelines()
    assert len(asked) == 3
    assert source.pipelines() == first
    assert len(asked) == 3, "a snapshot never changes, and was read again"


def test_a_snapshot_that_is_too_long_has_no_schedule(place, monkeypatch):
    monkeypatch.setattr(sqlmesh_state, "NODE_LIMIT", 100)
    assert {i.schedule for i in place.source().pipelines()} == {None}


def test_a_model_that_no_plan_put_into_production_is_paused(place):
    place.state["_snapshots"][2]["unpaused_ts"] = None
    assert {i.pipeline: i.is_paused for i in place.source().pipelines()} == {FULL: True, INCREMENTAL: False, SEED: False}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s["_environments"][0].update(name="dev"), "there is no environment 'prod'; there is dev"),
        (lambda s: s["_versions"][0].update(schema_version=60), "schema_version is 60; 99 or later is expected"),
        (lambda s: s["_environments"][0].update(snapshots="[" * 100_000), "should hold JSON holds something else"),
        (lambda s: s["_environments"][0].update(snapshots="{}"), "lists no snapshots"),
        (lambda s: s["_environments"][0].update(snapshots=None), "lists no snapshots"),
    ],
    ids=["environment", "version", "deep", "object", "null"],
)
def test_a_state_that_cannot_be_read_is_one_clear_error(place, change, problem):
    change(place.state)
    source = place.source()
    for ask in (source.pipelines, source.lineage, lambda: source.loads(SINCE, NOW)):
        with pytest.raises(SourceError, match=rf"ingestion mesh \(sqlmesh in state\) cannot be read: .*{problem}"):
            ask()


def test_a_database_without_state_is_a_source_error(tmp_path):
    path = tmp_path / "empty.duckdb"
    duckdb.connect(str(path)).close()
    source = Sqlmesh("mesh", SqlmeshOptions(warehouse="w"), Duckdb("w", Duckdb.Options(path=str(path))))
    with pytest.raises(SourceError, match="_versions"):
        source.pipelines()
    with pytest.raises(SourceError, match="'w' is not configured"):
        Sqlmesh("mesh", SqlmeshOptions(warehouse="w"), None)
