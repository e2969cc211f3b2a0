"""Patterns: what they match, and how entries of one table merge (CHECKS.md)."""

from __future__ import annotations

import textwrap

import pytest

from dqmon.config.build import build
from dqmon.config.check_file import declared
from dqmon.config.registries import Registries
from dqmon.config.report import Report
from dqmon.config.targets import Facts, Placed, Target, WarehouseFacts, place
from dqmon.config.yaml_lines import parse_yaml
from dqmon.core.check import Check, PipelineRef
from dqmon.core.table import TableRef
from dqmon.errors import Problem

REGISTRIES = Registries()
FACTS = Facts(
    {"main": WarehouseFacts("main", "main"), "shop": WarehouseFacts("shop", "public")},
    {"loader": frozenset({"success", "rows", "orphans"})},
    "never",
)


def placed(*texts: str) -> tuple[list[Placed], Report]:
    report = Report("")
    found = []
    for number, text in enumerate(texts, 1):
        own = report.of(f"{number}.yaml")
        data = parse_yaml(textwrap.dedent(text), own)
        found.extend(declared(data, own, REGISTRIES.checks) if data else ())
    return [where for entry in found if (where := place(entry, FACTS))], report


def table(name: str, schema: str = "main", warehouse: str = "main", catalog: str | None = None) -> TableRef:
    return TableRef(warehouse, catalog, schema, name)


def resolved(*texts: str, there: dict[Target, bool]) -> tuple[dict[str, Check], list[Problem]]:
    entries, report = placed(*texts)
    found = build(entries, FACTS, there)
    return {check.id: check for check in found.checks}, report.errors


def entry(dataset: str, *checks: str, keys: str = "") -> str:
    head = f"version: 1\ndatasets:\n  - dataset: '{dataset}'\n" + textwrap.indent(keys, "    ")
    return head + ("    checks:\n" + "".join(f"      - {check}\n" for check in checks) if checks else "")


@pytest.mark.parametrize(
    ("pattern", "target", "matches"),
    [
        ("*", table("orders"), True),
        ("*", table("orders", "other"), False),
        ("main.*", table("orders"), True),
        ("main.*", table("or.ders"), True),
        ("main.*", table("orders", warehouse="shop"), False),
        ("main.*", table("orders", catalog="cat"), False),
        ("main.ord*", table("orders"), True),
        ("main.ord*", table("products"), False),
        ("main.*s", table("orders"), True),
        ("main.o*r*", table("orders"), True),
        ("*.orders", table("orders", "other"), True),
        ("*.*", table("x", "y"), True),
        ("main*", table("orders"), False),
        ("cat.*.*", table("orders", catalog="cat"), True),
        ("cat.*.*", table("orders"), False),
        ("main.Ord*", table("orders"), False),
        ('main."a*b"', table("a*b"), True),
        ('main."a*b"', table("axb"), False),
        ('main."a*".*', table("axb"), False),
        ("main.a[b]*", table("a[b]c"), True),
        ("main.a[b]*", table("abc"), False),
    ],
)
def test_what_a_pattern_matches(pattern: str, target: TableRef, matches: bool) -> None:
    (found,) = placed(entry(pattern, "schema_drift"))[0]
    assert found.covers(target) is matches


@pytest.mark.parametrize(
    ("pattern", "pipeline", "matches"),
    [("loader/*", "a", True), ("loader/*", "a/b", True), ("loader/o*", "orders", True), ("loader/o*", "x", False)],
)
def test_what_a_pattern_of_pipelines_matches(pattern: str, pipeline: str, matches: bool) -> None:
    (found,) = placed(f"version: 1\ningestion: [{{pipeline: '{pattern}', checks: [orphan_load]}}]")[0]
    assert found.covers(PipelineRef("loader", pipeline)) is matches
    assert not found.covers(PipelineRef("other", pipeline))


def test_a_pattern_makes_a_check_of_each_table_but_not_of_views() -> None:
    found, errors = resolved(
        entry("main.*", "schema_drift"), there={table("a"): False, table("b"): False, table("v"): True, table("c", "x"): False}
    )
    assert errors == []
    assert list(found) == ["main.a.schema_drift", "main.b.schema_drift"]
    views, _ = resolved(entry("main.*", "schema_drift", keys="include: views\n"), there={table("v"): True})
    assert list(views) == ["main.v.schema_drift"]


def test_a_named_table_gets_what_its_patterns_say_and_its_own_word_wins() -> None:
    pattern = entry("main.*", "row_count: {min: 1}", "schema_drift", keys="owner: all\ntags: [p]\nrunbook: https://wiki.example.com/all\n")
    named = entry("orders", "row_count: {min: 100}", keys="owner: orders-team\n")
    found, errors = resolved(pattern, named, there={})
    assert errors == []
    assert sorted(found) == ["main.orders.row_count", "main.orders.schema_drift"]
    count = found["main.orders.row_count"]
    assert (count.rule.min, count.source.path) == (100, "2.yaml")  # type: ignore[attr-defined]
    assert {(check.owner, check.tags, check.runbook) for check in found.values()} == {
        ("orders-team", ("p",), "https://wiki.example.com/all")
    }


