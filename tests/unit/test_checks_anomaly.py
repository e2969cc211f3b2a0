"""What the options of the anomaly checks mean, and what is said of a verdict."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hand_made import NOW, check, judge
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dqmon.checks.base.bins import Bin
from dqmon.checks.base.contributions import contributions
from dqmon.checks.base.rarity import RAREST, once_in, rate, rounded_down
from dqmon.checks.rows_loaded_anomaly import RowsLoadedAnomaly
from dqmon.core.check import Check, PartitionBy, PipelineRef, SourceLine
from dqmon.core.histogram import Histogram
from dqmon.core.history import History, Point
from dqmon.core.judgement import Judgement, LoadEvidence
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.registry import Registry
from dqmon.core.verdict import Verdict
from dqmon.sql.metrics import ColumnHistogram, RowCount

DAY = timedelta(days=1)
PASS, FAIL, WARN, SKIPPED = Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.SKIPPED
DAILY = PartitionBy("d", "day")


def past(*values: float, until: datetime = NOW, **flags: set[int]) -> History:
    """Daily points before `until`; `excluded` and `real` name those that are."""
    excluded, real = flags.get("excluded", set()), flags.get("real", set())
    start = until - len(values) * DAY
    return History(tuple(Point(start + i * DAY, float(v), i in excluded, is_real=i in real) for i, v in enumerate(values)))


NORMAL = [1000 + 10 * (i % 5) for i in range(40)]


def volume(rows: int, history: History, **options: Any) -> Judgement:
    return judge(check("volume_anomaly", **options), {RowCount(): rows}, history=history)


@pytest.fixture(scope="module", autouse=True)
def calendars() -> None:
    """The first holiday of a process reads all of them; no example's time limit is about that."""
    for rows, options in ((1020, {}), (100, {"calendar": "US"})):
        volume(rows, past(*NORMAL), **options)


def line(judgement: Judgement, words: str) -> str:
    found = [text for text in judgement.baseline if words in text]
    assert len(found) == 1, f"{words!r} is not said once: {judgement.baseline}"
    return found[0]


# --- options that are refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"method": "zscore", "percent": 5}, "method zscore has no use for percent; it takes false_alerts_per_year, sigmas"),
        (
            {"method": "percent_change", "false_alerts_per_year": 2},
            "method percent_change has no use for false_alerts_per_year; it takes percent",
        ),
        ({"method": "mad", "seasonality": "hour"}, "method mad has no use for seasonality"),
        ({"sigmas": 3}, "method auto has no use for sigmas; it takes false_alerts_per_year, seasonality"),
        ({"method": "quantile", "sigmas": 3}, "has no use for sigmas; it takes false_alerts_per_year, tail_percent"),
        ({"method": "zscore", "sigmas": 3, "false_alerts_per_year": 2}, "sigmas and false_alerts_per_year both set the width"),
        ({"method": "zscore", "sigmas": 3, "warn_per_year": 9}, "which method zscore does not go by here"),
        ({"method": "percent_change", "warn_per_year": 9}, "which method percent_change does not go by here"),
        ({"warn_per_year": 2}, "is not above false_alerts_per_year 2"),
        ({"calendar": "Narnia"}, "there is no calendar 'Narnia'"),
        ({"training_period": "1w"}, "training_period 1w never holds min_history, 14 points of a day each"),
        ({"max_age_of_history": "12h"}, "max_age_of_history 12h is shorter than a day"),
        ({"explain_by": ["country"], "partition": None}, "explain_by compares a partition with an earlier one"),
    ],
)
def test_options_without_a_meaning_are_refused(options: dict[str, Any], problem: str) -> None:
    declared = check("volume_anomaly", **{"partition": DAILY, **options})
    found = declared.rule.problems(declared)
    assert any(problem in sentence for sentence in found), f"found {found}, expected a sentence with {problem!r}"


