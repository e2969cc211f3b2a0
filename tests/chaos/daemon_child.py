"""A daemon of its own process for the chaos tests: the real service and store, with stand-ins for measuring and sending.

`python daemon_child.py STORE_URL SETTINGS.json`; the settings are read again at SIGHUP:
checks (number), every_s, tables, run_s (how long a batch takes), die_at (claim, run, commit: SIGKILL there, once
`die_after` batches are through), hang (a batch never ends), jump_s (the clock is set that far after five batches),
drain_s, lease_s.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import time_machine

from dqmon.core.check import Schedule
from dqmon.daemon.service import Service
from dqmon.daemon.work import Setup, Timed, Work
from dqmon.errors import ConfigError, Problem
from dqmon.store import leases, meta, slots
from dqmon.store.database import Database
from dqmon.store.schema import Instant, metadata

own = sa.MetaData()
runs = sa.Table(
    "chaos_runs",
    own,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("check_id", sa.Text),
    sa.Column("slot_at", Instant),
    sa.Column("pid", sa.Integer),
)


def create(database: Database) -> None:
    with database.write() as connection:
        metadata.create_all(connection, tables=[slots.slots, leases.leases, meta.meta])
        own.create_all(connection)


def check_ids(settings: dict[str, Any]) -> list[str]:
    return [f"t{n % settings['tables']}.check{n}" for n in range(settings["checks"])]


class StandIn:
    """Work that takes its time, records what was committed, and dies where it is told to."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.batches = 0
        self._numbers = itertools.count(1)  # threads count at once, and the fifth is told once

    def die(self, point: str) -> None:
        if self.settings.get("die_at") == point and self.batches >= self.settings.get("die_after", 0):
            os.kill(os.getpid(), signal.SIGKILL)

    def run_batch(self, batch, now):
        self.die("claim")
        if self.settings.get("hang"):
            print("a batch hangs", file=sys.stderr, flush=True)
            threading.Event().wait()
        time.sleep(self.settings["run_s"] / 2)
        self.die("run")
        time.sleep(self.settings["run_s"] / 2)
        self.batches = number = next(self._numbers)
        if number == 5 and self.settings.get("jump_s"):
            time_machine.travel(datetime.now(UTC) + timedelta(seconds=self.settings["jump_s"])).start()
        return batch

    def commit(self, connection, outcomes, now):
        attempts = [(s.check_id, s.attempt_token) for batch in outcomes for s in batch]
        mine = slots.finish(connection, attempts)
        rows = [
            {"check_id": s.check_id, "slot_at": s.slot_at, "pid": os.getpid()}
            for batch in outcomes
            for s in batch
            if (s.check_id, s.attempt_token) in mine
        ]
        if rows:
            connection.execute(sa.insert(runs), rows)
        self.die("commit")

    def setup(self) -> Setup[Any]:
        schedule = Schedule(None, self.settings["every_s"], "UTC")
        timed = {check_id: Timed(schedule, "main", check_id.split(".")[0]) for check_id in check_ids(self.settings)}
        work = Work(
            self.run_batch,
            self.commit,
            notify=lambda now: None,
            deliver=lambda channel, now: None,
            poll=lambda source, now: None,
            purge=lambda now: None,
            refresh=lambda: None,
            close=lambda: None,
        )
        return Setup(work, timed, {"main": 4}, channels=("team",))


def main(url: str, path: str) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s %(fields)s", stream=sys.stderr)
    logging.getLogger("apscheduler").handlers = [logging.NullHandler()]

    def settings() -> dict[str, Any]:
        try:
            return json.loads(Path(path).read_text())
        except json.JSONDecodeError as e:
            raise ConfigError((Problem(Path(path).name, e.lineno, e.msg),)) from e

    first = settings()
    service = Service(
        Database(url), lambda: StandIn(settings()).setup(), drain_s=first.get("drain_s", 20), lease_s=first.get("lease_s", 15)
    )
    return service.run()


if __name__ == "__main__":
    from dqmon.errors import DqmonError

    logging.captureWarnings(capture=True)
    try:
        sys.exit(main(*sys.argv[1:]))
    except DqmonError as e:
        print(e, file=sys.stderr)
        sys.exit(2)
