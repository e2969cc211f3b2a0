"""The Airbyte source on answers in the documented shape of the public API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingestion_contract import check_source
from pydantic import SecretStr, ValidationError
from replay_server import Replay, Said

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.airbyte import Airbyte, AirbyteOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "airbyte"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, 10, tzinfo=UTC)
JOBS = json.loads((FIXTURES / "airbyte_jobs.json").read_text())["data"]
CONNECTION = json.loads((FIXTURES / "airbyte_connection.json").read_text())


def paged(items, page=100):
    """A list endpoint: filters by status and time of update, sorts, gives pages; `next` names a server that nobody reaches."""

    def answer(request):
        query = request.query
        found = [i for i in items if query.get("status") in (None, i.get("status"))]
        if low := query.get("updatedAtStart"):
            found = [i for i in found if datetime.fromisoformat(i["lastUpdatedAt"]) >= datetime.fromisoformat(low)]
        if "orderBy" in query:
            field = {"updatedAt": "lastUpdatedAt", "createdAt": "startTime"}[query["orderBy"].partition("|")[0]]
            found.sort(key=lambda i: i[field])
        start, size = int(query.get("offset", 0)), min(page, int(query["limit"]))
        more = start + size < len(found)
        return {"previous": "", "next": "http://airbyte-server.internal/next" if more else "", "data": found[start : start + size]}

    return answer


@pytest.fixture
def server():
    with Replay() as replay:
        replay.add("/v1/jobs", paged(JOBS))
        replay.add("/v1/connections", paged([CONNECTION]))
        yield replay


def source(server, **options):
    given = {"base_url": f"{server.url}/v1", "allow_private_addresses": True, "token": SecretStr("tok_12345"), **options}
    return Airbyte("airbyte", AirbyteOptions(**given), None)


def test_the_address_of_a_server_of_ones_own_is_enough():
    own = {"token": "tok_12345", "url": "https://airbyte.example.com/"}
    assert AirbyteOptions.model_validate(own).base_url == "https://airbyte.example.com/api/public/v1"
    for wrong, said in (({"url": "airbyte"}, "must be the address of a server"), ({"base_url": "https://x"}, "both given")):
        with pytest.raises(ValueError, match=said):
            AirbyteOptions.model_validate(own | wrong)


def test_the_jobs_of_a_connection(server):
    records = check_source(source(server), SINCE, NOW)
    assert [(r.load_id, r.pipeline, r.status.value, r.rows, r.finished_at) for r in records] == [
        ("101", "pg to wh", "succeeded", 420, datetime(2026, 11, 20, 0, 5, 20, tzinfo=UTC)),
        ("102", "pg to wh", "failed", 0, datetime(2026, 11, 20, 6, 4, tzinfo=UTC)),
        ("103", "pg to wh", "running", None, None),
    ]
    assert records[0].started_at == SINCE
    assert records[0].extra == {"connection_id": CONNECTION["connectionId"], "job_type": "sync"}
    assert {r.headers["Authorization"] for r in server.requests} == {"Bearer tok_12345"}


def test_a_job_that_runs_since_long_before_the_window_is_told(server):
    records = source(server).loads(datetime(2026, 11, 20, 12, 5, tzinfo=UTC), NOW)
    assert [r.load_id for r in records] == ["103"]


def test_an_incomplete_job_is_neither_a_success_nor_an_end(server):
    server.add("/v1/jobs", paged([{**JOBS[1], "status": "incomplete"}]))
    (record,) = check_source(source(server), SINCE, NOW)
    assert (record.status, record.finished_at, record.raw_status) == (LoadStatus.PARTIAL, None, "incomplete")
    assert "an attempt failed" in record.error


def test_a_job_that_ends_between_the_two_lists_has_ended(server):
    done = {**JOBS[0], "status": "succeeded", "lastUpdatedAt": "2026-11-20T12:05:00Z"}
    server.add("/v1/jobs", paged([done]), query={"orderBy": "updatedAt|ASC"})
    assert [(r.load_id, r.status) for r in source(server).loads(SINCE, NOW)] == [("103", LoadStatus.SUCCEEDED)]


@pytest.mark.parametrize(("job_type", "kind"), [("sync", "load"), ("reset", "reset"), ("clear", "reset"), ("refresh", "refresh")])
def test_what_is_no_sync_has_a_kind_of_its_own(server, job_type, kind):
    server.add("/v1/jobs", paged([{**JOBS[2], "jobType": job_type}]))
    (record,) = source(server).loads(SINCE, NOW)
    assert record.kind == kind


def test_a_status_of_a_later_version_is_unknown(server):
    server.add("/v1/jobs", paged([{**JOBS[2], "status": "succeeded_with_warnings"}]))
    (record,) = source(server).loads(SINCE, NOW)
    assert (record.status, record.raw_status) == (LoadStatus.UNKNOWN, "succeeded_with_warnings")


def test_all_pages_are_read_from_the_declared_server(server):
    jobs = [{**JOBS[2], "jobId": number, "lastUpdatedAt": f"2026-11-20T00:{number:02}:00Z"} for number in range(1, 8)]
    server.add("/v1/jobs", paged(jobs, page=3))
    assert [r.load_id for r in check_source(source(server), SINCE, NOW)] == [str(n) for n in range(1, 8)]


def test_connections_with_one_name_are_known_by_their_ids(server):
    other = {**CONNECTION, "connectionId": "c2", "status": "inactive"}
    server.add("/v1/connections", paged([CONNECTION, other, {**CONNECTION, "connectionId": "c3", "name": "x", "status": "deprecated"}]))
    pipelines = source(server).pipelines()
    assert [(p.pipeline, p.is_paused, p.tables) for p in pipelines] == [
        (CONNECTION["connectionId"], False, ("orders",)),
        ("c2", True, ("orders",)),
    ]


def test_a_job_of_a_connection_that_is_gone_is_known_by_its_id(server):
    server.add("/v1/connections", paged([]))
    assert {r.pipeline for r in source(server).loads(SINCE, NOW)} == {CONNECTION["connectionId"]}


def test_workspaces_narrow_what_is_read(server):
    source(server, workspaces=["w1", "w2"]).loads(SINCE, NOW)
    assert {tuple(r.query["workspaceIds"]) for r in server.requests} == {("w1", "w2")}


LONG = "t" * 4_000
"""A token that carries its claims is longer than any text that a record keeps."""


def test_an_application_logs_in_for_each_reading(server):
    server.add(
        "/v1/applications/token", lambda request: {"access_token": f"{LONG}_{server.count('/v1/applications/token')}"}, method="POST"
    )
    airbyte = source(server, token=None, client_id="app", client_secret=SecretStr("cs_9911"))
    airbyte.pipelines()
    airbyte.loads(SINCE, NOW)
    assert server.requests[0].json == {"client_id": "app", "client_secret": "cs_9911", "grant-type": "client_credentials"}
    assert [r.headers.get("Authorization") for r in server.requests[:4]] == [None, f"Bearer {LONG}_1", None, f"Bearer {LONG}_2"]


@pytest.mark.parametrize("said", [Said(401, "cs_9911"), Said(200, {}), Said(200, [])], ids=str)
def test_a_login_without_a_token_is_a_source_error(server, said):
    server.add("/v1/applications/token", said, method="POST")
    with pytest.raises(SourceError, match=r"POST .*/applications/token") as caught:
        source(server, token=None, client_id="app", client_secret=SecretStr("cs_9911")).pipelines()
    assert "cs_9911" not in str(caught.value)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/connections"])
@pytest.mark.parametrize(
    "said",
    [Said(401), Said(403), Said(404), Said(429), Said(502), Said(200, '{"data": [{'), Said(200, {"data": None}), Said(200, [])],
    ids=lambda s: f"{s.status}-{s.body}",
)
def test_a_bad_answer_is_a_source_error(server, path, said):
    server.add(path, said)
    with pytest.raises(SourceError, match=r"ingestion airbyte \(127\.0\.0\.1:[0-9]+\) cannot be read: "):
        source(server).loads(SINCE, NOW)


@pytest.mark.parametrize("missing", ["jobId", "connectionId"])
def test_a_job_without_an_id_is_a_source_error(server, missing):
    server.add("/v1/jobs", paged([{k: v for k, v in JOBS[2].items() if k != missing}]))
    with pytest.raises(SourceError, match="is this the public API"):
        source(server).loads(SINCE, NOW)


@pytest.mark.parametrize(
    "given", [{}, {"client_id": "a"}, {"client_secret": "b"}, {"token": "t", "client_id": "a", "client_secret": "b"}], ids=str
)
def test_one_login_is_expected(given):
    with pytest.raises(ValidationError, match="set client_id and client_secret, or token"):
        AirbyteOptions.model_validate_json(json.dumps(given))