@pytest.mark.parametrize(
    "options",
    [
        {"ignore_change_below": "five"},
        {"ignore_change_below": "-5%"},
        {"ignore_change_below": -1},
        {"ignore_change_below": True},
        {"sigmas": 0},
        {"percent": 0},
        {"tail_percent": 50},
        {"training_period": "3 months"},
        {"seasonality": "lunar"},
        {"max_age_of_history": "0d"},
    ],
)
def test_values_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check("volume_anomaly", **options)


@pytest.mark.parametrize("method", Registry("detectors").names())
@pytest.mark.parametrize("kind", ["volume_anomaly", "metric_anomaly"])
def test_every_method_judges_with_its_defaults(method: str, kind: str) -> None:
    options = {} if kind == "volume_anomaly" else {"column": "x", "metric": "avg"}
    declared = check(kind, method=method, **options)
    assert declared.rule.problems(declared) == ()
    for value, verdict in ((1020, PASS), (300, FAIL), (5000, FAIL)):
        found = judge(declared, {declared.rule.watched: value}, history=past(*NORMAL))
        assert found.verdict is verdict, f"{method}: {found.reason}"
        assert found.expected.text in found.reason


# --- options and their meaning ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "options", "verdict"),
    [
        (1150, {}, FAIL),
        (1150, {"ignore_change_below": "5%"}, FAIL),
        (1150, {"ignore_change_below": "15%"}, PASS),
        (1150, {"ignore_change_below": "15 %"}, PASS),
        (930, {"ignore_change_below": 100}, PASS),
        (900, {"ignore_change_below": 100}, FAIL),
        (900, {"ignore_change_below": 100, "direction": "rise"}, PASS),
        (1100, {"method": "zscore", "ignore_change_below": "10%"}, PASS),
        (1100, {"method": "zscore", "sigmas": 10}, PASS),
        (1100, {"method": "zscore", "sigmas": 3}, FAIL),
        (1100, {"method": "percent_change", "percent": 20}, PASS),
        (1100, {"method": "percent_change", "percent": 2}, FAIL),
        (1100, {"warn_per_year": 60, "ignore_change_below": "20%"}, PASS),
    ],
)
def test_widths_and_changes_that_do_not_matter(rows: int, options: dict[str, Any], verdict: Verdict) -> None:
    assert volume(rows, past(*NORMAL), **options).verdict is verdict


def test_training_period_forgets_what_is_older() -> None:
    grown = past(*([100] * 60), *NORMAL)
    learned = volume(1020, grown, training_period="20d")
    assert learned.verdict is PASS
    assert not any(text.endswith(": 100") for text in learned.baseline)
    declared = check("volume_anomaly", training_period="20d")
    assert declared.rule.history_span == 20 * DAY
    assert check("volume_anomaly").rule.history_span is None
    missing = volume(1020, grown, training_period="10d")
    assert (missing.verdict, missing.is_learning) == (SKIPPED, True)
    assert "learning, 4 more points needed before judging" in missing.reason


def test_what_lies_before_a_long_pause_is_forgotten() -> None:
    paused = History((*past(*NORMAL, until=NOW - 60 * DAY).points, *past(*NORMAL[:5]).points))
    assert volume(1020, paused).verdict is PASS
    assert "learning, 9 more points needed" in volume(1020, paused, max_age_of_history="30d").reason
    assert volume(1020, paused, max_age_of_history="90d").verdict is PASS
    stale = past(*NORMAL, until=NOW - 60 * DAY)
    assert "learning, 14 more points needed" in volume(1020, stale, max_age_of_history="30d").reason


def test_real_incidents_are_never_learned_and_expected_ones_are() -> None:
    """Twelve alerted days on one level: without a word they are the level, as real they are nothing."""
    moved = [*NORMAL, *([3000 + 10 * (i % 5) for i in range(12)])]
    last = set(range(40, 52))
    assert volume(3020, past(*moved, excluded=last)).verdict is PASS, "a level that stays is learned"
    real = volume(3020, past(*moved, excluded=last, real=last))
    assert real.verdict is FAIL
    assert any(text.startswith("left out, as a real incident: ") for text in real.baseline)
    three = [*NORMAL, 3000, 3010, 3020]
    assert volume(3010, past(*three, excluded={40, 41, 42})).verdict is FAIL
    alerted = volume(500, past(*three, excluded={40, 41, 42}))
    assert sum(text.startswith("left out, as an alert: ") for text in alerted.baseline) == 3
    assert volume(3010, past(*three)).expected.high > volume(3010, past(*three, excluded={40, 41, 42})).expected.high, "expected ones stay"