def test_the_longest_literal_prefix_wins_among_patterns() -> None:
    texts = (
        entry("main.*", "row_count: {min: 1}", keys="owner: all\n"),
        entry("main.ord*", "row_count: {min: 2}", keys="owner: orders\n"),
        entry("*", "schema_drift"),
    )
    found, errors = resolved(*texts, there={table("orders"): False, table("x"): False})
    assert errors == []
    assert {name: check.owner for name, check in found.items()} == {
        "main.orders.row_count": "orders",
        "main.orders.schema_drift": "orders",
        "main.x.row_count": "all",
        "main.x.schema_drift": "all",
    }
    assert found["main.orders.row_count"].rule.min == 2  # type: ignore[attr-defined]


def test_the_defaults_of_its_own_file_reach_a_check() -> None:
    first = "defaults: {severity: error, owner: first}\n"
    second = "defaults: {severity: info}\n"
    texts = (entry("main.*", "row_count: {min: 1}"), entry("orders", "schema_drift"))
    found, errors = resolved(
        texts[0].replace("datasets:", first + "datasets:"), texts[1].replace("datasets:", second + "datasets:"), there={}
    )
    assert errors == []
    assert {name: (check.severity.value, check.owner) for name, check in found.items()} == {
        "main.orders.schema_drift": ("info", None),
        "main.orders.row_count": ("error", "first"),
    }


@pytest.mark.parametrize(
    ("first", "second", "line", "words"),
    [
        (entry("main.a*", "schema_drift", keys="owner: x\n"), entry("main.*a", "row_count: {min: 1}", keys="owner: y\n"), None, None),
        (
            entry("main.a*", "schema_drift", keys="owner: x\n"),
            entry("main.a*a", "row_count: {min: 1}", keys="owner: y\n"),
            4,
            "owner differs from 1.yaml:4",
        ),
        (entry("main.a*", "schema_drift", keys="owner: x\n"), entry("main.a*a", "row_count: {min: 1}", keys="owner: x\n"), None, None),
        (
            entry("main.a*", "row_count: {min: 1}"),
            entry("main.a*a", "row_count: {min: 2}"),
            5,
            "the check main.aa.row_count differs from 1.yaml:5",
        ),
        (entry("main.a*", "row_count: {min: 1}"), entry("main.a*a", "row_count: {min: 1}"), None, None),
        (
            entry("aa", "row_count: {min: 1}"),
            entry("main.aa", "row_count: {min: 2}"),
            5,
            "the check main.aa.row_count differs from 1.yaml:5",
        ),
        (
            entry("aa", "schema_drift", keys="owner: x\n"),
            entry("main.aa", "row_count: {min: 2}", keys="owner: y\n"),
            4,
            "owner differs from 1.yaml:4",
        ),
    ],
)
def test_two_equally_specific_entries_that_differ_are_an_error(first: str, second: str, line: int | None, words: str | None) -> None:
    _, errors = resolved(first, second, there={table("aa"): False})
    if words is None:
        assert errors == []
    else:
        assert [(problem.path, problem.line) for problem in errors] == [("2.yaml", line)]
        assert words in str(errors[0])


def test_enabled_false_removes_the_checks_of_a_pattern() -> None:
    pattern = entry("main.*", "row_count: {min: 1}", "schema_drift")
    whole, _ = resolved(pattern, entry("orders", keys="enabled: false\n"), there={table("orders"): False, table("x"): False})
    assert sorted(whole) == ["main.x.row_count", "main.x.schema_drift"]
    one, _ = resolved(pattern, entry("orders", "schema_drift: {enabled: false}"), there={table("orders"): False})
    assert sorted(one) == ["main.orders.row_count"]


def test_an_id_below_a_pattern_is_an_end_and_so_is_was() -> None:
    found, _ = resolved(entry("main.*", "row_count: {min: 1, id: rows, was: count}"), there={table("a"): False, table("b"): False})
    assert {name: check.was for name, check in found.items()} == {"main.a.rows": "main.a.count", "main.b.rows": "main.b.count"}


def test_pipelines_that_a_pattern_matches_get_checks() -> None:
    found, errors = resolved(
        "version: 1\ningestion: [{pipeline: loader/*, checks: [last_success: {fail_after: 1h}]}]", there={PipelineRef("loader", "a"): False}
    )
    assert (list(found), errors) == (["loader/a.last_success"], [])


def test_upstream_of_a_pattern_holds_for_each_table() -> None:
    entries, _ = placed(entry("main.*", "schema_drift", keys="upstream: [loader/x]\n"))
    assert build(entries, FACTS, {table("a"): False}).lineage.parents == {"main:main.a": {"loader/x"}}


def test_without_a_warehouse_a_pattern_is_still_checked_for_mistakes() -> None:
    entries, report = placed(entry("main.*", "row_count: {min: 1}", "row_count: {min: 2}"))
    assert build(entries, FACTS).checks == []
    assert ["already declared" in str(problem) for problem in report.errors] == [True]


def test_a_thousand_tables_are_resolved_quickly_enough() -> None:
    import time

    there: dict[Target, bool] = {table(f"t{i}"): False for i in range(1_000)}
    started = time.process_time()
    found, _ = resolved(entry("main.*", "schema_drift", "row_count: {min: 1}"), there=there)
    spent = time.process_time() - started
    assert len(found) == 2_000
    assert spent < 1, f"found {spent:.2f} s of CPU for 1,000 tables, expected < 1 s"
