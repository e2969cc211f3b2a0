"""`dqmon run` as a user runs it: a real process, real tables, a real store, Slack and PagerDuty by the fake server."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from fake_vendors import Vendors
from patience import PATIENCE_S, wait_for
from place import Done, Place

CONFIG = """\
version: 1
instance: prod
store: {{url: "{store}"}}
warehouses:
  main: {warehouse}
channels:
  oncall: {{type: pagerduty, routing_key: {key}, base_url: "{pagerduty}", verify: {ca}, allow_private_addresses: true}}
  team: {{type: slack, token: xoxb-fake, channel: "#data-quality", base_url: "{slack}", allow_private_addresses: true}}
routes:
  - {{name: all, default: true, to: [oncall, team], group_wait: {group_wait}, group_interval: 1s}}
"""
CHECKS = """\
version: 1
defaults: {owner: "@orders", runbook: "https://wiki.example.com/rb", schedule: {every: 1s}}
datasets:
  - dataset: orders
    checks:
      - row_count: {min: 3, severity: critical}
      - completeness: {column: id}
"""
CHECK = "main.orders.row_count"
WAREHOUSES = {
    "duckdb": "{type: duckdb, path: data/shop.duckdb}",
    "sqlite": "{type: sqlite, path: data/shop.db}",
}
KEY = "k" * 32


class Production(Place):
    """A project of checks due every second, the vendors that it tells, and what its daemons logged."""

    def __init__(self, root: Path, vendors: Vendors, store: str, warehouse: str) -> None:
        super().__init__(root)
        self.vendors, self.store, self.warehouse = vendors, store, warehouse
        self.log = root / "daemon.log"
        self.process: subprocess.Popen[str] | None = None
        self.configure()
        self.write("checks/orders.yaml", CHECKS)
        self.execute("create table orders (id integer)")
        self.load(3)

    def configure(self, group_wait: str = "0s") -> None:
        named = {"key": KEY, "pagerduty": self.vendors.pagerduty_url, "ca": self.vendors.ca_file, "slack": self.vendors.slack_url}
        text = CONFIG.format(store=self.store, warehouse=WAREHOUSES[self.warehouse], group_wait=group_wait, **named)
        self.write("config/dqmon.yaml", text)

    def execute(self, statement: str) -> None:
        """Writes into the warehouse; waits while the daemon reads it."""

        def is_done() -> bool:
            try:
                if self.warehouse == "sqlite":
                    self.sqlite(statement)
                else:
                    with duckdb.connect(str(self.root / "data/shop.duckdb")) as connection:
                        connection.execute(statement)
            except (duckdb.IOException, sqlite3.OperationalError):
                return False
            return True

        wait_for(is_done, "the warehouse to be free")

    def load(self, rows: int) -> None:
        """Leaves this many rows in the table."""
        self.execute("delete from orders")
        for number in range(rows):
            self.execute(f"insert into orders values ({number})")

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[str]]:
        with self.log.open("a", encoding="utf-8") as log:
            self.process = process = self.start("run", stdout=subprocess.DEVNULL, stderr=log)
        try:
            yield process
        finally:
            self.process = None
            process.kill()
            process.wait()

    def stop(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)
        assert code == 0, f"found exit code {code} after SIGTERM, expected 0; the log says:\n{self.log.read_text()}"

    def wait(self, reached: Callable[[], Any], what: str) -> Any:
        def found() -> Any:
            assert self.process is None or self.process.poll() is None, f"the daemon ended; the log says:\n{self.log.read_text()}"
            return reached()

        return wait_for(found, what, log=self.log.read_text)

    def logged(self) -> list[dict[str, Any]]:
        """The daemon's log; every line is JSON, since it is no terminal that it goes to."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the store; none as long as its tables are not there."""
        engine = sa.create_engine(self.store.replace("///.", f"///{self.root}/."), poolclass=sa.NullPool)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.exec_driver_sql(statement)]
        except (sa.exc.OperationalError, sa.exc.ProgrammingError):
            return []

    def runs(self) -> int:
        return len(self.select(f"select id from dq_results where check_id = '{CHECK}'"))

    def wait_for_runs(self, more: int) -> None:
        goal = self.runs() + more
        self.wait(lambda: self.runs() >= goal, f"{more} more results of {CHECK}")

    def pages(self) -> list[str]:
        """The state of every PagerDuty incident."""
        return [incident.state for incident in self.vendors.pagerduty.incidents]

    def posts(self) -> list[dict[str, Any]]:
        """The Slack messages that stand in the channel, not in a thread."""
        return [message for message in self.vendors.slack.messages if not message.get("thread_ts")]

    def wait_until_told(self) -> None:
        self.wait(lambda: self.pages() == ["triggered"] and len(self.posts()) == 1, "one page and one Slack message")

    def wait_until_resolved(self) -> None:
        self.wait(lambda: self.pages() == ["resolved"], "the page to be resolved")
        self.wait(lambda: "resolved" in json.dumps(self.posts()).lower(), "the Slack message to say that it is resolved")
        assert [post["edits"] > 0 for post in self.posts()] == [True], "it is the message of before, edited"

    def assert_told_once(self) -> None:
        triggers = [event["dedup_key"] for event in self.vendors.pagerduty.events if event["event_action"] == "trigger"]
        assert len(self.pages()) == 1, f"found {len(self.pages())} pages, expected one; events: {triggers}"
        assert len(self.posts()) == 1, f"found {len(self.posts())} Slack messages, expected one"


