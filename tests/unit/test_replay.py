"""The replay of stored measurements: with nothing changed it finds the very incidents and messages of the real run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.config.project import load_project
from dqmon.core.check import Check, Hold
from dqmon.core.feedback import Feedback, Said
from dqmon.core.measurement import Measurement, Partition
from dqmon.core.rule_test import Given, Series
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.judging.judge import Knowledge, judge
from dqmon.engine.measuring.asked import Run, Task, requests, windows
from dqmon.engine.rehearsal.compare import findings, misses, new_alerts, totals
from dqmon.engine.rehearsal.rehearse import Rehearsed
from dqmon.engine.rehearsal.rule_values import Values
from dqmon.engine.rehearsal.stage import Rules, Stage, clear, empty_store
from dqmon.engine.rehearsal.trial import Period, trial
from dqmon.engine.rehearsal.tuning import Score, best, candidates, real_ones, score
from dqmon.engine.run import RunOutcome, commit
from dqmon.store import feedback, incidents
from dqmon.store.database import Database
from dqmon.store.measurements import add, measurements

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONFIG = """\
version: 1
store: {url: "sqlite:///store.db"}
warehouses: {main: {type: duckdb, path: nowhere.duckdb}}
channels:
  oncall: {type: pagerduty, dry_run: true}
  team: {type: slack, channel: "#data", dry_run: true}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team], group_wait: 10s}
  - {name: rest, default: true, to: [team], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
"""
CHECKS = """\
version: 1
defaults: {owner: "@data", runbook: "https://wiki.example.com/{check}", schedule: "0 * * * *"}
datasets:
  - dataset: raw
    checks:
      - row_count: {min: 10, severity: critical}
  - dataset: orders
    upstream: [raw]
    checks:
      - completeness: {column: id, warn_if: "> 5%", fail_if: "> 20%", severity: critical, recover_after: 2}
      - freshness: {column: loaded_at, fail_after: 3h, for: 2}
      - volume_anomaly: {min_history: 7, method: mad, severity: error}
  - dataset: daily
    partition: {column: day, grain: day, lookback: 3}
    checks:
      - row_count: {min: 10, name: parts}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("replay")
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/all.yaml", CHECKS)):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with empty_store() as (real, _):
        yield World(folder, real)


class World:
    """A project, and the store that its runs fill."""

    def __init__(self, folder: Path, real: Database) -> None:
        project = load_project(folder / "config" / "dqmon.yaml", {})
        self.checks = {check.id.removeprefix("main."): check for check in project.checks}
        self.rules = Rules(
            "test", project.routes, project.lineage, project.settings.correlate_within_s, {"oncall": True, "team": False}, {}
        )
        self.real = real

    def run(self, found: dict[str, Sequence[Given]], said: Sequence[tuple[int, Feedback]] = ()) -> tuple[Stage, datetime]:
        """The real runs, an hour apart; after the run of that number somebody says that of the newest incident."""
        clear(self.real)
        stage = Stage(self.rules, self.checks.values(), self.real, START)
        values = Values([Series(self.checks[name], tuple(one)) for name, one in found.items()])
        slot = START
        for number in range(max(map(len, found.values()))):
            stage.wait(slot)
            stage.take(lambda connection, at=slot: commit(connection, values.outcomes(stage.environment, at), at))
            for at, word in said:
                if at == number:
                    self.say(word, slot + timedelta(minutes=5))
            slot += HOUR
        stage.wait(slot)
        return stage, slot

    def say(self, word: Feedback, at: datetime) -> None:
        with self.real.write() as connection:
            for incident in incidents.listed(connection, None, 1):
                feedback.save(connection, Said(incident.id, word, "ann", at))

    def replay(self, until: datetime, checks: Sequence[Check] = ()) -> Rehearsed:
        return trial(self.real, [tuple(checks) or tuple(self.checks.values())], self.rules, Period(START, until)).sides[0]


def number(text: object, **how: bool) -> Given:
    return Given(str(text), Decimal(str(text)), **how)


ROWS = st.sampled_from([number(3), number(12), number(12), number(40), Given("error", is_error=True)])
SHARES = st.sampled_from(
    [number(0, is_percent=True), number(0, is_percent=True), number(10, is_percent=True), number(50, is_percent=True), Given("_")]
)
AGES = st.sampled_from([number(60, is_duration=True), number(60, is_duration=True), number(20_000, is_duration=True)])
VOLUMES = st.sampled_from([number(1000), number(1010), number(990), number(1005), number(100), number(0)])
RUNS = 18


def some(values: st.SearchStrategy[Given]) -> st.SearchStrategy[list[Given]]:
    return st.lists(values, min_size=RUNS, max_size=RUNS)


def told(real: Stage) -> list[tuple[object, ...]]:
    return [
        (one.created_at, one.channel, one.kind, tuple(dict.fromkeys(facts.check_id for facts in one.message.alerts))) for one in real.told
    ]


EXPECTED_LEVEL = {
    "raw.row_count": [number(12)] * RUNS,
    "orders.completeness.id": [number(0, is_percent=True)] * RUNS,
    "orders.freshness.loaded_at": [number(60, is_duration=True)] * RUNS,
    "orders.volume_anomaly": [*map(number, (1000, 1010, 990, 1005, 1000, 1010, 990)), *[number(100)] * (RUNS - 7)],
    "daily.row_count.parts": [number(12)] * RUNS,
}
"""A level that is learned only when somebody says that it is expected."""


@tried(6)
@example(EXPECTED_LEVEL, [(8, Feedback.EXPECTED)])
@given(
    st.fixed_dictionaries(
        {
            "raw.row_count": some(ROWS),
            "orders.completeness.id": some(SHARES),
            "orders.freshness.loaded_at": some(AGES),
            "orders.volume_anomaly": some(VOLUMES),
            "daily.row_count.parts": some(ROWS),
        }
    ),
    st.lists(st.tuples(st.integers(6, RUNS - 2), st.sampled_from(Feedback)), max_size=3),
)
def test_unchanged_replay_is_what_happened(world: World, found: dict[str, list[Given]], said: list[tuple[int, Feedback]]) -> None:
    real, end = world.run(found, said)
    replayed = world.replay(end)
    assert [(one.at, one.channel, one.kind, one.checks) for one in replayed.sent] == told(real)
    with world.real.read() as connection:
        happened = incidents.listed(connection, None, 1000)[::-1]
    assert [(i.root, i.opened_at, i.resolved_at, i.severity, set(i.members)) for i in replayed.incidents] == [
        (i.root, i.opened_at, i.resolved_at, i.severity, set(i.members)) for i in happened
    ]
    assert all(track.recorded == 0 for track in replayed.tracks), [track.reason for track in replayed.tracks]


def test_a_check_that_is_new_is_judged_by_what_others_measured(world: World) -> None:
    rows = [number(12)] * 6 + [number(3)] * 3 + [number(12)] * 3
    _, end = world.run({"raw.row_count": rows})
    new = replace(world.checks["raw.row_count"], id="main.raw.row_count.new", severity=Severity.WARNING)
    (track,) = world.replay(end, [new]).tracks
    assert (track.judged, track.recorded, track.days) == (12, 0, 1)
    assert [(one.severity, one.at - START, one.until and one.until - START) for one in track.alerts] == [
        (Severity.WARNING, 6 * HOUR, 9 * HOUR)
    ]


def test_what_is_not_kept_stands_as_it_was_recorded(world: World) -> None:
    _, end = world.run({"raw.row_count": [number(12), number(3), number(3)]})
    with world.real.write() as connection:
        connection.execute(measurements.delete())
    (track,) = world.replay(end, [world.checks["raw.row_count"]]).tracks
    assert (track.judged, track.recorded, len(track.alerts)) == (0, 3, 1)
    assert track.reason == "not all that it judges was measured, or it is not kept"


def test_partitions_that_were_filled_in_later_are_judged_as_if_in_time(world: World) -> None:
    clear(world.real)
    check = world.checks["daily.row_count.parts"]
    check = replace(check, partition=replace(check.partition, lag_s=7200))
    days = [Partition("day", START + timedelta(days=day), START + timedelta(days=day + 1)) for day in range(6)]
    (request,) = (replace(one, partition=None) for one in requests(Task(check, START), windows(Task(check, START))[0]))
    found = [3 if day == 2 else 40 for day in range(6)]
    made = [
        Measurement(replace(request, partition=day), (), rows, None, days[-1].end, 0.0, "scan")
        for day, rows in zip(days, found, strict=True)
    ]
    with world.real.write() as connection:
        add(connection, "backfill", made, scheduled_at=None)
    replayed = world.replay(days[-1].end + timedelta(days=1), [check])
    (alert,) = replayed.tracks[0].alerts
    assert alert.at == days[2].end + timedelta(hours=2), "when the partition was complete"
    assert alert.until == days[5].end + timedelta(hours=2), "when it had left the three partitions that are looked at"
    assert [one.kind.value for one in replayed.sent] == ["trigger", *["repeat"] * 17, "resolve"]


def test_segments_are_told_apart(world: World) -> None:
    clear(world.real)
    check = replace(world.checks["orders.completeness.id"], segment_by=("shop", "city"), recover_after=Hold(1))
    stage, numbers = Stage(world.rules, [check], world.real, START), count(1)
    for hour, shares in enumerate(([0, 0], [50, 0], [50, 50], [0, 0])):
        slot, run = START + hour * HOUR, Run(f"run{hour}")
        task, measured = Task(check, slot), {}
        for request in requests(task, None):
            rows = request.metric.name == "row_count"
            values = [100 if rows else share for share in shares]
            measured[request] = tuple(
                Measurement(request, (("shop", shop), ("city", None)), value, None, slot, 0.0, "scan")
                for shop, value in zip("ab", values, strict=True)
            )
        found = judge(task, run, measured, Knowledge(), lambda: f"id{next(numbers)}")
        every = tuple(one for kept in measured.values() for one in kept)
        outcome = RunOutcome(run, (task,), found, every, (), slot, slot)
        stage.wait(slot)
        stage.take(lambda connection, made=outcome, at=slot: commit(connection, (made,), at))
    stage.wait(START + DAY)
    replayed = world.replay(START + DAY, [check])
    assert dict(replayed.tracks[0].verdicts) == {Verdict.PASS: 5, Verdict.FAIL: 3}
    assert [(one.at, one.kind) for one in replayed.sent] == [(one.created_at, one.kind) for one in stage.told]


def test_alerts_that_are_new_and_incidents_that_are_missed_or_found_later(world: World) -> None:
    rows = [number(12)] * 4 + [number(3)] * 3 + [number(12)] * 3 + [number(7)] * 2 + [number(12)]
    _, end = world.run({"raw.row_count": rows}, [(5, Feedback.REAL)])
    as_it_is = world.checks["raw.row_count"]
    sides = [as_it_is, replace(as_it_is, hold_for=Hold(3)), replace(as_it_is, rule=as_it_is.rule.model_copy(update={"min": 13}))]
    found = trial(world.real, [[side] for side in sides], world.rules, Period(START, end))
    assert [[one.delay for one in findings(side, found.known, end)] for side in found.sides] == [
        [timedelta(0), timedelta(0)],
        [2 * HOUR, None],
        [timedelta(0), timedelta(0)],
    ]
    assert [misses(findings(side, found.known, end)) for side in found.sides] == [0, 1, 0]
    assert [totals(side).pages.get("oncall", 0) for side in found.sides] == [2, 1, 1]
    assert [len(new_alerts(found.sides[1], side)) for side in found.sides] == [1, 0, 0]
    assert score(as_it_is.id, found.sides[0], real_ones(found.known, as_it_is.id), found.period) == Score(2, 1, 0, timedelta(0))


def test_what_is_tried_for_an_anomaly_check_begins_with_the_side_on_which_it_was_real(world: World) -> None:
    check = world.checks["orders.volume_anomaly"]
    usual = [number(value) for value in (1000, 1010, 990, 1005, 995, 1008, 1002, 998, 1004, 1001)]
    _, end = world.run(
        {"orders.volume_anomaly": [*usual, number(100), *usual, number(9000), *usual]}, [(11, Feedback.REAL), (22, Feedback.EXPECTED)]
    )
    found = trial(world.real, [[check]], world.rules, Period(START, end))
    real = real_ones(found.known, check.id)
    first, *others = candidates(check, found.sides[0], real, found.period)
    assert (len(real), first) == (1, {"direction": "drop"})
    assert [next(iter(one)) for one in others] == ["for", "false_alerts_per_year"] * 3
    assert best(Score(2, 1, 0, HOUR), [({"for": 2}, Score(0, 0, 1, HOUR)), ({"for": 3}, Score(2, 1, 0, HOUR))], 0.5) is None
    tried = [({"for": 2}, Score(3, 2, 0, HOUR)), ({"for": 3}, Score(2, 1, 0, HOUR)), ({"for": 5}, Score(1, 0, 0, HOUR))]
    assert best(Score(4, 3, 0, HOUR), tried, 0.5) == tried[1], "the smallest change that is enough"
    assert best(Score(4, 3, 0, HOUR), tried[:1], 0.5) == tried[0], "none is enough: the one with fewest"
