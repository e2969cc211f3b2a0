"""The prefect source on answers that a Prefect 3.9.1 server really gave, from a local server, and on one that misbehaves."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ingestion_contract import check_source
from pydantic import SecretStr, ValidationError
from replay_server import Replay, Said

from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.prefect import Prefect, PrefectOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "prefect"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)
KEY = "pnu_3f9a77c0"
KINDS = ("flow_runs", "flows", "deployments")


def recorded(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


class Server:
    """Filters and pages as Prefect does, which refuses more than 200 at a time."""

    def __init__(self):
        self.flow_runs = [*recorded("flow_runs_filter"), *recorded("flow_runs_late")]
        self.flows, self.deployments = recorded("flows_filter"), recorded("deployments_filter")

    def __call__(self, request):
        kind, body = request.path.split("/")[2], request.json
        if body["limit"] > 200:
            return Said(422, {"detail": "Invalid limit: must be less than or equal to 200."})
        found = getattr(self, kind)
        if kind == "flow_runs":
            assert body["sort"] == "ID_DESC"
            found = sorted((run for run in found if fits(run, body["flow_runs"])), key=lambda run: run["id"], reverse=True)
        return Said(body=found[body["offset"] : body["offset"] + body["limit"]])


def fits(run, wanted):
    states = wanted.get("state", {"type": {"any_": [run["state_type"]]}})["type"]["any_"]
    after, before = wanted.get("end_time", {}).get("after_"), wanted.get("expected_start_time", {}).get("before_")
    return (
        run["state_type"] in states
        and (not after or (run["end_time"] is not None and at(run["end_time"]) >= at(after)))
        and (not before or at(run["expected_start_time"]) <= at(before))
    )


def at(moment):
    return datetime.fromisoformat(moment)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def replay(server):
    with Replay() as found:
        for kind in KINDS:
            found.add(f"/api/{kind}/filter", server, method="POST")
        yield found


def source(replay, **options):
    given = {"base_url": f"{replay.url}/api", "allow_private_addresses": True, "timeout": 10, **options}
    return Prefect("flows", PrefectOptions(**given), None)


def run(number, state="COMPLETED", **fields):
    return recorded("flow_runs_late")[0] | {
        "id": f"r{number:04}",
        "state_type": state,
        "state_name": state.title(),
        "start_time": "2026-11-20T13:00:00Z",
        "end_time": "2026-11-20T13:00:01Z",
        **fields,
    }


def test_recorded_runs(replay):
    records = check_source(source(replay), SINCE, NOW)
    assert [(r.pipeline, r.status.value, r.raw_status, r.finished_at is None) for r in records] == [
        ("ingest-orders", "succeeded", "Completed", False),
        ("ingest-customers", "failed", "Failed", False),
        ("ingest-slow", "running", "Running", True),
        ("ingest-slow/slow", "queued", "Late", True),
    ], "the six runs that are planned for later are no loads"
    done, failed, killed, late = records
    assert done.started_at == datetime(2026, 11, 20, 13, 7, 21, 357892, UTC)
    assert done.finished_at == datetime(2026, 11, 20, 13, 7, 21, 678751, UTC)
    assert failed.error == "Flow run encountered an exception: RuntimeError: relation raw.customers does not exist"
    assert (killed.started_at, killed.rows) == (datetime(2026, 11, 20, 13, 7, 33, 413385, UTC), None)
    assert late.scheduled_for == datetime(2026, 11, 20, 13, 19, 29, 262696, UTC)


def test_a_run_that_was_killed_long_ago_is_still_told_to_run(replay, server):
    server.flow_runs = recorded("flow_runs_killed_still_running")
    later = NOW + timedelta(days=5)
    assert [(r.load_id[:4], r.status) for r in source(replay).loads(later, later)] == [("6e15", LoadStatus.RUNNING)]


def test_a_planned_run_is_told_once_it_is_due(replay):
    late = [r for r in source(replay).loads(SINCE, datetime(2026, 11, 20, 15, 30, tzinfo=UTC)) if r.status is LoadStatus.QUEUED]
    assert sorted((r.pipeline, r.scheduled_for) for r in late) == [
        ("ingest-orders/orders-hourly", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("ingest-orders/orders-hourly", datetime(2026, 11, 20, 15, tzinfo=UTC)),
        ("ingest-slow/slow", datetime(2026, 11, 20, 13, 19, 29, 262696, UTC)),
    ]


def test_flows_and_deployments_are_pipelines(replay, server):
    server.deployments[2]["paused"] = True
    found = {info.pipeline: info for info in source(replay).pipelines()}
    assert list(found) == [
        "ingest-customers",
        "ingest-customers/customers-6h",
        "ingest-orders",
        "ingest-orders/orders-hourly",
        "ingest-slow",
        "ingest-slow/slow",
    ]
    hourly, six, slow = (found[name] for name in ("ingest-orders/orders-hourly", "ingest-customers/customers-6h", "ingest-slow/slow"))
    assert (hourly.schedule, hourly.is_paused) == (Schedule("0 * * * *", None, "UTC"), False)
    assert hourly.heartbeat_at == datetime(2026, 11, 20, 13, 8, 57, 253848, UTC)
    assert six.schedule == Schedule(None, 21600, "UTC")
    assert (slow.schedule, slow.is_paused) == (None, True)
    assert found["ingest-orders"].is_paused is None


@pytest.mark.parametrize(
    ("schedules", "expected"),
    [
        ([{"active": True, "schedule": {"cron": "5 4 * * *", "timezone": "Europe/Berlin"}}], Schedule("5 4 * * *", None, "Europe/Berlin")),
        ([{"active": True, "schedule": {"rrule": "FREQ=DAILY"}}], None),
        ([{"active": False, "schedule": {"cron": "5 4 * * *"}}], None),
        ([{"active": True, "schedule": {"interval": 60}}, {"active": True, "schedule": {"interval": 90}}], None),
        ([{"active": True, "schedule": {"interval": 0.5}}], None),
        ("odd", None),
        (None, None),
    ],
    ids=["cron", "rrule", "inactive", "two", "below-a-second", "text", "none"],
)
def test_schedules(replay, server, schedules, expected):
    server.deployments = [server.deployments[0] | {"schedules": schedules}]
    (info,) = [info for info in source(replay).pipelines() if "/" in info.pipeline]
    assert info.schedule == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("COMPLETED", "succeeded"),
        ("FAILED", "failed"),
        ("CRASHED", "failed"),
        ("CANCELLED", "cancelled"),
        ("CANCELLING", "running"),
        ("PENDING", "queued"),
        ("PAUSED", "queued"),
        ("A_WORD_OF_THE_FUTURE", "unknown"),
    ],
)
def test_statuses(replay, server, state, expected):
    server.flow_runs = [run(1, state)]
    (record,) = check_source(source(replay), SINCE, NOW)
    assert record.status.value == expected


@pytest.mark.parametrize("amount", [0, 199, 200, 201, 400, 450])
def test_all_pages_are_read(replay, server, amount):
    server.flow_runs = [run(n) for n in range(amount)]
    assert len(source(replay).loads(SINCE, NOW)) == amount


def test_a_run_of_a_flow_that_was_deleted_goes_by_its_id(replay, server):
    server.flow_runs, server.flows = [run(1, deployment_id=None)], []
    assert [r.pipeline for r in source(replay).loads(SINCE, NOW)] == ["7c5d671b-5a7a-410d-8963-49fbf32e43a6"]


def test_credentials(replay):
    source(replay, api_key=SecretStr(KEY)).pipelines()
    source(replay, auth_string=SecretStr("admin:pass")).pipelines()
    source(replay).pipelines()
    sent = list(dict.fromkeys(request.headers.get("Authorization") for request in replay.requests))
    assert sent == [f"Bearer {KEY}", "Basic " + base64.b64encode(b"admin:pass").decode(), None]
    with pytest.raises(ValidationError, match="both api_key and auth_string are set"):
        source(replay, api_key=SecretStr(KEY), auth_string=SecretStr("admin:pass"))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Said(401, {"detail": f"no key {KEY}"}), "HTTP 401: the credentials"),
        (Said(403), "HTTP 403"),
        (Said(404), "HTTP 404.*is base_url right"),
        (Said(422, {"detail": "Invalid limit"}), "HTTP 422.*Invalid limit"),
        (Said(429, headers={"Retry-After": "30"}), "HTTP 429.*retry after 30 s"),
        (Said(500), "HTTP 500: the server fails"),
        (Said(307, headers={"Location": "http://10.0.0.1/"}), "redirects to 10.0.0.1"),
        (Said(200, {"detail": "welcome"}), "no list of objects at its top"),
        (Said(200, [1, 2]), "no list of objects"),
        (Said(200, '[{"id": "a'), "no JSON, or cut short"),
        (Said(200, [{"id": "abc"}], cut=4), "bytes of the answer missing"),
        (Said(200, b"[" * 65536, endless=500_000_000), "longer than 1 MB"),
        (Said(drop=True), "broke before the answer"),
    ],
)
def test_what_is_wrong_with_the_server_is_one_clear_error(answer, problem):
    with Replay() as replay:
        for kind in KINDS:
            replay.add(f"/api/{kind}/filter", answer, method="POST")
        found = source(replay, api_key=SecretStr(KEY), max_answer_mb=1)
        for ask in (lambda: found.loads(SINCE, NOW), found.pipelines):
            with pytest.raises(SourceError, match=problem) as caught:
                ask()
            assert KEY not in str(caught.value)
        assert replay.sent < 20_000_000, "the answer was read to its end"
