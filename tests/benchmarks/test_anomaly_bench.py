"""The anomaly benchmark on few series of its own generator: floors are asserted; `make bench-anomaly` has the figures."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "anomaly"))
import bench
import generator
import labelled
import parts
import rivals
import scoring

from dqmon.core.history import Point
from dqmon.engine.past.backtest import replay_series

DAY = datetime(2026, 1, 5, tzinfo=UTC)


def a_series(
    values: list[float], *incidents: labelled.Incident, neutral: tuple[int, ...] = (), benign: dict[int, str] | None = None
) -> labelled.Labelled:
    points = tuple(Point(DAY + timedelta(days=n), value) for n, value in enumerate(values))
    is_neutral = np.array([n in neutral for n in range(len(values))])
    return labelled.Labelled("one", "own", "hand-made", points, incidents, is_neutral, benign or {})


@pytest.fixture(scope="module")
def few() -> list[labelled.Labelled]:
    wanted = ("daily weekly", "daily holiday", "daily closed", "daily growing", "daily total", "metric ratio")
    return [one for one in generator.series(each=1) if one.family in wanted]


def test_the_default_is_above_its_floors_and_above_every_peer(few: list[labelled.Labelled]) -> None:
    found = scoring.score(few, [bench.judged((bench.DEFAULT, one))[0] for one in few])
    others = {name: scoring.score(few, [bench.judged((name, one))[0] for one in few]) for name in rivals.PEERS}
    said = f"F1 {found.f1:.2f}, {found.false_per_100:.2f} false days of 100, recall at 1: {found.recall_at_1:.2f}"
    print(f"\n{said}; peers' F1 {', '.join(f'{s.f1:.2f}' for s in others.values())}")
    assert found.f1 >= 0.65, f"{said}; the floor is F1 0.65"
    assert found.false_per_100 <= 2, f"{said}; at most 2 may be"
    assert {kind: found.recall_of(kind) for kind in ("total_drop", "stalled")} == {"total_drop": 1.0, "stalled": 1.0}
    best = max(s.f1 for s in others.values())
    assert found.f1 > best, f"{said}; a peer reaches F1 {best:.2f}"


def test_without_a_part_the_detector_is_another_one_and_afterwards_itself(few: list[labelled.Labelled]) -> None:
    weekly = next(one for one in few if one.family == "daily weekly")
    values = weekly.points[:80]
    before = [one.judgement.expected for one in replay_series(values)]
    with parts.without("seasons"):
        without = [one.judgement.expected for one in replay_series(values)]
    assert without != before
    assert [one.judgement.expected for one in replay_series(values)] == before
    for part in parts.PARTS:
        with parts.without(part):
            assert len(list(replay_series(values[:40]))) == 40, f"without {part} it breaks"


def test_series_are_the_same_every_time_and_have_what_they_say() -> None:
    one, other = generator.series(each=1), generator.series(each=1)
    assert [s.points for s in one] == [s.points for s in other]
    kinds = {incident.kind for series in one for incident in series.incidents}
    assert kinds == {*generator.COUNTS, *generator.TOTALS, *generator.METRICS}
    assert {why for series in one for why in series.benign.values()} == {"holiday", "month_edge", "zero_day"}
    for series in one:
        starts = [incident.start for incident in series.incidents]
        assert starts == sorted(starts), series.name
        assert starts[0] >= labelled.WARM_UP, series.name
        assert all(np.isfinite(point.value) for point in series.points), series.name


def test_scoring_by_hand() -> None:
    """Two incidents, of which one is found on its second point; two false days, one of them a holiday; what is neutral counts nothing."""
    series = a_series(
        [1.0] * 40, labelled.Incident(20, 22, "spike"), labelled.Incident(30, 30, "drop"), neutral=(23,), benign={35: "holiday"}
    )
    alerted, scores = np.zeros(40, np.bool_), np.zeros(40)
    for place, height in ((3, 9.0), (21, 5.0), (23, 8.0), (24, 2.0), (35, 3.0)):
        alerted[place], scores[place] = True, height
    scores[30] = 2.5
    found = scoring.score([series], [(alerted, scores)])
    assert (found.found, found.missed, found.false_days, found.days) == (1, 1, 2, 40 - 14 - 3 - 1 - 1)
    assert dict(found.causes) == {"after an incident": 1, "holiday": 1}
    assert (found.delay_of("spike"), found.recall_of("drop")) == (1.0, 0.0)
    assert found.f1 == pytest.approx(0.4)
    assert found.recall_at_1 == 0.5, "no false day is allowed of 21, so that the highest false score is the threshold"
    assert scoring.cold_alerts([(alerted, scores)]) == 1


def test_peers_are_what_they_are_said_to_be() -> None:
    rng = np.random.default_rng(5)
    quiet = [float(value) for value in rng.normal(1_000, 10, 30)]
    series = a_series([*quiet, 0.0])
    most = (14 - 1) / np.sqrt(14) / 3
    assert rivals.z_score_with_tested(series)[-1] == pytest.approx(most, rel=1e-3), "a window with the tested point bounds |z|"
    assert rivals.z_score(series)[-1] > 20
    assert rivals.seasonal_mad(series)[-1] > 10
    assert rivals.half_of_previous(series)[-1] == 2.0
    assert all(judge(a_series([5.0] * 30))[-1] == 0 for judge in rivals.PEERS.values()), "what never changes is never outside"


def test_a_split_is_read_as_it_is_written(tmp_path: Path) -> None:
    days = [f"2026-01-{day:02} 00:00:00" for day in range(1, 31)]
    (tmp_path / "series.csv").write_text("series_id,timestamp,value\n" + "".join(f"a,{day},{n}\n" for n, day in enumerate(days)))
    (tmp_path / "meta.csv").write_text("series_id,group,freq,family,kind,source,licence\na,sim_daily,D,plain,count,made,own\n")
    labels = [(2, 3, "spike", "incident"), (19, 20, "spike", "incident"), (21, 22, "recovery", "neutral"), (25, 25, "holiday", "benign")]
    lines = "".join(f"a,{days[a]},{days[b]},{kind},{role}\n" for a, b, kind, role in labels)
    (tmp_path / "labels.csv").write_text(f"series_id,start,end,kind,role\n{lines}")
    (one,) = labelled.split(tmp_path)
    assert (one.group, one.family, len(one.points)) == ("sim", "plain", 30)
    assert one.incidents == (labelled.Incident(19, 20, "spike"),), "what begins in the warm-up is no incident"
    assert np.flatnonzero(one.neutral).tolist() == [2, 3, 21, 22]
    assert one.benign == {25: "holiday"}
    assert np.flatnonzero(one.is_scored).tolist() == [14, 15, 16, 17, 18, *range(23, 30)]
