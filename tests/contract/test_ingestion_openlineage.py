"""The source openlineage, on the specification's own shapes: what events of one run come to, in any order."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ingestion_contract import check_record, check_source

from dqmon.core.lineage import Edge
from dqmon.core.table import TableRef, table_ref
from dqmon.ingestion.base.openlineage_events import read_event
from dqmon.ingestion.base.openlineage_runs import merged
from dqmon.ingestion.openlineage import Openlineage, OpenlineageOptions

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures" / "openlineage" / "events.json").read_text())
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
RUN = "01a1f914-9a8b-76ca-8630-a6cd968e6bcb"
WH = "postgres://wh:5432"


def resolve(warehouse, text):
    """As the configuration does it: the warehouse's own catalog `wh` is left out."""
    found = table_ref(warehouse, text, "public")
    return TableRef(warehouse, None if found.catalog == "wh" else found.catalog, found.schema, found.name)


def source(**options):
    given = {"token": "a-token-of-24-characters", "namespaces": {WH: "main"}, "job_namespace": "etl"} | options
    return Openlineage("ol", OpenlineageOptions.model_validate(given), None)


def event(kind="COMPLETE", minute=0, outputs=(), inputs=(), **facets):
    return {
        "eventType": kind,
        "eventTime": f"2026-11-20T13:{minute:02}:00Z",
        "producer": "https://example.org/x",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": RUN, "facets": facets},
        "job": {"namespace": "etl", "name": "load_orders"},
        "inputs": [{"namespace": WH, "name": name} for name in inputs],
        "outputs": list(outputs),
    }


def output(name="wh.raw.orders", rows=None, **columns):
    found = {"namespace": WH, "name": name, "facets": {}, "outputFacets": {}}
    if rows is not None:
        found["outputFacets"]["outputStatistics"] = {"rowCount": rows, "size": 10}
    if columns:
        found["facets"]["schema"] = {"fields": [{"name": key, "type": value} for key, value in columns.items()]}
    return found


def run_of(*events, before=None, now=NOW, **options):
    """The records after all the events, as the store would hold them, by table."""
    found, kept = source(**options), {}
    for one in events:
        told, _ = read_event(one, found.names(resolve), now)
        for record in merged(told, "ol", kept.values(), before or {}, now):
            check_record(found, record, now)
            kept[record.table] = record
    return kept


def test_it_keeps_the_contract():
    assert check_source(source(pipelines={"load_orders": {"every": 3600}}), NOW - timedelta(days=1), NOW) == ()


def test_a_recorded_failure_has_its_error_and_the_rows_of_its_output():
    (told, edges) = read_event(RECORDED[1], source(job_namespace="ingest").names(resolve), NOW)
    assert (told.pipeline, told.run_id, told.status) == ("ingest_customers", RECORDED[1]["run"]["runId"], "failed")
    assert told.error == "relation raw.customers does not exist"
    assert told.outputs["raw.customers"].rows == 0
    assert edges == (Edge("main:raw.customers", "ol/ingest_customers"),)


def test_a_recorded_check_has_its_nominal_time():
    told, edges = read_event(RECORDED[0], source(job_namespace=None).names(resolve), NOW)
    assert (told.pipeline, told.scheduled_for) == ("dqmon/check.raw.orders", datetime(2026, 11, 20, 13, tzinfo=UTC))
    assert edges == (Edge("ol/dqmon/check.raw.orders", "main:raw.orders"),)


def test_jobs_of_another_namespace_and_static_events_are_passed_over():
    names = source().names(resolve)
    assert read_event(RECORDED[1], names, NOW) == (None, ())
    assert read_event({"eventTime": "2026-11-20T13:00:00Z", "dataset": {"namespace": WH, "name": "x"}}, names, NOW) == (None, ())
    job = {key: value for key, value in event(inputs=["wh.raw.orders"]).items() if key not in ("run", "eventType")}
    assert read_event(job, names, NOW) == (None, (Edge("ol/load_orders", "main:raw.orders"),))


@pytest.mark.parametrize(
    ("kind", "status", "has_ended"),
    [
        ("START", "running", False),
        ("RUNNING", "running", False),
        ("COMPLETE", "succeeded", True),
        ("FAIL", "failed", True),
        ("ABORT", "cancelled", True),
        ("OTHER", "unknown", False),
    ],
)
def test_each_type_of_event(kind, status, has_ended):
    record = run_of(event(kind, 5))[None]
    assert (record.status, record.finished_at is not None) == (status, has_ended)


