"""The dbt source where its artifacts are not in a folder: an object store (moto), and dbt Cloud's API in its documented shape."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from ingestion_contract import check_record, check_source
from moto.server import ThreadedMotoServer
from pydantic import ValidationError
from replay_server import Replay, Said

from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.base import dbt_cloud
from dqmon.ingestion.dbt import Dbt, DbtOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "dbt"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
SECRET = "canary-secret-of-s3"  # pragma: allowlist secret
TOKEN = "dbtc_9f3a77c0"
FILES = {"manifest.json": "manifest", "run_results.json": "run_results.build", "sources.json": "sources"}
DATED = {"Last-Modified": "Fri, 20 Nov 2026 14:00:00 GMT"}
RUNS, JOBS = "/api/v2/accounts/7/runs/", "/api/v2/accounts/7/jobs/"


def recorded(name):
    return (FIXTURES / f"{name}.json").read_bytes()


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def shelf(moto):
    """A bucket with the files of a target folder."""
    client = boto3.client("s3", endpoint_url=moto, region_name="eu-west-1", aws_access_key_id="canary", aws_secret_access_key=SECRET)
    client.create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key, name in FILES.items():
        client.put_object(Bucket="shelf", Key=f"dbt/target/{key}", Body=recorded(name))
    yield client
    for found in client.list_objects_v2(Bucket="shelf").get("Contents", []):
        client.delete_object(Bucket="shelf", Key=found["Key"])
    client.delete_bucket(Bucket="shelf")
    client.close()


def in_s3(endpoint, url="s3://shelf/dbt/target", max_file_mb=64, **options):
    given = {"url": url, "region": "eu-west-1", "endpoint": endpoint, "allow_private_addresses": True}
    login = {"access_key_id": "canary", "secret_access_key": SECRET}
    return Dbt("lake_dbt", DbtOptions.model_validate({"s3": given | login | options, "max_file_mb": max_file_mb}), None)


def test_the_files_are_read_from_an_object_store(shelf, moto):
    records = check_source(in_s3(moto), SINCE, NOW)
    assert len(records) == 9
    assert [(r.pipeline, r.table, r.status.value) for r in records if r.table is None] == [
        ("shop", None, "failed"),
        ("shop.freshness", None, "failed"),
    ]
    assert [i.pipeline for i in in_s3(moto, "s3://shelf/dbt/target/").pipelines()] == ["shop", "shop.tests", "shop.freshness"]


def test_before_the_first_run_there_are_no_records_in_the_store(shelf, moto):
    for key in ("run_results.json", "sources.json"):
        shelf.delete_object(Bucket="shelf", Key=f"dbt/target/{key}")
    assert in_s3(moto).loads(SINCE, NOW) == ()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("s3://shelf/elsewhere", "there is no manifest.json; url: must be where dbt's target folder is copied to"),
        ("s3://no-such-bucket/x", r"s3://no-such-bucket/x/manifest\.json cannot be read: HTTP 404: there is no such bucket"),
    ],
)
def test_a_wrong_address_is_one_clear_error(shelf, moto, url, problem):
    with pytest.raises(SourceError, match=f"ingestion lake_dbt: {problem}"):
        in_s3(moto, url).pipelines()


def test_a_file_is_sent_again_only_once_it_has_changed():
    with Replay() as server:
        tagged = DATED | {"ETag": '"1"'}
        for key, name in FILES.items():
            whole = Said(200, recorded(name), tagged)
            server.add(
                f"/shelf/t/{key}", lambda request, whole=whole: Said(304) if request.headers.get("If-None-Match") == '"1"' else whole
            )
        found = in_s3(server.url, "s3://shelf/t")
        first = found.loads(SINCE, NOW)
        assert len(first) == 9
        assert found.loads(SINCE, NOW) == first
        assert server.count() == 6
        tagged["ETag"] = '"2"'
        server.add("/shelf/t/run_results.json", Said(200, recorded("run_results.run_with_model_error"), tagged))
        assert found.loads(SINCE, NOW) != first
        assert {request.query.get("X-Amz-Algorithm") for request in server.requests} == {"AWS4-HMAC-SHA256"}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (Said(403, "<Error><Code>AccessDenied</Code></Error>"), "HTTP 403: the credentials do not permit this"),
        (Said(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"), "HTTP 403: the secret access key is wrong"),
        (
            Said(301, "<Error><Code>PermanentRedirect</Code></Error>", {"Location": "http://10.0.0.1/"}),
            "HTTP 301: the bucket is in another",
        ),
        (Said(500), "HTTP 500: the store says no more"),
        (Said(200, "{}"), "has no Last-Modified"),
        (Said(200, b"{}  ", {"Last-Modified": "x"}, cut=2), "broke with 2 bytes of the answer missing"),
        (Said(200, b"[1]", DATED), "is no JSON object"),
        (Said(200, b'{"a"', DATED), "was cut short"),
        (Said(200, b"{}", DATED), "is not what dbt writes"),
        (Said(drop=True), "broke before the answer was there"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Said) else "",
)
def test_what_the_store_says_becomes_one_source_error_without_the_secret(said, problem):
    with Replay() as server:
        server.add("/shelf/t/manifest.json", said)
        with pytest.raises(SourceError, match=problem) as caught:
            in_s3(server.url, "s3://shelf/t").pipelines()
        assert server.count() == 1
    assert str(caught.value).startswith("ingestion lake_dbt: s3://shelf/t/manifest.json ")
    assert SECRET not in str(caught.value)
    assert "X-Amz" not in str(caught.value)


def test_an_object_of_500_mb_is_refused_with_memory_flat():
    with Replay() as server:
        server.add("/shelf/t/manifest.json", Said(200, b" " * 65_536, DATED, endless=500 * 1024**2))
        found = in_s3(server.url, "s3://shelf/t", max_file_mb=1)
        with pytest.raises(SourceError):
            found.pipelines()  # boto3 and its service model are loaded, which is no part of the answer
        tracemalloc.start()
        with pytest.raises(SourceError, match="is larger than 1 MB; max_file_mb permits more"):
            found.pipelines()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * 1024**2, f"{peak / 1024**2:.0f} MB were taken to refuse an object"


def test_the_own_network_is_not_asked_unless_that_is_allowed(moto):
    with pytest.raises(SourceError, match="https is expected"):
        in_s3(moto, allow_private_addresses=False).pipelines()


def test_a_profile_that_is_not_there_is_told(moto, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SourceError, match=r"ingestion lake_dbt: s3://shelf cannot be read: .*nobody"):
        in_s3(moto, profile="nobody", access_key_id=None, secret_access_key=None).pipelines()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "write one of target, s3 and cloud, where dbt's artifacts are; none is given"),
        ({"target": "t", "cloud": {"account": 1, "project": 2, "token": "t"}}, "target and cloud are given"),
        ({"s3": {"url": "https://shelf/x", "region": "eu-west-1"}}, "url"),
        ({"s3": {"url": "s3://shelf", "region": "eu-west-1", "access_key_id": "a"}}, "belong together"),
        ({"s3": {"url": "s3://shelf"}}, "region"),
        ({"cloud": {"account": 0, "project": 2, "token": "t"}}, "account"),
    ],
)
def test_options_that_make_no_sense(options, problem):
    with pytest.raises(ValidationError, match=problem):
        DbtOptions.model_validate(options)


def run(number, status, **fields):
    times = {
        "created_at": "2026-11-20 13:05:00+00:00",
        "started_at": "2026-11-20 13:05:30+00:00",
        "finished_at": "2026-11-20 13:07:00+00:00",
    }
    words = {1: "Queued", 3: "Running", 10: "Success", 20: "Error", 30: "Cancelled"}
    found = {"id": number, "status": status, "status_humanized": words.get(status), "job_definition_id": 5, "status_message": None}
    return found | times | fields


def steps(*names):
    return {"data": {"run_steps": [{"index": n, "name": name} for n, name in enumerate(names, 1)]}}


@pytest.fixture
def cloud():
    """dbt Cloud with one run, of three steps that dbt makes and one that it does not."""
    with Replay() as server:
        server.add(RUNS, {"data": [run(11, 20, status_message="step 3 failed")]})
        server.add(RUNS, {"data": [run(9, 10)]}, query={"status": 10})
        server.add(f"{RUNS}9/artifacts/manifest.json", Said(200, recorded("manifest")))
        names = (
            "Clone git repository",
            "Invoke dbt with `dbt source freshness`",
            "Invoke dbt with `dbt build`",
            "Invoke dbt with `dbt docs`",
        )
        server.add(f"{RUNS}11/", steps(*names))
        server.add(f"{RUNS}11/artifacts/sources.json", Said(200, recorded("sources")), query={"step": 2})
        server.add(f"{RUNS}11/artifacts/run_results.json", Said(200, recorded("run_results.build")), query={"step": 3})
        server.add(
            JOBS, {"data": [{"id": 5, "schedule": {"cron": "0 * * * *"}, "triggers": {"schedule": True}}, {"id": 6, "triggers": {}}]}
        )
        yield server


def in_cloud(server, **options):
    given = {"account": 7, "project": 3, "token": TOKEN, "base_url": server.url, "allow_private_addresses": True}
    return Dbt("cloud_dbt", DbtOptions.model_validate({"cloud": given | options}), None)


def test_each_step_of_a_run_of_dbt_cloud_is_read(cloud):
    records = check_source(in_cloud(cloud), SINCE, NOW)
    assert len(records) == 10
    whole = {r.pipeline: (r.load_id, r.status.value) for r in records if r.table is None}
    assert whole == {
        "shop.job.5": ("11", "failed"),
        "shop": ("c3c85ee1-fad4-4da5-a735-93722eda2fc6", "failed"),
        "shop.freshness": (json.loads(recorded("sources"))["metadata"]["invocation_id"], "failed"),
    }
    job = next(r for r in records if r.pipeline == "shop.job.5")
    assert (job.error, job.started_at) == ("step 3 failed", datetime(2026, 11, 20, 13, 5, 30, tzinfo=UTC))
    assert {request.headers["Authorization"] for request in cloud.requests} == {f"Token {TOKEN}"}


def test_artifacts_are_sent_once_and_the_manifest_only_of_a_newer_run(cloud):
    found = in_cloud(cloud)
    first = found.loads(SINCE, NOW)
    assert found.loads(SINCE, NOW) == first
    assert [cloud.count(f"{RUNS}{path}") for path in ("9/artifacts/manifest.json", "11/", "11/artifacts/run_results.json")] == [1, 1, 2]


def test_jobs_are_pipelines_with_their_schedules(cloud):
    infos = {i.pipeline: i.schedule for i in in_cloud(cloud).pipelines()}
    assert infos == {
        "shop": None,
        "shop.tests": None,
        "shop.freshness": None,
        "shop.job.5": Schedule("0 * * * *", None, "UTC"),
        "shop.job.6": None,
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [(1, "queued"), (2, "queued"), (3, "running"), (20, "failed"), (30, "cancelled"), (99, "unknown"), (None, "unknown")],
)
def test_statuses_of_runs(cloud, status, expected):
    is_open = expected in ("queued", "running")
    cloud.add(RUNS, {"data": [run(12, status, **({"finished_at": None} if is_open else {}))]})
    cloud.add(RUNS, {"data": [run(9, 10)]}, query={"status": 10})
    cloud.add(f"{RUNS}12/", steps())
    found = in_cloud(cloud)
    (record,) = found.loads(SINCE, NOW)
    check_record(found, record, NOW)
    assert record.status.value == expected
    assert (record.error is not None) is (record.status is LoadStatus.FAILED)


def test_runs_are_read_page_by_page_until_they_are_too_old(cloud, monkeypatch):
    monkeypatch.setattr(dbt_cloud, "PAGE", 2)
    pages = [[run(16, 30), run(15, 30)], [run(14, 30), run(13, 30, created_at="2026-11-18T00:00:00Z")], [run(12, 30)]]
    for number, page in enumerate(pages):
        cloud.add(RUNS, {"data": page}, query={"offset": 2 * number})
    cloud.add(RUNS, {"data": [run(9, 10)]}, query={"status": 10})
    found = in_cloud(cloud)
    cloud.requests.clear()
    assert [r.load_id for r in found.loads(SINCE, NOW)] == ["14", "15", "16"]
    assert sum(r.query.get("offset") == "4" for r in cloud.requests) == 0, "runs of last week were asked for"


def test_without_a_run_that_succeeded_there_is_no_manifest(cloud):
    cloud.add(RUNS, {"data": []}, query={"status": 10})
    with pytest.raises(SourceError, match=r"cloud_dbt: there is no manifest\.json; no run of the project has succeeded"):
        in_cloud(cloud).pipelines()


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (Said(401, {"status": {"user_message": f"bad token {TOKEN}"}}), "HTTP 401: the credentials are missing, wrong or expired"),
        (Said(429, headers={"Retry-After": "9"}), r"too many requests \(retry after 9 s\)"),
        (Said(200, {"data": {}}), "no list of objects at data"),
        (Said(200, {"data": [{"status": 10}]}), "a run or job has no id"),
        (Said(200, '{"data": ['), "no JSON, or cut short"),
    ],
    ids=["401", "429", "shape", "id", "cut"],
)
def test_what_dbt_cloud_says_becomes_one_source_error(cloud, said, problem):
    cloud.add(RUNS, said)
    cloud.add(RUNS, said, query={"status": 10})
    with pytest.raises(SourceError, match=problem) as caught:
        in_cloud(cloud).loads(SINCE, NOW)
    assert TOKEN not in str(caught.value)


def test_an_artifact_that_is_not_dbts_is_an_error(cloud):
    cloud.add(f"{RUNS}11/artifacts/run_results.json", Said(200, json.dumps({"results": []})), query={"step": 3})
    with pytest.raises(SourceError, match=r"is not what dbt writes: a metadata\.dbt_schema_version of run-results"):
        in_cloud(cloud).loads(SINCE, NOW)
