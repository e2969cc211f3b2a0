"""Results told to a lineage server: at least once, in nobody's way, by the daemon and by `dqmon export openlineage`."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from replay_server import Replay, Said

from dqmon.app import open_app
from dqmon.app.daemon import scheduler as virtual
from dqmon.cli.program import run
from dqmon.config.project import load_project
from dqmon.engine.emit import FIRST_WAIT
from dqmon.errors import ConfigError
from dqmon.store import emitted

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATH = "/api/v1/lineage"
CHECKS = """\
version: 1
defaults: {schedule: {every: 5m}, owner: "@data"}
datasets:
  - {dataset: orders, checks: [row_count: {min: 2}, completeness: {column: id}, statistic: {column: gone, metric: avg, fail_if: "> 1"}]}
  - {dataset: items, checks: [row_count: {min: 1}]}
"""


@pytest.fixture(autouse=True)
def logged(monkeypatch):
    """What is logged reaches caplog, and the command line's own handler goes with the test."""
    logger = logging.getLogger("dqmon")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)


class Day:
    """A daemon whose clock is set by hand, and the server that it tells."""

    def __init__(self, root, server):
        self.root, self.server, self.now = root, server, NOON
        for folder in ("config", "checks", "data"):
            (root / folder).mkdir()
        self.settings = root / "config/dqmon.yaml"
        self.settings.write_text(
            f"""\
version: 1
instance: prod
store: {{url: "sqlite:///dqmon.db"}}
warehouses: {{main: {{type: sqlite, path: data/shop.db}}}}
openlineage: {{url: "{server.url}/", token: "${{env:OL_TOKEN}}", allow_private_addresses: true, namespaces: {{main: "sqlite://shop"}}}}
"""
        )
        (root / "checks/orders.yaml").write_text(CHECKS)
        with closing(sqlite3.connect(root / "data/shop.db")) as connection, connection:
            connection.execute("create table orders as select 1 as id union all select null")
            connection.execute("create table items as select 1 as id")
        server.add(PATH, method="POST")
        self.start()

    def start(self):
        self.app = open_app(str(self.settings), clock=lambda: self.now)
        self.scheduler = virtual(self.app)

    def stop(self):
        self.scheduler.drain(1)
        self.app.__exit__(None, None, None)

    def run(self, minutes):
        end = self.now + timedelta(minutes=minutes)
        while self.now < end:
            self.now += timedelta(seconds=15)
            self.scheduler.tick(self.now)

    def told(self):
        return [request.json for request in self.server.requests]

    def ends(self, name):
        return [one for one in self.told() if one["eventType"] != "START" and one["job"]["name"] == f"check.main:{name}"]


@pytest.fixture
def day(tmp_path, monkeypatch):
    monkeypatch.setenv("OL_TOKEN", "s3cr3t-of-lineage")
    with Replay() as server:
        found = Day(tmp_path, server)
        yield found
        found.stop()


def test_the_daemon_tells_results_as_they_come(day):
    day.run(minutes=11)
    (orders, again) = day.ends("main.orders")
    assert orders["eventType"] == "FAIL", "a completeness that failed"
    (dataset,) = orders["inputs"]
    assert (dataset["namespace"], dataset["name"]) == ("sqlite://shop", "main.orders")
    assert {a["name"].partition("orders.")[2]: a["success"] for a in dataset["inputFacets"]["dataQualityAssertions"]["assertions"]} == {
        "row_count": True,
        "completeness.id": False,
    }
    assert dataset["inputFacets"]["dataQualityMetrics"]["rowCount"] == 2
    assert dataset["inputFacets"]["dataQualityMetrics"]["columnMetrics"]["id"]["nullCount"] == 1
    assert "gone" in orders["run"]["facets"]["errorMessage"]["message"]
    assert orders["run"]["runId"] != again["run"]["runId"]
    assert [one["eventType"] for one in day.ends("main.items")] == ["COMPLETE", "COMPLETE"]
    assert {request.headers["Authorization"] for request in day.server.requests} == {"Bearer s3cr3t-of-lineage"}


