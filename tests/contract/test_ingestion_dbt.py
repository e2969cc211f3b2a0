"""The dbt source on the artifacts that dbt 1.12 really wrote, and on files that are half there, huge or no files at all."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ingestion_contract import check_source

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.dbt import Dbt, DbtOptions

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "dbt"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)


@pytest.fixture
def target(tmp_path):
    """A target folder after `dbt build` and `dbt source freshness`."""
    put(tmp_path, "manifest")
    put(tmp_path, "run_results.build", "run_results")
    put(tmp_path, "sources")
    return tmp_path


def put(folder, recorded, name=None, at=NOW):
    path = shutil.copyfile(FIXTURES / f"{recorded}.json", folder / f"{name or recorded}.json")
    os.utime(path, (at.timestamp(), at.timestamp()))


def edit(folder, name, change):
    path = folder / f"{name}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def dbt(folder, **options):
    return Dbt("warehouse_dbt", DbtOptions(target=str(folder), **options), None)


def summary(records):
    return [(r.pipeline, r.table, r.status.value, r.rows_rejected) for r in records]


def only(records, pipeline, table):
    (found,) = [record for record in records if (record.pipeline, record.table) == (pipeline, table)]
    return found


def test_a_build_whose_tests_failed_has_failed_and_skipped_tables_are_told(target):
    records = check_source(dbt(target), SINCE, NOW)
    assert len(records) == 9
    build = [r for r in records if r.pipeline == "shop"]
    assert summary(build) == [
        ("shop", None, "failed", 3),
        ("shop", "main.stg_orders", "succeeded", 3),
        ("shop", "main.bad_model", "skipped", None),
        ("shop", "main.downstream", "skipped", None),
    ]
    assert {r.load_id for r in build} == {"c3c85ee1-fad4-4da5-a735-93722eda2fc6"}
    whole, table = build[0], build[1]
    assert (whole.started_at, whole.finished_at) == (
        datetime(2026, 11, 20, 13, 6, 10, 165289, UTC),
        datetime(2026, 11, 20, 13, 6, 13, 320342, UTC),
    )
    assert "2 of 7 failed: test.shop.not_null_stg_orders_amount.2546645448: Got 1 result" in whole.error
    assert table.finished_at == datetime(2026, 11, 20, 13, 6, 13, 162249, UTC)
    assert (whole.rows, table.rows) == (None, None), "DuckDB's adapter says no rows, and that is not 0"


def test_a_model_that_failed_keeps_dbts_words(target):
    put(target, "run_results.run_with_model_error", "run_results")
    records = check_source(dbt(target), SINCE, NOW)
    run = [r for r in records if r.pipeline == "shop"]
    assert [(r.table, r.status.value) for r in run] == [
        (None, "failed"),
        ("main.stg_orders", "succeeded"),
        ("main.bad_model", "failed"),
        ("main.downstream", "skipped"),
    ]
    assert 'Referenced column "no_such_column" not found' in only(run, "shop", "main.bad_model").error


def test_a_source_that_is_absent_from_sources_json_has_failed(target):
    records = check_source(dbt(target), SINCE, NOW)
    absent = only(records, "shop.freshness", "raw.missing_table")
    assert (absent.status, absent.data_through) == (LoadStatus.FAILED, None)
    assert "has measured no freshness" in absent.error
    stale, warned, fresh = (only(records, "shop.freshness", f"raw.{name}") for name in ("orders", "customers", "events"))
    assert (stale.status, stale.error) == (LoadStatus.FAILED, "its newest row was 1d 6h old (warn after 12 hour, error after 24 hour)")
    assert (warned.status, warned.raw_status) == (LoadStatus.SUCCEEDED, "warn")
    assert "20h" in warned.error
    assert (fresh.status, fresh.error, fresh.data_through) == (LoadStatus.SUCCEEDED, None, datetime(2026, 11, 20, 13, 4, 5, 871205, UTC))
    assert only(records, "shop.freshness", None).error.startswith("2 of 4 failed")


def test_when_all_that_is_left_is_fine_an_absent_source_alone_fails_the_freshness(target):
    edit(target, "sources", lambda content: content.update(results=content["results"][:2]))
    edit(target, "manifest", lambda content: content["sources"].pop("source.shop.raw.orders"))
    assert only(dbt(target).loads(SINCE, NOW), "shop.freshness", None).status is LoadStatus.FAILED
    selected = dbt(target, expect_all_sources=False).loads(SINCE, NOW)
    assert only(selected, "shop.freshness", None).status is LoadStatus.SUCCEEDED
    assert "raw.missing_table" not in {r.table for r in selected}


def test_a_source_without_limits_is_not_expected(target):
    def unlimit(content):
        content["sources"]["source.shop.raw.missing_table"]["freshness"] = {"warn_after": {"count": None}, "error_after": None}

    edit(target, "manifest", unlimit)
    assert "raw.missing_table" not in {r.table for r in dbt(target).loads(SINCE, NOW)}


def test_a_source_that_could_not_be_queried_has_failed_with_the_reason(target):
    broken = {"unique_id": "source.shop.raw.orders", "status": "runtime error", "error": "relation raw.orders does not exist"}
    edit(target, "sources", lambda content: content.update(results=[broken]))
    found = only(dbt(target).loads(SINCE, NOW), "shop.freshness", "raw.orders")
    assert (found.status, found.error) == (LoadStatus.FAILED, "relation raw.orders does not exist")


def test_dbt_test_is_a_pipeline_of_its_own_and_no_load(target):
    def only_tests(content):
        content["args"]["which"] = "test"
        content["results"] = [r for r in content["results"] if r["unique_id"].startswith("test.")]

    edit(target, "run_results", only_tests)
    found = [r for r in check_source(dbt(target), SINCE, NOW) if r.pipeline != "shop.freshness"]
    assert summary(found) == [("shop.tests", None, "failed", 3), ("shop.tests", "main.stg_orders", "failed", 3)]


@pytest.mark.parametrize("which", ["compile", "generate", "show", "parse", None, 7])
def test_a_command_that_loads_nothing_is_no_load(target, which):
    edit(target, "run_results", lambda content: content["args"].update(which=which))
    assert {r.pipeline for r in dbt(target).loads(SINCE, NOW)} == {"shop.freshness"}


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        ({"_message": "SELECT 5", "code": "SELECT", "rows_affected": 5}, 5),
        ({"_message": "INSERT 0 0", "code": "INSERT", "rows_affected": 0}, 0),
        ({"_message": "CREATE VIEW", "code": "CREATE VIEW", "rows_affected": -1}, None),
        ({"_message": "SUCCESS 1", "code": "SUCCESS", "rows_affected": 1}, None),
        ({}, None),
        ("OK", None),
    ],
    ids=["select", "nothing", "view", "snowflake-ctas", "silent", "text"],
)
def test_rows_are_what_the_adapter_says_and_means(target, answer, rows):
    edit(target, "run_results", lambda content: content["results"][0].update(adapter_response=answer))
    found = dbt(target).loads(SINCE, NOW)
    assert only(found, "shop", "main.stg_orders").rows == rows
    assert only(found, "shop", None).rows == rows


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["success"], "succeeded"),
        (["success", "warn"], "succeeded"),
        (["success", "partial success"], "failed"),
        (["success", "a word of the future"], "unknown"),
        (["skipped", "no-op"], "skipped"),
        ([], "unknown"),
    ],
)
def test_an_invocation_is_as_good_as_its_worst_node(target, statuses, expected):
    results = [{"unique_id": f"model.shop.m{n}", "status": status} for n, status in enumerate(statuses)]
    edit(target, "run_results", lambda content: content.update(results=results))
    assert only(dbt(target).loads(SINCE, NOW), "shop", None).status.value == expected


def test_two_tables_of_one_name_are_told_apart_by_their_database(target):
    def twice(content):
        model = content["nodes"]["model.shop.stg_orders"]
        content["nodes"]["model.shop.stg_orders_eu"] = {**model, "unique_id": "model.shop.stg_orders_eu", "database": "eu"}

    edit(target, "manifest", twice)
    (info,) = [i for i in dbt(target).pipelines() if i.pipeline == "shop"]
    assert info.tables == ("eu.main.stg_orders", "main.bad_model", "main.downstream", "wh.main.stg_orders")


def test_a_node_that_the_manifest_no_longer_knows_goes_by_its_name(target):
    edit(target, "manifest", lambda content: content["nodes"].pop("model.shop.bad_model"))
    assert "bad_model" in {r.table for r in dbt(target).loads(SINCE, NOW)}


def test_the_pipelines_name_their_tables(target):
    found = {info.pipeline: info.tables for info in dbt(target).pipelines()}
    models = ("main.bad_model", "main.downstream", "main.stg_orders")
    sources = ("raw.customers", "raw.events", "raw.missing_table", "raw.orders")
    assert found == {"shop": models, "shop.tests": models, "shop.freshness": sources}


def test_all_records_of_a_long_run_are_of_the_window_in_which_its_file_appeared(target):
    """The first table of a long run was done long before dbt wrote the file."""
    window = datetime(2026, 11, 20, 13, 6, 13, 200000, UTC), datetime(2026, 11, 20, 13, 6, 14, tzinfo=UTC)
    assert len(dbt(target).loads(*window)) == 4


def test_a_file_that_was_copied_late_is_read_in_the_window_in_which_it_came(target):
    late = NOW + timedelta(hours=5)
    for name in ("run_results.build", "sources"):
        put(target, name, name.partition(".")[0], at=late)
    window = late - timedelta(minutes=1), late + timedelta(minutes=1)
    assert len(dbt(target).loads(*window)) == 9
    assert dbt(target).loads(late + timedelta(minutes=1), late + timedelta(minutes=2)) == ()


def test_before_the_first_run_there_are_no_records(target):
    (target / "run_results.json").unlink()
    (target / "sources.json").unlink()
    assert dbt(target).loads(SINCE, NOW) == ()


@pytest.mark.parametrize("ask", [lambda source: source.loads(SINCE, NOW), lambda source: source.pipelines()])
def test_without_a_manifest_the_source_cannot_be_read(tmp_path, ask):
    with pytest.raises(SourceError, match=r"warehouse_dbt: there is no manifest\.json; target: must be dbt's target folder"):
        ask(dbt(tmp_path))


@pytest.mark.parametrize("cut", [0, 1, 100, 5000])
@pytest.mark.parametrize("name", ["manifest", "run_results", "sources"])
def test_a_half_written_file_is_an_error_and_is_read_again(target, name, cut):
    path, source = target / f"{name}.json", dbt(target)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut] if cut else b"")
    if cut < len(whole):
        with pytest.raises(SourceError, match=rf"{name}\.json is being written, or was cut short .* read again at the next poll"):
            source.loads(SINCE, NOW)
    path.write_bytes(whole)
    assert len(source.loads(SINCE, NOW)) == 9


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(target, monkeypatch):
    source, read = dbt(target), []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda raw, **options: read.append(len(raw)) or loads(raw, **options))
    source.pipelines()
    first = source.loads(SINCE, NOW)
    assert len(read) == 3
    assert source.loads(SINCE, NOW) == first
    assert len(read) == 3, "a file that did not change was parsed again"
    put(target, "run_results.run_with_model_error", "run_results")
    assert source.loads(SINCE, NOW) != first
    assert len(read) == 4


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[1, 2]", "is no JSON object"),
        (b'{"a": ' + b"[" * 30_000, "is nested too deeply|has more than"),
        (b'{"a": [' + b"[]," * 100_000 + b"[]]}", "has more than 65536 values"),
        (b'{"a": "' + b" " * 1024**2 + b'"}', "is larger than 1 MB; max_file_mb permits more"),
        (b"{}", "is not what dbt writes: a metadata.dbt_schema_version of run-results"),
        (b'{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json"}}', "is not what dbt writes"),
        (b'{"metadata": 3, "results": 4}', "is not what dbt writes"),
        (b"\xff\xfe\x00", "is being written, or was cut short"),
    ],
    ids=["list", "deep", "values", "large", "empty", "no-time", "numbers", "bytes"],
)
def test_a_file_that_is_not_dbts_is_one_clear_error(target, content, problem):
    (target / "run_results.json").write_bytes(content)
    with pytest.raises(SourceError, match=problem):
        dbt(target, max_file_mb=1).loads(SINCE, NOW)


@pytest.mark.parametrize(
    "results", [None, 3, {}, [], [1, None], [{}], [{"unique_id": None, "status": [], "timing": 3, "adapter_response": 1}]]
)
@pytest.mark.parametrize("name", ["run_results", "sources"])
def test_odd_results_never_break_nor_pass(target, name, results):
    edit(target, name, lambda content: content.update(results=results))
    found = only(check_source(dbt(target), SINCE, NOW), "shop" if name == "run_results" else "shop.freshness", None)
    assert found.status in (LoadStatus.UNKNOWN, LoadStatus.FAILED)
    assert found.error


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(target):
    (target / "sources.json").unlink()
    os.mkfifo(target / "sources.json")
    with pytest.raises(SourceError, match=r"sources\.json is no plain file"):
        dbt(target).loads(SINCE, NOW)


def test_a_folder_that_may_not_be_read_is_an_error(target):
    (target / "sources.json").unlink()
    (target / "sources.json").symlink_to("sources.json")
    with pytest.raises(SourceError, match=r"sources\.json cannot be read: Too many levels"):
        dbt(target).loads(SINCE, NOW)


def test_a_large_manifest_is_read_with_little_memory(target):
    """Code and documentation, the bulk of a manifest, never pile up."""
    text = "select 1 -- " + "x" * 2_000

    def grow(content):
        model = content["nodes"]["model.shop.stg_orders"] | {"raw_code": text, "compiled_code": text}
        content["nodes"] |= {f"model.shop.m{n}": model | {"name": f"m{n}", "alias": f"m{n}"} for n in range(3_000)}

    edit(target, "manifest", grow)
    size = (target / "manifest.json").stat().st_size
    assert size > 15e6
    source = dbt(target)
    tracemalloc.start()
    try:
        assert len(source.pipelines()[0].tables) == 3_003
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3.5 * size, f"{peak / 1e6:.0f} MB for a file of {size / 1e6:.0f} MB"
    assert kept < 0.7 * size, f"{kept / 1e6:.0f} MB stay"