def test_zero_rows_where_only_a_real_incident_had_none_needs_no_learning() -> None:
    assert volume(0, past(5, 0, 5, excluded={1})).is_learning
    assert volume(0, past(5, 0, 5, excluded={1}, real={1})).verdict is FAIL


def test_rows_after_an_alert_of_zero_rows_pass_while_it_is_learning() -> None:
    """Without an outcome the alert would stay, its incident go on, and all that follows be left out of the baseline."""
    back = volume(6, past(5, 6, 0, excluded={2}))
    assert (back.verdict, back.is_learning) == (PASS, False)
    assert "learning, 11 more points needed before judging" in back.reason
    assert volume(6, past(5, 6, 0, 6, excluded={2, 3})).verdict is PASS, "also the second one, for recover_after"
    assert volume(6, past(5, 6, 0, 6, excluded={2})).is_learning, "once the alert is over there is nothing to end"
    assert volume(6, past(5, 6, 900, excluded={2})).is_learning, "other alerts are not ended by that"


def test_a_level_shift_alerts_and_is_learned() -> None:
    values, excluded = list(NORMAL), set()
    verdicts = []
    for day in range(14):
        found = volume(2000 + 10 * (day % 5), past(*values, excluded=excluded))
        verdicts.append(found.verdict)
        if found.verdict is FAIL:
            excluded.add(len(values))
        values.append(2000 + 10 * (day % 5))
    assert verdicts == [FAIL] * 5 + [PASS] * 9


def test_a_total_is_judged_by_its_steps() -> None:
    totals = [50_000 + sum(NORMAL[: i + 1]) for i in range(40)]
    assert volume(totals[-1] + 1020, past(*totals)).verdict is PASS
    assert volume(totals[-1], past(*totals)).verdict is FAIL
    assert volume(totals[-1] - 5000, past(*totals)).verdict is FAIL


THANKSGIVING = datetime(2025, 11, 27, tzinfo=UTC)


def us_days(holiday_rows: int) -> list[tuple[datetime, float]]:
    from dqmon.core.due_days import holidays_of

    days = [THANKSGIVING - (170 - i) * DAY for i in range(170)]
    return [(day, holiday_rows if day.date() in holidays_of("US") else 1000 + 10 * (i % 5)) for i, day in enumerate(days)]


def on_thanksgiving(rows: int, known: list[tuple[datetime, float]], **options: Any) -> Judgement:
    history = History(tuple(Point(at, value) for at, value in known))
    partition = Partition("d", THANKSGIVING, THANKSGIVING + DAY)
    return judge(check("volume_anomaly", **options), {RowCount(): rows}, history=history, partition=partition)


def test_holidays_of_a_calendar_are_compared_with_holidays() -> None:
    assert date(2025, 11, 27) == THANKSGIVING.date()
    known = us_days(400)
    assert on_thanksgiving(400, known, calendar="US").verdict is PASS
    assert on_thanksgiving(100, known, calendar="US").verdict is FAIL
    assert "a holiday: 5 earlier ones brought 400 to 400" in on_thanksgiving(400, known, calendar="US").baseline
    assert on_thanksgiving(400, us_days(1000), calendar="US").verdict is FAIL
    first = on_thanksgiving(400, known[-20:], calendar="US", min_history=10)
    assert first.is_learning
    assert "a holiday of US, 1 more earlier holiday needed" in first.reason


