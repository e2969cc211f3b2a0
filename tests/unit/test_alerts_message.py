"""What messages say (R19): golden texts, limits, and nothing of any row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_messages import RESULT

from dqmon.alerts.group import dedup_key
from dqmon.alerts.message import LISTED_ALERTS, LISTED_MEMBERS, SERIES_POINTS, SQL_LIMIT, TEXT_LIMIT, Background, compose, facts, reading
from dqmon.alerts.wording import count, cut, instant, member_text, number, observed_text, partition_text, percent
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertState, Member, MemberKey
from dqmon.core.incident import Group, Incident, IncidentState
from dqmon.core.message import DeliveryKind, Reading, from_json, to_json
from dqmon.core.result import ResultRecord
from dqmon.core.result_json import result_json
from dqmon.core.verdict import Severity, Verdict

T0 = datetime(2013, 2, 9, 13, tzinfo=UTC)
DAY = "2013-02-08T05:00:00Z/2013-02-09T05:00:00Z"
KEY = AlertKey("main.flights.completeness.dep_time", AlertKind.DATA)
ERROR_KEY = replace(KEY, kind=AlertKind.ERROR)

FAILING = ResultRecord(
    id="r1",
    run_id="run1",
    check_id=KEY.check_id,
    name=None,
    type="completeness",
    dimension="completeness",
    warehouse="main",
    dataset="main.flights",
    pipeline=None,
    columns=("dep_time",),
    tags=("core",),
    partition_column="time_hour",
    partition_start=datetime(2013, 2, 8, 5, tzinfo=UTC),
    partition_end=datetime(2013, 2, 9, 5, tzinfo=UTC),
    partition=DAY,
    segment="{}",
    verdict=Verdict.FAIL,
    severity=Severity.CRITICAL,
    observed_value=535,
    unit="rows",
    ratio=0.575,
    rows_tested=930,
    expected_low=None,
    expected_high=186.0,
    expected_text="at most 20 % missing",
    reason="535 of 930 rows (57.5 %) have no dep_time; fails above 20 %",
    owner="@flights-data",
    runbook="https://wiki.example.com/rb",
    description="A flight without a departure time was cancelled.",
    source_path="checks/flights.yaml",
    source_line=22,
    sql=("select count(*), count(x) from main.flights",),
    reproduce="select count(*) from main.flights",
    scheduled_at=T0,
    measured_at=T0,
    duration_s=0.1,
    is_learning=False,
    is_ad_hoc=False,
    as_of=None,
    baseline=(),
)
PASSING = replace(
    FAILING, id="r0", verdict=Verdict.PASS, ratio=0.005, observed_value=5, rows_tested=928, scheduled_at=T0 - timedelta(days=1)
)
BROKEN = replace(
    FAILING,
    id="r2",
    verdict=Verdict.ERROR,
    observed_value=None,
    ratio=None,
    expected_text="completeness to be measured",
    reason="the role may not read main.flights",
)
MEMBER = Member(Verdict.FAIL, T0, FAILING.reason, "r1", "57.5 % missing", "at most 20 % missing")
FIRING = Alert(KEY, AlertState.FIRING, Severity.CRITICAL, {MemberKey(DAY): MEMBER}, 3, T0, T0)
GROUP = Group("g1", "k", "pages", "oncall", dedup_key("prod", "oncall", "g1", 0), T0, ("i1",), (str(KEY),), None)
INCIDENT = Incident("i1", IncidentState.OPEN, KEY, Severity.CRITICAL, T0)


def readings(values):
    return tuple(Reading(T0 + timedelta(hours=n), float(value)) for n, value in enumerate(values))


def told(alert=FIRING, *results, **background):
    return facts(alert, results or (FAILING,), Background(**background))


def message(kind=DeliveryKind.TRIGGER, *alerts, **fields):
    return compose(kind, GROUP, INCIDENT, alerts or (told(),), T0 + timedelta(hours=2), instance="prod", **fields)


def test_the_golden_message_of_the_blizzard():
    past = readings(range(40))
    found = message(DeliveryKind.TRIGGER, told(series=past, last_good=PASSING))
    assert found.title == "[CRITICAL] main.flights completeness dep_time: 57.5 % missing, at most 20 % expected"
    assert (found.severity, found.instance, found.incident_id, found.dedup_key) == (Severity.CRITICAL, "prod", "i1", GROUP.dedup_key)
    assert found.links == {"runbook": "https://wiki.example.com/rb"}
    (alert,) = found.alerts
    assert alert.observed == "57.5 % missing (535 of 930 rows)"
    assert alert.expected == "at most 20 % missing"
    assert alert.reason == "535 of 930 rows (57.5 %) have no dep_time; fails above 20 %"
    assert (alert.since, alert.outcomes_in_a_row) == (T0, 3)
    assert alert.last_good == "0.5 % missing (5 of 928 rows), 2013-02-08 13:00 UTC"
    assert alert.members == ("2013-02-08T05:00Z to 2013-02-09T05:00Z: 57.5 % missing, at most 20 % expected",)
    assert (alert.owner, alert.declared_at, alert.run_id) == ("@flights-data", "checks/flights.yaml:22", "run1")
    assert alert.sql == "select count(*) from main.flights"
    assert alert.series == past[-30:]
    assert alert.first_step == "dqmon explain main.flights.completeness.dep_time"
    assert found.resolved_after_s is None


def test_a_resolved_message_says_what_is_seen_now_and_how_long_it_took():
    resolved = replace(FIRING, state=AlertState.RESOLVED, members={}, streak=0, resolved_at=T0 + timedelta(hours=1))
    found = message(DeliveryKind.RESOLVE, told(resolved, PASSING, left=("recovered: 2013-02-08",)))
    assert found.title == "[RESOLVED] main.flights completeness dep_time: 0.5 % missing, at most 20 % expected"
    assert found.resolved_after_s == 3600, "the end is told an hour later, and was not later"
    assert message(DeliveryKind.RESOLVE).resolved_after_s == 7200, "closed by hand while it fires"
    assert found.alerts[0].members_left == ("recovered: 2013-02-08",)
    assert found.alerts[0].resolved_at == T0 + timedelta(hours=1)


def test_an_error_says_what_could_not_be_measured():
    alert = Alert(ERROR_KEY, AlertState.FIRING, Severity.WARNING, {MemberKey(): Member(Verdict.ERROR, T0, BROKEN.reason)}, 2, T0, T0)
    found = message(DeliveryKind.TRIGGER, told(alert, FAILING, BROKEN))
    assert found.title == "[WARNING] main.flights completeness dep_time cannot be measured: the role may not read main.flights"
    assert found.alerts[0].members == (), "the whole table is no place to list"


def test_an_update_carries_its_changes():
    assert message(DeliveryKind.UPDATE, changes=("worse: warning → critical",)).changes == ("worse: warning → critical",)


def test_the_worst_result_speaks_the_newest_of_its_kind():
    newer = replace(FAILING, id="r9", partition_start=T0, ratio=0.3, observed_value=300)
    warned = replace(FAILING, id="r8", partition_start=T0 + timedelta(days=1), verdict=Verdict.WARN)
    assert told(FIRING, warned, newer, PASSING, FAILING).headline.endswith("30 % missing, at most 20 % expected")


@pytest.mark.parametrize(
    ("changed", "headline"),
    [
        ({}, "main.flights completeness dep_time: 57.5 % missing, at most 20 % expected"),
        ({"expected_text": "no missing rows"}, "main.flights completeness dep_time: 535 rows missing, no missing rows expected"),
        ({"type": "row_count", "columns": (), "ratio": None, "expected_text": "at least 1,000 rows", "dimension": "volume"}, "main.flights row_count: 535 rows, at least 1,000 expected"),
        ({"type": "freshness", "unit": "seconds", "observed_value": 108_000.0, "ratio": None, "expected_text": "at most 4h"}, "main.flights freshness dep_time: 1d 6h, at most 4h expected"),
        ({"type": "freshness", "unit": "seconds", "observed_value": 108_000.0, "ratio": None, "expected_text": "dep_time at most 4h old"}, "main.flights freshness dep_time: 1d 6h, at most 4h old expected"),
        ({"type": "sql", "columns": (), "name": "unpaid", "ratio": None, "expected_text": "no rows"}, "main.flights sql unpaid: 535 rows, none expected"),
        ({"columns": ("at",)}, "main.flights completeness at: 57.5 % missing, at most 20 % expected"),
        ({"name": "by_hour"}, "main.flights completeness dep_time by_hour: 57.5 % missing, at most 20 % expected"),
        ({"dataset": "marts.fct_subscription_revenue_by_customer"}, "57.5 % missing: marts.fct_subscription_revenue_by_customer completeness dep_time, at most 20 % expected"),
        ({"unit": "changes", "observed_value": ["a removed", "b added"], "ratio": None, "expected_text": "no such change"}, "main.flights completeness dep_time: 2 changes: a removed, b added, no such change expected"),
        ({"dataset": None, "pipeline": "dlt/p", "type": "last_success", "columns": (), "name": "sla", "observed_value": None, "ratio": None}, "dlt/p last_success sla: 535 of 930 rows (57.5 %) have no dep_time; fails above 20 %"),
    ],
)  # fmt: skip
def test_headlines(changed, headline):
    assert told(FIRING, replace(FAILING, **changed)).headline == headline


@pytest.mark.parametrize("length", [1, 20, 60, 300])
def test_a_lock_screen_shows_what_was_seen_however_long_the_names_are(length):
    headline = told(FIRING, replace(FAILING, dataset="x" * length)).headline
    assert "57.5 % missing" in headline[:60]
    assert headline[:60].count("x") >= min(length, 20), "nor may the numbers hide the table"


def test_the_root_comes_first_and_the_rest_by_severity():
    def other(n, severity):
        key = AlertKey(f"main.t.x{n:02}", AlertKind.DATA)
        return told(replace(FIRING, key=key, severity=severity), replace(FAILING, check_id=key.check_id))

    alerts = [other(n, Severity.WARNING if n % 2 else Severity.ERROR) for n in range(30)]
    found = message(DeliveryKind.TRIGGER, *alerts, told(replace(FIRING, severity=Severity.INFO)))
    assert [alert.check_id for alert in found.alerts[:3]] == [KEY.check_id, "main.t.x00", "main.t.x02"]
    assert (len(found.alerts), found.more) == (LISTED_ALERTS, 21)
    assert found.severity is Severity.ERROR
    assert found.title.endswith("(and 30 more)")


def test_a_message_without_alerts_still_names_the_root():
    found = compose(DeliveryKind.RESOLVE, GROUP, INCIDENT, (), T0, instance="prod")
    assert found.title == f"[RESOLVED] {KEY}"


texts = st.text(max_size=3000)


def test_the_result_is_all_of_its_item_with_long_values_cut():
    long = replace(
        FAILING, reason="r" * 10**6, columns=("c" * 9_000,) * 900, sql=("s" * 10**6,) * 9, segment=json.dumps({"k" * 10**6: "v" * 10**6})
    )
    whole, cut_down = result_json(FAILING), told(FIRING, long).result
    assert told().result == whole
    assert set(cut_down) == set(whole) == set(RESULT)
    assert len(json.dumps(cut_down)) < 30_000
    assert (len(cut_down["reason"]), len(cut_down["sql"]), len(cut_down["sql"][0])) == (TEXT_LIMIT, 3, SQL_LIMIT)


def test_a_reading_has_its_range_in_its_own_unit():
    """The bounds of a result are numbers of rows, also where its value is a share of them."""
    share = replace(FAILING, ratio=0.575, observed_value=535, rows_tested=930, expected_low=None, expected_high=186.0)
    rows = replace(share, ratio=None, unit="rows", partition_start=None, verdict=Verdict.PASS)
    assert reading(share) == Reading(share.partition_start, 0.575, None, 0.2, is_bad=True)
    assert reading(rows) == Reading(T0, 535.0, None, 186.0)
    assert [reading(replace(rows, observed_value=value)) for value in (None, True, "2013-02-09", ["a"], float("nan"))] == [None] * 5


@given(texts, texts, texts, st.lists(texts, max_size=4), st.lists(st.floats(allow_nan=False), max_size=40))
def test_any_texts_stay_within_limits_and_survive_json(reason, expected, owner, sql, recent):
    row = replace(FAILING, reason=reason, expected_text=expected, owner=owner, sql=tuple(sql), observed_value=[reason, owner])
    alert = replace(FIRING, members={MemberKey(f"p{n}"): replace(MEMBER, observed=reason, expected=expected) for n in range(40)})
    found = message(DeliveryKind.TRIGGER, told(alert, row, series=readings(recent)))
    shown = found.alerts[0]
    assert max(map(len, (shown.headline, shown.observed, shown.expected, shown.reason, shown.owner or "", *shown.members))) <= TEXT_LIMIT
    assert len(shown.sql or "") <= SQL_LIMIT
    assert (len(shown.members), len(shown.series)) == (LISTED_MEMBERS, min(len(recent), SERIES_POINTS))
    assert shown.runbook == FAILING.runbook
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1204, "1,204"), (-3, "-3"), (0.5, "0.5"), (12345.678, "12,345.68"), (0.042137, "0.04214"), (99.999, "100"), (1e20, "1.000e+20"), (1e-9, "1.000e-9"), (float("nan"), "nan"), (Decimal("1204.50"), "1,204.50"), (5.0, "5"), (10**18, "1,000,000,000,000,000,000")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0, "0 %"), (1, "100 %"), (0.575, "57.5 %"), (0.2, "20 %"), (0.0012, "0.12 %"), (0.000001, "< 0.001 %"), (0.99999, "> 99.9 %"), (0.99949, "99.9 %"), (0.00123456, "0.123 %")],
)  # fmt: skip
def test_percentages_never_round_to_all_or_nothing(ratio, text):
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("key", "text"),
    [("", ""), ("null", "rows without a partition key"), (DAY, "2013-02-08T05:00Z to 2013-02-09T05:00Z"), ("2013-02-08T00:00:00Z/2013-02-09T00:00:00Z", "2013-02-08"), ("2013-02-01T00:00:00Z/2013-03-01T00:00:00Z", "2013-02-01 to 2013-03-01"), ("2013-02-01T00:00:30Z/2013-02-01T01:00:30Z", "2013-02-01T00:00:30Z to 2013-02-01T01:00:30Z"), ("odd", "odd")],
)  # fmt: skip
def test_partitions(key, text):
    assert partition_text(key) == text


def test_small_words():
    assert member_text(MemberKey("null", '{"a": null, "b": "x"}')) == "rows without a partition key, a=NULL, b=x"
    assert (count(1, "check"), count(1200, "check")) == ("1 check", "1,200 checks")
    assert (cut("abcd", 4), cut("abcde", 4)) == ("abcd", "abc…")
    assert instant(T0) == "2013-02-09 13:00 UTC"
    assert observed_text(replace(FAILING, observed_value=None)) == ""
    assert observed_text(replace(FAILING, observed_value=[], ratio=None)) == "no change"
    assert observed_text(replace(FAILING, observed_value="2013-02-08T05:00:00Z", unit="value", ratio=None)) == "2013-02-08T05:00:00Z"
    assert observed_text(replace(FAILING, observed_value="12.50", unit="value", ratio=None)) == "12.5"
