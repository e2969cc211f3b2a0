"""The source matillion on answers in the shape of the vendor's documentation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from ingestion_contract import check_source
from pydantic import SecretStr
from replay_server import Replay, Said

from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.matillion import Matillion, MatillionOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "matillion"
EXECUTIONS, SCHEDULES = (json.loads((FIXTURES / f"{name}.json").read_text()) for name in ("pipeline_executions", "schedules"))
PROJECT = EXECUTIONS["results"][0]["projectId"]
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKEN = "a-token-" + "x" * 3_000
SECRET = "cl13nt-s3cret"  # pragma: allowlist secret
EXECUTIONS_PATH, SCHEDULES_PATH = "/dpc/v1/pipeline-executions", f"/dpc/v1/projects/{PROJECT}/schedules"


@pytest.fixture
def server():
    with Replay() as replay:
        replay.add("/oauth/dpc/token", {"access_token": TOKEN, "expires_in": 1_800, "token_type": "Bearer"}, method="POST")
        replay.add(EXECUTIONS_PATH, EXECUTIONS)
        replay.add(SCHEDULES_PATH, SCHEDULES)
        yield replay


def source(server, **options):
    given = {
        "base_url": f"{server.url}/dpc",
        "token_url": f"{server.url}/oauth/dpc/token",
        "allow_private_addresses": True,
        "client_id": "dq",
        "client_secret": SecretStr(SECRET),
        "project": PROJECT,
        **options,
    }
    return Matillion("matillion", MatillionOptions(**given), None)


def test_executions_are_loads(server):
    succeeded, failed, running = check_source(source(server), SINCE, NOW)
    assert (failed.pipeline, failed.load_id, failed.status) == (
        "Prod/Nightly load",
        "fd05a6c4-b3e1-4441-86a2-000000000002",
        LoadStatus.FAILED,
    )
    assert failed.error == "Load orders: SQL compilation error: Object 'RAW.ORDERS' does not exist"
    assert failed.finished_at == datetime(2026, 11, 20, 1, 20, 30, tzinfo=UTC)
    assert failed.extra == {"trigger": "SCHEDULE", "type": "ORCHESTRATION", "schedule_id": SCHEDULES["results"][0]["scheduleId"]}
    assert (running.status, running.finished_at, running.extra["trigger"]) == (LoadStatus.RUNNING, None, "API")
    assert (succeeded.status, succeeded.error) == (LoadStatus.SUCCEEDED, None), "it began the day before, and ended in the window"


def test_one_token_is_taken_by_a_form_and_serves_all_requests(server):
    matillion = source(server)
    matillion.pipelines()
    matillion.loads(SINCE, NOW)
    assert server.count("/oauth/dpc/token") == 1
    login, asked = server.requests[0], server.requests[1]
    assert login.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(login.raw.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["dq"],
        "client_secret": [SECRET],
        "audience": ["https://api.matillion.com"],
    }
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"


def test_an_expired_token_is_renewed_once(server):
    matillion = source(server)
    server.add(EXECUTIONS_PATH, Said(401), Said(body=EXECUTIONS))
    assert len(matillion.loads(SINCE, NOW)) == 3
    assert server.count("/oauth/dpc/token") == 2
    server.add(EXECUTIONS_PATH, Said(401))
    with pytest.raises(SourceError, match="HTTP 401"):
        matillion.loads(SINCE, NOW)
    assert server.count("/oauth/dpc/token") == 3


def test_what_is_asked_reaches_back_by_the_longest_run(server):
    source(server, environment="Prod", longest_run=3_600).loads(SINCE, NOW)
    (asked,) = [r.query for r in server.requests if r.path == EXECUTIONS_PATH]
    assert asked == {"projectId": PROJECT, "environmentName": "Prod", "limit": "100", "startedAfter": "2026-11-19T23:00:00Z"}


def test_all_pages_are_read_also_by_tokens_that_are_long(server):
    more = "m" * 3_000
    first, *rest = EXECUTIONS["results"]
    server.add(EXECUTIONS_PATH, {"results": [first], "more": more})
    server.add(EXECUTIONS_PATH, {"results": rest}, query={"paginationToken": more})
    assert len(check_source(source(server), SINCE, NOW)) == 3


def schedule(server, **fields):
    """What is said of the pipeline when its schedule has these fields."""
    server.add(SCHEDULES_PATH, {"total": 1, "results": [{**SCHEDULES["results"][0], **fields}]})
    (info,) = source(server).pipelines()
    return info.is_paused, info.schedule


def test_a_schedule_is_told_where_its_next_run_shows_that_it_was_read_right(server):
    assert schedule(server) == (False, Schedule("15 1 * * *", None, "Europe/Dublin"))
    assert schedule(server, cronExpression="15 1 * * *") == (False, Schedule("15 1 * * *", None, "Europe/Dublin"))
    assert schedule(server, nextRunAt="2026-11-21T02:15:00.000Z") == (False, None)
    assert schedule(server, nextRunAt=None) == (False, None)
    assert schedule(server, cronExpression=0) == (False, None)
    assert schedule(server, scheduleEnabled=False) == (True, None)
    every = {"cronExpression": None, "intervalExpression": {"interval": 6, "unit": "HOURS"}}
    assert schedule(server, **every) == (False, Schedule(None, 21_600, "Europe/Dublin"))
    assert schedule(server, cronExpression=None, intervalExpression={"interval": 6, "unit": "MOONS"}) == (False, None)


def test_pipelines_are_those_with_schedules_and_those_that_ran(server):
    scheduled = {**SCHEDULES["results"][0], "pipelineName": "Weekly"}
    server.add(SCHEDULES_PATH, {"total": 3, "results": [scheduled, SCHEDULES["results"][0]]}, query={"page": 0})
    server.add(SCHEDULES_PATH, {"total": 3, "results": [{**scheduled, "name": "another"}]}, query={"page": 1})
    found = {p.pipeline: p.schedule for p in source(server).pipelines()}
    assert list(found) == ["Prod/Nightly load", "Prod/Weekly"]
    assert found["Prod/Weekly"] is None, "two schedules are not one"
    server.add(SCHEDULES_PATH, {"total": 0, "results": []})
    assert [(p.pipeline, p.is_paused) for p in source(server).pipelines()] == [("Prod/Nightly load", None)]


def test_schedules_of_other_environments_are_left_out(server):
    server.add(EXECUTIONS_PATH, {"results": []}, query={"environmentName": "Dev"})
    assert source(server, environment="Dev").pipelines() == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [("CANCELLING", "running"), ("CANCELLED", "cancelled"), ("SKIPPED", "skipped"), ("UNKNOWN", "unknown"), ("DREAMING", "unknown")],
)
def test_each_status(server, status, expected):
    server.add(EXECUTIONS_PATH, {"results": [{**EXECUTIONS["results"][1], "status": status}]})
    (record,) = check_source(source(server), SINCE, NOW)
    assert (record.status.value, record.raw_status, record.error) == (expected, status, None)


def test_a_failure_without_a_message_says_so(server):
    server.add(EXECUTIONS_PATH, {"results": [{**EXECUTIONS["results"][1], "message": "", "environmentName": None}]})
    (record,) = check_source(source(server), SINCE, NOW)
    assert (record.error, record.pipeline) == ("Matillion names no reason", "Nightly load")


@pytest.mark.parametrize(
    "said",
    [
        Said(403, f"bad token {TOKEN}"),
        Said(404),
        Said(429, headers={"Retry-After": "60"}),
        Said(503),
        Said(200, '{"results": [{'),
        Said(200, {"page": 1}),
        Said(200, {"results": [{"pipelineName": "p"}]}),
        Said(302, headers={"Location": "http://10.0.0.1/"}),
    ],
    ids=lambda s: str(s.status),
)
def test_a_bad_answer_is_a_source_error(server, said):
    server.add(EXECUTIONS_PATH, said)
    with pytest.raises(SourceError, match=r"ingestion matillion \(127\.0\.0\.1:[0-9]+\) cannot be read: ") as caught:
        source(server).loads(SINCE, NOW)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Said(401, {"error": f"access_denied {SECRET}"}), "HTTP 401; are client_id and client_secret right?"),
        (Said(429), "HTTP 429: "),
        (Said(200, {"token": "x"}), "gave no access_token"),
        (Said(200, ["x"]), "gave no access_token"),
        (Said(200, "no json"), "gave no access_token"),
        (Said(200, b"[" * 100_000), "gave no access_token"),
        (Said(drop=True), "broke"),
    ],
)
def test_without_a_token_there_is_one_clear_source_error(server, said, message):
    server.add("/oauth/dpc/token", said, method="POST")
    with pytest.raises(SourceError, match=r"ingestion matillion \(.*POST /oauth/dpc/token") as caught:
        source(server).pipelines()
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_private_address_is_refused_unless_it_is_allowed(server):
    with pytest.raises(SourceError, match="allow_private_addresses"):
        source(server, allow_private_addresses=False).pipelines()
    assert server.count() == 0
    assert source(server).backlog(NOW) == ()
