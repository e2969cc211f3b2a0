"""`dqmon run` with `web:`: jobs tell of themselves, and the verdicts follow; a real process, spoken to as curl does."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from patience import wait_for
from place import Place

TOKEN, OTHER = "a-token-of-24-characters", "b-token-of-24-characters"
SETTINGS = """\
version: 1
store: {{url: "sqlite:///dqmon.db"}}
warehouses: {{main: {{type: sqlite, path: data/shop.db}}}}
{web}
ingestion:
  cron: {{type: heartbeat, token: "{token}", pipelines: {{backup: {{every: 1s}}, dump: }}}}
"""
CHECKS = """\
version: 1
defaults: {schedule: {every: 1s}, owner: "@data"}
ingestion:
  - pipeline: cron/backup
    checks: [missed_schedule: {grace: 1s}]
  - pipeline: cron/dump
    checks: [failed_runs, rows_loaded: {min: 10}]
"""


class Daemon(Place):
    """A daemon, what it logged, and what its store says."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.log = root / "daemon.log"
        self.configure()
        self.write("checks/jobs.yaml", CHECKS)
        self.sqlite("create table t (id integer)")

    def configure(self, web: str = 'web: {bind: "127.0.0.1:0"}', token: str = TOKEN) -> None:
        self.write("config/dqmon.yaml", SETTINGS.format(web=web, token=token))

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        with self.log.open("w", encoding="utf-8") as log:
            process = self.start("run", stdout=subprocess.DEVNULL, stderr=log)
        try:
            self.wait(lambda: self.events("web endpoint listens"), "the endpoint")
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, self.log.read_text()
        finally:
            process.kill()
            process.wait()

    def events(self, name: str) -> list[dict[str, Any]]:
        return [found for line in self.log.read_text().splitlines() if (found := json.loads(line))["event"] == name]

    def wait(self, reached: Any, what: str) -> Any:
        return wait_for(reached, what, log=self.log.read_text)

    def url(self, path: str) -> str:
        return f"http://{self.events('web endpoint listens')[-1]['address']}{path}"

    def post(self, path: str, token: str = TOKEN) -> int:
        asked = urllib.request.Request(self.url(path), b"", {"Authorization": f"Bearer {token}"}, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as e:
            with e:
                return int(e.code)

    def verdict(self, check: str) -> str | None:
        query = "select verdict from dq_results where check_id = ? order by scheduled_at desc limit 1"
        with closing(sqlite3.connect(self.root / "dqmon.db")) as connection:
            found = connection.execute(query, [check]).fetchone()
        return found and str(found[0])

    def wait_for_verdict(self, check: str, verdict: str) -> None:
        self.wait(lambda: self.verdict(check) == verdict, f"{check} to be {verdict}, it is {self.verdict(check)}")


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)


def test_a_job_that_does_not_ping_is_missed_until_it_does(daemon: Daemon) -> None:
    missed = "cron/backup.missed_schedule"
    with daemon.running():
        daemon.wait_for_verdict(missed, "fail")

        def is_well() -> bool:
            assert daemon.post("/api/v1/ping/cron/backup?status=start") == 200
            return daemon.verdict(missed) == "pass"

        daemon.wait(is_well, "pings to be seen")
        daemon.wait_for_verdict(missed, "fail")
        assert daemon.post("/api/v1/ping/cron/dump?status=fail&error=disk+full") == 200
        daemon.wait_for_verdict("cron/dump.failed_runs", "fail")
        assert daemon.post("/api/v1/ping/cron/dump?rows=12") == 200
        daemon.wait_for_verdict("cron/dump.failed_runs", "pass")
        daemon.wait_for_verdict("cron/dump.rows_loaded", "pass")
        for path in ("/livez", "/readyz"):
            with urllib.request.urlopen(daemon.url(path), timeout=10) as answer:
                assert answer.read() == b"ok"
    assert "Traceback" not in daemon.log.read_text()
    assert TOKEN not in daemon.log.read_text()


def test_a_reload_swaps_tokens_moves_the_endpoint_or_changes_nothing(daemon: Daemon) -> None:
    def reload(process: subprocess.Popen[str], event: str) -> None:
        before = len(daemon.events(event))
        process.send_signal(signal.SIGHUP)
        daemon.wait(lambda: len(daemon.events(event)) > before, f"{event!r} in the log")

    with daemon.running() as process, socket.create_server(("127.0.0.1", 0)) as busy:
        first = daemon.url("")
        daemon.configure(token=OTHER)
        reload(process, "reloaded")
        assert (daemon.post("/api/v1/ping/cron/dump"), daemon.post("/api/v1/ping/cron/dump", OTHER)) == (401, 200)
        daemon.configure(web="web: {bind: localhost}")
        reload(process, "reload refused, the old configuration stays")
        daemon.configure(web=f"web: {{bind: '127.0.0.1:{busy.getsockname()[1]}'}}")
        reload(process, "reload refused, the old configuration stays")
        assert "cannot listen on" in daemon.log.read_text()
        assert (daemon.url(""), daemon.post("/api/v1/ping/cron/dump", OTHER)) == (first, 200)
        daemon.configure(web="web: {bind: 'localhost:0'}", token=OTHER)
        reload(process, "reloaded")
        assert daemon.url("") != first
        assert daemon.post("/api/v1/ping/cron/dump", OTHER) == 200
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(f"{first}/livez", timeout=10)


def test_a_port_that_is_taken_ends_the_start_with_one_clear_line(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        daemon.configure(web=f"web: {{bind: '127.0.0.1:{port}'}}")
        done = daemon.dqmon("run")
    done.expect(2, f"dqmon: web: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert not re.search("daemon started", done.words)


def test_without_the_setting_nothing_listens(daemon: Daemon) -> None:
    daemon.configure(web="")
    daemon.dqmon("validate").expect(2, "ingestion.cron: what jobs tell comes in by web:, which is not set; add web: {}")