def test_holidays_of_a_calendar_leave_the_baseline_of_other_days() -> None:
    known = [(at - DAY, value) for at, value in us_days(1)]
    history = History(tuple(Point(at + DAY, value) for at, value in known))
    wide = judge(check("volume_anomaly", method="zscore"), {RowCount(): 700}, history=history, scheduled_at=THANKSGIVING + DAY)
    narrow = judge(
        check("volume_anomaly", method="zscore", calendar="US"), {RowCount(): 700}, history=history, scheduled_at=THANKSGIVING + DAY
    )
    assert (wide.verdict, narrow.verdict) == (PASS, FAIL)
    assert any(text.startswith("left out, as a holiday: ") for text in narrow.baseline)


@pytest.mark.parametrize(("seasonality", "verdict"), [("auto", PASS), ("day_of_week", PASS), ("none", FAIL)])
def test_seasonality(seasonality: str, verdict: Verdict) -> None:
    sunday = datetime(2026, 1, 4, tzinfo=UTC)
    values = [300 + i % 7 if (sunday - (84 - i) * DAY).weekday() == 6 else 1000 + 10 * (i % 5) for i in range(84)]
    declared = check("volume_anomaly", seasonality=seasonality)
    assert judge(declared, {RowCount(): 303}, history=past(*values, until=sunday), scheduled_at=sunday).verdict is verdict


# --- what is said -----------------------------------------------------------------------------------------------------

NOISY = [round(1000 * factor) for factor in (1.02, 0.95, 1.04, 0.99, 0.93, 1.07, 1.01, 0.97, 1.05, 0.96, 1.0, 1.03, 0.94, 1.06) * 4]


def test_an_alert_says_how_unusual_it_is_in_one_sentence() -> None:
    reason = volume(820, past(*NOISY)).reason
    found = re.fullmatch(
        r"there are 820 rows, expected about [\d,]+ \(\d+ % below, once in [\d.,]+ years\); fails unless between [\d,]+ and [\d,]+ rows",
        reason,
    )
    assert found, reason


@pytest.mark.parametrize("rows", [780, 820, 1200, 1240])
@pytest.mark.parametrize("method", ["auto", "zscore", "mad", "quantile"])
@pytest.mark.parametrize("direction", ["both", "drop", "rise"])
def test_what_is_said_to_make_it_pass_makes_it_pass(rows: int, method: str, direction: str) -> None:
    options: dict[str, Any] = {"method": method, "direction": direction}
    found = volume(rows, past(*NOISY), **options)
    if found.verdict is PASS:
        return
    said = line(found, "passes ")
    for option, value in re.findall(r"(\w+): ([\d.,]+%?)", said):
        given = value if value.endswith("%") else float(value.replace(",", ""))
        assert volume(rows, past(*NOISY), **options, **{option: given}).verdict is PASS, f"{said}: {option}: {value} does not"
    bound = int(re.search(r"(?:from|up to) ([\d,]+) row", said)[1].replace(",", ""))  # type: ignore[index]  # it is there
    assert volume(bound, past(*NOISY), **options).verdict is PASS, said
    assert volume(bound + (1 if "up to" in said else -1), past(*NOISY), **options).verdict is FAIL, said


def test_a_warning_says_what_would_still_it() -> None:
    rows = next(rows for rows in range(1000, 500, -1) if volume(rows, past(*NOISY), warn_per_year=60).verdict is WARN)
    said = line(volume(rows, past(*NOISY), warn_per_year=60), "passes ")
    assert "warn_per_year: " in said
    assert volume(rows, past(*NOISY), warn_per_year=float(re.search(r"warn_per_year: ([\d.]+)", said)[1])).verdict is PASS  # type: ignore[index]


def test_nothing_is_said_of_a_tail_that_nobody_knows() -> None:
    constant = volume(2000, past(*[1000] * 30))
    assert constant.reason == "there are 2,000 rows, expected about 1,000 (100 % above); fails unless between 900 and 1,100 rows"
    assert "once in" not in volume(2000, past(*NORMAL), method="percent_change").reason
    assert "once in" not in volume(2000, past(*NORMAL), method="zscore", sigmas=3).reason
    assert not any(text.startswith("passes") for text in volume(1020, past(*NORMAL)).baseline)


