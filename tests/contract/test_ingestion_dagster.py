"""The dagster source on answers that Dagster 1.13 really gave, from a local server, and on a server that misbehaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingestion_contract import check_source
from pydantic import SecretStr
from replay_server import Replay, Said

from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion import dagster
from dqmon.ingestion.base import http_json
from dqmon.ingestion.dagster import Dagster, DagsterOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "dagster"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
TOKEN = "user:3f9a77c0"
RECORDED = json.loads((FIXTURES / "graphql_responses.json").read_text())
KILLED = json.loads((FIXTURES / "run_killed_still_started.json").read_text())["data"]["runsOrError"]["results"]
OPEN = {"QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING"}


class Server:
    """Answers as the recorded server did; filters, sorts and pages runs as Dagster does."""

    def __init__(self):
        self.runs = [*KILLED, *RECORDED["runs"]["data"]["runsOrError"]["results"]]
        self.assets = RECORDED["assets"]["data"]
        self.events = RECORDED["failure_events"]["data"]["logsForRun"]
        self.schedules = RECORDED["schedules"]["data"]["schedulesOrError"]["results"]
        self.asked = []

    def __call__(self, request):
        query, given = request.json["query"], request.json["variables"]
        field = next(f for f in ("runsOrError", "assetNodes", "repositoriesOrError", "logsForRun") if f in query)
        self.asked.append((field, given))
        return {"data": getattr(self, field)(given)}

    def runsOrError(self, given):  # noqa: N802 - as GraphQL calls it
        wanted = given["filter"]
        found = [r for r in self.runs if r["status"] in wanted.get("statuses", {r["status"]})]
        found = [r for r in found if r["updateTime"] > wanted.get("updatedAfter", 0)]
        ids = [r["runId"] for r in found]
        begin = ids.index(given["cursor"]) + 1 if given["cursor"] else 0
        return {"runsOrError": {"__typename": "Runs", "results": found[begin : begin + given["limit"]]}}

    def assetNodes(self, given):  # noqa: N802 - as above
        def newer(node):
            made = [m for m in node["assetMaterializations"] if int(m["timestamp"]) > int(given["after"])]
            return node | {"assetMaterializations": made}

        return {"assetNodes": [newer(node) for node in self.assets["assetNodes"]]}

    def repositoriesOrError(self, _):  # noqa: N802 - as above
        jobs = [{"name": name} for name in ("ingest_orders", "ingest_customers", "__ASSET_JOB")]
        nodes = [{"jobs": jobs, "schedules": self.schedules}]
        return {"repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": nodes}}

    def logsForRun(self, _):  # noqa: N802 - as above
        return {"logsForRun": self.events}


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def replay(server):
    with Replay() as found:
        found.add("/graphql", server, method="POST")
        yield found


def source(replay, **options):
    given = {"base_url": replay.url, "allow_private_addresses": True, "timeout": 10, "token": SecretStr(TOKEN), **options}
    return Dagster("shop", DagsterOptions(**given), None)


def run(number, status="SUCCESS", **fields):
    begun = 1795180000.0 + number
    ended = None if status in OPEN else begun + 0.5
    return {
        "runId": f"r{number}",
        "jobName": "j",
        "status": status,
        "startTime": begun,
        "endTime": ended,
        "updateTime": begun + 0.5,
        **fields,
    }


def test_recorded_runs_and_their_assets(replay):
    records = check_source(source(replay), SINCE, NOW)
    assert [(r.pipeline, r.table, r.status.value, r.rows, r.cursor) for r in records] == [
        ("ingest_orders", None, "succeeded", 42, "2026-11-19T07:00:00Z"),
        ("ingest_orders", "orders", "succeeded", 42, "2026-11-19T07:00:00Z"),
        ("ingest_customers", None, "failed", None, None),
        ("slow_ingest", None, "running", None, None),
    ]
    orders, _, customers, killed = records
    assert orders.started_at == datetime.fromtimestamp(1795180057.052725, UTC)
    assert orders.finished_at == datetime.fromtimestamp(1795180065.761072, UTC)
    assert customers.error.startswith(
        'step customers: dagster._core.errors.DagsterExecutionStepExecutionError: Error occurred while executing op "cust'
    )
    assert (killed.raw_status, killed.finished_at) == ("STARTED", None)
    assert replay.requests[0].headers["Dagster-Cloud-Api-Token"] == TOKEN


def test_a_run_that_was_killed_long_ago_is_still_told_to_run(replay):
    later = datetime(2026, 11, 25, tzinfo=UTC)
    assert [(r.pipeline, r.status) for r in source(replay).loads(later, later)] == [("slow_ingest", LoadStatus.RUNNING)]


def test_the_cause_is_told_rather_than_its_wrapper(replay, server):
    server.events["events"][0]["error"]["cause"] = {"message": "RuntimeError: relation raw.customers does not exist\n"}
    try:
        (failed,) = [r for r in source(replay).loads(SINCE, NOW) if r.status is LoadStatus.FAILED]
    finally:
        del server.events["events"][0]["error"]["cause"]
    assert failed.error == "step customers: RuntimeError: relation raw.customers does not exist"


def test_a_failed_run_whose_events_cannot_be_read_has_failed_all_the_same(replay, server):
    server.logsForRun = lambda _: {"logsForRun": {"__typename": "RunNotFoundError", "message": "it was deleted"}}
    (failed,) = [r for r in source(replay).loads(SINCE, NOW) if r.status is LoadStatus.FAILED]
    assert "its error cannot be read" in failed.error
    assert "it was deleted" in failed.error


def test_the_pages_of_a_run_s_events_are_turned_until_the_failure(replay, server):
    pages = {None: ([{"__typename": "LogMessageEvent"}], "2", True), "2": (server.events["events"], "3", False)}

    def page(given):
        events, cursor, more = pages[given["cursor"]]
        return {"logsForRun": {"__typename": "EventConnection", "events": events, "cursor": cursor, "hasMore": more}}

    server.logsForRun = page
    (failed,) = [r for r in source(replay).loads(SINCE, NOW) if r.status is LoadStatus.FAILED]
    assert failed.error.startswith("step customers")


@pytest.mark.parametrize("amount", [0, 1, 99, 100, 101, 200, 250])
def test_all_pages_of_runs_are_read(replay, server, amount):
    server.runs = [run(n) for n in range(amount)]
    assert len(source(replay).loads(SINCE, NOW)) == amount


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("QUEUED", "queued"),
        ("NOT_STARTED", "queued"),
        ("STARTING", "queued"),
        ("STARTED", "running"),
        ("CANCELING", "running"),
        ("SUCCESS", "succeeded"),
        ("FAILURE", "failed"),
        ("CANCELED", "cancelled"),
        ("A_WORD_OF_THE_FUTURE", "unknown"),
    ],
)
def test_statuses(replay, server, raw, expected):
    server.runs = [run(1, raw)]
    (record,) = check_source(source(replay), SINCE, NOW)
    assert (record.status.value, record.raw_status) == (expected, raw)


def test_rows_of_partitions_add_up_and_one_unknown_makes_the_sum_unknown(replay, server):
    def made(rows, path="t"):
        entries = [] if rows is None else [{"label": "dagster/row_count", "intValue": rows}]
        one = {"runId": "r1", "timestamp": "1795180001200", "metadataEntries": entries}
        return {"assetKey": {"path": ["raw", path]}, "assetMaterializations": [one]}

    server.runs = [run(1)]
    server.assets = {
        "assetNodes": [
            made(3) | {"assetMaterializations": made(3)["assetMaterializations"] + made(4)["assetMaterializations"]},
            made(0, "u"),
        ]
    }
    assert [(r.table, r.rows) for r in source(replay).loads(SINCE, NOW)] == [(None, 7), ("raw.t", 7), ("raw.u", 0)]
    server.assets["assetNodes"].append(made(None, "v"))
    assert [(r.table, r.rows) for r in source(replay).loads(SINCE, NOW)] == [(None, None), ("raw.t", 7), ("raw.u", 0), ("raw.v", None)]


def test_a_backfill_is_of_its_own_kind(replay, server):
    server.runs = [run(1, tags=[{"key": "dagster/backfill", "value": "abc"}])]
    assert [r.kind for r in source(replay).loads(SINCE, NOW)] == ["backfill"]


def test_jobs_and_schedules(replay, server):
    found = {info.pipeline: info for info in source(replay).pipelines()}
    assert list(found) == ["__ASSET_JOB", "ingest_customers", "ingest_orders"]
    assert (found["ingest_orders"].schedule, found["ingest_orders"].is_paused) == (Schedule("0 * * * *", None, "UTC"), False)
    assert (found["ingest_customers"].schedule, found["ingest_customers"].is_paused) == (None, None)
    server.schedules = [server.schedules[0] | {"scheduleState": {"status": "STOPPED"}, "executionTimezone": None}]
    (orders,) = [info for info in source(replay).pipelines() if info.pipeline == "ingest_orders"]
    assert (orders.is_paused, orders.schedule.timezone) == (True, "UTC")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"errors": [{"message": 'Unknown type "RunsFilter".'}]}, 'the query is refused: Unknown type "RunsFilter"'),
        (
            {"data": {"runsOrError": {"__typename": "PythonError", "message": "database is locked"}}},
            "runsOrError is PythonError: database is locked",
        ),
        ({"data": {"runsOrError": {"__typename": "Runs", "results": 3}}}, "no list of objects at results"),
        ({"data": None}, "the answer has no data; is this a Dagster web server"),
        ([], "the answer has no data"),
        (Said(401), "HTTP 401: the credentials"),
        (Said(403), "HTTP 403"),
        (Said(404), "HTTP 404"),
        (Said(429, headers={"Retry-After": "7"}), r"HTTP 429.*retry after 7 s"),
        (Said(502, "<html>"), "HTTP 502: the server fails"),
        (Said(302, headers={"Location": "http://10.0.0.1/graphql"}), "redirects to 10.0.0.1"),
        (Said(200, {"data": {}}, cut=5), "cannot be read"),
        (Said(200, '{"data": '), "no JSON"),
        (Said(200, b"[" * 65536, endless=500_000_000), "longer than 1 MB"),
    ],
)
def test_what_is_wrong_with_the_server_is_one_clear_error(answer, problem):
    with Replay() as replay:
        replay.add("/graphql", answer if isinstance(answer, Said) else lambda _: answer, method="POST")
        for ask in (
            (lambda s: s.loads(SINCE, NOW),) if not isinstance(answer, Said) else (lambda s: s.loads(SINCE, NOW), lambda s: s.pipelines())
        ):
            with pytest.raises(SourceError, match=problem) as caught:
                ask(source(replay, max_answer_mb=1))
            assert TOKEN not in str(caught.value)
        assert replay.sent < 20_000_000, "the answer was read to its end"


def test_a_server_whose_pages_never_end_is_left(replay, server, monkeypatch):
    monkeypatch.setattr(dagster, "PAGE", 1)
    monkeypatch.setattr(http_json, "PAGE_LIMIT", 20)
    server.runsOrError = lambda _: {"runsOrError": {"__typename": "Runs", "results": [run(1)]}}
    with pytest.raises(SourceError, match="more than 20 pages"):
        source(replay).loads(SINCE, NOW)


def test_nobody_there_is_a_source_error():
    with Replay() as gone:
        url = gone.url
    with pytest.raises(SourceError, match="cannot be reached"):
        Dagster("shop", DagsterOptions(base_url=url, allow_private_addresses=True), None).loads(SINCE, NOW)
