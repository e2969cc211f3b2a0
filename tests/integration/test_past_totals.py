"""`dqmon backfill` of whole tables: values that a table's log or its loads still know, on real tables and stores."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from dqmon.app import open_app
from dqmon.app.backtests import backtest as try_configurations
from dqmon.app.commands import App
from dqmon.cli.program import run
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict
from dqmon.engine.polling.poll import poll
from dqmon.engine.rehearsal.compare import totals

NOW = datetime(2026, 4, 2, 9, tzinfo=UTC)
DLT = Path(__file__).parents[1] / "fixtures" / "dlt" / "duckdb_after_recovery.json"


class Project:
    """A project at a time that stands still, whose only dataset has a volume_anomaly of the whole table, every day at six."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def declare(self, dataset: str, warehouse: str, *, ingestion: str = "", upstream: str = "", more: str = "") -> None:
        for name in ("config", "checks"):
            (self.root / name).mkdir(exist_ok=True)
        config = f'version: 1\nstore: {{url: "sqlite:///store.db"}}\nwarehouses:\n  main: {warehouse}\n{ingestion}'
        (self.root / "config/dqmon.yaml").write_text(config)
        text = f"  - dataset: {dataset}\n    schedule: {{cron: '0 6 * * *'}}\n{upstream}    checks:\n      - volume_anomaly\n{more}"
        (self.root / "checks/all.yaml").write_text(f"version: 1\ndatasets:\n{text}")

    def open(self, now: datetime = NOW) -> App:
        return open_app(str(self.root / "config/dqmon.yaml"), clock=lambda: now)

    def backfill(self, days: int = 30) -> list[tuple[int, str]]:
        with self.open() as app:
            return [(one.points, one.past.because) for one in app.record(app.regain(app.select(parse_selector(())), days))]

    def check(self, now: datetime = NOW) -> tuple[Verdict, str, tuple[str, ...]]:
        with self.open(now) as app:
            (record,) = app.check(parse_selector(()), None, True).records
            return record.verdict, record.reason, record.baseline

    def stored(self) -> list[tuple[str, float, str | None]]:
        with closing(sqlite3.connect(self.root / "store.db")) as store:
            return store.execute("select described_at, value, way from dq_measurements where is_current order by described_at").fetchall()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def at_noon(days_ago: int) -> int:
    """Milliseconds since 1970."""
    return int((NOW.replace(hour=12) - timedelta(days=days_ago)).timestamp() * 1000)


def dated_delta(path: Path, days_ago: Sequence[int]) -> None:
    """Gives the table's commits, in their order, these ages."""
    logs = sorted((path / "_delta_log").glob("*.json"))
    assert len(logs) == len(days_ago)
    for log, age in zip(logs, days_ago, strict=True):
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"]["timestamp"] = at_noon(age)
        log.write_text("\n".join(map(json.dumps, actions)))


def append(path: Path, rows: int, mode: str = "append") -> None:
    deltalake.write_deltalake(path, pa.table({"id": pa.array(range(rows), pa.int64())}), mode=mode)


def values(project: Project) -> list[float]:
    return [value for _, value, _ in project.stored()]


