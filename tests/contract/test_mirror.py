"""The mirror on every engine that it can write to: all rows once, changed ones again, growing schemas, kills, conflicts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engines import engine
from mirror_world import KINDS, World
from store_rows import T, result

from dqmon.core.verdict import Verdict
from dqmon.engine import mirror as engine_mirror
from dqmon.engine.mirror import FIRST_WAIT, LONGEST_WAIT
from dqmon.store import meta, renames, results

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
CHILD = Path(__file__).parent.parent / "chaos" / "mirror_child.py"


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, servers: Callable[[str], str], tmp_path: Path) -> Iterator[World]:
    found = engine(request.param)
    made = World(found, found.place(servers(found.kind), tmp_path), tmp_path)
    made.run("drop schema if exists quality cascade")
    yield made
    made.database.close()


def copy_all(mirror: engine_mirror.Mirror, now: datetime = NOW) -> int:
    """Copies until nothing is left; how many rounds it took."""
    rounds = 1
    while (at := mirror.copy(now)) is not None:
        assert at == now, "a round failed"
        rounds += 1
    assert not mirror.failures
    return rounds


def test_every_row_is_copied_once_and_changed_ones_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_mirror, "BATCH", 5)
    mirror = world.mirror()
    assert copy_all(mirror) == 1, "an empty store is copied, too"
    for day in range(3):
        world.judge(day, checks=4, verdict=Verdict.FAIL)
    assert copy_all(mirror) == 3
    world.assert_same()
    world.judge(1, checks=2, again=1)
    copy_all(mirror)
    world.assert_same()
    assert sum(not row["is_current"] for row in world.there("dq_results")) == 2, "what was judged anew is not current any more"
    assert {str(row["score"]) for row in world.there("dq_daily_score") if str(row["day"])[:10] == "2026-03-03"} == {"0.0", "0.5", "1.0"}
    mirror.close()


def test_a_renamed_check_is_copied_again(world: World) -> None:
    world.judge(0, checks=2)
    mirror = world.mirror()
    copy_all(mirror)
    with world.database.write() as connection:
        renames.move(connection, {"check 0": "check zero"})
    copy_all(mirror)
    world.assert_same()
    mirror.close()


def test_columns_are_added_and_those_of_others_left_alone(world: World) -> None:
    world.judge(0)
    world.run(
        "create schema quality", "create table quality.dq_results (instance varchar, id varchar, seen_by varchar)",
        "insert into quality.dq_results values ('prod', 'of old', 'Ada')",
    )  # fmt: skip
    mirror = world.mirror()
    copy_all(mirror)
    rows = {row["id"]: row for row in world.there("dq_results")}
    assert (rows["of old"]["seen_by"], rows["of old"]["verdict"]) == ("Ada", None)
    (other,) = (row for name, row in rows.items() if name != "of old")
    assert (other["seen_by"], other["verdict"], other["check_id"]) == (None, "pass", "check 0")
    mirror.close()


def test_two_installations_share_a_schema(world: World, tmp_path: Path) -> None:
    other = World(world.engine, world.location, tmp_path, "staging")
    world.judge(0, checks=2)
    other.judge(5, checks=3)
    for one in (world, other, world):
        mirror = one.mirror()
        copy_all(mirror)
        mirror.close()
    found = [row["instance"] for row in world.there("dq_measurements")]
    assert (found.count("prod"), found.count("staging")) == (2, 3), "the ids of measurements are the same in every store"
    other.database.close()


def test_of_two_mirrors_of_one_store_one_gives_way(world: World) -> None:
    first, second = world.mirror(), world.mirror()
    copy_all(first)
    copy_all(second)
    world.judge(0)
    copy_all(first)
    first.close()
    world.judge(1)
    assert second.copy(NOW) == NOW + FIRST_WAIT, "it stands where the first one has gone on from"
    copy_all(second, NOW + FIRST_WAIT)
    second.close()
    world.assert_same()


def test_a_store_that_begins_anew_is_copied_from_the_start(world: World) -> None:
    for day in range(3):
        world.judge(day)
    mirror = world.mirror()
    copy_all(mirror)
    with world.database.write() as connection:
        connection.execute(results.results.delete())
        meta.put(connection, "revision", "0")
        results.add(connection, [result(check_id="anew")], T)
    copy_all(mirror)
    assert [row for row in world.there("dq_results") if row["check_id"] == "anew"], "its revisions are below those that were copied"
    mirror.close()


def test_tables_that_were_dropped_are_filled_again(world: World) -> None:
    world.judge(0, checks=3)
    mirror = world.mirror()
    copy_all(mirror)
    world.run("drop table quality.dq_results")
    world.judge(1)
    later = mirror.copy(NOW)
    assert later == NOW + FIRST_WAIT
    assert mirror.copy(NOW) == later, "nothing is tried before its time"
    copy_all(mirror, later)
    world.assert_same()
    mirror.close()


def test_a_warehouse_is_left_alone_while_nothing_is_new(world: World) -> None:
    world.judge(0)
    mirror = world.mirror()
    copy_all(mirror)
    world.run("drop table quality.dq_mirror", "drop table quality.dq_results")
    assert mirror.copy(NOW) is None, "whoever asks a warehouse wakes it up, and pays for that"
    assert not mirror.failures
    mirror.close()


def test_failures_are_tried_again_less_and_less(world: World) -> None:
    world.judge(0)
    world.run(
        "create schema quality",
        "create table quality.dq_results (id varchar)",
        "create table quality.dq_mirror (instance varchar, table_name varchar, revision varchar, row_id varchar)",
        "insert into quality.dq_mirror values ('prod', 'dq_results', 'not a number', '')",
    )
    mirror = world.mirror()
    at, waits = NOW, []
    for _ in range(9):
        later = mirror.copy(at)
        assert later is not None
        waits.append(later - at)
        at = later
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT
    assert mirror.failures == 9
    mirror.close()


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_nothing_is_lost_or_doubled_by_kills(kind: str, servers: Callable[[str], str], tmp_path: Path) -> None:
    found = engine(kind)
    world = World(found, found.place(servers(kind), tmp_path), tmp_path)
    world.run("drop schema if exists quality cascade")
    chance = random.Random(5)
    for day in range(24):  # enough for six kills, however quick the engine is
        world.judge(day, checks=10, verdict=Verdict.FAIL)
    command = [sys.executable, str(CHILD), f"sqlite:///{tmp_path}/prod.db", kind, world.location, "4"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    kills = 0
    for attempt in range(40):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as child:
            assert child.stdout is not None
            rounds = chance.randrange(1, 7)
            said = [line for line, _ in zip(child.stdout, range(rounds), strict=False)]
            assert said, "the mirror failed by itself"
            if "the end\n" in said:
                break
            child.send_signal(signal.SIGKILL)
            kills += 1
        world.judge(attempt % 24, checks=2, again=attempt + 1)
    mirror = world.mirror()
    copy_all(mirror)
    mirror.close()
    assert kills >= 6
    world.assert_same()
    world.database.close()
