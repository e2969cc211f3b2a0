"""Late, broken or wrong: what the state of the pipelines upstream says of a bad result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_made import check
from load_records import NOW, ago, load

from dqmon.core.check import PipelineRef, Schedule
from dqmon.core.judgement import Expected, Observed
from dqmon.core.lineage import Edge, of_edges
from dqmon.core.load_record import PipelineInfo
from dqmon.core.result import CheckResult, record
from dqmon.core.result_json import result_json
from dqmon.core.verdict import Severity, Unit, Verdict
from dqmon.engine.judging.cause import Condition, Kept, Upstream, upstream, with_cause
from dqmon.engine.judging.upstreams import above, may_be_caused, nearest
from dqmon.store.pipelines import Contact

HOURLY = PipelineInfo("s", "p", schedule=Schedule("0 * * * *", None, "UTC"))
READ = Contact(polled_at=NOW)
FINE = [load(hour) for hour in (5, 4, 3, 2, 1, 0.4)]


def state(*records, info=None, contact=READ):
    return upstream(Kept(PipelineRef("s", "p"), records, info, contact), NOW)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([load(2), load(1, "failed", error="no route\nto host")], "s/p failed at 11:00 UTC: no route to host"),
        ([load(1, "cancelled")], "s/p was cancelled at 11:00 UTC"),
        ([load(30, "failed")], "s/p failed at 2026-11-19 06:00 UTC"),
        ([load(1, "failed", error="x" * 5000)], f"s/p failed at 11:00 UTC: {'x' * 200}…"),
        ([load(3), load(2, "partial", finished_at=None)], "s/p stopped half-way at 09:30 UTC"),
        ([load(1, "failed", kind="load"), load(0.1, "running")], "s/p failed at 11:00 UTC"),
        ([load(1, load_id="a", attempt=1), load(0.5, "failed", load_id="a", attempt=2)], "s/p failed at 11:30 UTC"),
    ],
)
def test_a_pipeline_is_broken_while_its_newest_load_is_no_success(records, said):
    found = state(*records)
    assert (found.condition, found.said) == (Condition.BROKEN, said)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [load(2, "failed"), load(1)],
        [load(1, "failed", load_id="a", attempt=1), load(0.5, load_id="a", attempt=2)],
        [load(1), load(0.5, "failed", kind="backfill")],
        [load(1), load(0.5, "partial", finished_at=None, started_at=ago(0.5))],
        [load(1), load(0.5, "skipped")],
        [load(1), load(0.5, "queued")],
    ],
)
def test_it_is_not_broken_by_what_was_repaired_or_may_still_run(records):
    found = state(*records)
    assert (found.condition, found.said) == (Condition.FINE, "")


def test_a_source_that_cannot_be_read_is_unknown_unless_the_last_word_was_a_failure():
    lost = Contact(ago(2), ago(0.5), "ingestion s: HTTP 503\nfrom https://x")
    found = state(*FINE, info=HOURLY, contact=lost)
    expected = "nobody knows how s/p is: its source could not be read at 11:30 UTC: ingestion s: HTTP 503 from https://x"
    assert (found.condition, found.said) == (Condition.UNREACHABLE, expected)
    assert state(load(1, "failed"), contact=lost).condition is Condition.BROKEN
    assert state(*FINE, contact=replace(lost, polled_at=NOW)).condition is Condition.FINE, "it was read again since"


@pytest.mark.parametrize(
    ("records", "info", "is_late"),
    [
        (FINE[:4], HOURLY, True),  # the last one started at 09:30
        (FINE, HOURLY, False),
        (FINE[:4], replace(HOURLY, is_paused=True), False),
        (FINE[:4], None, False),
        ([], HOURLY, False),  # nothing is known
        ([*FINE[:4], load(0.5, "running")], HOURLY, False),
        ([*FINE[:4], load(1.4, "skipped", took_h=0.1), load(0.4, "skipped", took_h=0.1)], HOURLY, False),
        (FINE[:4], replace(HOURLY, schedule=Schedule(None, 3600, "UTC")), True),
        (FINE, replace(HOURLY, schedule=Schedule(None, 3600, "UTC")), False),
        # a late start of an old fire does not stand for the newer ones
        ([*FINE[:4], load(0.2, took_h=0.1, scheduled_for=ago(4))], HOURLY, True),
    ],
)
def test_a_pipeline_is_late_when_its_schedule_has_fired_and_nothing_has_loaded(records, info, is_late):
    found = state(*records, info=info)
    assert found.condition is (Condition.LATE if is_late else Condition.FINE), found.said
    assert not is_late or "s/p has not loaded since" in found.said


def test_what_was_not_polled_since_is_not_late():
    assert state(*FINE[:4], info=HOURLY, contact=Contact(polled_at=ago(1.9))).condition is Condition.FINE


def test_a_load_that_runs_far_longer_than_usual_is_late():
    quick = [load(hour, took_h=0.1) for hour in (6, 5, 4, 3, 2)]
    found = state(*quick, load(1, "running"))
    assert (found.condition, found.said) == (Condition.LATE, "s/p has been running for 1h, usually 6m")
    assert state(*quick, load(0.2, "running")).condition is Condition.FINE
    assert state(*quick, load(5.5, "running")).condition is Condition.FINE, "a load that the tool forgot; newer ones succeeded"


# --- what is said of a result -----------------------------------------------------------------------------------------


def result(kind="freshness", verdict=Verdict.FAIL, age_h=3.0, **options):
    if kind == "freshness":
        options = options or {"column": "t", "fail_after": "2h"}
    declared = check(kind, **options)
    return CheckResult(
        "r",
        declared,
        None,
        (),
        verdict,
        Severity.ERROR,
        Observed(age_h * 3600, Unit.SECONDS),
        Expected(),
        "it is old",
        (),
        "run",
        NOW,
        NOW,
        0.0,
    )


BROKEN = Upstream("s/p", Condition.BROKEN, "s/p failed at 11:00 UTC: no disk")


def test_a_bad_result_names_its_cause_and_says_so_in_json():
    found = with_cause(result(), [Upstream("s/a", Condition.FINE, ""), BROKEN, Upstream("s/z", Condition.LATE, "s/z is late")])
    assert (found.caused_by, found.reason) == ("s/p", "it is old; s/p failed at 11:00 UTC: no disk")
    assert result_json(record(found))["caused_by"] == "s/p"


@pytest.mark.parametrize(
    ("kind", "options", "is_caused"),
    [
        ("freshness", {"column": "t", "fail_after": "2h"}, True),
        ("row_count", {"min": 1}, True),
        ("volume_anomaly", {}, True),
        ("completeness", {"column": "a"}, False),
        ("schema_drift", {}, False),
    ],
)
def test_only_timeliness_and_volume_are_caused_by_a_load(kind, options, is_caused):
    assert may_be_caused(result(kind, **options)) is is_caused
    for verdict in (Verdict.PASS, Verdict.SKIPPED, Verdict.ERROR):
        assert not may_be_caused(result(kind, verdict, **options))


def test_a_stale_table_whose_loads_succeeded_is_wrong_and_not_late():
    found = with_cause(result(age_h=3), [state(*FINE)])
    assert found.caused_by is None
    assert found.reason == "it is old; its load s/p succeeded at 11:36 UTC: the rows are wrong, not late"


@pytest.mark.parametrize(
    ("made", "records"),
    [
        (result(age_h=0.5), FINE),  # no load has started since the newest row
        (result(age_h=3), [load(2.2, "failed", took_h=0.1), load(1)]),
        (result(age_h=3), []),
        (result("row_count", min=1), FINE),
        (result(column="t", event_column="e", fail_after="1h"), FINE),
    ],
)
def test_nothing_is_said_of_loads_that_explain_nothing(made, records):
    assert with_cause(made, [state(*records)]) == made


def test_of_several_pipelines_all_must_have_loaded_for_rows_to_be_wrong():
    other = upstream(Kept(PipelineRef("s", "old"), (load(9),), None, READ), NOW)
    assert with_cause(result(age_h=3), [state(*FINE), other]).reason == "it is old"


# --- which pipelines --------------------------------------------------------------------------------------------------

GRAPH = of_edges(
    Edge(child, parent)
    for child, parent in (
        ("main:mart", "main:raw"),
        ("main:mart", "main:other"),
        ("main:raw", "tool/b"),
        ("main:raw", "tool/a"),
        ("tool/b", "main:upstream"),
        ("main:upstream", "tool/first"),
        ("main:other", "unknown/x"),
        ("main:lonely", "main:raw2"),
    )
)


def test_pipelines_are_told_the_most_upstream_first_then_by_name():
    assert list(map(str, above(GRAPH, "main:mart", {"tool"}))) == ["tool/a", "tool/first", "tool/b"]
    assert above(GRAPH, "main:lonely", {"tool"}) == ()
    assert above(GRAPH, "main:mart", ()) == ()


def test_the_nearest_pipelines_load_a_table():
    assert list(map(str, nearest(GRAPH, "main:raw", {"tool"}))) == ["tool/a", "tool/b"]
    assert list(map(str, nearest(GRAPH, "main:mart", {"tool"}))) == ["tool/a", "tool/b"]
    assert nearest(GRAPH, "main:lonely", {"tool"}) == ()
    loop = of_edges((Edge("main:a", "main:b"), Edge("main:b", "main:a")))
    assert nearest(loop, "main:a", {"tool"}) == ()
