"""The source aws_glue on moto's server, on botocore's stubs for what moto never says, and what all AWS sources refuse."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aws_world import KEYS, SECRET, clients, made, moto, stubbed
from ingestion_contract import check_source
from pydantic import ValidationError
from replay_server import Replay, Said

from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.aws_glue import PAGE, AwsGlue, AwsGlueOptions

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures" / "ingestion" / "aws" / "glue_and_sfn_default_moto.json").read_text())
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)


@pytest.fixture(scope="module")
def url():
    with moto() as found:
        yield found


def glue_job(client, name="ingest-orders"):
    client.create_job(Name=name, Role="arn:aws:iam::123456789012:role/r", Command={"Name": "glueetl", "ScriptLocation": "s3://b/k.py"})


def test_runs_and_crawls_of_a_server_are_loads(url):
    client = clients(url, "eu-west-1")("glue")
    glue_job(client)
    run = client.start_job_run(JobName="ingest-orders")["JobRunId"]
    client.create_crawler(Name="raw", Role="r", DatabaseName="raw", Targets={"S3Targets": [{"Path": "s3://b/raw"}]})
    client.start_crawler(Name="raw")
    until = datetime.now(UTC) + timedelta(minutes=1)
    records = check_source(made(AwsGlue, url, "eu-west-1"), until - timedelta(hours=1), until)
    found = {r.pipeline: r for r in records}
    assert (found["ingest-orders"].load_id, found["ingest-orders"].attempt, found["ingest-orders"].status) == (run, 1, LoadStatus.SUCCEEDED)
    assert found["ingest-orders"].extra == {"execution_time_s": "123"}
    assert (found["crawler/raw"].status, found["crawler/raw"].raw_status) == (LoadStatus.SUCCEEDED, "COMPLETED")
    assert found["crawler/raw"].finished_at is not None
    assert len(records) == 2


def test_schedules_come_from_triggers_and_from_crawlers_themselves(url):
    client = clients(url, "eu-west-2")("glue")
    for job in ("daily", "paused", "twice", "by-hand", "monthly"):
        glue_job(client, job)
    triggers = {
        "t1": ("daily", "cron(15 6 ? * MON-FRI *)", True),
        "t2": ("paused", "cron(0 * * * ? *)", False),
        "t3": ("twice", "cron(0 1 * * ? *)", True),
        "t4": ("twice", "cron(0 2 * * ? *)", True),
        "t5": ("monthly", "cron(0 8 L * ? *)", True),
    }
    for name, (job, schedule, is_active) in triggers.items():
        client.create_trigger(Name=name, Type="SCHEDULED", Schedule=schedule, Actions=[{"JobName": job}], StartOnCreation=is_active)
    targets = {"S3Targets": [{"Path": "s3://b/raw"}]}
    client.create_crawler(Name="raw", Role="r", DatabaseName="raw", Targets=targets, Schedule="cron(0 * * * ? *)")
    found = {p.pipeline: (p.is_paused, p.schedule) for p in made(AwsGlue, url, "eu-west-2").pipelines()}
    assert found == {
        "by-hand": (None, None),
        "daily": (False, Schedule("15 6 * * MON-FRI", None, "UTC")),
        "monthly": (False, None),
        "paused": (True, None),
        "twice": (False, None),
        "crawler/raw": (False, Schedule("0 * * * *", None, "UTC")),
    }


def test_only_the_jobs_that_are_named_are_read_and_no_crawlers_where_they_are_not_wanted(url):
    client = clients(url, "eu-west-3")("glue")
    for job in ("a", "b"):
        glue_job(client, job)
    client.create_crawler(Name="raw", Role="r", DatabaseName="raw", Targets={"S3Targets": [{"Path": "s3://b/raw"}]})
    source = made(AwsGlue, url, "eu-west-3", jobs=["b"], crawlers=False)
    assert [p.pipeline for p in source.pipelines()] == ["b"]
    assert source.backlog(NOW) == ()


def test_the_recorded_run_is_parsed(url):
    source = made(AwsGlue, crawlers=False)
    runs = RECORDED["get_job_runs"]["JobRuns"]
    for run in runs:
        for key in ("StartedOn", "LastModifiedOn", "CompletedOn"):
            run[key] = datetime.fromisoformat(run[key])
    with stubbed(source._aws) as stub:
        stub.add_response("list_jobs", {"JobNames": ["ingest-orders"]}, {"MaxResults": PAGE})
        stub.add_response("get_job_runs", {"JobRuns": runs}, {"JobName": "ingest-orders", "MaxResults": PAGE})
        (record,) = source.loads(SINCE, NOW)
    assert record.finished_at == datetime(2026, 11, 20, 13, 13, 7, 494000, tzinfo=UTC)
    assert (record.load_id, record.status) == (runs[0]["Id"], LoadStatus.SUCCEEDED)


def run_of(state, number=1, hours_ago=2, **fields):
    started = NOW - timedelta(hours=hours_ago)
    is_open = state in ("WAITING", "STARTING", "RUNNING", "STOPPING")
    ended = {} if is_open else {"CompletedOn": started + timedelta(minutes=9)}
    return {"Id": f"jr_{number}", "JobName": "j", "Attempt": 0, "JobRunState": state, "StartedOn": started, **ended, **fields}


def loads_of(*pages):
    source = made(AwsGlue, crawlers=False)
    with stubbed(source._aws) as stub:
        stub.add_response("list_jobs", {"JobNames": ["j"]})
        for index, page in enumerate(pages):
            more = {"NextToken": f"t{index}"} if index + 1 < len(pages) else {}
            asked = {"JobName": "j", "MaxResults": PAGE} | ({"NextToken": f"t{index - 1}"} if index else {})
            stub.add_response("get_job_runs", {"JobRuns": page, **more}, asked)
        return source.loads(SINCE, NOW)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("WAITING", "queued"),
        ("STARTING", "queued"),
        ("RUNNING", "running"),
        ("STOPPING", "running"),
        ("STOPPED", "cancelled"),
        ("SUCCEEDED", "succeeded"),
        ("FAILED", "failed"),
        ("TIMEOUT", "failed"),
        ("ERROR", "failed"),
        ("EXPIRED", "failed"),
        ("DREAMING", "unknown"),
    ],
)
def test_each_state_of_a_run(state, expected):
    (record,) = loads_of([run_of(state)])
    assert (record.status.value, record.raw_status) == (expected, state)
    assert record.error == (f"Glue names no reason ({state})" if expected == "failed" else None)
    assert (record.finished_at is None) is (expected in ("queued", "running"))


def test_a_failed_run_tells_its_error_and_a_retry_is_another_attempt():
    failed = run_of("FAILED", 7, ErrorMessage="AnalysisException: Path does not exist: s3://raw/orders", TriggerName="nightly")
    retried = run_of("SUCCEEDED", "7_attempt_1", hours_ago=1, Attempt=1, PreviousRunId="jr_7")
    first, second = loads_of([retried, failed])
    assert (first.load_id, first.attempt, first.error) == ("jr_7", 1, "AnalysisException: Path does not exist: s3://raw/orders")
    assert first.extra == {"trigger": "nightly"}
    assert (second.load_id, second.attempt, second.status) == ("jr_7", 2, LoadStatus.SUCCEEDED)


def test_pages_are_read_up_to_the_longest_run_before_the_window():
    old = run_of("SUCCEEDED", 3, hours_ago=24 * 9)
    records = loads_of([run_of("SUCCEEDED", 1)], [run_of("RUNNING", 2, hours_ago=24 * 6)], [old])
    assert [r.load_id for r in records] == ["jr_2", "jr_1"]
    cut = loads_of([run_of("SUCCEEDED", 1), old])
    assert [r.load_id for r in cut] == ["jr_1"], "a page that ends before the window is the last one; stubs allow no further call"


def test_only_what_ended_in_the_window_is_told():
    assert loads_of([run_of("SUCCEEDED", hours_ago=15)]) == ()


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("ThrottlingException", 400, "too many requests (ThrottlingException, HTTP 400): Rate exceeded"),
        ("ExpiredTokenException", 400, "the credentials have expired"),
        ("UnrecognizedClientException", 400, "the credentials are wrong"),
        ("AccessDeniedException", 400, "the credentials do not permit this"),
        ("InternalServiceException", 500, "AWS fails"),
        ("ValidationException", 400, "the request is refused"),
    ],
)
def test_each_error_of_aws_is_one_clear_source_error(code, status, message):
    source = made(AwsGlue)
    with stubbed(source._aws) as stub:
        stub.add_client_error("list_jobs", code, f"Rate exceeded {SECRET}", http_status_code=status)
        with pytest.raises(SourceError, match=r"ingestion aws \(glue in eu-west-1\) cannot be read: list_jobs: ") as caught:
            source.loads(SINCE, NOW)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_list_that_never_ends_is_a_source_error(monkeypatch):
    with Replay() as server:
        server.add("/", {"JobNames": [], "NextToken": "again"}, method="POST")
        monkeypatch.setattr("dqmon.ingestion.base.aws.PAGE_LIMIT", 3)
        with pytest.raises(SourceError, match="more than 3 pages"):
            made(AwsGlue, server.url).loads(SINCE, NOW)
        assert server.count() == 3


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Said(body='{"JobNames": ["a'), "no JSON"),
        (Said(body={"JobNames": ["a"]}, cut=9), "bytes of the answer missing"),
        (Said(body="<html>welcome</html>"), "is base_url right"),
        (Said(body=b"[" * 1024, endless=500 * 1024 * 1024), "longer than 1 MB"),
        (Said(body=b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "nested too deeply"),
        (Said(body={"JobNames": 7}), "is base_url right"),
        (Said(body=["a"]), "is base_url right"),
        (Said(body=b'{"JobNames": [' + b"[],[]," * 100_000), "no JSON"),
        (Said(302, headers={"Location": "http://10.0.0.1/"}), "redirects are not followed"),
        (Said(500, body="oops"), "AWS fails"),
        (Said(403, {"__type": "AccessDeniedException", "Message": "no"}), "do not permit"),
        (Said(drop=True), "broke before the answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_trouble_of_the_way_is_one_clear_source_error_and_nothing_is_tried_twice(said, message):
    with Replay() as server:
        server.add("/", said, method="POST")
        with pytest.raises(SourceError, match="ingestion aws") as caught:
            made(AwsGlue, server.url, max_answer_mb=1).loads(SINCE, NOW)
        assert message in str(caught.value)
        assert server.count() == 1
        assert server.sent < 40 * 1024 * 1024, "the answer was read far beyond its limit"


def test_a_private_address_is_refused_unless_it_is_allowed_and_the_secret_is_never_sent():
    with Replay() as server:
        with pytest.raises(SourceError, match="allow_private_addresses"):
            made(AwsGlue, server.url, allow_private_addresses=False).loads(SINCE, NOW)
        assert server.count() == 0
        server.add("/", {"JobNames": []}, method="POST")
        assert made(AwsGlue, server.url, crawlers=False).loads(SINCE, NOW) == ()
        (request,) = server.requests
    assert "AKIDEXAMPLE" in request.headers["Authorization"]
    assert SECRET not in f"{request.headers} {request.raw}"
    with pytest.raises(SourceError, match=r"https is expected|private address"):
        made(AwsGlue, "http://169.254.169.254", allow_private_addresses=False).pipelines()


def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with Replay() as server:
        server.add("/", {"JobNames": []}, method="POST")
        assert made(AwsGlue, server.url, crawlers=False).loads(SINCE, NOW) == ()


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """An environment without credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def plain(**options):
    return AwsGlue("aws", AwsGlueOptions(region="eu-west-1", **options), None)


