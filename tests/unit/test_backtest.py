"""Replaying values: the past alone is known, alerts are those of a run at each, and CSV files are read and written as promised."""

from __future__ import annotations

import csv
import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dqmon.cli.program import run
from dqmon.core.alert import AlertPolicy
from dqmon.core.check import Hold
from dqmon.core.history import History, Point
from dqmon.core.judgement import Expected, Judgement, Observed
from dqmon.core.verdict import Unit, Verdict
from dqmon.engine.past.backtest import Judged, Replay, Replayed, replay_series, score

START = datetime(2026, 1, 5, tzinfo=UTC)


def point(day: float, value: float = 100.0) -> Point:
    return Point(START + timedelta(days=day), float(value))


def said(verdict: Verdict, value: float | None = 1.0, low: float | None = None, high: float | None = None) -> Judgement:
    return Judgement(verdict, Observed(value, Unit.ROWS), Expected(low, high, "text"), "reason")


def bad_below(limit: float, seen: list[History] | None = None):
    def judge(tested: Point, past: History) -> Judgement:
        if seen is not None:
            seen.append(past)
        return said(Verdict.FAIL if tested.value < limit else Verdict.PASS, tested.value)

    return judge


def test_each_point_is_judged_by_the_points_strictly_before_it():
    seen: list[History] = []
    replay = Replay(bad_below(50, seen), past=[point(-1)])
    for tested in (point(0), point(1, 10), point(1, 11), point(2), point(500)):
        replay.step(tested)
    assert [[p.value for p in past.points] for past in seen[:4]] == [[100], [100, 100], [100, 100], [100, 100, 10, 11]]
    assert [p.is_excluded for p in seen[3].points] == [False, False, True, True], "alerted points are excluded"
    assert seen[4].points == (), "what is older than 400 days is forgotten, as the store does"


def test_an_alert_is_that_of_for_and_recover_after():
    def fired(*values: int) -> list[int]:
        replay = Replay(bad_below(50), AlertPolicy(Hold(2), Hold(2)))
        found = [replay.step(point(day, value)) for day, value in enumerate(values)]
        return [place for place, one in enumerate(found) if one.has_fired]

    assert fired(100, 1, 1, 1, 100, 1, 100, 100, 100, 1, 1) == [2, 10], "one bad outcome is none yet, one good one no end"
    assert fired(100, 1, 100, 1, 1, 1, 100, 1, 100, 100, 100, 1, 1) == [4], "one that flaps does not end, nor fire anew"


def test_alerts_are_counted_a_year():
    points = tuple(Judged(point(day).at, said(Verdict.PASS if day else Verdict.SKIPPED), has_fired=day == 3) for day in range(11))
    found = Replayed("{}", points)
    assert (len(found.judged), found.days, len(found.alerts)) == (10, 10.0, 1)
    assert Replayed("{}", ()).days == 0.0
    assert Replayed("{}", points[1:2]).days == 1.0


@pytest.mark.parametrize(
    ("judgement", "spread", "expected"),
    [
        (said(Verdict.PASS, 10, 0, 20), 0, 0.0),
        (said(Verdict.PASS, 15, 0, 20), 0, 0.5),
        (said(Verdict.PASS, 20, 0, 20), 0, 1.0),
        (said(Verdict.FAIL, 30, 0, 20), 5, 3.0),
        (said(Verdict.FAIL, -30, 0, 20), 5, 7.0),
        (said(Verdict.FAIL, 1e9, 0, 20), 5, 99.0),
        (said(Verdict.FAIL, 30, 0, 20), 0, 99.0),
        (said(Verdict.FAIL, 0, 1, None), 0.5, 3.0),
        (said(Verdict.PASS, 5, 1, None), 0.5, 0.0),
        (said(Verdict.PASS, 2, 2, 2), 0, 0.0),
        (said(Verdict.SKIPPED, None), 0, 0.0),
    ],
)
def test_scores_rank_what_is_outside_by_how_far(judgement: Judgement, spread: float, expected: float):
    assert score(Judged(START, judgement, spread=spread)) == expected


def test_the_spread_is_that_of_the_recent_values():
    replay = Replay(
        bad_below(50), past=[*(point(day, 1e6) for day in range(10)), *(point(10 + day, 100 + 10 * (-1) ** day) for day in range(28))]
    )
    assert replay.step(point(38, 1)).spread == 10.0
    assert Replay(bad_below(50)).step(point(0, 1)).spread == 0.0


def test_the_future_changes_no_verdict():
    values = np.random.default_rng(7).poisson(200, 90).astype(float)
    points = [point(day, value) for day, value in enumerate(values)]
    assert list(replay_series(points))[:60] == list(replay_series(points[:60]))


def test_whole_numbers_are_counts_and_others_are_not():
    counts = list(replay_series(point(day, 1_000 + day % 3) for day in range(30)))
    assert counts[-1].judgement.observed.unit is Unit.ROWS
    ratios = list(replay_series(point(day, 0.5 + day % 3 / 100) for day in range(30)))
    assert [one.judgement.observed.unit for one in ratios[:2]] == [Unit.ROWS, Unit.VALUE], "the first is not known to be none"
    assert not any(one.is_bad for one in (*counts, *ratios))


