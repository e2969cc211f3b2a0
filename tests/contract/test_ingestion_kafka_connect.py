"""The source kafka_connect on the documented shape of `GET /connectors?expand=status`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingestion_contract import check_source
from pydantic import SecretStr
from replay_server import Replay, Said

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.kafka_connect import KafkaConnect, KafkaConnectOptions

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures" / "ingestion" / "kafka_connect" / "status.json").read_text())
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def server():
    with Replay() as replay:
        replay.add("/connectors", RECORDED, query={"expand": "status"})
        yield replay


def source(server, **options):
    given = {"base_url": server.url, "allow_private_addresses": True, **options}
    return KafkaConnect("connect", KafkaConnectOptions(**given), None)


def states(connector, *tasks):
    return {"c": {"status": {"name": "c", "connector": {"state": connector}, "tasks": [{"id": 0, "state": task} for task in tasks]}}}


def test_a_running_connector_with_a_dead_task_has_failed(server):
    (record,) = check_source(source(server), SINCE, NOW)
    assert (record.pipeline, record.status, record.raw_status) == ("orders-sink", LoadStatus.FAILED, "RUNNING; tasks: 1 FAILED, 1 RUNNING")
    assert record.error == "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("RUNNING", "RUNNING"), "running"),
        (("RUNNING",), "unknown"),
        (("RUNNING", "UNASSIGNED", "RUNNING"), "queued"),
        (("RUNNING", "RESTARTING"), "queued"),
        (("UNASSIGNED", "RUNNING"), "queued"),
        (("PAUSED", "PAUSED"), "skipped"),
        (("STOPPED",), "skipped"),
        (("PAUSED", "FAILED"), "failed"),
        (("FAILED",), "failed"),
        (("RUNNING", "DANCING"), "unknown"),
        (("", "RUNNING"), "unknown"),
    ],
)
def test_the_worst_state_of_connector_and_tasks_counts(server, told, expected):
    server.add("/connectors", states(*told))
    (record,) = check_source(source(server), SINCE, NOW)
    assert record.status.value == expected
    assert (record.error is not None) is (expected == "failed")


def test_a_paused_connector_says_so_and_a_declared_one_that_is_not_there_has_failed(server):
    server.add("/connectors", states("STOPPED"))
    found = source(server, connectors=["c", "gone"])
    assert [(p.pipeline, p.is_paused) for p in found.pipelines()] == [("c", True), ("gone", None)]
    assert [(r.pipeline, r.status.value, r.raw_status) for r in check_source(found, SINCE, NOW)] == [
        ("c", "skipped", "STOPPED; tasks: none"),
        ("gone", "failed", "missing"),
    ]


def test_the_password_goes_along_and_is_in_no_message(server):
    server.add("/connectors", status=401, body="bad password s3cr3t")
    with pytest.raises(SourceError, match="HTTP 401") as caught:
        source(server, user="dq", password=SecretStr("s3cr3t")).loads(SINCE, NOW)
    assert server.requests[0].headers["Authorization"] == "Basic ZHE6czNjcjN0"
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Said(403), "HTTP 403"),
        (Said(404), "HTTP 404"),
        (Said(409, {"message": "rebalance in progress"}), "rebalance in progress"),
        (Said(429, headers={"Retry-After": "7"}), "retry after 7 s"),
        (Said(500), "HTTP 500"),
        (Said(302, headers={"Location": "http://10.0.0.1/"}), "redirects are not followed"),
        (Said(body='{"c": {"sta'), "cannot be read"),
        (Said(body=RECORDED, cut=20), "bytes of the answer missing"),
        (Said(body=["orders-sink"]), "is this Kafka Connect 2.3 or later"),
        (Said(body={"c": {"info": {}}}), "is this Kafka Connect 2.3 or later"),
        (Said(drop=True), "broke"),
        (Said(body=b"[" * 1024, endless=500 * 1024 * 1024), "longer than 1 MB"),
    ],
)
def test_each_trouble_is_one_clear_source_error(server, said, message):
    server.add("/connectors", said)
    for ask in (lambda s: s.pipelines(), lambda s: s.loads(SINCE, NOW)):
        with pytest.raises(SourceError, match="ingestion connect") as caught:
            ask(source(server, max_answer_mb=1))
        assert message in str(caught.value)


def test_a_private_address_is_refused_unless_it_is_allowed(server):
    with pytest.raises(SourceError, match="allow_private_addresses"):
        source(server, allow_private_addresses=False).loads(SINCE, NOW)
    assert server.count() == 0
    assert source(server).backlog(NOW) == ()