def test_nothing_is_told_twice_after_a_restart_and_nothing_of_the_time_before_the_setting(day):
    day.run(minutes=6)
    before = len(day.told())
    day.stop()
    day.start()
    day.run(minutes=1)
    assert len(day.told()) == before
    with day.app.database.write() as connection:
        connection.exec_driver_sql("delete from dq_meta where key = 'openlineage_position'")
    day.run(minutes=1)
    assert len(day.told()) == before, "a server that is new to dqmon was told of the past"


@pytest.mark.parametrize("answer", [Said(503), Said(429), Said(401), Said(302, headers={"Location": "/elsewhere"}), Said(drop=True)])
def test_what_is_not_taken_is_sent_again_later_in_order(day, answer, caplog):
    day.server.add(PATH, answer, method="POST")
    day.run(minutes=6)
    tries = day.server.count()
    assert 1 < tries < 10, f"{tries} tries in a minute: it should wait longer each time, from {FIRST_WAIT} on"
    day.server.add(PATH, method="POST")
    day.server.requests.clear()
    day.run(minutes=6)
    assert len(day.ends("main.orders")) == 2
    with day.app.database.read() as connection:
        assert emitted.position(connection) is not None
    assert "s3cr3t" not in caplog.text


def test_what_was_sent_before_a_failure_is_sent_again_under_the_same_ids(day):
    day.server.add(PATH, Said(200), Said(503), Said(200), method="POST")
    day.run(minutes=7)
    seen = [(one["run"]["runId"], one["eventType"]) for one in day.told()]
    assert len(set(seen)) == 4, "two runs, each with a start and an end"
    assert seen[:2] == seen[2:4], "what the server had taken was not told again, or as another run"


def test_an_event_that_the_server_will_never_take_stands_in_nobodys_way(day, caplog):
    day.server.add(PATH, lambda request: Said(422 if request.json["job"]["name"].endswith("orders") else 200), method="POST")
    day.run(minutes=6)
    assert len(day.ends("main.items")) == 1
    assert len(day.ends("main.orders")) == 1, "the refused one was sent again and again"
    assert "refused and passed over" in caplog.text


def test_export_prints_the_same_events(day, capsys, tmp_path):
    day.run(minutes=6)
    (orders,) = day.ends("main.orders")
    age = ["--since", "520w", "--config", str(day.settings)]
    assert run(["export", "openlineage", "main.orders", *age]) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [one["eventType"] for one in lines] == ["START", "FAIL"]
    assert lines[1]["run"]["runId"] == orders["run"]["runId"]
    tests = lambda event: sorted(one["name"] for one in event["run"]["facets"]["test"]["tests"])  # noqa: E731
    assert tests(lines[1]) == tests(orders)
    assert lines[1]["inputs"][0]["inputFacets"]["dataQualityMetrics"] == orders["inputs"][0]["inputFacets"]["dataQualityMetrics"]
    assert "2 events of 1 run" in err
    target = tmp_path / "events.jsonl"
    assert run(["export", "openlineage", "--output", str(target), *age]) == 0
    assert len(target.read_text().splitlines()) == 4
    assert run(["export", "openlineage", "nowhere", *age]) == 2
    assert run(["export", "openlineage", "--since", "soon", "--config", str(day.settings)]) == 2
    assert "is not a duration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("{url: marquez}", ": url must be a server"),
        ('{url: "https://u:p@marquez.example.com"}', "without user, password"),
        ("{endpoint: x}", "'url' is missing"),
        ('{url: "https://m.example.com", namespaces: {mian: x}}', "openlineage.namespaces: unknown warehouse 'mian'; did you mean 'main'?"),
        ('{url: "https://m.example.com", token: "${env:NO_SUCH}"}', "the environment variable NO_SUCH is not set"),
        ('{url: "https://m.example.com", every: 0s}', "greater than 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(day, setting, complaint):
    text = day.settings.read_text().splitlines()
    day.settings.write_text("\n".join([*text[:-1], f"openlineage: {setting}"]))
    with pytest.raises(ConfigError) as caught:
        load_project(day.settings, {})
    assert complaint in str(caught.value)
    assert "config/dqmon.yaml:5" in str(caught.value)
