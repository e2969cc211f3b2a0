"""`arrival: learned`: when rows usually come, and that they are late."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hand_made import check
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.checks.base.habit import Arrival, Habit
from dqmon.core.due_days import DAY_NAMES
from dqmon.core.history import Change
from dqmon.core.judgement import Evidence
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.verdict import Verdict
from dqmon.sql.metrics import FutureCount, LatestInstant, RowCount

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 1, 5)
WEEKDAYS = DAY_NAMES[:5]


def at(day, clock="06:30", zone=BERLIN):
    hours, minutes = (int(part) for part in clock.split(":"))
    return datetime.combine(day, time(hours, minutes), zone).astimezone(UTC)


def days(number, *, start=MONDAY, weekdays=range(7)):
    return [day for n in range(number) if (day := start + timedelta(days=n)).weekday() in weekdays]


def habit(arrivals, timezone="Europe/Berlin", on=DAY_NAMES, calendar=None, per_year=2.0):
    return Habit(tuple(Arrival(one) for one in sorted(arrivals)), timezone, on, calendar, per_year)


def jittered(number, weekdays=range(7), base="06:20", start=MONDAY):
    """A load of each day, 0 to 19 minutes after `base`, in an order that looks random."""
    return [at(day, base) + timedelta(minutes=(n * 7919) % 20) for n, day in enumerate(days(number, start=start, weekdays=weekdays))]


def test_a_late_load_is_told_with_what_is_usual_and_when_it_was_due():
    loads = habit(jittered(70, range(5)))
    today = MONDAY + timedelta(days=70)
    found = loads.judge(at(today, "09:00"), "loads")
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("usually by 06:2"), found.reason
    assert "on Mondays (10 loads), due by 0" in found.reason
    assert found.reason.endswith("now 09:00, not yet here")
    assert found.expected.text.endswith("Europe/Berlin")
    assert found.expected.high < found.observed.value, "observed and expected are seconds since the last load"


@pytest.mark.parametrize(("clock", "verdict"), [("05:00", "pass"), ("06:30", "pass"), ("09:00", "fail"), ("23:50", "fail")])
def test_before_it_is_due_nothing_is_late(clock, verdict):
    assert habit(jittered(70, range(5))).judge(at(MONDAY + timedelta(days=70), clock), "loads").verdict.value == verdict


def test_a_load_that_has_come_is_never_late_and_a_late_one_ends_it():
    today = MONDAY + timedelta(days=70)
    for came in ("06:25", "11:00"):
        found = habit([*jittered(70), at(today, came)]).judge(at(today, "12:00"), "loads")
        assert (found.verdict, f"the last came at {came}" in found.reason) == (Verdict.PASS, True), found.reason


def test_what_a_day_asked_for_still_stands_before_the_next_one_is_due_and_over_days_off():
    loads = habit(jittered(68, range(5))[:-1])  # Friday's is missing
    friday = MONDAY + timedelta(days=67 - 67 % 7 + 4)
    for day, clock in ((friday, "10:00"), (friday + timedelta(days=1), "12:00"), (friday + timedelta(days=3), "03:00")):
        found = loads.judge(at(day, clock), "loads")
        assert (day, found.verdict) == (day, Verdict.FAIL), found.reason


def test_days_on_which_nothing_usually_comes_ask_for_nothing():
    loads = habit(jittered(68, range(5)))
    for extra in (1, 2):
        found = loads.judge(at(MONDAY + timedelta(days=67 - 67 % 7 + 4 + extra), "23:00"), "loads")
        assert found.verdict is Verdict.PASS, found.reason


def test_an_outage_that_goes_on_for_months_does_not_become_a_habit():
    assert habit(jittered(70)).judge(at(MONDAY + timedelta(days=200), "12:00"), "loads").verdict is Verdict.FAIL


def test_holidays_and_days_off_ask_for_nothing():
    christmas = date(2026, 12, 25)
    loads = jittered(80, start=date(2026, 10, 6))
    before = [one for one in loads if one.date() < christmas]
    assert habit(before).judge(at(christmas, "12:00"), "loads").verdict is Verdict.FAIL
    assert habit(before, calendar="DE").judge(at(christmas, "12:00"), "loads").verdict is Verdict.PASS
    assert habit(before, on=("mon", "tue", "wed", "thu")).judge(at(christmas, "12:00"), "loads").verdict is Verdict.PASS


@pytest.mark.parametrize("loaded", [0, 1, 5, 13])
def test_too_little_history_says_how_many_days_are_missing(loaded):
    found = habit(jittered(loaded)).judge(at(MONDAY + timedelta(days=60), "12:00"), "loads")
    more = f"{14 - loaded} more day{'s' * (loaded != 13)}"
    assert (found.verdict, found.is_learning) == (Verdict.SKIPPED, True)
    assert more in found.reason


@pytest.mark.parametrize("change", [date(2026, 3, 29), date(2026, 10, 25)])
def test_the_day_of_a_clock_change_is_like_any_other_on_the_wall(change):
    loads = habit(jittered(60, start=change - timedelta(days=60)))
    assert loads.judge(at(change, "06:30"), "loads").verdict is Verdict.PASS
    assert loads.judge(at(change, "09:00"), "loads").verdict is Verdict.FAIL
    assert habit([*loads_of(loads), at(change, "06:35")]).judge(at(change, "09:00"), "loads").verdict is Verdict.PASS


def loads_of(known):
    return [arrival.at for arrival in known.arrivals]


def test_loads_around_midnight_are_of_the_day_before():
    loads = [at(day, "12:00") + timedelta(hours=11, minutes=35 + (n * 7919) % 50) for n, day in enumerate(days(60))]
    known = habit(loads)
    last = MONDAY + timedelta(days=60)
    assert known.judge(at(last, "23:30"), "loads").verdict is Verdict.PASS
    late = known.judge(at(last + timedelta(days=1), "03:00"), "loads")
    assert late.verdict is Verdict.FAIL, late.reason
    came = habit([*loads, at(last + timedelta(days=1), "00:10")])
    assert came.judge(at(last + timedelta(days=1), "03:00"), "loads").verdict is Verdict.PASS


def hourly(number, weekdays=range(5)):
    """Loads at each full hour from 8 to 18, give or take two minutes."""
    hours = [at(day, "08:00") + timedelta(hours=hour) for day in days(number, weekdays=weekdays) for hour in range(11)]
    return [one + timedelta(seconds=(n * 7919) % 240 - 120) for n, one in enumerate(hours)]


def test_several_loads_a_day_are_judged_by_the_time_since_the_last_one():
    loads = hourly(33)  # ends on a Friday
    friday = MONDAY + timedelta(days=32)
    noon = [one for one in loads if one <= at(friday, "12:05")]
    assert habit(noon).judge(at(friday, "12:50"), "loads").verdict is Verdict.PASS
    late = habit(noon).judge(at(friday, "14:30"), "loads")
    assert (late.verdict, "after the one before" in late.reason) == (Verdict.FAIL, True), late.reason
    assert habit(loads).judge(at(friday, "23:50"), "loads").verdict is Verdict.PASS, "the night is long every day"
    for weekend in (1, 2):
        assert habit(loads).judge(at(friday + timedelta(days=weekend), "14:00"), "loads").verdict is Verdict.PASS
    assert habit(loads).judge(at(friday + timedelta(days=3), "12:00"), "loads").verdict is Verdict.FAIL


def test_several_loads_a_day_need_two_weeks_so_that_a_weekend_is_no_surprise():
    found = habit(hourly(11)).judge(at(MONDAY + timedelta(days=12), "12:00"), "loads")
    assert (found.verdict, found.is_learning) == (Verdict.SKIPPED, True), found.reason


instants = st.integers(0, 60 * 24 * 60).map(lambda minute: at(MONDAY, "00:00") + timedelta(minutes=minute))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(instants, max_size=60),
    instants,
    st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe"]),
    st.booleans(),
)
def test_any_history_can_be_judged_and_an_arrival_now_is_never_late(arrivals, now, zone, is_excluded):
    flagged = replace(habit(arrivals, zone), arrivals=tuple(Arrival(at, is_excluded) for at in sorted(arrivals)))
    assert flagged.judge(now, "loads").verdict in (Verdict.PASS, Verdict.FAIL, Verdict.SKIPPED)
    found = habit(arrivals, zone).judge(now, "loads")
    assert found.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.SKIPPED)
    assert found.is_learning == (found.verdict is Verdict.SKIPPED)
    assert habit([*arrivals, now], zone).judge(now, "loads").verdict is not Verdict.FAIL
    assert found == habit([*arrivals, now + timedelta(minutes=1)], zone).judge(now, "loads"), "what comes later is not known"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6), st.integers(0, 23 * 60))
def test_nothing_is_asked_for_on_a_day_that_is_switched_off(weekday, minute):
    on = tuple(name for n, name in enumerate(DAY_NAMES) if n != weekday)
    loads = jittered(56, [n for n in range(7) if n != weekday])
    before = [one for one in loads if one.astimezone(BERLIN).date() < MONDAY + timedelta(days=49 + weekday)]
    now = at(MONDAY + timedelta(days=49 + weekday), "00:00") + timedelta(minutes=minute)
    assert habit(before, on=on).judge(now, "loads").verdict is Verdict.PASS


# --- the check --------------------------------------------------------------------------------------------------------


def record(end, pipeline="orders_sync", table=None, status=LoadStatus.SUCCEEDED, kind="load"):
    name = f"{end:%m%d%H%M}"
    return LoadRecord("shop_airbyte", pipeline, name, status, end, table=table, kind=kind, finished_at=end)


def declared(**options):
    upstream = options.pop("upstream", ("shop_airbyte/orders_sync",))
    return replace(check("freshness", arrival="learned", **options), upstream=upstream, timezone="Europe/Berlin")


def judged(rule, now, loads=(), newest=None, **evidence):
    values = {} if newest is None else {LatestInstant("t"): newest, RowCount(): 5, FutureCount("t"): 0}
    return rule.rule.judge(rule, Evidence(values, now, now, loads=tuple(loads), **evidence))


NOON = at(MONDAY + timedelta(days=70), "12:00")


def test_it_learns_from_successful_plain_loads_without_looking_at_the_table():
    rule = declared()
    assert (rule.rule.problems(rule), rule.rule.metrics(rule)) == ((), ())
    found = judged(rule, NOON, [record(one) for one in jittered(70)])
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("shop_airbyte/orders_sync: usually by ")
    for other in ({"status": LoadStatus.FAILED}, {"kind": "backfill"}):
        loads = [*(record(one) for one in jittered(70)), record(NOON - timedelta(minutes=1), **other)]
        assert judged(rule, NOON, loads).verdict is Verdict.FAIL, f"{other} is no arrival"
    assert judged(rule, NOON, [*(record(one) for one in jittered(70)), record(NOON - timedelta(minutes=1))]).verdict is Verdict.PASS


@pytest.mark.parametrize(("named", "verdict"), [("t", "fail"), ("s.t", "fail"), ("S.T", "fail"), ("other", "pass")])
def test_where_the_tool_names_tables_only_loads_of_this_one_count(named, verdict):
    old = [record(one, table=named) for one in jittered(70)] + [record(one) for one in jittered(70)]
    found = judged(declared(), NOON, [*old, record(NOON - timedelta(minutes=5))])
    assert found.verdict.value == verdict, found.reason


def test_of_several_pipelines_the_late_one_counts():
    loads = [record(one) for one in [*jittered(70), NOON]] + [record(one, "refunds") for one in jittered(70)]
    found = judged(declared(), NOON, loads)
    assert (found.verdict, found.reason.split(":")[0]) == (Verdict.FAIL, "shop_airbyte/refunds")


def changes(loads, seen_after=timedelta(minutes=25)):
    return tuple(Change(one + seen_after, one - timedelta(minutes=5), one.isoformat()) for one in loads)


def test_without_loads_it_learns_from_when_the_newest_row_changed():
    loads = jittered(70)
    rule = declared(column="t", upstream=())
    found = judged(rule, NOON, newest=loads[-1], changes=changes(loads))
    assert found.verdict is Verdict.FAIL, found.reason
    assert "arrivals), due by" in found.reason
    assert found.observed.value == (NOON - loads[-1]).total_seconds()
    assert judged(rule, NOON, newest=NOON - timedelta(hours=1), changes=changes(loads)).verdict is Verdict.PASS


def test_a_row_that_tells_another_day_came_when_it_was_seen():
    """The newest event of a table that is loaded at 06:20 is of the midnight before; the load is the arrival."""
    loads = jittered(70)
    seen = tuple(Change(one, one - timedelta(minutes=30), at(one.date(), "00:00").isoformat()) for one in loads)
    last = at(loads[-1].date(), "00:00")
    found = judged(declared(column="t"), NOON - timedelta(hours=11), newest=last, changes=seen)
    assert (found.verdict, "usually by 06:2" in found.reason) == (Verdict.PASS, True), found.reason
    assert judged(declared(column="t"), NOON, newest=last, changes=seen).verdict is Verdict.FAIL


def test_rows_that_were_deleted_are_no_arrival():
    loads = jittered(70)
    emptied = Change(NOON - timedelta(hours=2), NOON - timedelta(hours=3), None)
    older = Change(NOON - timedelta(hours=2), NOON - timedelta(hours=3), loads[-9].isoformat())
    for change, newest in ((emptied, loads[-9]), (older, loads[-9])):
        found = judged(declared(column="t"), NOON, newest=newest, changes=(*changes(loads), change))
        assert found.verdict is Verdict.FAIL, found.reason


def test_a_fixed_limit_counts_while_it_is_learning_and_the_worse_one_afterwards():
    few, many = jittered(5), jittered(70)
    rule = declared(column="t", fail_after="3d")
    learning = judged(rule, few[-1] + timedelta(hours=30), newest=few[-1], changes=changes(few))
    assert (learning.verdict, "; learning" in learning.reason) == (Verdict.PASS, True), learning.reason
    assert judged(rule, few[-1] + timedelta(days=4), newest=few[-1], changes=changes(few)).verdict is Verdict.FAIL
    late = judged(rule, NOON, newest=many[-1], changes=changes(many))
    assert (late.verdict, "not yet here" in late.reason) == (Verdict.FAIL, True)


def test_what_came_late_in_an_incident_is_not_learned():
    loads = jittered(70)
    late = [one + timedelta(hours=3) if n % 10 == 9 else one for n, one in enumerate(loads)]
    spans = tuple((one - timedelta(hours=2), one) for n, one in enumerate(late) if n % 10 == 9)
    now = at(MONDAY + timedelta(days=70), "08:30")
    rule = declared()
    assert judged(rule, now, [record(one) for one in late], incidents=spans).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"upstream": ()}, "write upstream: with the pipeline, or column:"),
        ({"fail_after": "1h"}, "column is missing"),
        ({"column": "t", "event_column": "e"}, "write two checks"),
        ({"column": "t", "days": []}, "days is empty"),
        ({"column": "t", "calendar": "XX"}, "there is no calendar 'XX'"),
        ({"column": "t", "covers": "1d"}, "covers belongs to a deadline:"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, said):
    rule = declared(**options)
    assert said in " ".join(rule.rule.problems(rule))


def test_a_budget_and_days_without_arrival_are_refused():
    rule = check("freshness", column="t", fail_after="1h", false_alerts_per_year=1, days="weekdays")
    problems = " ".join(rule.rule.problems(rule))
    assert "false_alerts_per_year belongs to arrival: learned" in problems
    assert "days and calendar belong to" in problems