def test_a_delta_table_tells_its_rows_after_each_commit(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Appends, a delete that rewrites the file, an overwrite, and an optimize that changes no row."""
    path = project.root / "orders"
    for _ in range(3):
        append(path, 10)
    table = deltalake.DeltaTable(path)
    table.optimize.compact()
    table.delete("id < 2")
    append(path, 50, "overwrite")
    dated_delta(path, [20, 9, 8, 6, 5, 3])
    project.declare("orders", f"{{type: duckdb, files: {{orders: {{delta: {path}}}}}}}")
    assert project.backfill(12) == [(12, "the Delta table's log")]
    # The check runs at six, a commit is of noon.
    assert values(project) == [10, 10, 10, 20, 30, 30, 30, 24, 24, 50, 50, 50]
    assert {way for _, _, way in project.stored()} == {"the Delta table's log"}
    assert project.backfill(12) == [], "what is known is not asked for again"
    assert project.backfill(20) == [(8, "the Delta table's log")], "further back there is more"
    command = ["backfill", "--days", "2000", "--config", str(project.root / "config/dqmon.yaml")]
    assert run(command) == 0
    assert "main.orders.volume_anomaly  nothing recorded: the Delta table's log begins later" in capsys.readouterr().out


def test_a_delta_log_that_was_cleaned_up_ends_where_it_does_not_know(project: Project) -> None:
    path = project.root / "orders"
    for _ in range(4):
        append(path, 10)
    deltalake.DeltaTable(path).create_checkpoint()
    deltalake.DeltaTable(path).delete("id < 2")
    dated_delta(path, [9, 8, 7, 6, 3])
    for version in range(3):
        (path / "_delta_log" / f"{version:020}.json").unlink()
    project.declare("orders", f"{{type: duckdb, files: {{orders: {{delta: {path}}}}}}}")
    assert project.backfill(12) == [(6, "the Delta table's log")]
    assert values(project) == [40, 40, 40, 32, 32, 32], "the checkpoint knows the files that the delete took away"


def test_an_iceberg_table_tells_its_rows_by_its_snapshots(project: Project) -> None:
    uri = f"sqlite:///{project.root}/c.db"
    writer = load_catalog("shop", type="sql", uri=uri, warehouse=f"file://{project.root}/lake")
    writer.create_namespace("sales")
    table = writer.create_table("sales.t", pa.schema({"id": pa.int64()}))
    for rows in (10, 5, 7):
        table.append(pa.table({"id": pa.array(range(rows), pa.int64())}))
    metadata = Path(table.metadata_location.removeprefix("file://"))
    writer.close()
    said = json.loads(metadata.read_text())
    for entry, snapshot, age in zip(said["snapshot-log"], said["snapshots"], (8, 5, 2), strict=True):
        entry["timestamp-ms"] = snapshot["timestamp-ms"] = at_noon(age)
    metadata.write_text(json.dumps(said))
    lake = f'{{type: duckdb, files: {{t: {{iceberg: sales.t}}}}, catalogs: {{shop: {{type: sql, uri: "{uri}"}}}}}}'
    project.declare("t", lake)
    assert project.backfill(10) == [(8, "the snapshots of the Iceberg table")]
    assert values(project) == [10, 10, 10, 15, 15, 15, 22, 22]


def dlt_loads(path: Path, days: int) -> None:
    """What dlt leaves behind of a load each morning, by its own recorded tables: 20 rows, one more on every third day."""
    recorded = json.loads(DLT.read_text())
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("create schema raw")
        for name in ("_dlt_version", "_dlt_pipeline_state"):
            row = recorded[name][-1]
            columns = ", ".join(
                f"{c} {'timestamptz' if c.endswith('_at') else 'bigint' if type(v) is int else 'text'}" for c, v in row.items()
            )
            connection.execute(f"create table raw.{name} ({columns})")
            connection.execute(f"insert into raw.{name} values ({', '.join('?' * len(row))})", list(row.values()))
        connection.execute("create table raw._dlt_loads (load_id text, schema_name text, status bigint, inserted_at timestamptz)")
        connection.execute("create table raw.orders (_dlt_load_id text)")
        marks, rows = [], []
        for age in range(days, 0, -1):
            at = NOW.replace(hour=5) - timedelta(days=age - 1)
            load_id = f"{at.timestamp() - 60:.4f}"
            marks.append(f"('{load_id}', 'shop', 0, '{at.isoformat()}')")
            rows += [f"('{load_id}')"] * (20 + (age % 3 == 0))
        connection.execute(f"insert into raw._dlt_loads values {', '.join(marks)}")
        connection.execute(f"insert into raw.orders values {', '.join(rows)}")


def test_kept_loads_are_counted_back_from_what_is_there(project: Project) -> None:
    """dlt's loads of 40 days: the totals of each morning, said to be estimates, judged by nobody, and learned from at once."""
    path = project.root / "shop.duckdb"
    dlt_loads(path, 40)
    ingestion = "ingestion:\n  dlt: {type: dlt, warehouse: main, dataset: raw}\n"
    project.declare("raw.orders", f"{{type: duckdb, path: {path}}}", ingestion=ingestion, upstream="    upstream: [dlt/shop_pipeline]\n")
    assert project.backfill(30) == [], "no load is kept yet"
    with project.open() as app:
        assert poll(app.environment.sources, app.database, NOW) == {}
    ((points, because),) = project.backfill(30)
    assert (points, because) == (30, "30 kept loads of dlt/shop_pipeline")
    found = values(project)
    assert found[-1] == 40 * 20 + 13
    assert {later - earlier for earlier, later in pairwise(found)} == {20, 21}
    assert {way for _, _, way in project.stored()} == {"estimated from 30 kept loads of dlt/shop_pipeline"}
    with closing(sqlite3.connect(project.root / "store.db")) as store:
        assert store.execute("select count(*) from dq_results").fetchone() == (0,), "an estimate is no result, so that nobody is told"

    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("insert into raw.orders select 'x' from range(20)")
    verdict, reason, baseline = project.check(NOW.replace(hour=6) + timedelta(days=1))
    assert verdict is Verdict.PASS, reason
    assert any("a total that grows" in line for line in baseline)
    assert "30 of 30 points are estimates of `dqmon backfill`" in baseline
    with project.open(NOW + timedelta(days=2)) as app:
        (replayed,) = app.backtest("raw.orders.volume_anomaly", 90)
        tried = try_configurations(app, parse_selector(["raw.orders"]), 90, ["direction=rise"]).trial
    assert [point.value for point in replayed.points] == [833], "estimates are learned from, and never judged"
    assert [sum(totals(side).verdicts.values()) for side in tried.sides] == [1, 1], "nor by another configuration"


def test_what_cannot_be_had_says_why(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    path = project.root / "shop.duckdb"
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("create table orders (id int, shop text)")
    more = "      - volume_anomaly: {name: few, filter: id > 3}\n      - metric_anomaly: {column: id, metric: avg}\n"
    project.declare("main.orders", f"{{type: duckdb, path: {path}}}", more=more)
    assert run(["backfill", "--config", str(project.root / "config/dqmon.yaml")]) == 0
    said = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    gone = "is of the whole table, whose past is gone: "
    assert {check.removeprefix("main.orders."): why.removeprefix(gone).partition(";")[0] for check, why in said.items()} == {
        "volume_anomaly": "the engine keeps no history of how many rows a table had, and no load of a pipeline that loads it is kept",
        "volume_anomaly.few": "it counts some rows of the table, of which neither logs nor loads tell",
        "metric_anomaly.id": "nobody keeps the past of avg",
    }
    assert project.stored() == []