def test_events_in_any_order_and_twice_come_to_the_same_run():
    events = [
        event("START", 0, outputs=[output(id="bigint")], nominalTime={"nominalStartTime": "2026-11-20T12:00:00Z"}),
        event("RUNNING", 3),
        event("COMPLETE", 9, outputs=[output(rows=42), output("wh.raw.items", rows=8)]),
        event("OTHER", 10, outputs=[output("wh.raw.items", id="int")]),
    ]
    found = [run_of(*order, *order) for order in itertools.permutations(events)]
    assert all(records == found[0] for records in found), "the order of events changed what is kept"
    whole = found[0][None]
    assert (whole.status, whole.rows, (whole.finished_at - whole.started_at).total_seconds()) == ("succeeded", 50, 540)
    assert whole.scheduled_for == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert whole.heartbeat_at == datetime(2026, 11, 20, 13, 3, tzinfo=UTC)
    assert (found[0]["raw.orders"].rows, found[0]["raw.items"].rows) == (42, 8)
    assert {record.status.value for record in found[0].values()} == {"succeeded"}


def test_of_two_ends_the_later_one_counts_and_a_success_has_no_error():
    failed = event("FAIL", 5, errorMessage={"message": "boom", "programmingLanguage": "PYTHON"})
    for order in itertools.permutations([failed, event("COMPLETE", 9)]):
        record = run_of(*order)[None]
        assert (record.status, record.error) == ("succeeded", None)
    assert run_of(event("COMPLETE", 1), failed)[None].error == "boom"


def test_rows_are_unknown_where_an_output_does_not_tell_them():
    records = run_of(event(outputs=[output(rows=1), output("wh.raw.items")]))
    assert (records[None].rows, records["raw.items"].rows) == (None, None)


def test_a_start_after_the_end_says_no_length():
    assert run_of(event("START", 9), event("COMPLETE", 5))[None].started_at is None


def test_changes_of_columns_are_told_as_source_schema_change_reads_them():
    before = {"raw.orders": ("id\tint", "note\ttext", "at\ttimestamp with time zone")}
    told = output(id="bigint", at="timestamp with time zone", total="double")
    records = run_of(event(outputs=[told]), before=before)
    lines = [
        "type_changed: raw.orders.id from int to bigint",
        "column_removed: raw.orders.note (text)",
        "column_added: raw.orders.total (double)",
    ]
    assert records["raw.orders"].extra["schema_changes"].splitlines() == lines
    assert records[None].extra["schema_changes"].splitlines() == lines
    assert records[None].schema_version != run_of(event(outputs=[output(id="int")]))[None].schema_version
    assert "schema_changes" not in run_of(event(outputs=[told]))[None].extra


def test_nested_columns_stand_under_their_parents():
    told = output()
    told["facets"]["schema"] = {"fields": [{"name": "who", "type": "struct", "fields": [{"name": "id", "type": "int"}, {}]}, 7]}
    assert run_of(event(outputs=[told]))["raw.orders"].extra["columns"].splitlines() == ["who\tstruct", "who.id\tint"]


def test_datasets_of_unknown_namespaces_and_odd_names_have_no_place_in_the_lineage():
    told, edges = read_event(
        event(
            outputs=[
                {"namespace": "s3://lake", "name": "a/b.parquet"},
                output("one.two.three.four", rows=2),
                output("wh.raw.with space", rows=1),
                output("wh.raw." + '"' * 900),
            ]
        ),
        source().names(resolve),
        NOW,
    )
    assert set(told.outputs) == {"a/b.parquet", "one.two.three.four", 'raw."with space"', "wh.raw." + '"' * 900}
    assert edges == (Edge('main:raw."with space"', "ol/load_orders"),)


def test_a_clock_that_is_a_little_ahead_is_bounded_and_one_far_ahead_refused():
    names = source().names(resolve)
    near = event() | {"eventTime": "2026-11-20T14:04:00Z"}
    assert read_event(near, names, NOW)[0].at == NOW
    with pytest.raises(ValueError, match="5 minutes in the future"):
        read_event(event() | {"eventTime": "2026-11-20T14:06:00Z"}, names, NOW)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"eventTime": None}, "eventTime is missing"),
        ({"eventTime": 1763640000}, "eventTime is missing or no time"),
        ({"eventTime": "yesterday"}, "no time"),
        ({"eventType": "DONE"}, "one of START"),
        ({"eventType": ["START"]}, "one of START"),
        ({"run": "x"}, "run is missing"),
        ({"run": {"runId": ""}}, "run.runId is missing"),
        ({"run": {"runId": "x" * 201}}, "longer than 200 bytes"),
        ({"job": {"namespace": "etl"}}, "job.name is missing"),
        ({"job": {"namespace": "etl", "name": "a\x00b"}}, "control characters"),
        ({"job": {"namespace": "etl", "name": "ä" * 600}}, "longer than 1000 bytes"),
        ({"outputs": {}, "inputs": 3}, "inputs must be a list"),
        ({"outputs": [1]}, "outputs must be a list"),
        ({"outputs": [{"name": "x"}]}, "namespace of a dataset is missing"),
        ({"outputs": [output(str(n)) for n in range(1_001)]}, "1,000 are taken at most"),
    ],
)
def test_an_event_that_is_none_is_refused_in_words(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_event(event() | change, source().names(resolve), NOW)


@pytest.mark.parametrize("event", [None, [], "x", 3, {}])
def test_anything_else_is_no_event(event):
    with pytest.raises(ValueError):
        read_event(event, source().names(resolve), NOW)
