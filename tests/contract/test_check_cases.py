"""Every check type on every warehouse: rows in, verdict and observed value out, from tests/cases/<type>.yaml.

A case: name, rows, options, and what is expected (verdict, value: an exact decimal as text, ratio, tested, reason: a part of
the sentence). The file gives columns (name: kind); a case may have its own, and `other` (columns, rows) for a second table,
`history` (daily values before `at`; a mapping is a histogram: rows by text or number), `accepted: true` (the present columns are the accepted schema), warn_if, fail_if,
timezone, at, and `on: {sqlite: {…}}` where an engine has to differ, with the reason as a comment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engines import Engine, all_engines, engine
from ruamel.yaml import YAML

from dqmon import errors
from dqmon.core.check import Check, SourceLine
from dqmon.core.check_type import DatasetCheck
from dqmon.core.histogram import Histogram, grid_code
from dqmon.core.history import History, Point
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.measurement import MetricRequest
from dqmon.core.metric_kinds import StatementMetric
from dqmon.core.plan import plan
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.core.threshold import parse_threshold
from dqmon.sql.compile import compile_scan, fits

FOLDER = Path(__file__).parent.parent / "cases"
CONTRACTS = Path(__file__).parent.parent / "fixtures" / "contracts"
NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


def cases() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        data = YAML(typ="safe", pure=True).load(path.read_text())
        for number, case in enumerate(data["cases"]):
            yield {"type": path.stem, "table": f"{path.stem}_{number}", "columns": data["columns"], **case}


CASES = tuple(cases())
"""Read once, since that takes two seconds."""


class Place:
    """Where a case's tables are, and the warehouse that reads them."""

    def __init__(self, engine: Engine, location: str) -> None:
        self.kind = engine.kind
        self.warehouse = engine.warehouse("w", location)
        self.schema = self.warehouse.default_schema

    def table(self, name: str) -> TableRef:
        return TableRef("w", None, self.schema, name)


def tables() -> Iterator[tuple[str, dict[str, str], list[list[Any]]]]:
    """All tables of all cases: name, columns, rows."""
    for case in CASES:
        for name, content in ((case["table"], case), (f"{case['table']}_other", case.get("other"))):
            if content is not None:
                yield name, content["columns"], content["rows"]


