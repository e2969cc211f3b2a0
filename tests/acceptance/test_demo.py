"""The worked example from its load to its last message; and the same with one day's data repaired."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import warm_program

ROOT = Path(__file__).parents[2]
DEP_TIME = "main.flights.completeness.dep_time"

# Stands in for config/demo/load.py: the same loads, but every flight of 9 February has a departure time.
REPAIRED = """
import importlib.util, sys
from pathlib import Path
import pyarrow.compute as pc

spec = importlib.util.spec_from_file_location("load", {original!r})
load = importlib.util.module_from_spec(spec)
spec.loader.exec_module(load)
read = load._read

def repaired(name):
    table = read(name)
    if "dep_time" not in table.column_names:
        return table
    is_day = pc.and_(pc.equal(table["month"], 2), pc.equal(table["day"], 9))
    filled = pc.if_else(is_day, pc.coalesce(table["dep_time"], table["sched_dep_time"]), table["dep_time"])
    return table.set_column(table.column_names.index("dep_time"), "dep_time", filled)

load._read = repaired
load.PROJECT = Path({project!r})
sys.exit(load.main())
"""


class Demo:
    """A project folder in which the demo has run: what it printed, and what its store has."""

    def __init__(self, folder: Path, printed: str) -> None:
        self.folder = folder
        self.printed = printed

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.folder / ".dqmon" / "demo.db") as connection:
            found = connection.execute(query).fetchall()
        connection.close()
        return found

    def failures(self) -> list[tuple[object, ...]]:
        """The slots and shares of the failed scheduled runs of the blizzard's check."""
        return self.rows(
            "select substr(scheduled_at, 1, 10), round(100 * ratio, 1) from dq_results "
            f"where check_id = '{DEP_TIME}' and verdict = 'fail' and not is_ad_hoc order by scheduled_at"
        )

    def critical(self) -> list[tuple[object, ...]]:
        return self.rows(
            "select substr(opened_at, 1, 10), substr(resolved_at, 1, 10), state from dq_incidents where severity = 'critical' order by opened_at"
        )


def _run(folder: Path, loader: str | None = None) -> Demo:
    for name in ("config", "checks"):
        shutil.copytree(ROOT / name, folder / name)
    if loader:
        (folder / "config" / "demo" / "load.py").write_text(loader)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "dqmon", "demo"], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"the demo ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return Demo(folder, done.stdout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return _run(tmp_path_factory.mktemp("demo"))


def test_the_blizzard_is_found_as_it_happens(demo: Demo) -> None:
    assert demo.failures() == [("2013-02-09", 50.8), ("2013-02-10", 57.5)]


def test_the_other_bad_days_warn_and_no_other_day_does(demo: Demo) -> None:
    found = demo.rows(
        "select substr(partition_start, 1, 10) from dq_results "
        f"where check_id = '{DEP_TIME}' and verdict = 'warn' and not is_ad_hoc order by 1"
    )
    assert [day for (day,) in found] == ["2013-01-28", "2013-01-30", "2013-01-31", "2013-02-11"]


def test_it_is_one_critical_incident_and_it_is_resolved(demo: Demo) -> None:
    assert demo.critical() == [("2013-02-09", "2013-02-11", "resolved")]


def test_pager_and_slack_have_rendered_messages_that_were_not_sent(demo: Demo) -> None:
    found = demo.rows("select kind, state, reason, text from dq_deliveries where channel = 'oncall' order by sequence")
    assert {"trigger", "resolve"} <= {kind for kind, *_ in found}
    assert {(state, "dry_run" in str(reason)) for _, state, reason, _ in found} == {("not_sent", True)}
    assert all(text for *_, text in found)
    assert demo.rows("select count(*) from dq_deliveries where state <> 'not_sent'") == [(0,)]


def test_volume_knows_saturdays(demo: Demo) -> None:
    assert demo.rows("select scheduled_at, reason from dq_results where type = 'volume_anomaly' and verdict in ('warn', 'fail')") == []


def test_the_planes_that_do_not_exist_are_one_incident(demo: Demo) -> None:
    found = demo.rows("select count(*) from dq_incident_members where check_id = 'main.flights.relationship.tailnum'")
    assert found == [(1,)]


def test_plain_check_afterwards_says_that_the_data_are_old_and_explain_works(demo: Demo) -> None:
    explained = warm_program.run(("explain", DEP_TIME, "--at", "2013-02-10T14:00Z"), demo.folder, os.environ)
    assert explained.returncode == 0, explained.stderr
    assert "57.5 %" in explained.stdout
    assert "oncall" in explained.stdout
    checked = warm_program.run(("check", "--no-alerts"), demo.folder, os.environ)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "the newest data is of 2013" in checked.stderr


def test_with_one_day_repaired_the_same_demo_finds_one_bad_day(tmp_path: Path) -> None:
    loader = REPAIRED.format(original=str(ROOT / "config" / "demo" / "load.py"), project=str(tmp_path))
    found = _run(tmp_path, loader)
    assert found.failures() == [("2013-02-09", 50.8)]
    assert "57.5 %" not in found.printed


def test_before_the_demo_check_says_what_is_missing_and_what_to_type(tmp_path: Path) -> None:
    for name in ("config", "checks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    done = warm_program.run(("check",), tmp_path, os.environ)
    assert done.returncode == 3
    assert "data/warehouse.duckdb is missing; type: dqmon demo" in done.stderr
