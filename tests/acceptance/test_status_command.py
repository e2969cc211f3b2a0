"""`dqmon status` as a user runs it: before anything has run, while something is wrong, and while the files are not valid."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from place import Done, Place

from dqmon.store import leases, meta, outages, pipelines
from dqmon.store.database import Database

CONFIG = """\
version: 1
store: {url: "sqlite:///.dqmon/store.db"}
warehouses:
  main: {type: sqlite, path: data/shop.db}
ingestion:
  airbyte: {type: airbyte, base_url: "https://airbyte.example.com", token: not-a-secret}
channels:
  oncall: {type: pagerduty, routing_key: "${env:NO_SUCH_KEY}", dry_run: true}
routes:
  - {name: rest, default: true, to: [oncall], group_wait: 0s}
maintenance:
  - {name: always, match: "main.none", cron: "0 * * * *", for: 59m}
"""
CHECKS = """\
version: 1
defaults: {owner: "@orders", runbook: "https://wiki.example.com/rb"}
datasets:
  - {dataset: orders, checks: [row_count: {min: 5, severity: critical}, completeness: {column: id}, volume_anomaly]}
  - {dataset: payments, checks: [row_count: {min: 1}]}
  - {dataset: refunds, checks: [row_count: {min: 1}]}
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write("config/dqmon.yaml", CONFIG)
    made.write("checks/shop.yaml", CHECKS)
    made.sqlite("create table orders (id integer)", "create table payments (id integer)", "insert into payments values (1)")
    return made


def lines(done: Done) -> dict[str, list[str]]:
    """What was printed of each subject."""
    found: dict[str, list[str]] = {}
    subject = ""
    for line in done.out.splitlines():
        subject = line[2:].partition("  ")[0] if line[2] != " " else subject
        found.setdefault(subject, []).append(re.sub(r"^  \S* +", "", line))
    return found


def test_before_anything_has_run_nothing_is_made(place: Place) -> None:
    shown = place.dqmon("status").expect(3, "files  valid", "begin with `dqmon check` or `dqmon run`")
    assert not (place.root / ".dqmon").exists(), "status made a store"
    assert lines(shown)["store"] == [f"sqlite:///{place.root}/.dqmon/store.db"]


def test_checks_incidents_and_what_cannot_be_reached_are_on_one_screen(place: Place) -> None:
    place.dqmon("check", "main.orders", "main.payments").expect(1)
    place.dqmon("silence", "add", "main.orders", "--for", "2h", "--reason", "backfill", "--by", "@oncall").expect(0)
    now, database = datetime.now(UTC), Database(f"sqlite:///{place.root}/.dqmon/store.db")
    with database.write() as connection:
        outages.begin(connection, "oncall", now, "HTTP 503")
        outages.begin(connection, "no_such_channel", now, "gone")
        pipelines.unread(connection, {"airbyte": "HTTP 401", "no_such_source": "gone"}, now)
        meta.keep_loaded(connection, now)
        leases.acquire(connection, leases.LEADER, "host-1:4711:abcd", now - timedelta(seconds=3))
    found = lines(place.dqmon("status").expect(0))
    assert re.fullmatch(r"runs as host-1:4711, seen \ds ago", found["daemon"][0])
    assert found["daemon"][1].startswith("has the files of ")
    assert found["checks"] == ["5: 1 passing, 1 failing, 1 skipped, 1 learning, 1 never run"], (
        "a check counts once, with the words of `state:`"
    )
    assert found["incidents"][0] == "1 open; see `dqmon incidents list`"
    assert re.fullmatch(r"\w{26}  critical, open, opened \S+ ago, 1 alert: main\.orders\.row_count", found["incidents"][1])
    assert found["messages"] == ["waiting: none; given up: none"]
    assert [re.sub(r"20[\d :-]+ UTC", "<when>", line) for line in found["unreachable"]] == [
        "channel oncall takes nothing since <when>: HTTP 503",
        "source airbyte could not be read at <when>: HTTP 401",
    ]
    assert [line.partition(" until ")[0] for line in found["silences"]] == ["silenced S-1", 'maintenance "always"']
    with database.write() as connection:
        leases.release(connection, leases.LEADER, 1, now)
    assert "none runs; the last one stopped " in place.dqmon("status").out
    database.close()


def test_json_has_the_same(place: Place) -> None:
    place.dqmon("check", "main.orders").expect(1)
    found = json.loads(place.dqmon("status", "--format", "json").expect(0).out)
    assert (found["schema_version"], found["exit_code"], found["files"]["is_valid"]) == (1, 0, True)
    assert found["checks"] == {"all": 5, "failing": 1, "skipped": 1, "learning": 1, "never run": 2}
    assert found["daemon"] == {"is_alive": False, "holder": None, "seen_at": None, "loaded_at": None, "refused_at": None, "problems": []}
    ((incident),) = found["incidents"]
    assert (incident["state"], incident["severity"], incident["root"], incident["alerts"]) == (
        "open",
        "critical",
        "main.orders.row_count",
        1,
    )
    assert found["messages"] == {"waiting": {}, "given_up": {}}
    place.dqmon("status", "--format", "yaml").expect(2, "--format 'yaml' is unknown: write table, json")


def test_files_that_are_not_valid_hide_nothing_of_the_store(place: Place) -> None:
    place.dqmon("check", "main.orders").expect(1)
    place.write("checks/shop.yaml", CHECKS.replace("row_count: {min: 1}", "row_cont: {min: 1}"))
    place.write("config/dqmon.yaml", CONFIG.replace("match:", "mach:"))
    found = lines(place.dqmon("status").expect(2))
    assert found["files"][0].startswith("not valid: 4 problems")
    assert "checks/shop.yaml:5: unknown check type 'row_cont'; did you mean 'row_count'?" in found["files"]
    assert found["incidents"][0].startswith("1 open")
    place.write("config/dqmon.yaml", CONFIG.replace("sqlite:///.dqmon/store.db", "mysql://db/x"))
    place.dqmon("status").expect(2, "config/dqmon.yaml:2: url: this is no store")
