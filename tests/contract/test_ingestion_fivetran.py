"""The Fivetran source on answers in the documented shape of REST API v1."""

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
from dqmon.ingestion.fivetran import Fivetran, FivetranOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "fivetran"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAILING = json.loads((FIXTURES / "fivetran_connection.json").read_text())["data"]


def answer(*connections, cursor=None):
    return {"code": "Success", "data": {"items": list(connections), **({"next_cursor": cursor} if cursor else {})}}


@pytest.fixture
def server():
    with Replay() as replay:
        replay.add("/v1/connections", answer(FAILING))
        yield replay


def source(server, **options):
    given = {
        "base_url": f"{server.url}/v1",
        "allow_private_addresses": True,
        "api_key": "key",
        "api_secret": SecretStr("s3cr3t"),
        **options,
    }
    return Fivetran("fivetran", FivetranOptions(**given), None)


def test_the_last_success_and_the_last_failure_are_loads(server):
    records = check_source(source(server), SINCE, NOW)
    assert [(r.pipeline, r.load_id, r.status.value, r.error, r.rows) for r in records] == [
        ("paint_wedges", "succeeded__2026-11-20T06:02:00+00:00", "succeeded", None, None),
        ("paint_wedges", "failed__2026-11-20T09:01:00+00:00", "failed", "Reconnect", None),
    ]
    assert records[0].extra == {"schema": "shop", "service": "postgres", "setup_state": "connected", "update_state": "on_schedule"}
    assert server.requests[0].headers["Authorization"] == "Basic a2V5OnMzY3IzdA=="


def test_once_it_succeeds_again_the_new_success_is_another_load(server):
    before = source(server).loads(SINCE, NOW)
    server.add("/v1/connections", answer({**FAILING, "succeeded_at": "2026-11-20T10:00:00Z"}))
    later = check_source(source(server), SINCE, NOW)
    assert [r.status for r in later] == [LoadStatus.FAILED, LoadStatus.SUCCEEDED]
    assert later[0].load_id == before[1].load_id
    assert later[0].error is None, "what is asked of the user belongs to a failure that lasts"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"tasks": [], "warnings": [{"code": "slow", "message": "The source is slow"}]}, "The source is slow"),
        ({"tasks": [{"code": "resync"}, {"code": "x", "message": "Rotate the key"}]}, "resync; Rotate the key"),
        ({"tasks": ["odd"], "warnings": None}, "Fivetran names no reason"),
        (None, "Fivetran names no reason"),
    ],
)
def test_the_error_is_what_fivetran_asks_for(server, status, expected):
    server.add("/v1/connections", answer({**FAILING, "status": status}))
    assert check_source(source(server), SINCE, NOW)[-1].error == expected


def test_a_rescheduled_sync_is_no_failure(server):
    server.add("/v1/connections", answer({**FAILING, "failed_at": None, "status": {"sync_state": "rescheduled"}}))
    assert [r.status for r in source(server).loads(SINCE, NOW)] == [LoadStatus.SUCCEEDED]


def test_a_connection_that_never_ran_has_no_loads(server):
    server.add("/v1/connections", answer({**FAILING, "succeeded_at": None, "failed_at": None, "paused": True}))
    fivetran = source(server)
    assert check_source(fivetran, SINCE, NOW) == ()
    assert [(p.pipeline, p.is_paused) for p in fivetran.pipelines()] == [("paint_wedges", True)]


def test_only_what_ended_in_the_window_is_told(server):
    assert source(server).loads(NOW - timedelta(hours=2), NOW) == ()


def test_all_pages_are_read(server):
    server.add("/v1/connections", answer(FAILING, cursor="abc="))
    server.add("/v1/connections", answer({**FAILING, "id": "second"}), query={"cursor": "abc="})
    assert [p.pipeline for p in source(server).pipelines()] == ["paint_wedges", "second"]
    assert len(check_source(source(server), SINCE, NOW)) == 4


def test_a_group_narrows_what_is_read(server):
    source(server, group="g1").pipelines()
    assert server.requests[0].query == {"limit": "1000", "group_id": "g1"}


@pytest.mark.parametrize(
    "said",
    [
        Said(401),
        Said(403),
        Said(404),
        Said(429, headers={"Retry-After": "60"}),
        Said(503),
        Said(200, '{"code": "Succ'),
        Said(200, {"code": "Success"}),
        Said(200, answer({"service": "x"})),
    ],
    ids=lambda s: f"{s.status}-{s.body}",
)
def test_a_bad_answer_is_a_source_error(server, said):
    server.add("/v1/connections", said)
    for ask in (lambda: source(server).loads(SINCE, NOW), lambda: source(server).pipelines()):
        with pytest.raises(SourceError, match=r"ingestion fivetran \(127\.0\.0\.1:[0-9]+\) cannot be read: "):
            ask()


def test_an_echoed_secret_is_in_no_message(server):
    server.add("/v1/connections", Said(400, "bad key s3cr3t a2V5OnMzY3IzdA=="))
    with pytest.raises(SourceError) as caught:
        source(server).pipelines()
    assert str(caught.value).endswith("HTTP 400: the request is refused: bad key *** ***")