def test_without_credentials_it_says_where_to_set_them(bare):
    with pytest.raises(SourceError, match="no credentials are found; set access_key_id"):
        plain().pipelines()


def test_a_profile_with_a_role_assumes_it(bare, url, monkeypatch):
    (bare / "AWS_SHARED_CREDENTIALS_FILE").write_text("[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n")
    role = "role_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base\n"
    (bare / "AWS_CONFIG_FILE").write_text(f"[profile base]\nregion = eu-west-1\n[profile reader]\n{role}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    with Replay() as server:
        server.add("/", {"JobNames": []}, method="POST")
        given = {"base_url": server.url, "allow_private_addresses": True, "crawlers": False}
        assert plain(profile="reader", **given).loads(SINCE, NOW) == ()
        (request,) = server.requests
    assert "AKIDBASE" not in request.headers["Authorization"]
    assert request.headers["X-Amz-Security-Token"], "the keys of an assumed role have a token"


def test_a_profile_that_is_not_there_is_named(bare):
    with pytest.raises(SourceError, match="nightly"):
        plain(profile="nightly").pipelines()


def test_without_boto3_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(SourceError, match=r"needs the extra `aws`: pip install 'dqmon\[aws\]'"):
        plain().pipelines()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"access_key_id": "A"}, "set both"),
        ({"session_token": "t"}, "session_token belongs to"),
        ({**KEYS, "profile": "p"}, "set profile, or"),
        ({"region": "eu west"}, "region"),
        ({"base_url": "ftp://x"}, "base_url"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        AwsGlueOptions.model_validate({"region": "eu-west-1"} | given, strict=False)
