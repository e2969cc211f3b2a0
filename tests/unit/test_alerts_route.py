"""Which channels an alert goes to: R4, and the truth table of R5."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.alerts.fold import fold, fold_errors
from dqmon.alerts.route import attributes_of, routes_for
from dqmon.alerts.transition import transition
from dqmon.checks.row_count import RowCountCheck
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertPolicy
from dqmon.core.check import Check, PipelineRef, SourceLine
from dqmon.core.judgement import Expected, Observed
from dqmon.core.result import CheckResult, record
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.table import TableRef
from dqmon.core.verdict import Severity, Unit, Verdict

NOW = datetime(2026, 3, 4, 8, tzinfo=UTC)
ROUTES = (
    Route("pages", parse_selector(["severity:critical"]), ("oncall", "team")),
    Route("blind", parse_selector(["kind:error"]), ("ops",)),
    Route("rest", None, ("team",)),
)
STATES = ("pass", "warn", "fail", "error", "no_data", "skipped")


def result(verdict, severity, **fields):
    declared = Check(
        "main.t.row_count",
        RowCountCheck(min=1),
        TableRef("main", None, "main", "t"),
        None,
        SourceLine("checks/t.yaml", 1),
        severity=severity,
        **fields,
    )
    observed = Observed(3, Unit.ROWS)
    return CheckResult(
        "r1", declared, None, (), verdict, severity, observed, Expected(text="at least 5 rows"), "3 rows", (), "run", NOW, NOW, 0.1
    )


def fired(found, kind=AlertKind.DATA):
    """The alert after one run of one result, firing at once."""
    fresh = Alert(AlertKey(found.check.id, kind))
    outcome = fold([found], {}, [None]) if kind is AlertKind.DATA else fold_errors([found])
    return transition(fresh, outcome, AlertPolicy(), NOW)[0]


def told(found):
    """(Channel, severity) pairs of both alerts of a run."""
    alerts = [fired(found, kind) for kind in AlertKind]
    return {
        (channel, alert.severity.value)
        for alert in alerts
        if alert.is_open
        for _, channel in routes_for(attributes_of(alert, record(found)), ROUTES)
    }


def expected(severity, state):
    """The table of R5 in words: only a critical FAIL pages; a WARN is a warning at most; an ERROR is of its own severity."""
    match state, severity:
        case "fail", "critical":
            return {("oncall", "critical"), ("team", "critical")}
        case "fail", _:
            return {("team", severity)}
        case "warn", "info":
            return {("team", "info")}
        case "warn", _:
            return {("team", "warning")}
        case "error", _:
            return {("ops", "warning")}
    return set()


@pytest.mark.parametrize(("severity", "state", "channel"), list(itertools.product(Severity, STATES, ("oncall", "team", "ops"))))
def test_r5_severity_by_state_by_channel(severity, state, channel):
    verdict = Verdict.SKIPPED if state == "no_data" else Verdict(state)
    found = {pair for pair in told(result(verdict, severity)) if pair[0] == channel}
    assert found == {pair for pair in expected(severity.value, state) if pair[0] == channel}


def test_the_truth_table_has_72_rows():
    assert len(Severity) * len(STATES) * 3 == 72


def test_a_warning_pages_only_when_it_is_set_so():
    found = result(Verdict.WARN, Severity.CRITICAL, warn_severity=Severity.CRITICAL)
    assert ("oncall", "critical") in told(found)


def routes(*pairs):
    return tuple(Route(f"r{n}", match and parse_selector([match]), tuple(to), goes_on) for n, (match, to, goes_on) in enumerate(pairs))


ATTRIBUTES = {"": ("main.t", "main.t.row_count"), "severity": ("error",), "tag": ("core", "pii"), "owner": ("@a",)}


@pytest.mark.parametrize(
    ("tree", "expected_pairs"),
    [
        ([("severity:error", "a", False), (None, "b", False)], ["r0a"]),
        ([("severity:error", "a", True), (None, "b", False)], ["r0a", "r1b"]),
        ([("severity:critical", "a", True), (None, "b", False)], ["r1b"]),
        ([("severity:error", "ab", True), (None, "bc", False)], ["r0a", "r0b", "r1c"]),
        ([("severity:error", "a", True), ("tag:pii", "b", True), ("tag:core", "c", False), (None, "d", False)], ["r0a", "r1b", "r2c"]),
        ([("main.*", "a", False), (None, "b", False)], ["r0a"]),
        ([("not:tag:pii", "a", False), (None, "b", False)], ["r1b"]),
        ([("main.t.row_count", "a", False), (None, "b", False)], ["r0a"]),
        ([("severity:error owner:@b", "a", False), (None, "b", False)], ["r1b"]),
    ],
)
def test_the_first_match_wins_unless_it_goes_on(tree, expected_pairs):
    assert [route.name + channel for route, channel in routes_for(ATTRIBUTES, routes(*tree))] == expected_pairs


@given(
    st.fixed_dictionaries(
        {key: st.lists(st.sampled_from(["a", "b", "critical"]), max_size=3).map(tuple) for key in ("", "severity", "tag", "owner")}
    ),
    st.lists(st.tuples(st.sampled_from(["severity:critical", "tag:a", "not:owner:b", "a*"]), st.just("x"), st.booleans()), max_size=5),
)
def test_with_a_default_route_every_alert_reaches_a_channel(attributes, tree):
    assert routes_for(attributes, routes(*tree, (None, "z", False)))


@pytest.mark.parametrize(
    ("verdict", "kind", "state"),
    [("fail", "data", "failing"), ("warn", "data", "warning"), ("error", "error", "error"), ("pass", "data", "passing")],
)
def test_attributes_are_what_selectors_name(verdict, kind, state):
    found = result(Verdict(verdict), Severity.CRITICAL, owner="@team", tags=("core",))
    attributes = attributes_of(fired(found, AlertKind(kind)), record(found))
    assert attributes[""] == ("main.t", "main.t.row_count")
    assert (attributes["state"], attributes["kind"], attributes["warehouse"]) == ((state,), (kind,), ("main",))
    assert parse_selector(["main.t", "type:row_count", "owner:@team", "tag:core", f"state:{state}", "dimension:volume"]).matches(attributes)


def test_a_pipeline_has_no_warehouse():
    found = result(Verdict.FAIL, Severity.ERROR)
    kept = record(found)
    attributes = attributes_of(fired(found), replace(kept, dataset=None, warehouse=None, pipeline=str(PipelineRef("dlt", "p")), owner=None))
    assert (attributes["dataset"], attributes["warehouse"], attributes["owner"]) == (("dlt/p",), (), ())
