"""What every HTTP source does with a bad server: one clear SourceError, no secret in it, memory flat."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError
from replay_server import Replay, Said

from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.base import http_json
from dqmon.ingestion.base.http_json import BadStatus, HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, mapping, text

TOKEN = "tok_3f9a77c0"


@pytest.fixture
def server():
    with Replay() as replay:
        yield replay


def client(server, **options):
    given = {"base_url": server.url, "allow_private_addresses": True, "timeout": 10, "max_answer_mb": 1, **options}
    return HttpJson(HttpSourceOptions(**given), "shop", {"Authorization": f"Bearer {TOKEN}"})


def failure(ask):
    with pytest.raises(SourceError) as caught:
        ask()
    message = str(caught.value)
    assert TOKEN not in message
    assert message.startswith("ingestion shop (")
    return message


def test_parameters_and_credentials_are_sent(server):
    server.add("/api/runs", {"ok": True})
    at = datetime(2026, 11, 20, 15, tzinfo=timezone(timedelta(hours=2)))
    assert client(server, base_url=server.url + "/api/").get("/runs", {"since": at, "state": ["a", "b"], "deep": True, "none": None}) == {
        "ok": True
    }
    (request,) = server.requests
    assert request.method == "GET"
    assert request.query == {"since": "2026-11-20T13:00:00Z", "state": ["a", "b"], "deep": "true"}
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_query_is_posted_as_json(server):
    server.add("/filter", lambda request: {"echo": request.json}, method="POST")
    assert client(server).post("filter", {"limit": 2}) == {"echo": {"limit": 2}}
    assert server.requests[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            Said(401, {"detail": f"bad token {TOKEN}"}),
            'GET /x: HTTP 401: the credentials are missing, wrong or expired: {"detail": "bad token ***"}',
        ),
        (Said(403), "GET /x: HTTP 403: the credentials do not permit this"),
        (Said(404, "<html>", {"Content-Type": "text/html"}), "GET /x: HTTP 404: there is nothing at this address; is base_url right?"),
        (Said(422, "no\x1b[31m"), "GET /x: HTTP 422: the request is refused: no [31m"),
        (Said(429, headers={"Retry-After": "30"}), "GET /x: HTTP 429: too many requests (retry after 30 s)"),
        (
            Said(503, headers={"Retry-After": "Sat, 21 Nov 2026 08:00:00 GMT"}),
            "HTTP 503: the server fails (retry after Sat, 21 Nov 2026 08:00:00 GMT)",
        ),
        (
            Said(302, headers={"Location": "http://user:pw@169.254.169.254/latest"}),
            "HTTP 302: it redirects to 169.254.169.254; redirects are not",
        ),
        (Said(200, '{"runs": [1, 2'), "the answer is no JSON, or cut short (14 bytes that say they are application/json)"),
        (Said(200, '{"runs": [1, 2]}', cut=9), "broke with 7 bytes of the answer missing"),
        (Said(200, ""), "the answer is no JSON, or cut short (0 bytes"),
        (Said(200, "<html>login</html>", {"Content-Type": "text/html"}), "(18 bytes that say they are text/html)"),
        (Said(200, b'"\xff\xfe"'), "the answer is no JSON"),
        (Said(200, "[" * 100_000), "the answer is nested too deeply"),
        (Said(200, "9" * 5_000), "the answer is no JSON"),
        (Said(200, "xyz", {"Content-Encoding": "gzip"}), "the answer cannot be unpacked"),
        (Said(200, gzip.compress(b"[1, 2]")[:-4], {"Content-Encoding": "gzip"}), "the answer is cut short"),
        (Said(drop=True), "broke before the answer was there: RemoteDisconnected"),
    ],
    ids=lambda value: f"{value.status}-{value.body!r:.20}" if isinstance(value, Said) else "",
)
def test_each_trouble_is_one_source_error(server, said, expected):
    server.add("/x", said)
    assert expected in failure(lambda: client(server).get("/x"))
    assert server.count() == 1, "it was asked again, or a redirect was followed"


def test_a_status_can_be_looked_at(server):
    with pytest.raises(BadStatus) as caught:
        client(server).get("/nowhere")
    assert caught.value.status == 404


def test_a_zipped_answer_is_read(server):
    server.add("/x", Said(200, {"a": [1]}, zipped=True))
    assert client(server).get("/x") == {"a": [1]}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(200, b" " * 65_536, endless=500 * 1024**2), "longer than 1 MB"),
        (Said(200, gzip.compress(b" " * 200 * 1024**2), {"Content-Encoding": "gzip"}), "longer than 1 MB"),
        (Said(200, b"[" + b"[]," * 340_000 + b"1]"), "more than 300000 values"),
    ],
    ids=["500 MB", "a bomb", "a list of many lists"],
)
def test_a_large_answer_is_refused_with_memory_flat(server, said, expected, monkeypatch):
    monkeypatch.setattr(http_json, "VALUE_LIMIT", 300_000)
    server.add("/x", said)
    asking = client(server)
    tracemalloc.start()
    message = failure(lambda: asking.get("/x"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert expected in message
    assert peak < 8 * 1024**2, f"{peak / 1024**2:.0f} MB were taken to refuse an answer"
    assert server.sent < 50 * 1024**2, "the answer was read to its end"


def test_what_is_not_kept_of_an_object_never_piles_up(server):
    server.add("/x", {"nodes": [{"id": 1, "code": "select"}, {"id": 2}]})
    assert client(server).get("/x", slim=lambda found: {k: v for k, v in found.items() if k != "code"}) == {"nodes": [{"id": 1}, {"id": 2}]}


def test_the_limit_itself_is_taken(server):
    server.add("/x", Said(200, b'"' + b"a" * (1024**2 - 2) + b'"'))
    assert len(client(server).get("/x")) == 1024**2 - 2


def test_private_addresses_are_refused_unless_allowed(server):
    message = failure(lambda: client(server, allow_private_addresses=False, base_url=server.url.replace("http:", "https:")).get("/x"))
    assert "a private address; allow_private_addresses: true permits it" in message
    assert server.count() == 0


def test_plain_http_needs_the_same_permission(server):
    assert "https is expected" in failure(lambda: client(server, allow_private_addresses=False).get("/x"))


def test_nobody_there_is_a_source_error():
    with Replay() as gone:
        pass
    assert "cannot be reached" in failure(lambda: client(gone).get("/x"))


def test_a_slow_server_ends_at_the_time_limit(server):
    server.add("/x", Said(200, b" ", endless=10**9))
    assert "the connection to 127.0.0.1 broke" in failure(lambda: client(server, timeout=1, max_answer_mb=256).get("/x"))


def test_another_server_gets_no_credentials(server):
    with Replay() as other:
        assert "it points to another server" in failure(lambda: client(server).get(f"{other.url}/next"))
        assert other.count() == 0


def test_a_full_url_of_the_same_server_is_asked(server):
    server.add("/jobs", [1])
    assert client(server).get(f"{server.url}/jobs?page=2", {"limit": 1}) == [1]
    assert server.requests[0].query == {"page": "2", "limit": "1"}


def test_a_token_with_a_line_break_is_told(server):
    asking = HttpJson(HttpSourceOptions(base_url=server.url, allow_private_addresses=True), "shop", {"Authorization": f"Bearer {TOKEN}\n"})
    assert "a line break at its end?" in failure(lambda: asking.get("/x"))


def test_an_answer_of_another_shape_is_told(server):
    asking = client(server)
    assert asking.listed({"data": {"items": [{"a": 1}]}}, "data", "items") == [{"a": 1}]
    for answer in ({}, [], {"data": None}, {"data": {"items": [1]}}, None):
        assert "no list of objects at data.items" in failure(lambda answer=answer: asking.listed(answer, "data", "items"))


def test_a_list_without_end_is_told(server, monkeypatch):
    monkeypatch.setattr(http_json, "PAGE_LIMIT", 3)
    assert "more than 3 pages" in failure(lambda: list(client(server).pages()))


@pytest.mark.parametrize("url", ["shop.example.com", "ftp://x", "https://", "https://u:p@x", "https://x/?token=1", "https://[::1"])
def test_base_url_is_judged_when_the_file_is_loaded(url):
    with pytest.raises(ValidationError):
        HttpSourceOptions(base_url=url)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-20T13:08:51.648742Z", datetime(2026, 11, 20, 13, 8, 51, 648742, UTC)),
        ("2026-11-20T15:08:51+02:00", datetime(2026, 11, 20, 13, 8, 51, tzinfo=UTC)),
        ("2026-11-20 13:08:51", datetime(2026, 11, 20, 13, 8, 51, tzinfo=UTC)),
        (1795180131, datetime(2026, 11, 20, 13, 8, 51, tzinfo=UTC)),
        (1795180131500, datetime(2026, 11, 20, 13, 8, 51, 500000, UTC)),
        *((value, None) for value in ("soon", "", None, True, [], 1e300, "0001-01-01T00:00:00+14:00", float("nan"))),
    ],
)
def test_instants(value, expected):
    assert instant(value) == expected


def test_counts_and_texts():
    assert [count(v) for v in (0, 42, "42", 42.0)] == [0, 42, 42, 42]
    assert [count(v) for v in (None, True, -1, 1.5, "4e2", "", 2**63, float("inf"), "9" * 30, [])] == [None] * 10
    assert [text(v) for v in ("a", 7, "", "  ", None, True, {})] == ["a", "7", None, None, None, None, None]
    assert len(text("x" * 10_000)) == 2_000
    assert (mapping({"a": 1}), mapping(None), mapping([])) == ({"a": 1}, {}, {})


def test_the_window_takes_ends_from_since_to_before_until_and_what_is_open():
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def record(load_id, start, end):
        times = {k: (v is not None and now + timedelta(hours=v)) or None for k, v in (("started_at", start), ("finished_at", end))}
        return LoadRecord("s", "p", load_id, LoadStatus.SUCCEEDED, now, **times)

    given = [
        record("late", -1, 1),
        record("old", -5, -3),
        record("edge", -4, -2),
        record("b", -1, None),
        record("a", -3, -1),
        record("next", 1, None),
    ]
    assert [r.load_id for r in in_window([*given, *given], now - timedelta(hours=2), now)] == ["edge", "a", "b"]