def test_zero_rows_where_there_never_were_any_is_bad_at_once():
    found = list(replay_series([*(point(day, 50) for day in range(3)), point(3, 0)]))
    assert [one.is_bad for one in found] == [False, False, False, True]
    assert (score(found[3]), found[3].judgement.expected.low) == (99.0, 1)  # fifty rows on each day before


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_file_of_series_gives_a_file_of_verdicts(tmp_path: Path):
    """Series in the order of their first row, each by time; times as they were written; a byte order mark and other columns are fine."""
    rows = [("b", f"2026-01-{day:02}T00:00:00+01:00", 100 + day % 2) for day in range(20, 0, -1)]
    rows[4:4] = [("a, quoted", "2026-01-02", 7), ("a, quoted", "2026-01-01", 7)]
    lines = ["\ufefftimestamp,note,series_id,value", *(f'{at},x,"{name}",{value}' for name, at, value in rows), ""]
    (tmp_path / "in.csv").write_text("\n".join(lines), encoding="utf-8")
    assert run(["backtest", "--series", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]) == 0
    found = written(tmp_path / "out.csv")
    assert list(found[0]) == ["series_id", "timestamp", "is_anomaly", "expected_low", "expected_high", "score"]
    assert [row["series_id"] for row in found] == ["b"] * 20 + ["a, quoted"] * 2
    assert [row["timestamp"] for row in found] == [
        *(f"2026-01-{day:02}T00:00:00+01:00" for day in range(1, 21)),
        "2026-01-01",
        "2026-01-02",
    ]
    assert (found[0]["expected_low"], found[0]["score"]) == ("", "0.0000"), "nothing is expected while it is learning"
    assert float(found[19]["expected_low"]) <= 100 <= float(found[19]["expected_high"])
    assert {row["is_anomaly"] for row in found} == {"0"}


def test_the_default_of_the_output_is_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "in.csv").write_text("series_id,timestamp,value\na,2026-01-01,1\n")
    assert run(["backtest", "--series", str(tmp_path / "in.csv")]) == 0
    assert capsys.readouterr().out == "series_id,timestamp,is_anomaly,expected_low,expected_high,score\na,2026-01-01,0,,,0.0000\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the header has no series_id and no timestamp and no value; expected series_id,timestamp,value"),
        ("series_id,when,value\n", ":1: the header has no timestamp"),
        ("series_id,timestamp,value\n", "there is no row below the header"),
        ("series_id,timestamp,value\na,2026-01-01,1\na,2026-01-02\n", ":3: 2 fields, the header has 3"),
        ("series_id,timestamp,value\na,2026-01-01,1\n\na,yesterday,2\n", ":4: 'yesterday' is no time; write it as 2026-03-29 or"),
        ("series_id,timestamp,value\na,2026-01-01,\n", ":2: '' is no finite number; leave the row out"),
        ("series_id,timestamp,value\na,2026-01-01,nan\n", ":2: 'nan' is no finite number"),
        ('series_id,timestamp,value\na,2026-01-01,"1\n', ":2: unexpected end of data"),
        ("series_id,timestamp,value\na,0001-01-01T00:00:00+01:00,1\n", ":2: '0001-01-01T00:00:00+01:00' is no time"),
    ],
)
def test_a_bad_file_is_one_message_with_its_line(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "in.csv").write_text(text)
    assert run(["backtest", "--series", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dqmon: ")
    assert message in line
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.b", "--series", "x.csv"], "--series judges a file"),
        (["--set", "for=2", "--series", "x.csv"], "--series judges a file"),
        (["a.b", "--set", "for=2", "--plot", "x.svg"], "--plot draws one check as it is"),
        (["--series", "no/such.csv"], "--series no/such.csv: No such file or directory"),
        (["a.b", "--method", "mad"], "--method and --output belong to --series"),
        (["--series", "x.csv", "--plot", "x.svg"], "--plot draws a check"),
    ],
)
def test_words_that_do_not_go_together(words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert run(["backtest", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_method_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "in.csv").write_text("series_id,timestamp,value\na,2026-01-01,1\n")
    assert run(["backtest", "--series", str(tmp_path / "in.csv"), "--method", "prophet"]) == 2
    assert "there is no method 'prophet'; there are auto" in capsys.readouterr().err


def test_bytes_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "in.csv").write_bytes(b"series_id,timestamp,value\na,2026-01-01,\xff\n")
    assert run(["backtest", "--series", str(tmp_path / "in.csv")]) == 2
    assert "this is no text in UTF-8" in capsys.readouterr().err


def test_a_point_costs_little(capsys: pytest.CaptureFixture[str]):
    """ANOMALY.md asks for a millisecond of CPU; three, since other tests run beside this one."""
    rng = np.random.default_rng(3)
    hours = [Point(START + timedelta(hours=n), float(rng.poisson(300 + 200 * math.sin(n / 24 * 2 * math.pi)))) for n in range(1_000)]
    started = time.process_time()
    assert sum(one.is_bad for one in replay_series(hours)) < 20
    each = 1_000 * (time.process_time() - started) / len(hours)
    with capsys.disabled():
        print(f"\nbacktest: {each:.2f} ms of CPU a point of hours")
    assert each < 3, f"a point took {each:.2f} ms of CPU, expected at most 1 on a quiet machine"
