"""What each tool really left behind (tests/fixtures/ingestion, tests/fixtures/dlt), parsed: how many loads of which status."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from load_records import check_of

from dqmon.checks.orphan_load import OrphanLoad
from dqmon.core.judgement import LoadEvidence
from dqmon.core.load_record import LoadStatus

HTTP = ("airbyte", "airflow", "dagster", "fivetran", "kafka_connect", "matillion", "orchestra", "prefect")
LOADS = {
    # tool: whole loads by status, and how many records of single tables there are besides
    "airbyte": ({"succeeded": 1, "failed": 1, "running": 1}, 0),
    "airflow": ({"succeeded": 2, "failed": 2, "running": 1}, 2),
    "dagster": ({"succeeded": 1, "failed": 1, "running": 1}, 1),
    "dbt": ({"failed": 2}, 7),
    "dlt": ({"succeeded": 2, "partial": 1}, 5),
    "fivetran": ({"succeeded": 1, "failed": 1}, 0),
    "fivetran_platform": ({"succeeded": 1, "failed": 1}, 2),
    "kafka_connect": ({"failed": 1}, 0),
    "matillion": ({"succeeded": 1, "failed": 1, "running": 1}, 0),
    "meltano": ({"succeeded": 1, "failed": 1}, 1),
    "orchestra": ({"succeeded": 1, "failed": 1, "running": 1}, 0),
    "prefect": ({"succeeded": 1, "failed": 1, "running": 1, "queued": 1}, 0),
    "sqlmesh": ({"succeeded": 3}, 0),
}


def made(fixture, *given):
    """What a fixture of another test file makes, without pytest's own call."""
    return contextmanager(fixture.__wrapped__)(*given)


@contextmanager
def recorded(tool, tmp_path):
    """The source of a tool on its recorded state, and the window that its own tests read."""
    tests = importlib.import_module(f"test_ingestion_{tool}")
    with ExitStack() as stack:
        if tool in ("dagster", "prefect"):
            source = tests.source(stack.enter_context(made(tests.replay, tests.Server())))
        elif tool in HTTP:
            source = tests.source(stack.enter_context(made(tests.server)))
        elif tool == "meltano":
            engine, warehouse = stack.enter_context(made(tests.place, SimpleNamespace(param="sqlite"), tmp_path))
            tests.write(engine, tests.recorded())
            source = tests.source.__wrapped__((engine, warehouse))
        elif tool == "dlt":
            engine, warehouse = stack.enter_context(made(tests.place, SimpleNamespace(param="duckdb"), tmp_path))
            tests.load(engine, tests.recorded("duckdb_after_failed_load"))
            source = tests.dlt_source(warehouse)
        elif tool == "sqlmesh":
            place = tests.Place("sqlite", tmp_path)
            stack.callback(place.warehouse.close)
            source = place.source()
        elif tool == "fivetran_platform":
            place = tests.Place("sqlite", tmp_path, None)
            stack.callback(place.warehouse.close)
            place.write(*json.loads(tests.FIXTURE.read_text()))
            source = place.source
        else:
            source = tests.dbt(tests.target.__wrapped__(tmp_path))
        yield source, tests.SINCE, tests.NOW


@pytest.mark.parametrize("tool", sorted(LOADS))
def test_all_that_was_recorded_is_parsed(tool, tmp_path):
    with recorded(tool, tmp_path) as (source, since, until):
        records = source.loads(since, until)
    whole, of_tables = LOADS[tool]
    found = Counter(record.status.value for record in records if record.table is None)
    assert (dict(found), sum(record.table is not None for record in records)) == (whole, of_tables)
    print(f"\n{tool}: {len(records)} of {sum(whole.values()) + of_tables} records parsed right")


def test_a_partial_load_of_dlt_is_an_orphan_and_no_success(tmp_path):
    with recorded("dlt", tmp_path) as (source, since, until):
        records = source.loads(since, until)
    rule = OrphanLoad(grace=1800)
    check = check_of(rule)
    found = rule.judge(check, LoadEvidence(records, since, until, until))
    assert (found.verdict.value, "1795179862.2154412" in found.reason) == ("fail", True)
    assert [r.status for r in records if r.load_id == "1795179862.2154412"] == [LoadStatus.PARTIAL] * 2


def test_a_source_of_dbt_that_is_absent_from_its_report_is_told(tmp_path):
    with recorded("dbt", tmp_path) as (source, since, until):
        (absent,) = [record for record in source.loads(since, until) if record.table == "raw.missing_table"]
    assert (absent.pipeline, absent.status) == ("shop.freshness", LoadStatus.FAILED)
