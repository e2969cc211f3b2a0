"""How long a replay of many checks takes, both sides; `-s` prints it. The long version is 100 hourly checks over 90 days."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dqmon.config.project import load_project
from dqmon.core.check import Check, Hold
from dqmon.core.measurement import Measurement
from dqmon.core.result import record
from dqmon.engine.judging.judge import Knowledge, judge
from dqmon.engine.measuring.asked import Run, Task, own_requests
from dqmon.engine.rehearsal.compare import totals
from dqmon.engine.rehearsal.stage import Rules, empty_store
from dqmon.engine.rehearsal.trial import Period, trial
from dqmon.store import measurements, results
from dqmon.store.database import Database

START = datetime(2026, 1, 1, tzinfo=UTC)
MOST_MS = 1.0
"""CPU of one replayed run at most, one in ten being of an anomaly check, whose detector takes most of it; without these it is 0.12 ms."""
CONFIG = """\
version: 1
store: {url: "sqlite:///store.db"}
warehouses: {main: {type: duckdb, path: none.duckdb}}
channels: {oncall: {type: pagerduty, dry_run: true}, team: {type: slack, channel: "#data", dry_run: true}}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team]}
  - {name: rest, default: true, to: [team]}
"""


@pytest.mark.parametrize(("tables", "days"), [(1, 3), pytest.param(20, 90, marks=pytest.mark.long)])
def test_a_replay_of_both_sides(tmp_path: Path, tables: int, days: int) -> None:
    checks = declared(tmp_path, tables)
    with empty_store() as (database, _):
        fill(database, checks, days)
        changed = [replace(check, hold_for=Hold(2)) for check in checks]
        started = time.process_time()
        found = trial(database, [checks, changed], rules_of(tmp_path), Period(START, START + timedelta(days=days)))
        seconds = time.process_time() - started
    runs = sum(track.runs for side in found.sides for track in side.tracks)
    messages = [sum(totals(side).messages.values()) for side in found.sides]
    print(f"\nbacktest: {runs:,} runs of {len(checks)} checks in {seconds:.1f} s of CPU, {messages} messages")
    assert runs == 2 * len(checks) * days * 24
    assert messages[1] < messages[0], "for: 2 says less"
    assert seconds < 1 + runs * MOST_MS / 1000


def declared(folder: Path, tables: int) -> tuple[Check, ...]:
    """Five checks a table; one in ten of all is an anomaly check."""
    text = "version: 1\ndefaults: {owner: '@d', runbook: 'https://w.example.com/{check}', schedule: '0 * * * *'}\ndatasets:\n"
    for table in range(tables):
        kinds = [f"completeness: {{column: c{place}, fail_if: '> 5%'}}" for place in range(4 if table % 2 == 0 else 5)]
        kinds += ["volume_anomaly"] * (table % 2 == 0)
        text += f"  - dataset: t{table}\n    checks:\n" + "".join(f"      - {kind}\n" for kind in kinds)
    for name, content in (("config/dqmon.yaml", CONFIG), ("checks/all.yaml", text)):
        (folder / name).parent.mkdir()
        (folder / name).write_text(content)
    return load_project(folder / "config" / "dqmon.yaml", {}).checks


def rules_of(folder: Path) -> Rules:
    project = load_project(folder / "config" / "dqmon.yaml", {})
    return Rules("bench", project.routes, project.lineage, 3600.0, {"oncall": True, "team": False}, {})


def fill(database: Database, checks: tuple[Check, ...], days: int) -> None:
    """Hourly runs; each check fails now and then for an hour."""
    chance, ids = random.Random(1), itertools.count(1)
    with database.write() as connection:
        for hour in range(days * 24):
            slot, run = START + timedelta(hours=hour), Run(f"run{hour:06}")
            bad = {place for place in range(len(checks)) if (hour // 7 + place) % 200 == 0 and hour % 7 == 0}
            made = {
                request: Measurement(request, (), value(request.metric.name, place in bad, chance), None, slot, 0.1, "scan")
                for place, check in enumerate(checks)
                for request in own_requests(Task(check, slot), None)
            }
            every = {request: (one,) for request, one in made.items()}
            judged = [judge(Task(check, slot), run, every, Knowledge(), lambda: f"id{next(ids):09}") for check in checks]
            measurements.add(connection, run.id, tuple(made.values()), scheduled_at=slot)
            results.add(connection, [record(result) for found in judged for result in found], slot)


def value(metric: str, is_bad: bool, chance: random.Random) -> int:
    if metric == "row_count":
        return chance.randint(9_500, 10_500)
    return 900 if is_bad else chance.randint(0, 100)
