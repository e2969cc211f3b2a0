"""Check files: what they declare, how levels merge, and every mistake at its line."""

from __future__ import annotations

import textwrap
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.config.build import Built, build
from dqmon.config.check_file import declared
from dqmon.config.registries import Registries
from dqmon.config.report import Report
from dqmon.config.targets import Facts, WarehouseFacts, place
from dqmon.config.yaml_lines import YamlList, YamlMap, parse_yaml
from dqmon.core.check import Check, Hold, PartitionBy, PipelineRef, Schedule, SourceLine
from dqmon.core.table import TableRef
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Severity
from dqmon.errors import Problem

REGISTRIES = Registries()
WAREHOUSES = {
    "main": WarehouseFacts("main", "main", grammar="duckdb"),
    "shop": WarehouseFacts("shop", "public", "shopdb", "Europe/Berlin"),
    "lite": WarehouseFacts("lite"),
}
SOURCES = {"loader": frozenset({"success", "rows", "orphans"}), "blind": frozenset({"success"}), "broken": None}


def built(*texts: str, require_runbook: str = "never", runbook_hosts: tuple[str, ...] = ()) -> tuple[Built, list[Problem], list[Problem]]:
    facts = Facts(WAREHOUSES, SOURCES, require_runbook, runbook_hosts)
    report = Report("")
    entries = []
    for number, text in enumerate(texts, 1):
        own = report.of(f"checks/{number}.yaml")
        data = parse_yaml(textwrap.dedent(text), own)
        entries.extend(declared(data, own, REGISTRIES.checks) if data is not None else ())
    placed = [found for entry in entries if (found := place(entry, facts))]
    return build(placed, facts), report.errors, report.warnings


def checks(*texts: str, **options: object) -> list[Check]:
    found, errors, _ = built(*texts, **options)  # type: ignore[arg-type]
    assert not errors, [str(problem) for problem in errors]
    return found.checks


def only(text: str, **options: object) -> Check:
    (check,) = checks(text, **options)
    return check


def entry(check: str, keys: str = "") -> str:
    return f"version: 1\ndatasets:\n  - dataset: orders\n{textwrap.indent(keys, '    ')}    checks:\n      - {check}\n"


EVERYTHING = """\
version: 1
defaults: {warehouse: shop, owner: data-platform, tags: [all], schedule: "*/30 * * * *", timezone: Europe/Berlin, filter: a = 1}
datasets:
  - dataset: sales.orders
    upstream: [loader/orders, customers]
    tags: [finance]
    runbook: https://wiki.example.com/rb
    partition: {column: created_at, grain: day, lookback: 2, lag: 3h}
    filter: b = 2
    checks:
      - completeness:
          column: customer_id
          name: strict
          description: why
          severity: critical
          warn_severity: info
          error_severity: error
          schedule: {cron: "15 * * * *", timezone: America/New_York}
          filter: c = 3
          tags: [own, finance]
          segment_by: [region]
          max_segments: 7
          warn_if: "> 0"
          fail_if: "> 0.5%"
          for: 2
          recover_after: 30m
          on_error: record
          on_no_data: fail
          was: shop:sales.orders.old
"""


def test_a_check_has_all_that_its_levels_say() -> None:
    check = only(EVERYTHING)
    assert check.id == "shop:sales.orders.completeness.customer_id.strict"
    assert check.table == TableRef("shop", None, "sales", "orders")
    assert check.source == SourceLine("checks/1.yaml", 11)
    assert (check.name, check.was, check.description) == ("strict", "shop:sales.orders.old", "why")
    assert (check.severity, check.warn_severity, check.error_severity) == (Severity.CRITICAL, Severity.INFO, Severity.ERROR)
    assert (check.owner, check.runbook) == ("data-platform", "https://wiki.example.com/rb")
    assert check.tags == ("all", "finance", "own")
    assert check.schedule == Schedule("15 * * * *", None, "America/New_York")
    assert (check.timezone, check.naive_timezone) == ("Europe/Berlin", "Europe/Berlin")
    assert check.where == "((a = 1) and (b = 2)) and (c = 3)"
    assert check.partition == PartitionBy("created_at", "day", 2, 10_800)
    assert (check.segment_by, check.max_segments) == (("region",), 7)
    assert (check.warn_if, check.fail_if) == (Threshold(">", Decimal(0)), Threshold(">", Decimal("0.5"), None, True))
    assert (check.hold_for, check.recover_after) == (Hold(2, None), Hold(None, 1800))
    assert (check.on_error, check.on_no_data) == ("record", "fail")
    assert check.upstream == ("loader/orders", "shop:public.customers")


