"""zero_rows, rejected_rows, backlog, rows_loaded_anomaly, cursor_stall, cursor_regress, source_schema_change on kept load records."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_records import NOW, ago, check_of, judge, load

from dqmon.checks.backlog import Backlog
from dqmon.checks.cursor_regress import CursorRegress
from dqmon.checks.cursor_stall import CursorStall
from dqmon.checks.rejected_rows import RejectedRows
from dqmon.checks.rows_loaded_anomaly import RowsLoadedAnomaly
from dqmon.checks.source_schema_change import SourceSchemaChange
from dqmon.checks.zero_rows import ZeroRows
from dqmon.core.load_record import Backlog as Waiting
from dqmon.core.verdict import Verdict
from dqmon.ingestion.dlt import Dlt

SECTIONS = (
    "What it measures:",
    "Why it matters:",
    "Parameters:",
    "NULLs and empty tables:",
    "SQL it runs:",
    "Example:",
    "Known limits:",
    "References:",
)


def of_rows(*rows, **fields):
    """Loads an hour apart with these rows, the newest last and an hour ago."""
    return [load(len(rows) - place, rows=amount, **fields) for place, amount in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "limits", "verdict", "value"),
    [
        ([5, 0, 0], {}, "pass", 2),
        ([5, 0, 0, 0], {}, "fail", 3),
        ([0, 0, 0], {}, "fail", 3),
        ([0, 0, 0, 1], {}, "pass", 0),
        ([0, 0, None, 0], {}, "fail", 3),
        ([5, 0], {"fail_if": "> 0"}, "fail", 1),
        ([5, 0], {"warn_if": "> 0"}, "warn", 1),
        ([5, 0, 0], {"warn_if": "> 0", "fail_if": "> 1"}, "fail", 2),
    ],
)
def test_zero_rows_counts_the_newest_empty_loads_in_a_row(rows, limits, verdict, value):
    found = judge(ZeroRows(), *of_rows(*rows), **limits)
    assert (found.verdict, found.observed.value) == (verdict, value), found.reason


@pytest.mark.parametrize("records", [[], [load(1)], [load(1, "failed", rows=0)], [load(1, rows=0, kind="refresh")]])
def test_zero_rows_without_a_known_number_has_nothing_to_judge(records):
    found = judge(ZeroRows(), *records)
    assert (found.verdict, found.is_no_data) == (Verdict.SKIPPED, True)


def test_zero_rows_of_a_table_that_loads_leave_alone():
    records = of_rows(9, 9, 9, 9)
    touched = replace(records[0], table="orders", rows=5)
    found = judge(ZeroRows(table="orders"), *records, touched)
    assert (found.verdict, found.reason) == (
        Verdict.FAIL,
        "each of the newest 3 loads brought 0 rows into orders; fails from 3 loads",
    )
    assert judge(ZeroRows(table="orders"), load(1, rows=None)).is_no_data


@pytest.mark.parametrize(("rows", "said"), [(1, "brought 1 row;"), (1200, "brought 1,200 rows;")])
def test_zero_rows_says_what_came(rows, said):
    assert said in judge(ZeroRows(), load(1, rows=rows)).reason


@given(st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=10))
def test_the_streak_of_empty_loads_is_what_stands_at_the_end(rows):
    known = [amount for amount in rows if amount is not None]
    found = judge(ZeroRows(), *of_rows(*rows))
    if known:
        text = "".join(map(str, known))
        assert found.observed.value == len(text) - len(text.rstrip("0"))
    else:
        assert found.is_no_data


def rejecting(hours_ago, rejected, rows=100, **fields):
    return load(hours_ago, rows=rows, rows_rejected=rejected, **fields)


@pytest.mark.parametrize(
    ("records", "options", "limits", "verdict", "value"),
    [
        ([rejecting(1, 0)], {}, {}, "pass", 0),
        ([rejecting(1, 1)], {}, {}, "fail", 1),
        ([rejecting(2, 5), rejecting(1, 0)], {}, {}, "pass", 0),
        ([rejecting(2, 5), load(1, rows=9)], {}, {}, "fail", 5),
        ([rejecting(1, 5, status="partial")], {}, {}, "fail", 5),
        ([rejecting(2, 0), rejecting(1, 5, status="failed")], {}, {}, "pass", 0),
        ([rejecting(2, 5), rejecting(1, 1)], {"window": 3 * 3600}, {}, "fail", 6),
        ([rejecting(4, 5), rejecting(1, 0)], {"window": 3 * 3600}, {}, "pass", 0),
        ([rejecting(1, 1, rows=99)], {}, {"fail_if": "> 1%"}, "pass", 1),
        ([rejecting(1, 1, rows=98)], {}, {"fail_if": "> 1%"}, "fail", 1),
        ([rejecting(1, 5, rows=0)], {}, {"fail_if": ">= 100%"}, "fail", 5),
        ([rejecting(1, 5)], {}, {"warn_if": "> 0", "fail_if": "> 10"}, "warn", 5),
        ([rejecting(1, 5, rows=None)], {}, {"fail_if": "> 4"}, "fail", 5),
        ([rejecting(1, 5, rows=None)], {}, {"fail_if": "> 4%"}, "skipped", 5),
        ([rejecting(1, 0, rows=0)], {}, {}, "skipped", 0),
        ([load(1)], {}, {}, "skipped", None),
        ([rejecting(4, 5)], {"window": 3600}, {}, "skipped", None),
        ([], {}, {}, "skipped", None),
    ],
)
def test_rejected_rows(records, options, limits, verdict, value):
    found = judge(RejectedRows(**options), *records, **limits)
    assert (found.verdict, found.observed.value) == (verdict, value), found.reason
    assert found.is_no_data is (found.verdict is Verdict.SKIPPED)


def test_rejected_rows_says_the_share_of_what_was_offered():
    found = judge(RejectedRows(), rejecting(1, 5, rows=95))
    assert (found.observed.ratio, found.observed.rows_tested) == (0.05, 100)
    assert found.reason == "5 of 100 rows (5 %) are rejected by load L1; fails above 0 rows"
    of_table = judge(RejectedRows(table="orders"), rejecting(1, 9), rejecting(1, 2, rows=8, table="orders"))
    assert of_table.observed.ratio == 0.2


def waiting(pending, unit="messages", partition=None, oldest_h=None, observed_at=NOW):
    return Waiting("s", "p", pending, unit, observed_at, partition, None if oldest_h is None else ago(oldest_h))


@pytest.mark.parametrize(
    ("backlogs", "options", "limits", "verdict", "value"),
    [
        ([waiting(0)], {}, {"fail_if": "> 0"}, "pass", 0),
        ([waiting(6, partition="0"), waiting(5, partition="1")], {}, {"fail_if": "> 10"}, "fail", 11),
        ([waiting(6, "seconds", "0"), waiting(5, "seconds", "1")], {}, {"fail_if": "> 10"}, "pass", 6),
        ([waiting(6), waiting(50, "seconds")], {}, {"fail_if": "> 10"}, "pass", 6),
        ([waiting(6), waiting(50, "seconds")], {"of": "seconds"}, {"fail_if": "> 10"}, "fail", 50),
        ([waiting(6)], {"of": "files"}, {"fail_if": "> 10"}, "skipped", None),
        ([waiting(6, oldest_h=2)], {"fail_after": 7200}, {}, "pass", 6),
        ([waiting(6, oldest_h=2.01)], {"fail_after": 7200}, {}, "fail", 6),
        ([waiting(6, oldest_h=2.01)], {"warn_after": 7200, "fail_after": 9999}, {}, "warn", 6),
        ([waiting(6, oldest_h=9)], {"warn_after": 7200}, {}, "warn", 6),
        ([waiting(6, oldest_h=2)], {"warn_after": 7200}, {}, "pass", 6),
        ([waiting(0)], {"fail_after": 7200}, {}, "pass", 0),
        ([waiting(0, oldest_h=9)], {"fail_after": 7200}, {}, "pass", 0),
        ([waiting(6)], {"fail_after": 7200}, {}, "skipped", 6),
        ([waiting(6)], {"fail_after": 7200}, {"fail_if": "> 5"}, "fail", 6),
        ([waiting(6, oldest_h=9)], {"fail_after": 7200}, {"warn_if": "> 5"}, "fail", 6),
        ([waiting(6, oldest_h=1)], {"fail_after": 7200}, {"warn_if": "> 5"}, "warn", 6),
        ([], {}, {"fail_if": "> 5"}, "skipped", None),
        ([waiting(6, observed_at=ago(0.1))], {}, {"fail_if": "> 5"}, "skipped", None),
        ([waiting(6, observed_at=ago(-1))], {}, {"fail_if": "> 5"}, "skipped", None),
        ([waiting(6), waiting(99, partition="gone", observed_at=ago(5))], {}, {"fail_if": "> 50"}, "pass", 6),
    ],
)
def test_backlog(backlogs, options, limits, verdict, value):
    found = judge(Backlog(**options), evidence={"backlogs": tuple(backlogs)}, **limits)
    assert (found.verdict, found.observed.value) == (verdict, value), found.reason
    assert found.is_no_data is (found.verdict is Verdict.SKIPPED)
    assert found.expected.text


@pytest.mark.parametrize(
    ("backlogs", "said"),
    [
        ([waiting(1, partition="orders-0")], "1 message waits in orders-0; fails above 5 messages"),
        ([waiting(1200)], "1,200 messages wait; fails above 5 messages"),
        ([waiting(2, "files", "a"), waiting(9, "files", "b")], "11 files wait in 2 partitions, the most in b (9); fails above 5 files"),
        ([waiting(90, "seconds", "shard-1")], "loading is 1m 30s behind in shard-1; fails above 5 seconds"),
    ],
)
def test_backlog_says_where(backlogs, said):
    assert judge(Backlog(), evidence={"backlogs": tuple(backlogs)}, fail_if="> 5").reason == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fail_after": 3600}, "6 messages wait, the oldest for 2h; fails after 1h"),
        ({"warn_after": 3600, "fail_after": 9999}, "6 messages wait, the oldest for 2h; warns after 1h"),
        ({"warn_after": 9000, "fail_after": 9999}, "6 messages wait, the oldest for 2h; warns after 2h 30m"),
    ],
)
def test_backlog_says_since_when(options, said):
    assert judge(Backlog(**options), evidence={"backlogs": (waiting(6, oldest_h=2),)}).reason == said


@pytest.mark.parametrize(("options", "said"), [({}, "has no limit"), ({"warn_after": 2, "fail_after": 1}, "never warn")])
def test_problems_of_backlog(options, said):
    assert said in " ".join(Backlog(**options).problems(check_of(Backlog(**options))))


def daily(*rows, **fields):
    return [load(24 * (len(rows) - place), rows=amount, **fields) for place, amount in enumerate(rows)]


STEADY = [1000, 1010, 990, 1005, 995, 1002, 998, 1001, 1003, 997, 1000, 1004, 996, 1000, 1001, 999, 1002, 1000, 998, 1003]


@pytest.mark.parametrize(
    ("rows", "options", "verdict"),
    [
        ([*STEADY, 1001], {}, "pass"),
        ([*STEADY, 500], {}, "fail"),
        ([*STEADY, 2000], {}, "fail"),
        ([*STEADY, 500], {"direction": "drop"}, "fail"),
        ([*STEADY, 2000], {"direction": "drop"}, "pass"),
        ([*STEADY, 500], {"direction": "rise"}, "pass"),
        ([1000, 500], {}, "skipped"),
        ([1000, 0], {}, "fail"),
        ([1000, 0], {"direction": "rise"}, "skipped"),
        ([0, 1000, 0], {}, "skipped"),
    ],
)
def test_rows_loaded_anomaly(rows, options, verdict):
    found = judge(RowsLoadedAnomaly(**options), *daily(*rows))
    assert (found.verdict, found.observed.value) == (verdict, rows[-1]), found.reason
    assert found.is_learning is (verdict == "skipped")


def test_rows_loaded_anomaly_says_what_it_expected():
    found = judge(RowsLoadedAnomaly(), *daily(*STEADY, 500))
    assert found.reason.startswith(
        "the newest load brought 500 rows, expected about 1,000 (50 % below, less than once in 1,000 years); fails unless "
    )
    assert found.expected.low == int(found.expected.low), "rows are whole"
    none = judge(RowsLoadedAnomaly(), *daily(1000, 0))
    assert none.reason == "the newest load brought no rows, where there never were fewer than 1,000 in 1 earlier point"


def test_rows_loaded_anomaly_learns_nothing_from_incidents_backfills_and_unknown_numbers():
    odd = [load(24 * n + 1, rows=5, kind="backfill") for n in range(1, 20)] + [load(1.5, rows=None)]
    assert judge(RowsLoadedAnomaly(), *daily(*STEADY, 1001), *odd).verdict is Verdict.PASS
    assert judge(RowsLoadedAnomaly(), load(1, rows=None)).is_no_data
    few = 4  # five that agree are a new level
    low, good = daily(*[500] * few, *STEADY, 1001)[:few], daily(*STEADY, 1001)
    incident = (low[0].finished_at, good[0].finished_at)
    found = judge(RowsLoadedAnomaly(), *low, *good, evidence={"incidents": (incident, (ago(0), None))})
    learned = "\n".join(found.baseline)
    assert f"{good[0].finished_at:%Y-%m-%dT%H:%M:%SZ}: 1,000" in learned, "an incident ends before its end"
    assert ": 500" not in learned
    assert ": 500" in "\n".join(judge(RowsLoadedAnomaly(), *low, *good).baseline)


def test_rows_loaded_anomaly_of_one_table():
    wholes = daily(*[9] * 21)
    parts = [replace(whole, table="orders", rows=rows) for whole, rows in zip(wholes, [*STEADY, 3], strict=True)]
    found = judge(RowsLoadedAnomaly(table="orders"), *wholes, *parts)
    assert (found.verdict, found.observed.value) == (Verdict.FAIL, 3)


def of_cursors(*cursors, **fields):
    return [load(len(cursors) - place, cursor=cursor, **({"rows": 5} | fields)) for place, cursor in enumerate(cursors)]


@pytest.mark.parametrize(
    ("cursors", "limits", "verdict", "value"),
    [
        ("a", {}, "pass", 0),
        ("ab", {}, "pass", 0),
        ("abb", {}, "pass", 1),
        ("abbb", {}, "pass", 2),
        ("abbbb", {}, "fail", 3),
        ("bbbba", {}, "pass", 0),
        ("abb", {"fail_if": "> 0"}, "fail", 1),
        ("abb", {"warn_if": "> 0"}, "warn", 1),
    ],
)
def test_cursor_stall(cursors, limits, verdict, value):
    found = judge(CursorStall(), *of_cursors(*cursors), **limits)
    assert (found.verdict, found.observed.value) == (verdict, value), found.reason


def test_a_cursor_stands_still_only_under_loads_that_bring_rows():
    assert judge(CursorStall(), *of_cursors(*"aaaaa", rows=0)).verdict is Verdict.PASS
    assert judge(CursorStall(count_empty=True), *of_cursors(*"aaaaa", rows=0)).verdict is Verdict.FAIL
    unknown = judge(CursorStall(), *of_cursors(*"aaaaa", rows=None))
    assert unknown.reason == "the cursor is still at a after 4 more loads with rows; fails from 3 loads"
    assert judge(CursorStall(), *of_cursors(None, None)).is_no_data
    assert judge(CursorStall(), *of_cursors(*"aaaaa"), load(0.5, kind="reset", cursor=None)).is_no_data
    assert judge(CursorStall(), *of_cursors(*"aaaaa"), load(0.5, "failed", cursor="b")).verdict is Verdict.FAIL


def test_cursor_stall_of_one_table():
    wholes = of_cursors(*"abcde")
    parts = [replace(whole, table="orders", cursor="7") for whole in wholes]
    found = judge(CursorStall(table="orders"), *wholes, *parts)
    assert (found.verdict, found.reason) == (
        Verdict.FAIL,
        "the cursor of orders is still at 7 after 4 more loads with rows; fails from 3 loads",
    )


@pytest.mark.parametrize(
    ("cursors", "verdict"),
    [
        (["1", "2"], "pass"),
        (["2", "2"], "pass"),
        (["2", "1"], "fail"),
        (["10", "9"], "fail"),
        (["9", "10"], "pass"),
        (["9", "10.5", "10.4"], "fail"),
        (["5", "1", "2"], "fail"),
        (["5", "1", "5"], "pass"),
        (["2026-11-20", "2026-11-19T23:00:00Z"], "fail"),
        (["2026-11-20T01:00:00+02:00", "2026-11-19T23:00:00"], "pass"),
        (["2026-11-20T02:00:00Z", "2026-11-20T03:00:00+02:00"], "fail"),
        (["b", "2"], "skipped"),
        (["2", "b"], "skipped"),
        (["2026-11-20", "3"], "skipped"),
        (["1"], "skipped"),
        (["9" * 200, "1"], "skipped"),
        (["0001-01-01T00:00:00+10:00", "2026-11-20"], "skipped"),
        ([], "skipped"),
    ],
)
def test_cursor_regress(cursors, verdict):
    found = judge(CursorRegress(), *of_cursors(*cursors))
    assert (found.verdict, found.is_no_data) == (verdict, verdict == "skipped"), found.reason


def test_a_reset_sets_a_cursor_back_on_purpose():
    first, second = of_cursors("9", "1")
    assert judge(CursorRegress(), first, load(1.5, kind="refresh", cursor="1"), second).is_no_data
    assert judge(CursorRegress(), first, load(1.5, kind="backfill", cursor="0"), second).verdict is Verdict.FAIL
    found = judge(CursorRegress(), first, second)
    assert found.reason == "load L1 set the cursor back to 1; load L2 had reached 9"
    assert (found.observed.value, found.expected.text) == ("1", "at least 9")


@given(st.lists(st.integers(-(10**20), 10**20), min_size=2, max_size=8))
def test_a_cursor_regresses_exactly_below_its_maximum(numbers):
    found = judge(CursorRegress(), *of_cursors(*map(str, numbers)))
    assert (found.verdict is Verdict.FAIL) == (numbers[-1] < max(numbers))


def version(hours_ago, name, *changes, **fields):
    return load(hours_ago, schema_version=name, extra={"schema_changes": "\n".join(changes)} if changes else {}, **fields)


ADDED, REMOVED = "column_added: orders.discount (double)", "column_removed: orders.note"


@pytest.mark.parametrize(
    ("records", "options", "verdict", "changes"),
    [
        ([version(1, "a")], {}, "pass", ()),
        ([version(2, "a"), version(1, "a")], {}, "pass", ()),
        ([version(2, "a"), version(1, "b")], {}, "warn", ("version_changed: from a to b with load L1",)),
        ([version(2, "a"), version(1, "b", ADDED)], {}, "warn", (ADDED,)),
        ([version(2, "a"), version(1, "b", ADDED, REMOVED)], {}, "fail", (ADDED, REMOVED)),
        ([version(2, "a"), version(1, "b", ADDED)], {"fail_on": ["column_added"]}, "fail", (ADDED,)),
        ([version(2, "a"), version(1, "b", ADDED)], {"warn_on": []}, "pass", ()),
        ([version(2, None), version(1, None, REMOVED)], {}, "fail", (REMOVED,)),
        ([version(3, "a"), version(2, "b", ADDED), version(1, "b")], {}, "warn", (ADDED,)),
        ([version(30, "a"), version(25, "b", ADDED), version(1, "b")], {}, "pass", ()),
        ([version(30, "a"), version(24, "b", ADDED)], {}, "warn", (ADDED,)),
        ([version(30, "a"), version(1, "b")], {}, "warn", ("version_changed: from a to b with load L1",)),
        ([version(3, "a"), version(2, "b", status="failed"), version(1, "a")], {}, "pass", ()),
        ([version(2, "a"), version(1, "b", "the moon: is full")], {}, "warn", ("version_changed: the moon: is full",)),
        ([load(1)], {}, "skipped", None),
        ([], {}, "skipped", None),
    ],
)
def test_source_schema_change(records, options, verdict, changes):
    found = judge(SourceSchemaChange(**options), *records)
    assert (found.verdict, found.observed.value) == (verdict, changes), found.reason
    assert found.is_no_data is (verdict == "skipped")


def test_source_schema_change_says_what_changed_and_not_all_of_a_thousand():
    found = judge(SourceSchemaChange(), version(2, "a"), version(1, "b", ADDED))
    assert found.reason == f"1 change within 1d: {ADDED}"
    many = judge(SourceSchemaChange(), version(1, "b", *(f"table_added: t{n}" for n in range(1000))))
    assert len(many.observed.value) == 1000
    assert many.reason.endswith("and 980 more")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"fail_on": ["type_changed"], "warn_on": ["type_changed"]}, "fail_on and in warn_on"), ({"fail_on": [], "warn_on": []}, "are empty")],
)
def test_problems_of_source_schema_change(options, said):
    rule = SourceSchemaChange(**options)
    assert said in " ".join(rule.problems(check_of(rule)))


RULES = (
    *(ZeroRows(), RejectedRows(), RowsLoadedAnomaly(), CursorStall(), CursorRegress(), SourceSchemaChange()),
    Backlog(fail_after=1),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.type)
@given(data=st.data())
def test_judging_is_total_and_always_says_why(rule, data):
    text = st.one_of(st.none(), st.text(max_size=5))
    some = st.builds(
        load,
        st.floats(-5, 2000),
        st.sampled_from(["succeeded", "failed", "partial", "running", "queued", "skipped", "unknown", "cancelled"]),
        rows=st.one_of(st.none(), st.integers(0, 2**63)),
        rows_rejected=st.one_of(st.none(), st.integers(0, 2**63)),
        cursor=text,
        schema_version=text,
        kind=st.sampled_from(["load", "backfill", "reset", "refresh", "schema"]),
        load_id=st.sampled_from("abcdefgh"),
        attempt=st.integers(1, 3),
        table=st.sampled_from([None, "orders"]),
        started_at=st.sampled_from([None, ago(3)]),
    )
    found = judge(rule, *data.draw(st.lists(some, max_size=8)))
    assert found.reason
    assert found.expected.text
    assert found.is_no_data <= (found.verdict is Verdict.SKIPPED)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.type)
def test_every_type_documents_itself_and_dlt_is_asked_only_what_it_tells(rule):
    lines = [line.strip() for line in type(rule).__doc__.splitlines()]
    assert tuple(line for line in lines if line in SECTIONS) == SECTIONS
    fit = {"zero_rows", "rows_loaded_anomaly"}
    assert (rule.needed <= Dlt.provides) is (rule.type in fit)
    assert judge(rule, evidence={"measured_at": NOW + timedelta(days=1)}).verdict is Verdict.SKIPPED