@pytest.fixture(scope="module", params=[found.kind for found in all_engines()])
def place(request: pytest.FixtureRequest, servers: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Each engine with the tables of all cases; the writer is closed before the warehouse opens, as DuckDB wants it."""
    found = engine(request.param)
    location = found.place(servers(found.kind), tmp_path_factory.mktemp("cases"))
    found.make(location, tables())
    place = Place(found, location)
    with place.warehouse.open():  # so that DuckDB need not open its file for each case, which takes as long as the case
        yield place
    place.warehouse.close()


def declared(place: Place, case: dict[str, Any]) -> Check:
    options = dict(case["options"])
    if "other" in case:
        options["to"] = {**options["to"], "dataset": place.table(f"{case['table']}_other").dataset}
    rule = Registry("checks").get(case["type"])(**options)
    check = Check("case", rule, place.table(case["table"]), None, SourceLine("cases.yaml", 1), timezone=case.get("timezone", "UTC"))
    limits = {key: parse_threshold(case[key]) for key in ("warn_if", "fail_if") if key in case}
    check = replace(check, **limits, naive_timezone=case.get("naive_timezone", "UTC"), python_path=str(CONTRACTS))
    assert rule.problems(check) == (), f"the case itself is wrong: {rule.problems(check)}"
    return check


def judged(place: Place, case: dict[str, Any], check: Check, at: datetime) -> Judgement:
    """The verdict from real measurements, by the planner and the compiler, without the engine."""
    rule, warehouse, answers = check.rule, place.warehouse, {}
    assert isinstance(rule, DatasetCheck)
    assert check.table is not None
    own = [MetricRequest(check.table, metric, naive_timezone=check.naive_timezone) for metric in rule.metrics(check)]
    others = rule.other_requests(check, None)
    accepted = None
    missing = [*own, *others]
    with warehouse.open() as session:
        while missing:
            for scan in plan(missing, partial(fits, caps=warehouse.capabilities)):
                columns = session.columns(scan.table)
                metric = scan.metrics[0]
                if metric.kind == "metadata":
                    answers |= dict.fromkeys(scan.requests, columns)
                    accepted = columns if case.get("accepted") else None
                    continue
                joined = session.columns(metric.other.table) if isinstance(metric, StatementMetric) else ()
                compiled = compile_scan(scan, columns, joined, warehouse.capabilities, at)
                found = compiled.decode(session.fetch(compiled.statement, 10))
                answers |= {request: found[None, (), request.metric] for request in scan.requests}
            others = tuple(dict.fromkeys((*others, *rule.further_requests(check, None, answers))))
            missing = [request for request in others if request not in answers]
    values = {request.metric: answers[request] for request in own}
    measured = {request: answers[request] for request in others}
    past = case.get("history", [])
    points = tuple(_point(at - timedelta(days=len(past) - i), value) for i, value in enumerate(past))
    return rule.judge(check, Evidence(values, at, at, history=History(points), accepted_schema=accepted, others=measured))


def _point(at: datetime, value: Any) -> Point:
    if not isinstance(value, dict):
        return Point(at, float(value))
    missing, others = (value.get(name, 0) for name in (None, "others"))
    bins = {name: rows for name, rows in value.items() if name not in (None, "others")}
    if all(isinstance(name, str) for name in bins):
        found = Histogram(tuple(bins.items()), others, missing)
    else:
        found = Histogram(tuple(sorted((grid_code(number), rows) for number, rows in bins.items())), 0, missing, 1)
    return Point(at, found.rows, text=str(found))


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['type']}: {case['name']}") for case in CASES])
def test_case(place: Place, case: dict[str, Any]) -> None:
    at = datetime.fromisoformat(case["at"]) if "at" in case else NOW
    for gap in place.warehouse.capabilities.gaps:
        kind, _, part = gap.what.partition(": ")
        if kind == case["type"] and part in case["name"]:
            with pytest.raises(getattr(errors, gap.raises)):
                judged(place, case, declared(place, case), at)
            return
    judgement = judged(place, case, declared(place, case), at)
    wanted = {**case["expect"], **case.get("on", {}).get(place.kind, {})}
    observed = judgement.observed
    value = list(observed.value) if isinstance(observed.value, tuple) else observed.value
    if isinstance(value, Decimal | float | int) and isinstance(wanted.get("value"), str):
        value, wanted["value"] = Decimal(str(value)), Decimal(wanted["value"])
    found = {"verdict": str(judgement.verdict), "value": value, "ratio": observed.ratio, "tested": observed.rows_tested}
    found = {key: found[key] for key in wanted if key != "reason"}
    assert found == {key: wanted[key] for key in found}, f"{place.kind}, {case['type']}, {case['name']}: {judgement.reason}"
    assert wanted.get("reason", "") in judgement.reason
    assert judgement.expected.text
    assert "\n" not in judgement.reason


def test_every_check_type_has_the_cases_that_break_things() -> None:
    """Each dataset check type has its file, with the awkward tables in it (STYLE.md 23)."""
    wanted = {"empty table", "all NULL", "one row", "boundary - 1", "boundary", "boundary + 1", "reserved words and mixed case", "NaN"}
    for name, rule in Registry("checks").all().items():
        if rule.subject != "dataset":
            continue
        path = FOLDER / f"{name}.yaml"
        assert path.is_file(), f"check type {name} has no {path.name}; write its cases there"
        found = {case["name"]: case for case in CASES if case["type"] == name}
        assert wanted <= found.keys(), f"{path.name} lacks {sorted(wanted - found.keys())}; write these cases"
        assert found["empty table"]["rows"] == [], f"{path.name}: the empty table has rows"
        assert len(found["one row"]["rows"]) == 1, f"{path.name}: one row is not one row"
        columns = list(zip(*found["all NULL"]["rows"], strict=True))
        assert any(set(column) == {None} for column in columns), f"{path.name}: no column of all NULL is all NULL"
        around = [{**found[name], "name": ""} for name in ("boundary - 1", "boundary", "boundary + 1")]
        assert around[0] != around[1] != around[2] != around[0], f"{path.name}: two of the cases around the boundary are the same"
        verdicts = {case["expect"]["verdict"] for case in around}
        assert len(verdicts) > 1, f"{path.name}: the verdict is the same on both sides of the boundary"