def test_a_check_that_says_nothing_has_the_documented_defaults() -> None:
    check = only(entry("completeness: {column: a}"))
    assert check.id == "main.orders.completeness.a"
    assert (check.severity, check.warn_severity, check.error_severity) == (Severity.WARNING,) * 3
    assert check.fail_if == Threshold(">", Decimal(0))
    assert check.warn_if is None
    assert (check.owner, check.runbook, check.schedule, check.where, check.partition) == (None,) * 5
    assert (check.tags, check.segment_by, check.max_segments) == ((), (), 50)
    assert (check.timezone, check.naive_timezone, check.on_error, check.on_no_data) == ("UTC", "UTC", "alert", "skip")
    assert (check.hold_for, check.recover_after) == (Hold(1, None), Hold(1, None))


def test_only_warn_if_never_fails() -> None:
    assert only(entry('completeness: {column: a, warn_if: "> 1%"}')).fail_if is None


def test_null_unsets_what_outer_levels_gave() -> None:
    text = """\
    version: 1
    defaults: {owner: a, filter: x = 1, tags: [t], schedule: {every: 15m}}
    datasets:
      - dataset: orders
        filter: null
        checks:
          - completeness: {column: a}
          - completeness: {column: b, owner: null, tags: null, schedule: null, filter: y = 2}
    """
    first, second = checks(text)
    assert (first.owner, first.where, first.tags, first.schedule) == ("a", None, ("t",), Schedule(None, 900, "UTC"))
    assert (second.owner, second.where, second.tags, second.schedule) == (None, "y = 2", (), None)


@pytest.mark.parametrize(
    ("dataset", "check", "id_"),
    [
        ("orders", "completeness: {column: a}", "main.orders.completeness.a"),
        ("main.orders", "completeness: {column: a}", "main.orders.completeness.a"),
        ("other.orders", "completeness: {column: a}", "other.orders.completeness.a"),
        ("cat.other.orders", "completeness: {column: a}", "cat.other.orders.completeness.a"),
        ('"my.table"', "completeness: {column: a}", 'main."my.table".completeness.a'),
        ("orders", "uniqueness: {columns: [b, a]}", "main.orders.uniqueness.b.a"),
        ("orders", 'completeness: {column: "a.b"}', 'main.orders.completeness."a.b"'),
        ("orders", "row_count: {min: 1, name: few}", "main.orders.row_count.few"),
        ("orders", "row_count: {min: 1, id: my-own}", "my-own"),
        ("orders", "schema_drift", "main.orders.schema_drift"),
        ("orders", "schema_drift: {}", "main.orders.schema_drift"),
        ("orders", "schema_drift:", "main.orders.schema_drift"),
    ],
)
def test_ids_are_derived(dataset: str, check: str, id_: str) -> None:
    assert only(f"version: 1\ndatasets:\n  - dataset: '{dataset}'\n    checks:\n      - {check}\n").id == id_


