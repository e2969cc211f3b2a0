"""The generic HTTP source: any list of runs, read by JSON pointers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from ingestion_contract import check_source
from pydantic import ValidationError
from replay_server import Replay, Said

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.base import http_json
from dqmon.ingestion.http import Http, HttpOptions

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
FIELDS = {
    "pipeline": "/flow/name",
    "load_id": "/id",
    "status": "/state",
    "started_at": "/from",
    "finished_at": "/to",
    "rows": "/counts/0",
    "rows_rejected": "/counts/1",
    "error": "/problem",
}
RUNS = [
    {
        "id": 1,
        "flow": {"name": "orders"},
        "state": "Completed",
        "from": "2026-11-20T06:00:00Z",
        "to": "2026-11-20T06:05:00Z",
        "counts": [420, 3],
    },
    {
        "id": 2,
        "flow": {"name": "orders"},
        "state": "BROKEN",
        "from": "2026-11-20T07:00:00Z",
        "to": "2026-11-20T07:01:00Z",
        "counts": [None, None],
        "problem": {"code": 17, "text": "no such table"},
    },
    {"id": 3, "flow": {"name": "customers"}, "state": "busy", "from": "2026-11-20T08:00:00Z", "to": "2026-11-20T09:00:00Z", "counts": []},
    {
        "id": 4,
        "flow": {"name": "customers"},
        "state": "melting",
        "from": "2026-11-20T09:00:00Z",
        "to": "2026-11-20T09:30:00Z",
        "problem": "",
    },
    {"id": 5, "flow": {"name": "customers"}, "state": "cancelled", "from": 1795168800, "to": 1795168860500},
]
STATUSES = {"completed": "succeeded", "broken": "failed", "busy": "running"}


@pytest.fixture
def server():
    with Replay() as replay:
        replay.add("/api/runs", {"data": {"items": RUNS}})
        yield replay


def options(server, **given):
    whole = {
        "base_url": f"{server.url}/api",
        "path": "/runs",
        "allow_private_addresses": True,
        "records": "/data/items",
        "fields": FIELDS,
        "statuses": STATUSES,
        **given,
    }
    return HttpOptions.model_validate_json(json.dumps(whole))


def source(server, **given):
    return Http("tail", options(server, **given), None)


def test_records_are_read_where_the_pointers_say(server):
    records = check_source(source(server), SINCE, NOW)
    assert [(r.load_id, r.pipeline, r.status.value, r.rows, r.rows_rejected, r.error) for r in records] == [
        ("1", "orders", "succeeded", 420, 3, None),
        ("2", "orders", "failed", None, None, '{"code": 17, "text": "no such table"}'),
        ("3", "customers", "running", None, None, None),
        ("4", "customers", "unknown", None, None, None),
        ("5", "customers", "cancelled", None, None, None),
    ]
    assert [r.raw_status for r in records] == ["Completed", "BROKEN", "busy", "melting", "cancelled"]
    assert records[2].finished_at is None, "the end that a tool foresees is none"
    assert records[4].finished_at == datetime(2026, 11, 20, 10, 1, 0, 500_000, UTC)


def test_an_unknown_word_is_never_a_success(server):
    assert {r.status for r in source(server, statuses={}).loads(SINCE, NOW)} == {LoadStatus.UNKNOWN, LoadStatus.CANCELLED}


def test_a_status_that_is_true_or_false(server):
    server.add("/api/runs", [{"id": "a", "ok": True, "to": "2026-11-20T06:00:00Z"}, {"id": "b", "ok": False, "to": "2026-11-20T07:00:00Z"}])
    fields = {"load_id": "/id", "status": "/ok", "finished_at": "/to"}
    found = source(server, records="", fields=fields, pipelines=["one"], statuses={"true": "succeeded", "false": "failed"})
    assert [(r.pipeline, r.status.value) for r in check_source(found, SINCE, NOW)] == [("one", "succeeded"), ("one", "failed")]


def test_times_without_zone_are_read_in_the_declared_one(server):
    server.add("/api/runs", {"data": {"items": [{**RUNS[0], "from": "2026-11-20 06:00:00", "to": "2026-11-20 06:05:00"}]}})
    (record,) = source(server, timezone="America/New_York").loads(SINCE, NOW)
    assert record.started_at == datetime(2026, 11, 20, 11, tzinfo=UTC)


def test_a_start_after_the_end_is_unknown(server):
    server.add("/api/runs", {"data": {"items": [{**RUNS[0], "from": "2026-11-20T06:05:01Z"}]}})
    (record,) = check_source(source(server), SINCE, NOW)
    assert record.started_at is None


def test_pipelines_are_the_declared_ones_without_asking(server):
    assert [p.pipeline for p in source(server, pipelines=["b", "a"]).pipelines()] == ["a", "b"]
    assert server.count() == 0


def test_pipelines_are_all_that_are_named_where_none_is_declared(server):
    assert [p.pipeline for p in source(server, params={"from": "{since}"}).pipelines()] == ["customers", "orders"]
    assert server.requests[0].query == {"from": "1970-01-01T00:00:00Z"}


def test_the_window_is_put_into_the_query(server):
    source(server, params={"from": "{since}", "to": "{until}", "unix": "{since_unix}-{until_unix}", "odd": "{x} {{since}}"}).loads(
        SINCE, NOW
    )
    assert server.requests[0].query == {
        "from": "2026-11-20T00:00:00Z",
        "to": "2026-11-20T14:00:00Z",
        "unix": f"{int(SINCE.timestamp())}-{int(NOW.timestamp())}",
        "odd": "{x} {2026-11-20T00:00:00Z}",
    }


def test_a_body_is_posted(server):
    server.add("/api/runs", {"data": {"items": RUNS}}, method="POST")
    found = source(server, body={"filter": {"after": ["{since}"], "limit": 200}}).loads(SINCE, NOW)
    assert len(found) == 5
    assert server.requests[0].json == {"filter": {"after": ["2026-11-20T00:00:00Z"], "limit": 200}}


def test_headers_are_sent_and_stay_secret(server):
    server.add("/api/runs", Said(403, "no rights for key_5521"))
    with pytest.raises(SourceError, match=r"no rights for \*\*\*") as caught:
        source(server, headers={"X-Api-Key": "key_5521"}).loads(SINCE, NOW)
    assert server.requests[0].headers["X-Api-Key"] == "key_5521"
    assert "key_5521" not in str(caught.value)
    assert "key_5521" not in repr(options(server, headers={"X-Api-Key": "key_5521"}))


@pytest.mark.parametrize("form", ["url", "path", "query"])
def test_the_next_page_may_be_a_url_of_any_form(server, form):
    following = {"url": f"{server.url}/api/runs?page=2", "path": "/api/runs?page=2", "query": "?page=2"}[form]
    server.add("/api/runs", {"data": {"items": RUNS[:2]}, "links": {"next": following}})
    server.add("/api/runs", {"data": {"items": RUNS[2:]}, "links": {"next": None}}, query={"page": 2})
    assert len(check_source(source(server, next="/links/next", params={"size": "2"}), SINCE, NOW)) == 5


def test_the_next_page_may_be_a_token(server):
    server.add("/api/runs", {"data": {"items": RUNS[:2]}, "token": 7})
    server.add("/api/runs", {"data": {"items": RUNS[2:]}, "token": ""}, query={"after": 7, "size": 2})
    assert len(source(server, next="/token", next_param="after", params={"size": "2"}).loads(SINCE, NOW)) == 5
    assert server.count() == 2


def test_a_token_goes_into_the_body_that_is_posted(server):
    server.add(
        "/api/runs",
        lambda request: {
            "data": {"items": RUNS[2:] if "after" in request.json else RUNS[:2]},
            "token": None if "after" in request.json else "t",
        },
        method="POST",
    )
    assert len(source(server, body={}, next="/token", next_param="after").loads(SINCE, NOW)) == 5


def test_pages_may_be_numbered(server):
    for number, part in enumerate([RUNS[:2], RUNS[2:], []]):
        server.add("/api/runs", {"data": {"items": part}}, query={"page": number})
    assert len(check_source(source(server, page_param="page", first_page=0), SINCE, NOW)) == 5


def test_a_next_page_that_turns_in_a_circle_is_told(server):
    server.add("/api/runs", {"data": {"items": RUNS}, "next": "?page=2"})
    with pytest.raises(SourceError, match="a page names a next one that was read before"):
        source(server, next="/next").loads(SINCE, NOW)


def test_numbered_pages_without_end_are_told(server, monkeypatch):
    monkeypatch.setattr(http_json, "PAGE_LIMIT", 3)
    with pytest.raises(SourceError, match="more than 3 pages"):
        source(server, page_param="page").loads(SINCE, NOW)


def test_the_next_page_on_another_server_is_not_asked(server):
    with Replay() as other:
        server.add("/api/runs", {"data": {"items": RUNS}, "next": f"{other.url}/runs"})
        with pytest.raises(SourceError, match="it points to another server"):
            source(server, next="/next", headers={"Authorization": "Bearer abcdef"}).loads(SINCE, NOW)
        assert other.count() == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": None}, "record 2 of page 1 has no load_id at '/id'"),
        ({"flow": {}}, "record 2 of page 1 has no pipeline at '/flow/name'"),
        ({"to": "yesterday"}, "finished_at of record 2 of page 1, at '/to', is \"yesterday\"; a time is expected"),
        ({"counts": [-1]}, "rows of record 2 of page 1, at '/counts/0', is -1; a count is expected"),
        ({"problem": True}, "error of record 2 of page 1, at '/problem', is true; a text is expected"),
    ],
)
def test_a_record_that_cannot_be_read_fails_the_source_with_its_place(server, change, expected):
    server.add("/api/runs", {"data": {"items": [RUNS[0], {**RUNS[0], "id": 9, **change}]}})
    with pytest.raises(SourceError) as caught:
        source(server).loads(SINCE, NOW)
    assert str(caught.value).endswith(expected)


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {"items": {"a": 1}}}, {"data": {"items": ["a"]}}, None, "x"])
def test_an_answer_without_the_list_is_a_source_error(server, answer):
    server.add("/api/runs", Said(200, json.dumps(answer)))
    with pytest.raises(SourceError, match="no list of objects at /data/items"):
        source(server).loads(SINCE, NOW)


@pytest.mark.parametrize(
    "said",
    [Said(401), Said(404), Said(429), Said(500), Said(200, '{"data": {"it'), Said(302, headers={"Location": "/x"})],
    ids=lambda s: str(s.status),
)
def test_a_bad_answer_is_a_source_error(server, said):
    server.add("/api/runs", said)
    with pytest.raises(SourceError, match=r"ingestion tail \(127\.0\.0\.1:[0-9]+\) cannot be read: GET /api/runs: "):
        source(server).loads(SINCE, NOW)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fields": {**FIELDS, "rows": "counts/0"}}, "pattern"),
        ({"fields": {**FIELDS, "rows": "/a~2"}}, "pattern"),
        ({"fields": {k: v for k, v in FIELDS.items() if k != "finished_at"}}, "finished_at"),
        ({"fields": {**FIELDS, "speed": "/x"}}, "speed"),
        ({"fields": {k: v for k, v in FIELDS.items() if k != "pipeline"}}, "set fields.pipeline"),
        ({"statuses": {"x": "fine"}}, "succeeded"),
        ({"timezone": "Mars/Olympus"}, "is no time zone"),
        ({"timezone": "../etc/passwd"}, "is no time zone"),
        ({"headers": {"Host": "x"}}, "cannot be set as a header"),
        ({"headers": {"a b": "x"}}, "cannot be set as a header"),
        ({"next": "/n", "page_param": "p"}, "one way to the next page"),
        ({"next_param": "p"}, "next_param needs next"),
        ({"records": "data"}, "pattern"),
    ],
)
def test_wrong_options_are_told_when_the_file_is_loaded(server, given, expected):
    with pytest.raises(ValidationError, match=expected):
        options(server, **given)


def test_pointers_reach_odd_names(server):
    server.add("/api/runs", {"data": {"items": [{**RUNS[0], "a/b": {"m~n": [5]}}]}})
    (record,) = source(server, fields={**FIELDS, "rows": "/a~1b/m~0n/0"}).loads(SINCE, NOW)
    assert record.rows == 5
