"""The source step_functions on moto's server, which runs small state machines for real, and on botocore's stubs."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from aws_world import clients, made, moto, stubbed
from ingestion_contract import check_source
from pydantic import ValidationError

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.step_functions import DESCRIBED, PAGE, StepFunctions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "aws"
RECORDED = json.loads((FIXTURES / "sfn_executed_moto.json").read_text())
STUCK = json.loads((FIXTURES / "glue_and_sfn_default_moto.json").read_text())["sfn.list_executions"]["executions"]
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/r"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:ingest"


@pytest.fixture(scope="module")
def url():
    with moto() as found:
        yield found


@pytest.fixture
def executing(url):
    """moto runs state machines; otherwise all of them run for ever."""

    def set_to(value):
        body = json.dumps({"stepfunctions": {"execute_state_machine": value}}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/config", body, {"content-type": "application/json"}), timeout=10)

    set_to(value=True)
    yield
    set_to(value=False)


def start(client, name, state, execution):
    machine = client.create_state_machine(name=name, definition=json.dumps({"StartAt": "A", "States": {"A": state}}), roleArn=ROLE)
    return client.start_execution(stateMachineArn=machine["stateMachineArn"], name=execution, input="{}")["executionArn"]


def ended(client, arn):
    limit = monotonic() + 30
    while client.describe_execution(executionArn=arn)["status"] == "RUNNING":
        assert monotonic() < limit, f"{arn} does not end"


def test_executions_of_a_server_are_loads_with_errors_and_rows(url, executing):
    client = clients(url, "eu-west-1")("stepfunctions")
    failing = {"Type": "Fail", "Error": "LoadError", "Cause": "relation raw.customers does not exist"}
    ended(client, start(client, "ingestfail", failing, "f1"))
    ended(client, start(client, "ingestok", {"Type": "Pass", "Result": {"load": {"rows": 42}}, "End": True}, "o1"))
    until = datetime.now(UTC) + timedelta(minutes=1)
    source = made(StepFunctions, url, "eu-west-1", rows_pointer="/load/rows")
    found = {r.pipeline: r for r in check_source(source, until - timedelta(hours=1), until)}
    assert (found["ingestfail"].status, found["ingestfail"].error) == (
        LoadStatus.FAILED,
        "LoadError: relation raw.customers does not exist",
    )
    assert (found["ingestok"].status, found["ingestok"].rows, found["ingestok"].load_id) == (LoadStatus.SUCCEEDED, 42, "o1")
    assert found["ingestok"].finished_at is not None
    assert [p.pipeline for p in source.pipelines()] == ["ingestfail", "ingestok"]
    assert source.backlog(until) == ()


def test_an_execution_that_never_ends_is_running_since_its_start(url):
    client = clients(url, "eu-west-2")("stepfunctions")
    start(client, "stuck", {"Type": "Pass", "End": True}, "e1")
    start(client, "other", {"Type": "Pass", "End": True}, "e1")
    until = datetime.now(UTC) + timedelta(minutes=1)
    (record,) = check_source(made(StepFunctions, url, "eu-west-2", state_machines=["stuck"]), until - timedelta(hours=1), until)
    assert (record.pipeline, record.status, record.finished_at) == ("stuck", LoadStatus.RUNNING, None)
    assert record.started_at is not None


def timed(one):
    """An entry of a recorded list, with times as boto3 has them."""
    keys = ("executionArn", "stateMachineArn", "name", "status")
    times = {key: datetime.fromisoformat(one[key]) for key in ("startDate", "stopDate") if key in one}
    return {key: one[key] for key in keys} | times


def loads_of(listed, *described, running=(), pages=(), **options):
    """What the source says of one state machine with these executions; `described` are answers in the order of asking."""
    source = made(StepFunctions, **options)
    with stubbed(source._aws) as stub:
        machine = {"stateMachineArn": MACHINE, "name": "ingest", "type": "STANDARD", "creationDate": SINCE}
        stub.add_response("list_state_machines", {"stateMachines": [machine, machine | {"name": "fast", "type": "EXPRESS"}]})
        asked = {"stateMachineArn": MACHINE, "maxResults": PAGE}
        stub.add_response("list_executions", {"executions": list(running)}, asked | {"statusFilter": "RUNNING"})
        for index, page in enumerate((listed, *pages)):
            more = {"nextToken": f"t{index}"} if index < len(pages) else {}
            stub.add_response("list_executions", {"executions": page, **more}, asked | ({"nextToken": f"t{index - 1}"} if index else {}))
        for answer in described:
            stub.add_response("describe_execution", answer)
        return source.loads(SINCE, NOW)


def test_the_recorded_executions_are_parsed():
    failed, ok = (timed(RECORDED[key]) for key in ("failed", "ok"))
    told = [
        timed(RECORDED[key]) | {k: RECORDED[key][k] for k in ("error", "cause", "output") if k in RECORDED[key]} for key in ("failed", "ok")
    ]
    first, second = loads_of([ok, failed], *told, rows_pointer="/rows")
    assert (first.load_id, first.status, first.error) == ("f1", LoadStatus.FAILED, "LoadError: relation raw.customers does not exist")
    assert first.finished_at == datetime(2026, 11, 20, 13, 14, 4, 252000, tzinfo=UTC)
    assert (second.load_id, second.rows) == ("o1", 42)


def test_the_recorded_executions_that_never_end_are_running():
    listed = [timed(one) for one in STUCK]
    (record, *_) = loads_of(listed, running=listed)
    assert {r.status for r in loads_of(listed)} == {LoadStatus.RUNNING}
    assert (record.load_id, record.raw_status) == ("e1", "RUNNING")


def execution(status, name="e", hours_ago=2.0, took_h=0.5, **fields):
    began = NOW - timedelta(hours=hours_ago)
    ends = {} if status in ("RUNNING", "PENDING_REDRIVE") else {"stopDate": began + timedelta(hours=took_h)}
    arn = f"arn:aws:states:eu-west-1:123456789012:execution:ingest:{name}"
    return {"executionArn": arn, "stateMachineArn": MACHINE, "name": name, "status": status, "startDate": began, **ends, **fields}


@pytest.mark.parametrize(
    ("status", "expected"),
    [("RUNNING", "running"), ("PENDING_REDRIVE", "queued"), ("SUCCEEDED", "succeeded"), ("ABORTED", "cancelled"), ("DREAMING", "unknown")],
)
def test_each_status(status, expected):
    (record,) = loads_of([execution(status)])
    assert (record.status.value, record.raw_status, record.error, record.rows) == (expected, status, None, None)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"error": "States.Timeout"}, "States.Timeout"),
        ({"cause": "out of memory"}, "out of memory"),
        ({}, "Step Functions names no reason (TIMED_OUT)"),
    ],
)
def test_one_that_timed_out_has_failed(told, error):
    one = execution("TIMED_OUT")
    (record,) = loads_of([one], one | told)
    assert (record.status, record.error) == (LoadStatus.FAILED, error)


@pytest.mark.parametrize(
    ("output", "rows"),
    [
        ('{"rows": 7}', 7),
        ('{"rows": "7"}', 7),
        ('{"rows": -1}', None),
        ("[]", None),
        ("no json", None),
        (None, None),
        ("[" * 200_000, None),
    ],
)
def test_rows_are_what_the_output_tells_at_the_pointer(output, rows):
    one = execution("SUCCEEDED")
    (record,) = loads_of([one], one | ({"output": output} if output else {}), rows_pointer="/rows")
    assert record.rows == rows


def test_a_redriven_execution_is_another_attempt():
    failed = execution("FAILED", hours_ago=9)
    again = execution("SUCCEEDED", hours_ago=9, took_h=8, redriveCount=1, redriveDate=NOW - timedelta(hours=2))
    (first,) = loads_of([failed], failed)
    (second,) = loads_of([again])
    assert (first.load_id, first.attempt, second.load_id, second.attempt) == ("e", 1, "e", 2)
    assert second.started_at == NOW - timedelta(hours=2)


def test_pages_are_read_until_what_ended_before_the_window_and_long_runners_are_seen():
    old, long_ = execution("SUCCEEDED", "old", hours_ago=30), execution("RUNNING", "long", hours_ago=24 * 40)
    spanning = execution("SUCCEEDED", "spanning", hours_ago=40, took_h=35)
    records = loads_of([execution("SUCCEEDED", "new")], running=[long_], pages=[[spanning], [old]])
    assert [r.load_id for r in records] == ["long", "spanning", "new"]
    assert [r.load_id for r in loads_of([execution("SUCCEEDED", "new"), old])] == ["new"]


def test_an_execution_that_ends_between_two_lists_is_told_once_as_ended():
    (record,) = loads_of([execution("SUCCEEDED")], running=[execution("RUNNING")])
    assert record.status is LoadStatus.SUCCEEDED


def test_only_the_newest_failures_are_asked_for_their_error():
    failed = [execution("FAILED", f"e{n:03d}", hours_ago=12 - n / 100) for n in range(DESCRIBED + 3)]
    records = loads_of(list(reversed(failed)), *(one | {"error": "E"} for one in failed[3:]))
    assert [r.error for r in records] == [None] * 3 + ["E"] * DESCRIBED


def test_throttling_is_a_source_error():
    source = made(StepFunctions)
    with stubbed(source._aws) as stub:
        stub.add_client_error("list_state_machines", "ThrottlingException", "Rate exceeded", http_status_code=400)
        with pytest.raises(SourceError, match=r"ingestion aws \(stepfunctions in eu-west-1\) cannot be read: .*too many requests"):
            source.pipelines()


def test_a_pointer_that_is_none_is_refused():
    with pytest.raises(ValidationError, match="rows_pointer"):
        made(StepFunctions, rows_pointer="rows")