@pytest.mark.parametrize(
    ("warehouse", "dataset", "id_"),
    [
        ("shop", "orders", "shop:public.orders.schema_drift"),
        ("shop", "shopdb.public.orders", "shop:public.orders.schema_drift"),
        ("shop", "otherdb.public.orders", "shop:otherdb.public.orders.schema_drift"),
        ("lite", "orders", "lite:orders.schema_drift"),
        ("main", "orders", "main.orders.schema_drift"),
    ],
)
def test_the_first_warehouse_and_a_warehouses_own_catalog_are_left_out(warehouse: str, dataset: str, id_: str) -> None:
    assert only(f"version: 1\ndatasets: [{{dataset: {dataset}, warehouse: {warehouse}, checks: [schema_drift]}}]").id == id_


def test_thresholds_severity_filter_and_schedule_never_enter_the_id() -> None:
    plain = only(entry("completeness: {column: a}"))
    dressed = only(entry('completeness: {column: a, fail_if: "> 1%", severity: info, filter: x = 1, schedule: {every: 5m}, tags: [t]}'))
    assert plain.id == dressed.id


def test_a_pipeline_check() -> None:
    text = """\
    version: 1
    ingestion:
      - pipeline: loader/orders_sync
        severity: error
        checks:
          - last_success: {warn_after: 2h, fail_after: 4h, name: sla}
    """
    check = only(text)
    assert (check.id, check.pipeline, check.table) == ("loader/orders_sync.last_success.sla", PipelineRef("loader", "orders_sync"), None)
    assert (check.severity, check.subject) == (Severity.ERROR, "loader/orders_sync")


def test_defaults_for_tables_do_not_reach_pipelines() -> None:
    text = """\
    version: 1
    defaults: {filter: a = 1, partition: {column: d}, segment_by: [r], warehouse: shop}
    ingestion: [{pipeline: loader/x, checks: [last_success: {fail_after: 1h}]}]
    """
    check = only(text)
    assert (check.where, check.partition, check.segment_by) == (None, None, ())


def test_schema_drift_takes_no_segments_from_its_entry() -> None:
    assert only(entry("schema_drift", "segment_by: [a]\n")).segment_by == ()


def test_disabled_checks_and_entries_are_gone() -> None:
    assert checks(entry("completeness: {column: a, enabled: false}")) == []
    assert checks(entry("completeness: {column: a}", "enabled: false\n")) == []
    assert (
        len(
            checks(
                "version: 1\ndefaults: {enabled: false}\n" + entry("completeness: {column: a, enabled: true}").removeprefix("version: 1\n")
            )
        )
        == 1
    )


def test_lineage_has_tables_and_pipelines_as_nodes() -> None:
    text = """\
    version: 1
    datasets:
      - {dataset: a, upstream: [b, loader/x], checks: [schema_drift]}
      - {dataset: b, upstream: [raw.c]}
    """
    found, errors, _ = built(text)
    assert errors == []
    assert found.lineage.parents == {"main:main.a": {"main:main.b", "loader/x"}, "main:main.b": {"main:raw.c"}}
    assert found.lineage.ancestors("main:main.a") == {"main:main.b", "loader/x", "main:raw.c"}


