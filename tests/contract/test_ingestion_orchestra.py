"""The source orchestra on answers in the shape of the vendor's OpenAPI description."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ingestion_contract import check_source
from pydantic import SecretStr
from replay_server import Replay, Said

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.orchestra import PAGE, Orchestra, OrchestraOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "orchestra"
PIPELINES, RUNS, TASKS = (json.loads((FIXTURES / f"{name}.json").read_text()) for name in ("pipelines", "pipeline_runs", "task_runs"))
SINCE = datetime(2026, 11, 19, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "orchestra-key"


def page(*results, total=None):
    return {"page": 1, "pageSize": PAGE, "total": len(results) if total is None else total, "results": list(results)}


@pytest.fixture
def server():
    with Replay() as replay:
        replay.add("/pipelines", PIPELINES)
        replay.add("/pipeline_runs", RUNS)
        replay.add("/task_runs", TASKS)
        yield replay


def source(server, **options):
    given = {"base_url": server.url, "allow_private_addresses": True, "api_key": SecretStr(KEY), **options}
    return Orchestra("orchestra", OrchestraOptions(**given), None)


def run(status, **fields):
    return {**RUNS["results"][1], "runStatus": status, **fields}


def only(server, *runs):
    server.add("/pipeline_runs", page(*runs))
    (record,) = check_source(source(server), SINCE, NOW)
    return record


def test_runs_are_loads_with_what_their_failed_task_said(server):
    succeeded, failed, running = check_source(source(server), SINCE, NOW)
    assert (failed.pipeline, failed.status, failed.raw_status) == ("daily", LoadStatus.FAILED, "FAILED")
    assert failed.error == "task sync orders failed: Connector could not connect to source"
    assert failed.started_at == datetime(2026, 11, 20, 6, 0, 3, tzinfo=UTC)
    assert failed.finished_at == datetime(2026, 11, 20, 6, 10, tzinfo=UTC)
    assert failed.extra == {"trigger": "SCHEDULED", "environment": "Production", "pipeline_id": RUNS["results"][0]["pipelineId"]}
    assert (running.status, running.finished_at) == (LoadStatus.RUNNING, None)
    assert (succeeded.status, succeeded.error, succeeded.rows) == (LoadStatus.SUCCEEDED, None, None)
    assert (succeeded.started_at, succeeded.finished_at) == (
        datetime(2026, 11, 19, 6, tzinfo=UTC),
        datetime(2026, 11, 19, 6, 9, tzinfo=UTC),
    )
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_both_times_are_always_sent_and_reach_back_for_no_more_than_the_history(server):
    source(server).loads(SINCE, NOW)
    source(server, longest_run=3_600).loads(NOW - timedelta(days=90), NOW)
    sent = [(r.query["time_from"], r.query["time_to"]) for r in server.requests if r.path in ("/pipeline_runs", "/task_runs")]
    assert sent == [("2026-11-18T00:00:00Z", "2026-11-20T12:00:00Z")] * 2 + [("2026-11-13T12:00:00Z", "2026-11-20T12:00:00Z")] * 2


def test_pipelines_go_by_their_name_or_by_their_id_where_two_have_the_same(server):
    assert [(p.pipeline, p.is_paused) for p in source(server).pipelines()] == [("daily", False), ("weekly", True)]
    twin = {**PIPELINES["results"][1], "name": "daily", "paused": None}
    server.add("/pipelines", page(PIPELINES["results"][0], twin))
    ids = [one["id"] for one in PIPELINES["results"]]
    assert [(p.pipeline, p.is_paused) for p in source(server).pipelines()] == [(ids[0], False), (ids[1], None)]
    assert {r.pipeline for r in check_source(source(server), SINCE, NOW)} == {ids[0]}


def test_a_run_of_a_pipeline_that_was_deleted_keeps_its_name(server):
    server.add("/pipelines", page())
    assert {r.pipeline for r in check_source(source(server), SINCE, NOW)} == {"daily"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATED", "queued"),
        ("RUNNING", "running"),
        ("CANCELLING", "running"),
        ("SUCCEEDED", "succeeded"),
        ("WARNING", "partial"),
        ("FAILED", "failed"),
        ("SKIPPED", "skipped"),
        ("CANCELLED", "cancelled"),
        ("DREAMING", "unknown"),
    ],
)
def test_each_status(server, status, expected):
    record = only(server, run(status))
    assert (record.status.value, record.raw_status) == (expected, status)
    assert (record.error is not None) is (expected in ("failed", "partial"))
    assert (record.finished_at is None) is (expected in ("queued", "running", "unknown"))


@pytest.mark.parametrize(
    ("task", "message", "expected"),
    [
        ({"message": None}, "", "task sync orders failed: 503"),
        ({"message": None, "externalMessage": None}, "", "task sync orders failed"),
        ({"pipelineRunId": "another"}, "Pipeline failed", "Pipeline failed"),
        ({"pipelineRunId": "another"}, "", "Orchestra names no reason"),
    ],
)
def test_where_the_error_comes_from(server, task, message, expected):
    server.add("/task_runs", page({**TASKS["results"][0], **task}))
    assert only(server, run("FAILED", message=message)).error == expected


def test_of_several_failed_tasks_the_first_is_told(server):
    second = {**TASKS["results"][0], "taskName": "after", "completedAt": "2026-11-20T06:09:59Z"}
    server.add("/task_runs", page(second, TASKS["results"][0]))
    assert only(server, run("FAILED")).error.startswith("task sync orders failed")


def test_tasks_are_asked_for_only_where_a_run_failed(server):
    only(server, run("SUCCEEDED"))
    assert server.count("/task_runs") == 0


def test_all_pages_are_read(server):
    runs = [run("SUCCEEDED", id=f"r{n:03d}") for n in range(PAGE + 1)]
    server.add("/pipeline_runs", page(*runs[:PAGE], total=PAGE + 1), query={"page": 1, "page_size": PAGE})
    server.add("/pipeline_runs", page(*runs[PAGE:], total=PAGE + 1), query={"page": 2})
    assert len(check_source(source(server), SINCE, NOW)) == PAGE + 1


@pytest.mark.parametrize(
    "said",
    [
        Said(401, f"bad key {KEY}"),
        Said(403),
        Said(404),
        Said(422),
        Said(429, headers={"Retry-After": "60"}),
        Said(503),
        Said(200, '{"results": [{'),
        Said(200, {"page": 1}),
        Said(200, page({"id": "1"})),
        Said(302, headers={"Location": "http://10.0.0.1/"}),
    ],
    ids=lambda s: f"{s.status}-{s.body}",
)
def test_a_bad_answer_is_a_source_error_without_the_key(server, said):
    server.add("/pipeline_runs", said)
    with pytest.raises(SourceError, match=r"ingestion orchestra \(127\.0\.0\.1:[0-9]+\) cannot be read: ") as caught:
        source(server).loads(SINCE, NOW)
    assert KEY not in str(caught.value)


def test_a_private_address_is_refused_unless_it_is_allowed(server):
    with pytest.raises(SourceError, match="allow_private_addresses"):
        source(server, allow_private_addresses=False).pipelines()
    assert server.count() == 0
