"""The Airflow source on what Airflow 3.3.2 really answered, replayed with its filters and pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingestion_contract import check_source
from pydantic import SecretStr, ValidationError
from replay_server import Replay, Said

from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.airflow import Airflow, AirflowOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "airflow"
SINCE = datetime(2026, 11, 20, 13, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 13, 15, tzinfo=UTC)
SCHEDULED = "scheduled__2026-11-20T13:00:00+00:00"
MANUAL = "manual__2026-11-20T13:08:51.290039+00:00"
LOG = "scheduled__2026-11-20T13:08:38.254971+00:00/taskInstances/load/logs/1"
HEALTHY = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-11-20T13:14:58Z"}}
BROKEN = {
    "import_error_id": 7,
    "timestamp": "2026-11-20T13:12:00Z",
    "filename": "demo.py",
    "bundle_name": "dags-folder",
    "stack_trace": "Traceback (most recent call last):\n  File demo.py\nModuleNotFoundError: No module named 'pandas'\n",
}


def recorded(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


RUNS = [run for dag in ("orders", "customers", "slow") for run in recorded(f"dagRuns.ingest_{dag}")["dag_runs"]]
TASKS = recorded("taskInstances")["task_instances"]


def quoted(run_id):
    return run_id.replace(":", "%3A").replace("+", "%2B")


def listing(key, items, page=100, counted=True):
    """A list endpoint: filters by state and end, sorts, gives pages of at most `page` objects."""

    def answer(request):
        query = request.query
        states = query.get("state", [])
        states = [states] if isinstance(states, str) else states
        found = [i for i in items if not states or i["state"] in states]
        if low := query.get("end_date_gte"):
            instant = datetime.fromisoformat
            found = [i for i in found if i["end_date"] and instant(i["end_date"]) >= instant(low)]
        order = query.get("order_by", "")
        if order:
            found.sort(key=lambda i: str(i[order.lstrip("-")]), reverse=order.startswith("-"))
        start = int(query.get("offset", 0))
        size = min(page, int(query.get("limit", 50)))
        return {key: found[start : start + size]} | ({"total_entries": len(found), "total_entries_limit": None} if counted else {})

    return answer


@pytest.fixture
def server():
    with Replay() as replay:
        replay.add("/api/v2/dags", listing("dags", recorded("dags")["dags"]))
        replay.add("/api/v2/dags/~/dagRuns", listing("dag_runs", RUNS))
        replay.add("/api/v2/assets/events", listing("asset_events", recorded("assets_events")["asset_events"]))
        replay.add("/api/v2/importErrors", {"import_errors": [], "total_entries": 0})
        replay.add("/api/v2/monitor/health", HEALTHY)
        for run in RUNS:
            mine = [t for t in TASKS if t["dag_run_id"] == run["dag_run_id"] and t["dag_id"] == run["dag_id"]]
            path = f"/api/v2/dags/{run['dag_id']}/dagRuns/{quoted(run['dag_run_id'])}/taskInstances"
            replay.add(path, listing("task_instances", mine))
            replay.add(f"{path}/load/logs/1", recorded("logs.ingest_customers.load"))
        yield replay


def source(server, **options):
    given = {"base_url": server.url, "allow_private_addresses": True, "token": SecretStr("jwt_77aa"), **options}
    return Airflow("airflow", AirflowOptions(**given), None)


def summary(records):
    return [(r.pipeline.removeprefix("ingest_"), r.load_id.partition("__")[0], r.table, r.status.value, r.rows) for r in records]


def test_the_recorded_runs(server):
    records = check_source(source(server), SINCE, NOW)
    assert summary(records) == [
        ("orders", "scheduled", None, "succeeded", 42),
        ("orders", "scheduled", "orders", "succeeded", 42),
        ("customers", "scheduled", None, "failed", None),
        ("orders", "manual", None, "succeeded", 42),
        ("orders", "manual", "orders", "succeeded", 42),
        ("customers", "manual", None, "failed", None),
        ("slow", "manual", None, "running", None),
    ]
    first, last = records[0], records[-1]
    assert (first.started_at, first.finished_at) == (
        datetime(2026, 11, 20, 13, 8, 51, 458878, UTC),
        datetime(2026, 11, 20, 13, 9, 4, 510160, UTC),
    )
    assert (first.cursor, first.raw_status) == ("2026-11-20T00:00:00Z", "success")
    assert (first.extra, first.scheduled_for) == ({"run_type": "scheduled"}, datetime(2026, 11, 20, 13, tzinfo=UTC))
    assert last.finished_at is None
    assert {r.headers["Authorization"] for r in server.requests} == {"Bearer jwt_77aa"}


def test_a_manual_run_without_logical_date_is_known_by_run_after(server):
    manual = next(r for r in source(server).loads(SINCE, NOW) if r.load_id == MANUAL)
    assert manual.scheduled_for == datetime(2026, 11, 20, 13, 8, 51, 290039, UTC)


def test_the_error_is_the_exception_in_the_log_of_the_failed_task(server):
    errors = {r.error for r in source(server).loads(SINCE, NOW) if r.status is LoadStatus.FAILED}
    assert errors == {"task load failed: RuntimeError: relation raw.customers does not exist"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(403), "HTTP 403"),
        (Said(200, "{"), "cut short"),
        ({"content": [{"event": "killed"}]}, "task load failed: its log names no exception"),
        ({"content": "a text"}, "task load failed: its log names no exception"),
    ],
)
def test_a_run_has_failed_whether_or_not_its_log_can_be_read(server, said, expected):
    server.add(f"/api/v2/dags/ingest_customers/dagRuns/{quoted(LOG)}", said)
    failed = next(r for r in source(server).loads(SINCE, NOW) if r.pipeline == "ingest_customers" and r.load_id.startswith("scheduled"))
    assert failed.status is LoadStatus.FAILED
    assert expected in failed.error


def test_a_run_that_failed_without_a_failed_task_says_so(server):
    path = f"/api/v2/dags/ingest_customers/dagRuns/{quoted(LOG)}".removesuffix("/load/logs/1")
    server.add(path, {"task_instances": []})
    errors = {r.error for r in source(server).loads(SINCE, NOW) if r.status is LoadStatus.FAILED}
    assert "the run failed, though none of its tasks did" in errors


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "no total"])
def test_pages_smaller_than_asked_are_read_to_the_end(server, counted):
    whole = source(server).loads(SINCE, NOW)
    server.add("/api/v2/dags/~/dagRuns", listing("dag_runs", RUNS, page=1, counted=counted))
    server.add("/api/v2/assets/events", listing("asset_events", recorded("assets_events")["asset_events"], page=1, counted=counted))
    before = server.count("/api/v2/dags/~/dagRuns")
    assert source(server).loads(SINCE, NOW) == whole
    assert server.count("/api/v2/dags/~/dagRuns") - before == (5 if counted else 7)


def test_only_what_ended_since_then_is_asked_for(server):
    records = source(server).loads(datetime(2026, 11, 20, 13, 9, 5, 823214, UTC), NOW)
    assert summary(records) == [
        ("customers", "scheduled", None, "failed", None),
        ("customers", "manual", None, "failed", None),
        ("slow", "manual", None, "running", None),
    ]


def test_rows_of_an_asset_that_one_event_does_not_tell_are_unknown(server):
    events = recorded("assets_events")["asset_events"]
    more = [
        {**events[0], "id": 3, "extra": {}},
        {**events[1], "id": 4, "extra": {"rows_loaded": "8", "cursor": "b"}, "timestamp": "2026-11-20T13:09:05Z"},
    ]
    server.add("/api/v2/assets/events", listing("asset_events", events + more))
    rows = {(r.load_id, r.table): (r.rows, r.cursor) for r in source(server).loads(SINCE, NOW) if r.pipeline == "ingest_orders"}
    assert rows[(MANUAL, "orders")][0] is None
    assert rows[(MANUAL, None)][0] is None
    assert rows[(SCHEDULED, "orders")] == rows[(SCHEDULED, None)] == (50, "b")


def test_the_keys_of_rows_and_cursor_are_the_users(server):
    events = [{**e, "extra": {"n": 7, "upto": 9}} for e in recorded("assets_events")["asset_events"]]
    server.add("/api/v2/assets/events", listing("asset_events", events))
    records = source(server, rows_key="n", cursor_key="upto").loads(SINCE, NOW)
    assert {(r.rows, r.cursor) for r in records if r.pipeline == "ingest_orders"} == {(7, "9")}


def test_while_the_scheduler_is_down_nobody_knows_of_open_runs(server):
    server.add(
        "/api/v2/monitor/health", HEALTHY | {"scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": "2026-11-20T12:00:00Z"}}
    )
    records = check_source(source(server), SINCE, NOW)
    assert records[-1].status is LoadStatus.UNKNOWN
    assert "the scheduler is not healthy" in records[-1].error
    assert {r.status for r in records[:-1]} == {LoadStatus.SUCCEEDED, LoadStatus.FAILED}, "what has ended stays as it is"


def test_a_dag_whose_file_cannot_be_imported_is_listed_and_unknown(server):
    dags = [
        {**dag, "is_stale": True} if dag["dag_id"] == "ingest_orders" else {**dag, "relative_fileloc": "fine.py", "fileloc": "/fine.py"}
        for dag in recorded("dags")["dags"]
    ]
    gone = {**dags[0], "dag_id": "deleted", "is_stale": True, "relative_fileloc": "gone.py"}
    server.add("/api/v2/dags", listing("dags", [*dags, gone]))
    server.add("/api/v2/importErrors", {"import_errors": [BROKEN], "total_entries": 1})
    airflow = source(server)
    assert [p.pipeline for p in airflow.pipelines()] == ["ingest_customers", "ingest_orders", "ingest_slow"]
    (unknown,) = [r for r in check_source(airflow, SINCE, NOW) if r.status is LoadStatus.UNKNOWN]
    assert (unknown.pipeline, unknown.load_id, unknown.raw_status) == ("ingest_orders", "import_error__7", "import_error")
    assert unknown.kind == "schema", "it stands for no load that started"
    assert unknown.error == "demo.py cannot be imported, so that it does not run: ModuleNotFoundError: No module named 'pandas'"


def test_no_dags_but_import_errors_is_a_source_error(server):
    server.add("/api/v2/dags", {"dags": [], "total_entries": 0})
    server.add("/api/v2/importErrors", {"import_errors": [BROKEN], "total_entries": 1})
    with pytest.raises(SourceError, match="1 DAG files cannot be imported, and no DAG is left: ModuleNotFoundError"):
        source(server).pipelines()


def test_pipelines_are_the_dags_with_whether_they_are_paused(server):
    dags = recorded("dags")["dags"]
    server.add("/api/v2/dags", listing("dags", [{**dags[0], "is_paused": True}, *dags[1:]], page=2))
    assert [(p.pipeline, p.is_paused) for p in source(server).pipelines()] == [
        ("ingest_customers", True),
        ("ingest_orders", False),
        ("ingest_slow", False),
    ]


def test_pipelines_carry_the_heartbeat_of_the_scheduler(server):
    assert {p.heartbeat_at for p in source(server).pipelines()} == {datetime(2026, 11, 20, 13, 14, 58, tzinfo=UTC)}
    server.add("/api/v2/monitor/health", Said(404))
    assert {p.heartbeat_at for p in source(server).pipelines()} == {None}


def test_the_recorded_schedules(server):
    assert {p.pipeline: p.schedule for p in source(server).pipelines()} == {
        "ingest_customers": Schedule(None, 21_600, "UTC"),
        "ingest_orders": Schedule("0 * * * *", None, "UTC"),
        "ingest_slow": None,
    }


@pytest.mark.parametrize(
    ("summary", "due", "timezone", "expected"),
    [
        ("0 6 * * *", "2026-11-21T05:00:00Z", "Europe/Berlin", ("0 6 * * *", None)),
        ("0 6 * * *", "2026-11-21T05:00:00Z", "UTC", None),  # the DAG has a zone of its own
        ("1 day, 2:00:00", "2026-11-21T05:00:00Z", "UTC", (None, 93_600)),
        ("0:00:00", "2026-11-21T05:00:00Z", "UTC", None),
        ("Asset", "2026-11-21T05:00:00Z", "UTC", None),
        ("@continuous", None, "UTC", None),
        ("99 99 * * *", "2026-11-21T05:00:00Z", "UTC", None),
        ("0 0 30 2 *", "2026-11-21T05:00:00Z", "UTC", None),
        (None, "2026-11-21T05:00:00Z", "UTC", None),
    ],
)
def test_a_schedule_is_told_where_it_explains_the_next_run(server, summary, due, timezone, expected):
    dag = {**recorded("dags")["dags"][0], "timetable_summary": summary, "next_dagrun_run_after": due}
    server.add("/api/v2/dags", listing("dags", [dag]))
    (info,) = source(server, timezone=timezone).pipelines()
    assert info.schedule == (expected and Schedule(*expected, timezone))


def test_only_the_named_dags_are_asked_for(server):
    server.add("/api/v2/dags/ingest_slow/dagRuns", listing("dag_runs", RUNS[-1:]))
    airflow = source(server, dags=["ingest_slow"])
    assert [p.pipeline for p in airflow.pipelines()] == ["ingest_slow"]
    assert [r.pipeline for r in airflow.loads(SINCE, NOW)] == ["ingest_slow"]
    assert server.count("/api/v2/dags/~/dagRuns") == 0


@pytest.mark.parametrize("path", ["/api/v2/importErrors", "/api/v2/assets/events", "/api/v2/monitor/health"])
def test_what_the_user_may_not_see_is_done_without(server, path):
    server.add(path, Said(403))
    assert len([r for r in source(server).loads(SINCE, NOW) if r.table is None]) == 5


@pytest.mark.parametrize("path", ["/api/v2/dags/~/dagRuns", "/api/v2/assets/events", "/api/v2/monitor/health", "/api/v2/importErrors"])
@pytest.mark.parametrize(
    "said", [Said(401), Said(500), Said(200, {"unexpected": 1}), Said(200, '{"dag'), Said(429)], ids=lambda s: str(s.status)
)
def test_an_answer_that_is_missing_or_wrong_is_a_source_error(server, path, said):
    if path.endswith("health") and said.body == {"unexpected": 1}:
        said = Said(200, "[")
    server.add(path, said)
    with pytest.raises(SourceError, match=r"ingestion airflow \(127\.0\.0\.1:[0-9]+\) cannot be read: "):
        source(server).loads(SINCE, NOW)


def test_the_same_run_id_in_two_dags_is_two_loads(server):
    """Airflow names scheduled runs by their time, so that hourly DAGs share ids."""
    server.add("/api/v2/dags/~/dagRuns", listing("dag_runs", [*RUNS, {**RUNS[1], "dag_id": "other"}]))
    assert {r.pipeline for r in source(server).loads(SINCE, NOW) if r.load_id == SCHEDULED} == {"ingest_orders", "other"}


def test_backfills_and_states_of_later_versions(server):
    server.add("/api/v2/dags/~/dagRuns", listing("dag_runs", [{**RUNS[0], "run_type": "backfill", "state": "deferred"}]))
    (record, *_) = source(server).loads(SINCE, NOW)
    assert (record.kind, record.status, record.raw_status) == ("backfill", LoadStatus.UNKNOWN, "deferred")


def login(server, status=201):
    server.add(
        "/auth/token",
        lambda request: Said(status, {"access_token": f"jwt_{server.count('/auth/token')}", "seen": request.json}),
        method="POST",
    )
    return source(server, token=None, username="dqmon", password=SecretStr("pw_8831"))


def test_logging_in_takes_one_request_until_the_token_expires(server):
    airflow = login(server)
    airflow.pipelines()
    airflow.loads(SINCE, NOW)
    assert server.count("/auth/token") == 1
    assert server.requests[0].json == {"username": "dqmon", "password": "pw_8831"}
    assert server.requests[-1].headers["Authorization"] == "Bearer jwt_1"
    server.add("/api/v2/importErrors", Said(401), {"import_errors": [], "total_entries": 0})
    airflow.pipelines()
    assert server.count("/auth/token") == 2
    assert server.requests[-1].headers["Authorization"] == "Bearer jwt_2"


def test_a_refused_login_is_a_source_error_without_the_password(server):
    with pytest.raises(SourceError, match="HTTP 422") as caught:
        login(server, 422).pipelines()
    assert "pw_8831" not in str(caught.value)


def test_a_user_who_stays_refused_is_not_asked_for_ever(server):
    server.add("/api/v2/importErrors", Said(401))
    with pytest.raises(SourceError, match="HTTP 401"):
        login(server).pipelines()
    assert server.count("/api/v2/importErrors") <= 2


def test_version_1_has_datasets_and_basic_authentication(server):
    runs = [{k: v for k, v in run.items() if k != "run_after"} for run in RUNS]
    events = [{**e, "dataset_uri": e["uri"]} for e in recorded("assets_events")["asset_events"]]
    events = [{k: v for k, v in e.items() if k not in ("uri", "name")} for e in events]
    dags = [{k: v for k, v in d.items() if k != "is_stale"} | {"is_active": True} for d in recorded("dags")["dags"]]
    server.add("/api/v1/dags", listing("dags", [*dags, {**dags[0], "dag_id": "deleted", "is_active": False}]))
    server.add("/api/v1/dags/~/dagRuns", listing("dag_runs", runs))
    server.add("/api/v1/datasets/events", listing("dataset_events", events))
    server.add("/api/v1/importErrors", {"import_errors": [], "total_entries": 0})
    server.add("/api/v1/health", HEALTHY)
    failed = f"/api/v1/dags/ingest_customers/dagRuns/{quoted(LOG)}".removesuffix("/load/logs/1")
    server.add(failed, {"task_instances": [t for t in TASKS if t["state"] == "failed"][:1]})
    airflow = source(server, api="v1", token=None, username="dqmon", password=SecretStr("pw"))
    records = check_source(airflow, SINCE, NOW)
    assert len([r for r in records if r.table is None]) == 5
    assert {r.table for r in records} == {None, "duckdb://warehouse/orders"}
    assert "task load failed" in {r.error for r in records}
    assert len(airflow.pipelines()) == 3
    assert {r.headers["Authorization"] for r in server.requests} == {"Basic ZHFtb246cHc="}


@pytest.mark.parametrize(
    "options",
    [
        {"username": "a"},
        {"password": "b"},
        {"token": "t", "username": "a", "password": "b"},
        {"api": "v3"},
        {"dag": ["x"]},
        {"timezone": "Mars"},
    ],
    ids=str,
)
def test_wrong_options_are_told_when_the_file_is_loaded(options):
    with pytest.raises(ValidationError):
        AirflowOptions.model_validate_json(json.dumps({"base_url": "https://airflow.example.com", **options}))