@pytest.fixture(params=[("sqlite", "duckdb"), ("postgresql", "sqlite")], ids=["sqlite", "postgresql"])
def production(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Production]:
    kind, warehouse = request.param
    store = "sqlite:///.dqmon/store.db" if kind == "sqlite" else request.getfixturevalue("postgres_database")
    with Vendors(routing_keys=[KEY]) as vendors:
        yield Production(tmp_path / "project", vendors, store, warehouse)


def test_a_failing_table_pages_once_and_resolves_when_it_is_repaired(production: Production) -> None:
    with production.daemon() as process:
        production.wait_for_runs(1)
        assert production.pages() == []
        production.load(1)
        production.wait_until_told()
        beside(production)
        production.wait_for_runs(2)
        production.assert_told_once()
        production.load(3)
        production.wait_until_resolved()
        production.assert_told_once()
        if production.store.startswith("sqlite"):
            done = production.dqmon("run").expect(2)
            assert done.err.startswith(f"dqmon: another dqmon daemon (pid {process.pid}) runs on the store"), done.err
            assert "stop it first" in done.err
        production.stop(process)
    logged = production.logged()
    assert {"daemon started", "stopping", "daemon stopped"} <= {line["event"] for line in logged}, logged
    assert not [line for line in logged if line["level"] == "error"], logged


def beside(production: Production) -> None:
    """`dqmon check` while a daemon runs: it judges, records, and leaves the telling to the daemon."""
    done: Done = production.dqmon("check").expect(1, "FAIL", CHECK)
    assert "not delivered" not in done.err
    (told,) = production.select("select count(*) from dq_deliveries where channel = 'oncall'")
    assert told == (1,), f"found {told[0]} pages queued, expected the daemon's one"


@pytest.mark.parametrize("production", [("sqlite", "duckdb")], indirect=True, ids=["sqlite"])
def test_a_reload_keeps_state_streak_and_phase_of_a_firing_check(production: Production) -> None:
    checks = CHECKS.replace("every: 1s", "every: 2s")  # so that there is a phase
    production.write("checks/orders.yaml", checks)
    production.load(1)
    with production.daemon() as process:
        production.wait_until_told()
        production.wait_for_runs(1)
        phase, since = alert(production)
        production.write("checks/orders.yaml", checks.replace("row_count", "row_cont"))
        process.send_signal(signal.SIGHUP)
        refused = production.wait(lambda: [line for line in production.logged() if "reload refused" in line["event"]], "the refusal")
        assert refused[0]["problem"] == "checks/orders.yaml:6: unknown check type 'row_cont'; did you mean 'row_count'?"
        assert alert(production) == (phase, since)
        standing = ("daemon       runs as ", "refused the files of ", "are in force", refused[0]["problem"], "1 failing", "1 open")
        production.dqmon("status").expect(2, "files        not valid: 1 problem", *standing)
        changed = checks.replace("min: 3", "min: 4").replace("column: id}", "column: id}\n      - uniqueness: {column: id}")
        production.write("checks/orders.yaml", changed)
        process.send_signal(signal.SIGHUP)
        production.wait(lambda: [line for line in production.logged() if line["event"] == "reloaded"], "the reload")
        added = "select id from dq_results where check_id = 'main.orders.uniqueness.id'"
        production.wait(lambda: production.select(added), "the check that was added")
        assert alert(production) == (phase, since), "the reload changed the phase of the check, or its alert began anew"
        failures = f"select count(*) from dq_results where check_id = '{CHECK}' and verdict = 'fail'"
        ((streak, failed),) = production.select(f"select streak, ({failures}) from dq_alerts where check_id = '{CHECK}' and kind = 'data'")
        assert abs(streak - failed) <= 1, f"found a streak of {streak} after {failed} failures in a row"
        production.assert_told_once()
        production.load(3)
        production.wait_for_runs(2)
        assert production.pages() == ["triggered"], "three rows are too few since the reload"
        production.load(4)
        production.wait_until_resolved()
        production.assert_told_once()
        production.stop(process)


def alert(production: Production) -> tuple[int, Any]:
    """The check's second within its two, and since when its alert fires."""
    ((due_at,),) = production.select(f"select next_due_at from dq_slots where check_id = '{CHECK}'")
    ((state, since),) = production.select(f"select state, since from dq_alerts where check_id = '{CHECK}' and kind = 'data'")
    assert state == "firing"
    at = due_at if isinstance(due_at, datetime) else datetime.fromisoformat(due_at)
    return int(at.timestamp()) % 2, since


WAITING = "select id from dq_incidents"
TOLD = "select id from dq_deliveries where channel = 'team' and state = 'sent' and 2 = (select count(*) from dq_deliveries where state = 'sent')"


@pytest.mark.parametrize(
    ("production", "moment", "pages_before"),
    [(("sqlite", "duckdb"), WAITING, 0), (("postgresql", "sqlite"), TOLD, 1)],
    indirect=["production"],
    ids=["sqlite, while the page waits", "postgresql, when it was sent"],
)
def test_a_daemon_that_is_killed_loses_no_page_and_sends_none_twice(production: Production, moment: str, pages_before: int) -> None:
    production.load(1)
    # A page that waits does so for longer than the test takes to see it, and not for as long as the dead daemon's leases last.
    production.configure(group_wait="1s" if pages_before else "10s")
    with production.daemon() as process:
        production.wait(lambda: production.select(moment), "the moment to kill")
        process.kill()
        process.wait()
    assert len(production.pages()) == pages_before
    if pages_before:
        production.load(3)
    with production.daemon() as process:
        # The dead daemon's leases run out first, which takes 15 s.
        if not pages_before:
            production.wait(lambda: production.pages() and production.posts(), "the page and the message after the restart")
            production.assert_told_once()
            production.load(3)
        production.wait_until_resolved()
        production.assert_told_once()
        production.stop(process)
