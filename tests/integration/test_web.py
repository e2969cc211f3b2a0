"""The web endpoint as it runs: uvicorn on loopback, a real store, requests that no client would send."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from patience import wait_for
from raw_http import exchange, request

from dqmon.config.targets import Facts, WarehouseFacts
from dqmon.errors import UsageError
from dqmon.ingestion.heartbeat import Heartbeat, HeartbeatOptions
from dqmon.ingestion.openlineage import Openlineage, OpenlineageOptions
from dqmon.store import lineage, loads
from dqmon.store.database import Database
from dqmon.web import body, gate, server
from dqmon.web.access import BURST, PER_SECOND, Limiter
from dqmon.web.served import Served

EVENTS = json.loads((Path(__file__).parents[1] / "fixtures" / "openlineage" / "events.json").read_text())
CRON, OTHER, OL = "cron-token-of-16-characters", "other-token-of-16-characters", "openlineage-token-16-characters"
PING = "/api/v1/ping/cron/backup"
NOON = datetime(2026, 11, 20, 14, tzinfo=UTC)


class Place:
    """A running endpoint; its clock is set by hand."""

    def __init__(self, root: Path, limiter: Limiter | None = None) -> None:
        self.database = Database(f"sqlite:///{root}/dqmon.db")
        self.database.prepare()
        self.now, self.idle_s = NOON, 0.0
        self.server = server.Server("127.0.0.1:0", self.served(), limiter)
        self.server.start()

    def close(self) -> None:
        self.server.stop()
        self.database.close()

    def served(self, **changes):
        def heartbeat(name, token):
            return Heartbeat(
                name, HeartbeatOptions.model_validate({"token": token, "pipelines": {"backup": None, "etl/nightly": None}}), None
            )

        told = OpenlineageOptions.model_validate({"token": OL, "namespaces": {"postgres://wh:5432": "main"}})
        given = {
            "database": self.database,
            "heartbeats": {"cron": heartbeat("cron", CRON), "other": heartbeat("other", OTHER)},
            "openlineages": {"ol": Openlineage("ol", told, None)},
            "hosts": frozenset({"dqmon.example.com"}),
            "resolve": Facts({"main": WarehouseFacts("main", "public", "wh")}, {}).table,
            "clock": lambda: self.now,
            "idle_s": lambda: self.idle_s,
        }
        return Served(**given | changes)

    def ask(self, method, path, **fields):
        return exchange(self.server.port, request(method, path, **fields))

    def ping(self, query="", path=PING, token=CRON, **fields):
        self.now += timedelta(seconds=10)
        return self.ask("POST", f"{path}{'?' if query else ''}{query}", token=token, **fields)

    def tell(self, event, path="/api/v1/lineage", token=OL):
        return self.ask("POST", path, token=token, body=event if isinstance(event, bytes) else json.dumps(event).encode())

    def kept(self, pipeline="backup", source="cron"):
        with self.database.read() as connection:
            return loads.of_pipeline(connection, source, pipeline, NOON - timedelta(days=900))


@pytest.fixture
def place(tmp_path):
    found = Place(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """One endpoint for all that is refused, where nobody ever pings `backup`."""
    found = Place(tmp_path_factory.mktemp("quiet"))
    yield found
    found.close()


def test_a_job_says_that_it_starts_and_ends(place):
    opened = place.ping("status=start").json
    assert (opened["pipeline"], opened["status"]) == ("cron/backup", "running")
    assert place.ping("rows=12").json == opened | {"status": "succeeded"}
    (record,) = place.kept()
    assert (record.status, record.rows, (record.finished_at - record.started_at).total_seconds()) == ("succeeded", 12, 10)


def test_what_a_job_says_may_stand_in_a_form_in_json_or_in_the_query(place):
    form = ("Content-Type: application/x-www-form-urlencoded",)
    place.ping(body=b"status=fail&error=disk+full&run_id=a", headers=form)
    place.ping(body=json.dumps({"status": "success", "rows": 7, "rows_rejected": "2", "cursor": 99, "run_id": "b"}).encode(), headers=form)
    place.ping("status=fail&error=%C3%A9&run_id=c&duration_s=1.5")
    place.ping(path="/api/v1/ping/cron/etl/nightly", body=b'{"error": null, "rows": ""}')
    found = {r.load_id: (r.status.value, r.rows, r.rows_rejected, r.cursor, r.error) for r in place.kept()}
    assert found == {
        "a": ("failed", None, None, None, "disk full"),
        "b": ("succeeded", 7, 2, "99", None),
        "c": ("failed", None, None, None, "é"),
    }
    assert len(place.kept("etl/nightly")) == 1


def test_a_ping_that_is_sent_again_is_kept_once(place):
    for _ in range(3):
        assert place.ping("status=fail&run_id=a").json["status"] == "failed"
    assert len(place.kept()) == 1


def test_all_jobs_of_a_minute_may_ping_in_the_same_moment(place):
    found, together = [], threading.Barrier(200)

    def ping(number):
        together.wait()
        found.append(place.ping(f"run_id=r{number}").status)

    threads = [threading.Thread(target=ping, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 200
    assert len(place.kept()) == 200


def test_a_long_error_is_cut(place):
    place.ping(body=b'{"status": "fail", "error": "' + b"x" * 60_000 + b'"}')
    assert len(place.kept()[0].error) == 2_000


def test_events_become_loads_and_lineage(place):
    assert place.tell(EVENTS[1]).status == 200
    assert place.tell(EVENTS, "/api/v1/lineage/batch").json["summary"] == {
        "received": 2, "successful": 2, "failed": 0, "retriable": 0, "non_retriable": 0,
    }  # fmt: skip
    whole, table = sorted(place.kept("ingest/ingest_customers", "ol"), key=lambda r: r.table or "")
    assert (whole.status, whole.error, table.table, table.rows) == ("failed", "relation raw.customers does not exist", "raw.customers", 0)
    with place.database.read() as connection:
        kept = lineage.of_sources(connection, ["ol"])["ol"]
    assert [(edge.child, edge.parent) for edge in kept.edges] == [
        ("main:raw.customers", "ol/ingest/ingest_customers"),
        ("ol/dqmon/check.raw.orders", "main:raw.orders"),
    ]


def test_the_columns_of_the_load_before_are_compared(place):
    def told(run, minute, columns):
        fields = [{"name": name, "type": "int"} for name in columns]
        output = {"namespace": "postgres://wh:5432", "name": "wh.raw.t", "facets": {"schema": {"fields": fields}}}
        job = {"namespace": "etl", "name": "t"}
        return {
            "eventType": "COMPLETE",
            "eventTime": f"2026-11-20T13:0{minute}:00Z",
            "run": {"runId": run},
            "job": job,
            "outputs": [output],
        }

    for run, minute, columns in (("a", 1, "xy"), ("b", 2, "xyz"), ("c", 3, "xyz")):
        assert place.tell(told(run, minute, columns)).status == 200
    changes = {r.load_id: r.extra.get("schema_changes") for r in place.kept("etl/t", "ol") if r.table is None}
    assert changes == {"a": None, "b": "column_added: raw.t.z (int)", "c": None}


def test_of_a_batch_the_good_events_are_kept_and_the_others_named(place):
    answer = place.tell([EVENTS[1], {"eventTime": "x"}, 3], "/api/v1/lineage/batch").json
    assert (answer["status"], answer["summary"]["successful"]) == ("partial_success", 1)
    assert [(one["index"], one["retriable"]) for one in answer["failed_events"]] == [(1, False), (2, False)]
    assert "eventTime is missing" in answer["failed_events"][0]["reason"]


def test_probes(place):
    assert (place.ask("GET", "/livez").body, place.ask("GET", "/readyz").body) == (b"ok", b"ok")
    assert place.ask("HEAD", "/livez").status == 200
    place.idle_s = 61
    assert place.ask("GET", "/livez").status == 503
    assert place.ask("GET", "/readyz").status == 200, "a daemon that does not tick is not unready: the two say different things"
    place.server.current.served = place.served(database=Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1"))
    assert place.ask("GET", "/readyz").status == 503


def test_a_store_that_cannot_be_written_asks_the_job_to_come_again(place):
    place.server.current.served = place.served(database=Database("postgresql+psycopg://nobody:s3cr3t@127.0.0.1:1/none?connect_timeout=1"))
    said = place.ping()
    assert (said.status, said.headers["retry-after"]) == (503, "5")
    assert b"s3cr3t" not in said.body


NO_TOKEN = "send the token of a source that is told here: Authorization: Bearer TOKEN"
DEEP = b'{"run_id": ' + b"[" * 65 + b"]" * 65 + b"}"
REFUSED = {
    # name: (status, part of the sentence, request)
    "no token": (401, NO_TOKEN, request("POST", PING)),
    "empty token": (401, NO_TOKEN, request("POST", PING, headers=["Authorization: Bearer "])),
    "wrong token": (401, NO_TOKEN, request("POST", PING, token="x" * 27)),
    "half a token": (401, NO_TOKEN, request("POST", PING, token=CRON[:-1])),
    "another case": (401, NO_TOKEN, request("POST", PING, token=CRON.upper())),
    "basic": (401, NO_TOKEN, request("POST", PING, headers=[f"Authorization: Basic {CRON}"])),
    "token without scheme": (401, NO_TOKEN, request("POST", PING, headers=[f"Authorization: {CRON}"])),
    "token in the query": (401, NO_TOKEN, request("POST", f"{PING}?token={CRON}")),
    "a very long token": (401, NO_TOKEN, request("POST", PING, token="x" * 5_000)),
    "wrong token, unknown source": (401, NO_TOKEN, request("POST", "/api/v1/ping/nobody/backup", token="x" * 27)),
    "token of events": (401, NO_TOKEN, request("POST", PING, token=OL)),
    "token of pings": (401, NO_TOKEN, request("POST", "/api/v1/lineage", token=CRON, body=b"{}")),
    "token of another source": (404, "no such pipeline for this token", request("POST", PING, token=OTHER)),
    "unknown source": (404, "no such pipeline for this token", request("POST", "/api/v1/ping/nobody/backup", token=CRON)),
    "unknown pipeline": (404, "no such pipeline", request("POST", "/api/v1/ping/cron/restore", token=CRON)),
    "no pipeline": (404, "no such pipeline", request("POST", "/api/v1/ping/cron/", token=CRON)),
    "path traversal": (404, "no such pipeline", request("POST", "/api/v1/ping/cron/../../../etc/passwd", token=CRON)),
    "encoded traversal": (404, "no such pipeline", request("POST", "/api/v1/ping/cron/%2e%2e%2f%2e%2e%2fetc%2fpasswd", token=CRON)),
    "NUL in the path": (404, "no such pipeline", request("POST", "/api/v1/ping/cron/backup%00", token=CRON)),
    "SQL in the path": (404, "no such pipeline", request("POST", "/api/v1/ping/cron/backup'%20or%201=1--", token=CRON)),
    "bytes that are no UTF-8 in the path": (404, "no such pipeline", request("POST", "/api/v1/ping/cron/%ff%fe", token=CRON)),
    "another path": (404, "there is nothing here", request("POST", "/api/v1/", token=CRON)),
    "the root": (404, "there is nothing here", request("GET", "/")),
    "documentation pages": (404, "there is nothing here", request("GET", "/docs")),
    "a slash too many": (404, "there is nothing here", request("POST", "/api/v1/lineage/", token=OL, body=b"{}")),
    "GET of a ping": (405, "method", request("GET", PING, token=CRON)),
    "PUT of a ping": (405, "method", request("PUT", PING, token=CRON)),
    "OPTIONS": (405, "method", request("OPTIONS", PING, headers=["Origin: https://evil.example"])),
    "POST of a probe": (405, "method", request("POST", "/livez")),
    "no host": (400, "", request("POST", PING, token=CRON, host=None)),
    "two hosts": (400, "", request("POST", PING, token=CRON, headers=["Host: localhost"])),
    "a rebound name": (421, "allow_hosts", request("POST", PING, token=CRON, host="evil.example")),
    "a name that begins well": (421, "allow_hosts", request("POST", PING, token=CRON, host="127.0.0.1.evil.example")),
    "a name that ends well": (421, "allow_hosts", request("POST", PING, token=CRON, host="evil-dqmon.example.com")),
    "a subdomain": (421, "allow_hosts", request("POST", PING, token=CRON, host="x.dqmon.example.com")),
    "an absolute URL": (421, "allow_hosts", request("POST", f"http://localhost{PING}", token=CRON, host="evil.example")),
    "user in the host": (421, "allow_hosts", request("POST", PING, token=CRON, host="localhost@evil.example")),
    "forwarded host": (421, "allow_hosts", request("POST", PING, token=CRON, host="evil.example", headers=["X-Forwarded-Host: localhost"])),
    "unknown status": (400, "start, success, fail", request("POST", f"{PING}?status=done", token=CRON)),
    "unknown field": (400, "unknown field 'row'", request("POST", f"{PING}?row=1", token=CRON)),
    "field twice": (400, "twice", request("POST", f"{PING}?rows=1&rows=2", token=CRON)),
    "field in both": (400, "query and in the body", request("POST", f"{PING}?rows=1", token=CRON, body=b'{"rows": 1}')),
    "too many fields": (400, "20 fields", request("POST", PING + "?" + "&".join(f"a{n}=1" for n in range(21)), token=CRON)),
    "negative rows": (400, "rows must be", request("POST", f"{PING}?rows=-1", token=CRON)),
    "rows that are a list": (400, "rows must be", request("POST", PING, token=CRON, body=b'{"rows": [1]}')),
    "rows that are true": (400, "rows must be", request("POST", PING, token=CRON, body=b'{"rows": true}')),
    "rows beyond 64 bits": (400, "rows must be", request("POST", PING, token=CRON, body=b'{"rows": 9223372036854775808}')),
    "a status that is a list": (400, "status must be", request("POST", PING, token=CRON, body=b'{"status": ["start"]}')),
    "an error of a success": (400, "status=fail only", request("POST", f"{PING}?error=x", token=CRON)),
    "a cursor that is an object": (400, "cursor must be", request("POST", PING, token=CRON, body=b'{"cursor": {}}')),
    "a long run id": (400, "run_id is longer", request("POST", f"{PING}?run_id={'x' * 201}", token=CRON)),
    "a run id of two lines": (400, "control characters", request("POST", f"{PING}?run_id=a%0ab", token=CRON)),
    "a duration of NaN": (400, "duration_s", request("POST", f"{PING}?duration_s=nan", token=CRON)),
    "a negative duration": (400, "duration_s", request("POST", f"{PING}?duration_s=-1", token=CRON)),
    "an endless duration": (400, "duration_s", request("POST", f"{PING}?duration_s=1e300", token=CRON)),
    "no JSON": (400, "no JSON", request("POST", PING, token=CRON, body=b'{"rows": 1')),
    "NaN": (400, "NaN is no number", request("POST", PING, token=CRON, body=b'{"rows": NaN}')),
    "a number of 5,000 digits": (400, "no JSON", request("POST", PING, token=CRON, body=b'{"rows": ' + b"9" * 5_000 + b"}")),
    "a list": (400, "JSON object", request("POST", PING, token=CRON, body=b"[]")),
    "JSON that is no UTF-8": (400, "no JSON", request("POST", PING, token=CRON, body=b'{"error": "\xff"}')),
    "a form that is no UTF-8": (400, "UTF-8", request("POST", PING, token=CRON, body=b"error=\xff")),
    "a field that is no UTF-8": (400, "UTF-8", request("POST", f"{PING}?error=%ff", token=CRON)),
    "deep JSON": (400, "64 levels", request("POST", PING, token=CRON, body=DEEP)),
    "deep JSON behind a text of brackets": (400, "64 levels", request("POST", "/api/v1/lineage", token=OL, body=b'["]\\"]]",' + b"[" * 500_000)),
    "a text that never ends": (400, "no JSON", request("POST", "/api/v1/lineage", token=OL, body=b'"' + b'\\"' * 500_000)),
    "a text that ends in its escape": (400, "no JSON", request("POST", "/api/v1/lineage", token=OL, body=b'"' + b'\\"' * 500_000 + b"\\")),
    "a packed body": (415, "Content-Encoding", request("POST", PING, token=CRON, body=b"x", headers=["Content-Encoding: gzip"])),
    "an event that is a list": (400, "JSON object", request("POST", "/api/v1/lineage", token=OL, body=b"[]")),
    "an empty event": (400, "no JSON", request("POST", "/api/v1/lineage", token=OL)),
    "a batch that is an event": (400, "list of events", request("POST", "/api/v1/lineage/batch", token=OL, body=b"{}")),
    "a batch of too many": (413, "1,001 events", request("POST", "/api/v1/lineage/batch", token=OL, body=json.dumps([1] * 1_001).encode())),
    "a ping of 65 KB": (413, "64 KB", request("POST", PING, token=CRON, body=b"x" * 65_537)),
    "an event of 1 MB and a byte": (413, "1024 KB", request("POST", "/api/v1/lineage", token=OL, body=b"x" * 1_048_577)),
    "a length of 500 MB": (413, "64 KB", request("POST", PING, token=CRON, body=b"x", headers=["Content-Length: 500000000"])),
    "a length of 5,000 digits": (400, "", request("POST", PING, token=CRON, body=b"x", headers=["Content-Length: " + "9" * 5_000])),
    "length and chunks": (400, "", request("POST", PING, token=CRON, headers=["Content-Length: 3", "Transfer-Encoding: chunked"], body=b"0\r\n\r\n")),
    "a long head": (431, "16 KB", request("POST", PING, token=CRON, headers=[f"X-A: {'x' * 20_000}"])),
    "a head without an end": (400, "", b"POST / HTTP/1.1\r\nX-A: " + b"x" * 20_000),
    "no HTTP": (400, "", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing_and_shows_nothing(quiet, name, capfd):
    status, sentence, sent = REFUSED[name]
    said = exchange(quiet.server.port, sent)
    assert said is not None, f"{name}: the connection ended without an answer, {status} is expected"
    assert (said.status, sentence.encode() in said.body) == (status, True), f"{name}: HTTP {said.status}: {said.body[:300]!r}"
    assert b"Traceback" not in said.body
    assert CRON.encode() not in said.body
    if sentence:
        assert list(said.json) == ["error"]
        assert said.headers["connection"] == "close"
    assert quiet.kept() == ()
    assert quiet.ping(path="/api/v1/ping/cron/etl/nightly").status == 200, "the endpoint has stopped answering"
    out = "".join(capfd.readouterr())
    assert "Traceback" not in out
    assert CRON not in out


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8321", "[::1]:80", "LOCALHOST:1", "dqmon.example.com", "DQMON.example.com:443"])
def test_this_machine_and_the_listed_hosts_are_served(place, host):
    assert place.ping(host=host).status == 200


def test_a_probe_is_answered_by_any_name(place):
    assert place.ask("GET", "/livez", host="10.1.2.3").status == 200


def chunks(total_mb, sent):
    part = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    yield request("POST", "/api/v1/lineage", token=OL, headers=["Transfer-Encoding: chunked"])
    for _ in range(total_mb * 16):
        sent[0] += len(part)
        yield part
    yield b"0\r\n\r\n"


def test_500_mb_in_chunks_are_refused_with_memory_flat(place):
    place.ping()
    process, sent = psutil.Process(os.getpid()), [0]
    before, most, is_over = process.memory_info().rss, [0], threading.Event()

    def watch():
        while not is_over.wait(0.01):
            most[0] = max(most[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        said = exchange(place.server.port, chunks(500, sent))
    finally:
        is_over.set()
        watcher.join()
    assert said is None or said.status == 413, f"HTTP {said.status}: {said.body[:200]!r}"
    assert (most[0] - before) / 2**20 < 20, f"memory grew by {(most[0] - before) / 2**20:.0f} MB while {sent[0] / 2**20:.0f} MB were sent"
    assert place.ping().status == 200


def test_a_sender_of_a_little_too_much_reads_the_reason(place):
    said = exchange(place.server.port, chunks(3, [0]))
    assert (said.status, said.json["error"]) == (413, "the body is longer than 1024 KB")


def test_a_slow_body_is_given_up(place, monkeypatch):
    monkeypatch.setattr(body, "BODY_S", 0.3)
    monkeypatch.setattr(gate, "LINGER_S", 0.1)
    said = exchange(place.server.port, request("POST", PING, token=CRON, headers=["Content-Length: 100"], body=b"rows="))
    assert (said.status, "was not there after" in said.json["error"]) == (408, True)
    assert place.kept() == ()


def test_a_connection_that_sends_nothing_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "HEAD_S", 0.2)
    place = Place(tmp_path)
    try:
        started = time.monotonic()
        assert exchange(place.server.port, b"POST /api/v1/ping/cron/backup HTTP/1.1\r\nHost: ") is None
        assert time.monotonic() - started < 10
    finally:
        place.server.stop()


def test_a_body_that_breaks_off_keeps_nothing(place):
    exchange(place.server.port, request("POST", PING, token=CRON, headers=["Content-Length: 100"], body=b"rows=1"), close=True)
    assert place.kept() == ()
    assert place.ping().status == 200


def test_a_connection_serves_one_request(place):
    twice = request("POST", f"{PING}?run_id=a", token=CRON) + request("POST", f"{PING}?run_id=b", token=CRON)
    assert exchange(place.server.port, twice).status == 200
    assert [record.load_id for record in place.kept()] == ["a"]


def test_a_client_that_asks_too_often_is_asked_to_wait():
    now = [0.0]
    limiter = Limiter(lambda: now[0])
    assert [limiter.allows("a") for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert limiter.allows("b"), "another client has to pay for it"
    now[0] += 1
    assert sum(limiter.allows("a") for _ in range(BURST)) == PER_SECOND


def test_many_clients_take_little_memory():
    limiter = Limiter(lambda: 0.0)
    for number in range(10_000):
        limiter.allows(str(number))
    assert len(limiter._buckets) == 4_096


def test_too_many_requests_get_429(tmp_path):
    """On a clock that stands, so that a slow machine asks as fast as any other."""
    found = Place(tmp_path, Limiter(lambda: 0.0))
    said = [found.ask("GET", "/livez").status for _ in range(BURST + 2)]
    found.close()
    assert said == [200] * BURST + [429] * 2


def test_a_request_ends_with_the_configuration_that_it_began_with(place):
    """Tokens are swapped while a body is on its way."""
    head = request("POST", PING, token=CRON, headers=["Content-Length: 6"])
    changed = place.served(
        heartbeats={"cron": Heartbeat("cron", HeartbeatOptions.model_validate({"token": OTHER, "pipelines": {"backup": None}}), None)}
    )

    def parts():
        yield head
        wait_for(lambda: place.server._server.server_state.tasks, "the request to begin")
        place.server.current.served = changed
        yield b"rows=3"

    assert exchange(place.server.port, parts()).status == 200
    assert place.kept()[0].rows == 3
    assert place.ping().status == 401
    assert place.ping(token=OTHER).status == 200


def test_a_request_that_has_begun_is_answered_when_the_endpoint_stops(place):
    stopping = threading.Thread(target=place.server.stop)

    def parts():
        yield request("POST", PING, token=CRON, headers=["Content-Length: 6"])
        wait_for(lambda: place.server._server.server_state.tasks, "the request to begin")
        stopping.start()
        wait_for(lambda: place.server._server.should_exit, "the server to stop")
        yield b"rows=3"

    assert exchange(place.server.port, parts()).status == 200
    stopping.join()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", place.server.port), timeout=1)


def test_a_port_that_is_taken_is_a_clear_error(place):
    with pytest.raises(UsageError, match=rf"web: cannot listen on 127.0.0.1:{place.server.port}: Address already in use; end what"):
        server.Server(f"127.0.0.1:{place.server.port}", place.served())
    with pytest.raises(UsageError, match=r"cannot listen on no\.such\.host\.invalid:1"):
        server.Server("no.such.host.invalid:1", place.served())


def test_an_address_of_ipv6(place, tmp_path):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    found = server.Server("[::1]:0", place.served())
    found.start()
    try:
        with socket.create_connection(("::1", found.port), timeout=5) as sock:
            sock.sendall(request("GET", "/livez", host=f"[::1]:{found.port}"))
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        found.stop()