MISTAKES = [
    # (text, line, words)
    ("version: 2\ndatasets: []\n", 1, "version is 2; this dqmon reads version 1"),
    ("datasets: [{dataset: a, checks: [schema_drift]}]\n", 1, "'version' is missing"),
    ("version: 1\n", None, "the file declares no checks"),
    ("version: 1\ndatsets: []\n", 2, "unknown key 'datsets'; did you mean 'datasets'?"),
    ("version: 1\ndatasets: {dataset: a}\n", 2, "datasets must be a list"),
    ("version: 1\ndatasets:\n  - orders\n", 3, "'orders' is no entry"),
    ("version: 1\ndefaults: [a]\ndatasets: [{dataset: a, checks: [schema_drift]}]\n", 2, "defaults must be a mapping"),
    (
        "version: 1\ndefaults:\n  ownr: a\ndatasets: [{dataset: a, checks: [schema_drift]}]\n",
        3,
        "unknown key 'ownr'; did you mean 'owner'?",
    ),
    ("version: 1\ndefaults:\n  name: a\ndatasets: [{dataset: a, checks: [schema_drift]}]\n", 3, "unknown key 'name'"),
    ("version: 1\ndatasets:\n  - checks: [schema_drift]\n", 3, "'dataset' is missing"),
    ("version: 1\ndatasets:\n  - dataset: a\n", 3, "the entry has no checks"),
    ("version: 1\ndatasets:\n  - dataset: a\n    chekcs: [schema_drift]\n", 4, "unknown key 'chekcs'; did you mean 'checks'?"),
    ("version: 1\ndatasets:\n  - dataset: a\n    checks: schema_drift\n", 4, "checks must be a list"),
    ("version: 1\ndatasets:\n  - dataset: a..b\n    checks: [schema_drift]\n", 3, "is not a dataset"),
    ('version: 1\ndatasets:\n  - dataset: "\\"open"\n    checks: [schema_drift]\n', 3, "open quote"),
    ("version: 1\ndatasets:\n  - dataset: a.b.c.d\n    checks: [schema_drift]\n", 3, "has 4 parts"),
    (
        "version: 1\ndatasets:\n  - dataset: a\n    warehouse: mian\n    checks: [schema_drift]\n",
        4,
        "unknown warehouse 'mian'; did you mean 'main'?",
    ),
    ("version: 1\ndatasets:\n  - dataset: a\n    include: views\n    checks: [schema_drift]\n", 4, "stands on a pattern only"),
    (
        "version: 1\ndatasets:\n  - dataset: a\n    slo: {score: 98%}\n    checks: [schema_drift]\n",
        4,
        "'slo' is not supported by this version yet",
    ),
    (
        "version: 1\ndatasets:\n  - dataset: a\n    upstream: [lodaer/x]\n    checks: [schema_drift]\n",
        4,
        "unknown ingestion source 'lodaer'; did you mean 'loader'?",
    ),
    ("version: 1\ndatasets:\n  - dataset: a\n    upstream: [raw.*]\n    checks: [schema_drift]\n", 4, "is a pattern; write each name"),
    (
        "version: 1\ndatasets:\n  - dataset: a\n    upstream: [a]\n    checks: [schema_drift]\n",
        4,
        "upstream goes in a circle: main.a <- main.a",
    ),
    (
        "version: 1\ndatasets:\n  - {dataset: a, upstream: [b], checks: [schema_drift]}\n  - {dataset: b, upstream: [a]}\n",
        3,
        "upstream goes in a circle",
    ),
    (
        "version: 1\ningestion:\n  - pipeline: x\n    checks: [last_success: {fail_after: 1h}]\n",
        3,
        "'x' is not a pipeline; write source/pipeline",
    ),
    ("version: 1\ningestion:\n  - pipeline: loadr/x\n    checks: [last_success: {fail_after: 1h}]\n", 3, "did you mean 'loader'?"),
    (
        "version: 1\ningestion:\n  - pipeline: loader/x\n    filter: a = 1\n    checks: [last_success: {fail_after: 1h}]\n",
        4,
        "unknown key 'filter'",
    ),
    (
        "version: 1\ningestion:\n  - pipeline: loader/x\n    checks:\n      - completeness: {column: a}\n",
        5,
        "completeness checks a dataset, not a pipeline; put it under datasets:",
    ),
    ("version: 1\ningestion:\n  - pipeline: blind/x\n    checks:\n      - orphan_load\n", 5, "which the source 'blind' cannot tell"),
    ('version: 1\ndatasets:\n  - dataset: "a\\0b"\n    checks: [schema_drift]\n', 3, "'a\\x00b' holds NUL"),
    (entry("schema_drift", "filter: a = 1; drop table x\n"), 4, "filter: the SQL"),
    (entry("schema_drift", 'filter: "a = 1) or (b = 2"\n'), 4, "filter: the SQL"),
    (entry("row_count:\n          min: 1\n          filter: select"), 7, "filter: the SQL"),
    ("version: 1\ndefaults:\n  filter: a = = 1\n" + entry("schema_drift").removeprefix("version: 1\n"), 3, "filter: the SQL"),
    (entry("last_success: {fail_after: 1h}"), 5, "last_success checks a pipeline, not a dataset; put it under ingestion:"),
    (entry("completness: {column: a}"), 5, "unknown check type 'completness'; did you mean 'completeness'?"),
    (entry("backlog: {fail_after: 1h}"), 5, "backlog checks a pipeline, not a dataset; put it under ingestion:"),
    (entry("completeness"), 5, "'column' is missing"),
    (entry("completeness: customer_id"), 5, "completeness is 'customer_id'; a mapping of options is expected"),
    (entry("completeness: {colum: a}"), 5, "unknown key 'colum'; did you mean 'column'?"),
    (entry("completeness: {column: 5}"), 5, "column is 5; text is expected"),
    (entry("completeness: {column: a, sevrity: error}"), 5, "unknown key 'sevrity'; did you mean 'severity'?"),
    (entry("completeness: {column: a, severity: eror}"), 5, "severity is 'eror', which is not one of its values; did you mean 'error'?"),
    (entry("completeness: {column: a, samples: 5}"), 5, "'samples' is not supported by this version yet"),
    (entry("completeness: {column: a, on_fail: [block]}"), 5, "'on_fail' is not supported by this version yet"),
    (entry('completeness: {column: a, fail_if: "> 5 rows"}'), 5, "fail_if: '> 5 rows' is not a threshold"),
    (entry('completeness: {column: a, fail_if: "5%"}'), 5, "fail_if: '5%' is not a threshold"),
    (entry("completeness:\n          column: a\n          timezone: America/New_Yrok"), 7, "did you mean 'America/New_York'?"),
    (entry("completeness:\n        column: a"), 6, "'column' stands beside the check 'completeness'; indent it below completeness:"),
    (entry("[completeness]"), 5, "is no check"),
    (entry("5"), 5, "5 is no check"),
    (entry("uniqueness: {columns: customer_id}"), 5, "columns is 'customer_id'; a list is expected"),
    (entry("uniqueness: {columns: [a, 5]}"), 5, "columns is 5; text is expected"),
    (entry("freshness: {column: a, fail_after: 3 hours}"), 5, "'3 hours' is not a duration"),
    (entry("freshness: {column: a, fail_after: 3}"), 5, "3 is not a duration; write a number and s, m, h, d or w"),
    (entry('freshness: {column: a, fail_after: 3h, fail_if: "> 1"}'), 5, "freshness takes no fail_if"),
    (entry('row_count: {fail_if: "< 5%"}'), 5, "row_count has no percentage, only rows"),
    (entry("schema_drift: {segment_by: [a]}"), 5, "schema_drift has no segments"),
    (entry("schema_drift: {partition: {column: a}}"), 5, "schema_drift looks at the whole table"),
    (
        entry("row_count: {min: 1}\n      - row_count: {min: 2}"),
        6,
        "the check main.orders.row_count is already declared at checks/1.yaml:5; add name:",
    ),
    (entry("row_count: {min: 1, id: x}\n      - row_count: {min: 2, id: x}"), 6, "already declared"),
    (entry("row_count: {min: 1, was: main.orders.schema_drift}\n      - schema_drift"), 5, "is the id of the check at checks/1.yaml:6"),
    (entry("row_count: {min: 1, was: old}\n      - schema_drift: {was: old}"), 6, "was: 'old' is claimed by checks/1.yaml:5 too"),
]


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES, ids=[words[:60] for _, _, words in MISTAKES])
def test_a_mistake_is_said_at_its_line(text: str, line: int | None, words: str) -> None:
    _, errors, _ = built(text)
    found = [(problem.line, str(problem)) for problem in errors]
    assert any(at == line and words in said for at, said in found), f"expected {words!r} at line {line}, found {found}"