@given(st.floats(0.01, 1e6), st.floats(0.1, 50), st.floats(1e-2, 300))
def test_a_rate_is_the_largest_budget_whose_band_holds_the_value(width: float, steepness: float, per_year: float) -> None:
    """Bands that widen with the logarithm of the budget, as exponential tails do: the exact rate is known."""
    exact = per_year / 7

    def excess(budget: float) -> float:
        return width * steepness * (math.log(budget) - math.log(exact))

    found = rate(excess, per_year, excess(per_year))
    assert found is not None
    assert found == RAREST if exact < RAREST else found == pytest.approx(exact, rel=0.02)
    assert excess(max(found, RAREST)) <= 1e-9 * width * steepness or found == RAREST


def test_a_rate_beyond_a_thousand_years_or_of_no_tail() -> None:
    assert rate(lambda budget: 5 + budget, 2, 7) == RAREST
    assert rate(lambda _: 5.0, 2, 5) is None
    assert rate(lambda _: float("inf"), 2, float("inf")) is None


@pytest.mark.parametrize(
    ("per_year", "words"),
    [
        (12, "once in 30 days"),
        (2, "once in 180 days"),
        (0.5, "once in 2 years"),
        (0.0251, "once in 40 years"),
        (RAREST, "less than once in 1,000 years"),
    ],
)
def test_how_often(per_year: float, words: str) -> None:
    assert once_in(per_year) == words


@pytest.mark.parametrize(("value", "text"), [(0.0251, 0.025), (1.99, 1.9), (0.5, 0.5), (123.0, 120.0), (0.00119, 0.0011)])
def test_two_digits_and_not_above(value: float, text: float) -> None:
    assert rounded_down(value) == text


MIDNIGHT = datetime(2026, 1, 10, tzinfo=UTC)
PARTITION = Partition("d", MIDNIGHT - DAY, MIDNIGHT)

# --- which groups account for it --------------------------------------------------------------------------------------


def explained(before: dict[str, int], now: dict[str, int], rows: int) -> Judgement:
    declared = check("volume_anomaly", partition=DAILY, explain_by=["country"])
    asked = declared.rule.other_requests(declared, PARTITION)
    assert [request.partition.start for request in asked if request.partition] == [PARTITION.start - 7 * DAY, PARTITION.start]
    others = dict(zip(asked, (Histogram(tuple(side.items())) for side in (before, now)), strict=True))
    return judge(declared, {RowCount(): rows}, history=past(*NORMAL, until=MIDNIGHT - DAY), partition=PARTITION, others=others)


def test_the_groups_that_changed_are_named_with_their_shares() -> None:
    found = explained({"DE": 500, "FR": 300, "US": 100, "IT": 100}, {"DE": 20, "FR": 290, "US": 110, "IT": 80, "XX": 100}, 600)
    assert found.reason.endswith(
        "; of the change since 2026-01-02T00:00Z, country accounts for: DE 120 % (500 → 20), XX -25 % (new, 0 → 100), IT 5 % (100 → 80)"
    ), found.reason


def test_groups_that_are_gone_are_named() -> None:
    assert "DE 100 % (gone, 600 → 0)" in explained({"DE": 600, "FR": 400}, {"FR": 400}, 400).reason


def test_groups_are_asked_of_the_like_partition_and_told_of_bad_results_only() -> None:
    assert "country" not in explained({"DE": 1000}, {"DE": 1020}, 1020).reason
    weekly = check("volume_anomaly", partition=PartitionBy("d", "hour"), explain_by=["a", "b"])
    hour = Partition("d", NOW - timedelta(hours=1), NOW)
    asked = weekly.rule.other_requests(weekly, hour)
    assert [r.metric for r in asked] == [ColumnHistogram("a"), ColumnHistogram("a"), ColumnHistogram("b"), ColumnHistogram("b")]
    assert [r.partition.start for r in asked if r.partition] == [hour.start - DAY, hour.start] * 2
    assert weekly.rule.other_requests(weekly, Partition("d", None, None)) == ()
    assert all(isinstance(r, MetricRequest) and r.segment_by == () for r in asked)
    both = replace(check("volume_anomaly", partition=DAILY, explain_by=["a"]), segment_by=("b",))
    assert any("explain_by and segment_by are both given" in text for text in both.rule.problems(both))


