"""Folding a run's results into outcomes, and the sentences of what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dqmon.alerts.fold import fold, fold_errors
from dqmon.alerts.transition import close, transition
from dqmon.checks.row_count import RowCountCheck
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertPolicy, AlertState, EventKind, Member, MemberExit, MemberKey
from dqmon.core.check import Check, Hold, SourceLine
from dqmon.core.judgement import Expected
from dqmon.core.measurement import Partition
from dqmon.core.result import CheckResult
from dqmon.core.table import TableRef
from dqmon.core.verdict import Severity, Verdict

SLOT = datetime(2026, 3, 4, 8, tzinfo=UTC)
DAY = [Partition("day", datetime(2026, 3, n, tzinfo=UTC), datetime(2026, 3, n + 1, tzinfo=UTC)) for n in range(1, 5)]
NULL = Partition("day", None, None)
P, W, F, E, S = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.ERROR, Verdict.SKIPPED


def check(**fields):
    source = SourceLine("checks/t.yaml", 1)
    return Check("main.t.row_count", RowCountCheck(min=1), TableRef("main", None, "main", "t"), None, source, **fields)


def result(verdict, partition=None, segment=(), declared=None, **fields):
    declared = declared or check()
    shown = {"severity": declared.severity, "observed": None, "expected": Expected(), "reason": f"it is {verdict}"} | fields
    return CheckResult(
        "r1",
        declared,
        partition,
        segment,
        verdict,
        measurements=(),
        run_id="run",
        scheduled_at=SLOT,
        measured_at=SLOT,
        duration_s=0.0,
        **shown,
    )


def key(partition=None, segment="{}"):
    return MemberKey(partition.key if partition else "", segment)


def members(*partitions, verdict=F):
    return {key(partition): Member(verdict, SLOT - timedelta(days=1), "it failed") for partition in partitions}


FOLDS = [
    ("passes", [(P, None)], [], [None], (P, []), {}),
    ("fails", [(F, None)], [], [None], (F, [None]), {}),
    ("a pass resolves its member", [(P, None)], [None], [None], (P, []), {None: "passed"}),
    ("the worst wins", [(W, 1), (F, 2), (P, 0)], [], [0, 1, 2], (F, [1, 2]), {}),
    ("a day that was asked for and has no result any more is gone", [(P, 2)], [1], [1, 2], (P, []), {1: "gone"}),
    ("a day that was not measured stays", [(P, 2), (E, 1)], [1], [1, 2], (F, [1]), {}),
    ("a day without data stays", [(P, 2), (S, 1)], [1], [1, 2], (F, [1]), {}),
    ("a day out of the lookback ages out", [(P, 2), (P, 3)], [1], [2, 3], (P, []), {1: "aged_out"}),
    ("it ages out also when there is no data", [(S, 2), (S, 3)], [1], [2, 3], (P, []), {1: "aged_out"}),
    ("one of two ages out", [(P, 3)], [1, 3], [3], (P, []), {1: "aged_out", 3: "passed"}),
    ("nothing but errors: no outcome", [(E, 2), (E, 3)], [1], [2, 3], None, {}),
    ("no data: no outcome", [(S, None)], [], [None], None, {}),
    ("no data and an open failure: no outcome", [(S, None)], [None], [None], None, {}),
    ("no results: no outcome", [], [1], [2], None, {}),
    ("errors and no data: no outcome", [(E, 2), (S, 3)], [2], [2, 3], None, {}),
    ("the check has partitions now", [(P, 2)], [None], [2], (P, []), {None: "removed"}),
    ("the check has no partitions any more", [(P, None)], [1], [None], (P, []), {1: "removed"}),
    ("no partitions any more, and no data either", [(S, None)], [1], [None], (P, []), {1: "removed"}),
    ("no partitions any more, and it cannot be measured", [(E, None)], [1], [None], None, {}),
    ("rows without a key vanish", [(P, 2)], ["null"], [2, "null"], (P, []), {"null": "gone"}),
    ("rows without a key stay unknown in a broken run", [(P, 2), (E, 3)], ["null"], [2, 3, "null"], (F, ["null"]), {}),
]


@pytest.mark.parametrize(("found", "before", "lookback", "expected", "left"), [pytest.param(*case[1:], id=case[0]) for case in FOLDS])
def test_fold(found, before, lookback, expected, left):
    def day(n):
        return NULL if n == "null" else None if n is None else DAY[n]

    outcome = fold([result(v, day(n)) for v, n in found], members(*map(day, before)), [day(n) for n in lookback])
    if expected is None:
        assert outcome is None
        return
    assert (outcome.verdict, set(outcome.members)) == (expected[0], {key(day(n)) for n in expected[1]})
    assert {k: v.value for k, v in outcome.left.items()} == {key(day(n)): why for n, why in left.items()}


def test_a_segment_that_is_absent_from_a_measured_partition_is_gone():
    before = {key(DAY[1], '{"s": "a"}'): Member(F, SLOT, ""), key(DAY[2], '{"s": "a"}'): Member(F, SLOT, "")}
    segmented = check(segment_by=("s",))
    outcome = fold([result(P, DAY[1], (("s", "b"),), segmented), result(E, DAY[2], declared=segmented)], before, [DAY[1], DAY[2]])
    assert outcome.left == {key(DAY[1], '{"s": "a"}'): MemberExit.GONE}
    assert set(outcome.members) == {key(DAY[2], '{"s": "a"}')}, "the segment's other day could not be measured"


@pytest.mark.parametrize(("before", "segment_by"), [('{"s": "a"}', ()), ("{}", ("s",)), ('{"s": "a"}', ("s", "t"))])
def test_a_segment_that_the_configuration_does_not_have_any_more_is_removed(before, segment_by):
    segment = tuple((name, "x") for name in segment_by)
    outcome = fold([result(P, None, segment, check(segment_by=segment_by))], {key(None, before): Member(F, SLOT, "")}, [None])
    assert outcome.left == {key(None, before): MemberExit.REMOVED}
    assert outcome.verdict is P


@pytest.mark.parametrize(
    ("verdict", "severity", "warn_severity", "expected"),
    [
        (F, "critical", "warning", "critical"),
        (W, "critical", "warning", "warning"),
        (W, "critical", "error", "error"),
        (W, "info", "warning", "info"),
        (F, "info", "warning", "info"),
    ],
)
def test_severity_of_a_warning_is_the_milder_one(verdict, severity, warn_severity, expected):
    declared = check(severity=Severity(severity), warn_severity=Severity(warn_severity))
    assert fold([result(verdict, declared=declared)], {}, [None]).severity == expected


def test_since_is_the_first_bad_slot_and_survives_later_runs():
    first = SLOT - timedelta(days=1)
    assert fold([result(W, DAY[1])], members(DAY[1]), [DAY[1]]).members[key(DAY[1])].since == first
    assert fold([result(F, DAY[2])], {}, [DAY[2]]).members[key(DAY[2])].since == SLOT


def test_a_member_that_passes_while_recovering_does_not_count_as_open():
    assert fold([result(S)], members(None, verdict=P), [None]) is None
    assert fold([result(P)], members(None, verdict=P), [None]).left == {}


@pytest.mark.parametrize(
    ("found", "on_error", "expected"),
    [([E], "alert", F), ([P, E], "alert", F), ([P, F], "alert", P), ([S], "alert", P), ([E], "record", P), ([], "alert", None)],
)
def test_the_error_alert_is_bad_when_any_result_is_an_error(found, on_error, expected):
    declared = check(on_error=on_error, error_severity=Severity.ERROR)
    outcome = fold_errors([result(v, DAY[n], declared=declared) for n, v in enumerate(found)])
    assert (outcome.verdict if outcome else None) == expected
    if outcome:
        assert outcome.severity is Severity.ERROR


def run_all(*runs, hold=None, recover=None):
    """The last alert and all events of runs of (verdict by day number)."""
    alert, said = Alert(AlertKey("main.t.row_count", AlertKind.DATA)), []
    policy = AlertPolicy(hold or Hold(1), recover or Hold(1))
    for n, found in enumerate(runs):
        outcome = fold([result(v, DAY[d]) for d, v in found.items()], alert.members, [DAY[d] for d in found])
        alert, events = transition(alert, outcome, policy, SLOT + timedelta(hours=n))
        said += events
    return alert, said


def test_what_changes_is_said_in_sentences():
    _, said = run_all({0: W}, {0: F, 1: F}, {0: P, 1: W}, {1: P, 2: P}, {2: P})
    assert [(event.kind.value, event.reason) for event in said] == [
        ("fired", "it is warn"),
        ("changed", "1 more partition fails: 2026-03-02; now fail: 2026-03-01"),
        ("changed", "now warn: 2026-03-02; recovered: 2026-03-01"),
        ("resolved", "recovered: 2026-03-02"),
    ]


def test_a_rise_and_a_fall_of_severity_are_said():
    key_ = AlertKey("main.t.row_count", AlertKind.DATA)
    alert, policy = Alert(key_), AlertPolicy()
    said = []
    for verdict in (W, F, F, W):
        outcome = fold([result(verdict, declared=check(severity=Severity.CRITICAL))], alert.members, [None])
        alert, events = transition(alert, outcome, policy, SLOT)
        said += [event.reason for event in events]
    assert said == [
        "it is warn",
        "worse: warning → critical; now fail: main.t.row_count",
        "better: critical → warning; now warn: main.t.row_count",
    ]


def test_a_member_that_ages_out_is_not_called_recovered():
    alert, said = run_all({0: F}, {1: P, 2: P})
    assert said[-1].reason == "out of the lookback, not measured again: 2026-03-01"
    assert alert.state is AlertState.RESOLVED


def test_a_pending_alert_goes_without_a_word_and_forgets():
    alert, said = run_all({0: F}, {0: P}, {0: F}, hold=Hold(2))
    assert said == []
    assert (alert.state, alert.streak, alert.since) == (AlertState.PENDING, 1, SLOT + timedelta(hours=2))


def test_a_passing_alert_stays_the_very_same_so_that_nothing_is_written():
    alert = Alert(AlertKey("main.t.row_count", AlertKind.DATA))
    after, events = transition(alert, fold([result(P)], {}, [None]), AlertPolicy(), SLOT)
    assert after is alert
    assert events == ()


def test_a_clock_that_goes_back_neither_fires_nor_resolves_early():
    alert, _ = run_all({0: F}, hold=Hold(None, 3600))
    bad, good = fold([result(F)], {}, [None]), fold([result(P)], {}, [None])
    policy = AlertPolicy(Hold(None, 3600), Hold(None, 3600))
    alert, events = transition(alert, bad, policy, SLOT - timedelta(days=1))
    assert (alert.state, events) == (AlertState.PENDING, ())
    alert, _ = transition(alert, bad, policy, SLOT + timedelta(hours=1))
    alert, _ = transition(alert, good, policy, SLOT + timedelta(hours=2))
    alert, events = transition(alert, good, policy, SLOT)
    assert (alert.state, events) == (AlertState.RECOVERING, ())


def test_a_changed_policy_counts_from_the_next_outcome_on():
    alert, _ = run_all({0: F}, {0: F}, hold=Hold(5))
    alert, events = transition(alert, fold([result(F, DAY[0])], alert.members, [DAY[0]]), AlertPolicy(Hold(2)), SLOT)
    assert [event.kind for event in events] == [EventKind.FIRED]
    alert, events = transition(alert, fold([result(F, DAY[0])], alert.members, [DAY[0]]), AlertPolicy(Hold(50)), SLOT)
    assert (alert.state, events) == (AlertState.FIRING, ())


@pytest.mark.parametrize(("runs", "said"), [([{0: F}], ["resolved"]), ([{0: P}], []), ([], [])])
def test_closing_from_outside_says_so_once(runs, said):
    alert, _ = run_all(*runs)
    closed, events = close(alert, "the check was removed", SLOT)
    assert [(event.kind.value, event.reason) for event in events] == [(kind, "the check was removed") for kind in said]
    assert closed.state is AlertState.RESOLVED
    assert close(closed, "again", SLOT) == (closed, ())