def test_all_mistakes_are_said_at_once() -> None:
    _, errors, _ = built(MISTAKES[3][0], entry("completness: {column: a}\n      - range: {colum: b}\n      - schema_drift: {severity: x}"))
    assert [(problem.path, problem.line) for problem in errors if "is missing" not in problem.message] == [
        ("checks/1.yaml", 2),
        ("checks/1.yaml", None),
        ("checks/2.yaml", 5),
        ("checks/2.yaml", 6),
        ("checks/2.yaml", 7),
    ]


def test_a_source_that_could_not_be_read_is_not_held_against_its_checks() -> None:
    assert only("version: 1\ningestion: [{pipeline: broken/x, checks: [orphan_load]}]").id == "broken/x.orphan_load"


@pytest.mark.parametrize(
    ("severity", "required", "errors", "warnings"),
    [
        ("info", "critical", 0, 0),
        ("warning", "critical", 0, 0),
        ("error", "critical", 0, 1),
        ("critical", "critical", 1, 0),
        ("error", "error", 1, 0),
        ("warning", "info", 1, 0),
        ("critical", "never", 0, 1),
    ],
)
def test_a_missing_owner_or_runbook_weighs_with_the_severity(severity: str, required: str, errors: int, warnings: int) -> None:
    _, found_errors, found_warnings = built(entry(f"schema_drift: {{severity: {severity}}}"), require_runbook=required)
    assert (len(found_errors), len(found_warnings)) == (errors, warnings)
    for problem in (*found_errors, *found_warnings):
        assert f"severity {severity} has no owner and no runbook" in str(problem)
    whole = entry(f"schema_drift: {{severity: {severity}, owner: me, runbook: https://wiki.example.com/x}}")
    assert built(whole, require_runbook=required)[1:] == ([], [])