groups = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=8)


@given(groups, st.integers(1, 5))
def test_shares_add_up_to_the_whole_change(found: dict[str, tuple[int, int]], listed: int) -> None:
    bins = [Bin(label, before, now, is_value=True) for label, (before, now) in found.items()]
    parts = contributions(bins, listed)
    change = sum(one.now - one.before for one in bins)
    assert bool(parts) is bool(change)
    assert len(parts) <= listed + 1
    if parts:
        assert sum(part.share for part in parts) == pytest.approx(1, abs=1e-6 * max(1, *(abs(part.share) for part in parts)))
        assert sum(part.now - part.before for part in parts) == change


# --- anything at all --------------------------------------------------------------------------------------------------

any_value = st.one_of(
    st.integers(0, 5).map(float), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, 1e308, -1e308, 5e-324])
)
any_points = st.lists(st.tuples(any_value, st.booleans(), st.booleans()), min_size=5, max_size=40)

any_options = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["both", "drop", "rise"]),
        "ignore_change_below": st.sampled_from([None, "5%", 3]),
        "calendar": st.sampled_from([None, "US"]),
    }
)


@pytest.mark.parametrize("method", Registry("detectors").names())
@given(any_points, any_value, any_options)
def test_any_value_after_any_history_is_judged_in_words(
    method: str, points: list[tuple[float, bool, bool]], value: float, options: dict[str, Any]
) -> None:
    options = {"method": method, "min_history": 5, **options}
    declared = check("metric_anomaly", column="x", metric="max", **options)
    start = NOW - len(points) * DAY
    history = History(tuple(Point(start + i * DAY, v, bad or real, is_real=real) for i, (v, bad, real) in enumerate(points)))
    found = judge(declared, {declared.rule.watched: value}, history=history)
    assert found.verdict in (PASS, FAIL, SKIPPED)
    assert found.is_learning is (found.verdict is SKIPPED)
    assert "nan" not in f"{found.reason} {found.baseline}"
    assert found.expected.text


# --- the same words for pipelines and distributions -------------------------------------------------------------------


def test_loads_of_a_real_incident_are_never_learned() -> None:
    ends = [NOW - (45 - i) * DAY for i in range(45)]
    records = tuple(
        LoadRecord("shop", "orders", str(i), LoadStatus.SUCCEEDED, end, finished_at=end, rows=100 + i % 5 if i < 30 else 500 + i % 5)
        for i, end in enumerate(ends)
    )
    declared = Check("id", RowsLoadedAnomaly(), None, PipelineRef("shop", "orders"), SourceLine("checks/a.yaml", 1))
    span = ((ends[30], NOW),)
    plain = LoadEvidence(records, ends[0], NOW, NOW, incidents=span)
    assert declared.rule.judge(declared, plain).verdict is PASS, "a level that stays is learned"
    found = declared.rule.judge(declared, replace(plain, real=span))
    assert found.verdict is FAIL
    assert any(text.startswith("left out, as a real incident: ") for text in found.baseline)


def test_histograms_of_a_real_incident_never_count() -> None:
    """Seven days of the old mix, ten of the new one: while too few others are there, an incident counts, a real one never."""
    declared = check("distribution_drift", fail_if="> 0.25", column="country", min_history=8)
    old, new = Histogram((("DE", 900), ("FR", 100))), Histogram((("FR", 900), ("DE", 100)))
    points = [Point(NOW - (17 - i) * DAY, 1000.0, i >= 7, str(old if i < 7 else new)) for i in range(17)]
    history = History(tuple(points))
    assert judge(declared, {ColumnHistogram("country"): new}, history=history).baseline[0] == "17 histograms of 17,000 rows"
    real = History(tuple(replace(point, is_real=point.is_excluded) for point in points))
    assert judge(declared, {ColumnHistogram("country"): new}, history=real).is_learning