def test_a_runbook_must_be_on_an_allowed_host() -> None:
    text = entry("schema_drift", "runbook: https://evil.example/x\n")
    _, errors, _ = built(text, runbook_hosts=("wiki.example.com",))
    assert [(problem.line, "is not among runbook_hosts" in str(problem)) for problem in errors] == [(4, True)]
    assert only(entry("schema_drift", "runbook: https://wiki.example.com/x\n"), runbook_hosts=("wiki.example.com",))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["1h", "> 5%", "day", "error", "a.*", "loader/x", "\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["column", "grain", "cron", "every", "dataset", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = (
    "column",
    "columns",
    "min",
    "max",
    "to",
    "fail_if",
    "warn_if",
    "for",
    "schedule",
    "partition",
    "segment_by",
    "filter",
    "owner",
    "tags",
    "severity",
    "name",
    "id",
    "was",
    "x",
)


def located(value: object) -> object:
    """`value` as the reader gives it, all in line 1."""
    if isinstance(value, dict):
        found = YamlMap(1)
        found.update({key: located(item) for key, item in value.items()})
        found.lines = dict.fromkeys(value, 1)
        return found
    if isinstance(value, list):
        items = YamlList(1)
        items.extend(map(located, value))
        items.lines = [1] * len(value)
        return items
    return value


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(REGISTRIES.checks.names()),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
    st.dictionaries(st.sampled_from((*KEYS, "dataset", "pipeline", "upstream", "warehouse", "include")), VALUES, max_size=3),
)
def test_whatever_stands_there_is_read_or_reported(name: str, options: dict[str, object], keys: dict[str, object]) -> None:
    section, subject = ("ingestion", "pipeline") if REGISTRIES.checks.get(name).subject == "pipeline" else ("datasets", "dataset")
    data = located({"version": 1, section: [{subject: "loader/x", "checks": [{name: options}], **keys}]})
    assert isinstance(data, YamlMap)
    report = Report("x.yaml")
    facts = Facts(WAREHOUSES, SOURCES)
    entries = [found for one in declared(data, report, REGISTRIES.checks) if (found := place(one, facts))]
    found = build(entries, facts)
    assert found.checks or report.errors or keys.get("enabled") is False or "*" in str(keys)
