"""One project of 40 checks on every engine: all observe the same, which is what plain Python finds in the rows.

With `-s` the figures are printed: on how many engines that is so, and how many cases of tests/cases run on each, with its gaps.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from engines import Engine, all_engines, engine
from ruamel.yaml import YAML
from same_world import COLUMNS, LEDGER, LEDGER_COLUMNS, NOW, ROWS, Reference

from dqmon import errors
from dqmon.app import App
from dqmon.config.project import load_project
from dqmon.core.registry import Registry
from dqmon.core.result import ResultRecord
from dqmon.core.selector import Selector
from dqmon.core.verdict import Verdict

TESTS = Path(__file__).parent.parent
SUITE = TESTS / "fixtures/same_suite"
COUNT = 40
KINDS = [found.kind for found in all_engines()]

Seen: TypeAlias = dict[tuple[str, str, str], tuple[Any, ...]]
"""Verdict, value, ratio and rows tested, by the check's name, partition and segment."""


def run_on(found: Engine, server: str, root: Path) -> Seen:
    """What `dqmon check` observes there at NOW. An hour before it ran for the first time, so that partitions have a past."""
    location = found.place(server, root)
    found.make(location, [("orders", COLUMNS, ROWS), ("ledger", LEDGER_COLUMNS, LEDGER)])
    (root / "config").mkdir()
    shutil.copytree(SUITE, root / "checks")
    warehouse = {"type": found.kind, **found.options(location)}
    settings = {"version": 1, "warehouses": {"main": warehouse}, "python_path": str(TESTS / "fixtures/contracts")}
    YAML().dump(settings, root / "config/dqmon.yaml")
    project = load_project(root / "config/dqmon.yaml", {})
    for at in (NOW - timedelta(hours=1), NOW):
        with App(project, lambda at=at: at) as app:  # type: ignore[misc]  # mypy takes it for a function without arguments
            report = app.check(Selector(), None, alerts=True, reuses=False)
    broken = [f"{record.name}: {record.reason}" for record in report.records if record.verdict is Verdict.ERROR]
    assert not broken, f"{found.kind} could not measure {'; '.join(broken)}"
    assert {record.check_id for record in report.records} == {check.id for check in project.checks}
    return {(record.name or "", record.partition, record.segment): _seen(record) for record in report.records}


def _seen(record: ResultRecord) -> tuple[Any, ...]:
    return record.verdict.value, _value(record.observed_value), record.ratio and float(f"{record.ratio:.12g}"), record.rows_tested


def _value(value: Any) -> Any:
    """Numbers as exact ones, doubles to 12 digits; changes of a schema without the types' names, which each engine has of its own."""
    match value:
        case list():
            return tuple(change.partition(" (")[0] for change in value)
        case float():
            return Decimal(f"{value:.12g}").normalize()
        case str() | int():
            return Decimal(value).normalize()
    return value


@pytest.fixture(scope="module")
def observed(servers: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Seen]:
    """What the suite observes on an engine, by its kind."""
    return cache(lambda kind: run_on(engine(kind), servers(kind), tmp_path_factory.mktemp(f"same_{kind}")))


@pytest.fixture(scope="module")
def identical() -> Iterator[list[str]]:
    """The engines that observe what DuckDB does."""
    found = ["duckdb"]
    yield found
    if len(found) > 1:
        print(f"\n{COUNT} checks x {len(found)} engines: identical ({', '.join(sorted(found))})")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "duckdb"])
def test_every_engine_observes_the_same(kind: str, observed: Callable[[str], Seen], identical: list[str]) -> None:
    wanted, found = observed("duckdb"), observed(kind)
    differing = [f"{key}: {found.get(key)}, on DuckDB {wanted.get(key)}" for key in wanted | found if found.get(key) != wanted.get(key)]
    assert not differing, f"{kind} differs in {len(differing)} of {len(wanted)} results:\n" + "\n".join(differing)
    identical.append(kind)


def test_what_is_observed_is_what_python_finds(observed: Callable[[str], Seen]) -> None:
    results, reference = observed("duckdb"), Reference()
    wanted = reference.found()
    for name, (value, tested) in wanted.items():
        _, found, ratio, rows = results[name, "", "{}"]
        is_same = abs(Fraction(found) - Fraction(value)) <= abs(Fraction(value)) / 10**11  # Doubles were cut to 12 digits.
        assert is_same, f"{name} is {found}, in Python {float(value)}"
        if tested is not None:
            assert (rows, ratio) == (tested, pytest.approx(value / tested)), name
    by_country = {json.loads(segment)["country"]: seen[1] for (name, _, segment), seen in results.items() if name == "rows_by_country"}
    assert by_country == reference.by_country()
    assert len(wanted) >= COUNT // 2


def test_the_suite_has_every_type_and_every_verdict(observed: Callable[[str], Seen]) -> None:
    entry = YAML(typ="safe", pure=True).load((SUITE / "orders.yaml").read_text())["datasets"][0]
    used = Counter(kind for check in entry["checks"] for kind in check)
    assert used.total() == COUNT
    assert set(used) == {name for name, rule in Registry("checks").all().items() if rule.subject == "dataset"}
    verdicts = Counter(verdict for verdict, *_ in observed("duckdb").values())
    assert verdicts.keys() == {"pass", "warn", "fail", "skipped"}, f"it finds {dict(verdicts)}: a verdict that none has is not compared"


def test_each_gap_is_of_a_case_and_an_error() -> None:
    """A gap that names what is not there would say that something does not work, and never be tried."""
    files = {path.stem: YAML(typ="safe", pure=True).load(path.read_text())["cases"] for path in (TESTS / "cases").glob("*.yaml")}
    names = [(kind, case["name"]) for kind, cases in files.items() for case in cases]
    print()
    for warehouse, kind in sorted(Registry("warehouses").all().items()):
        gaps = kind.capabilities.gaps
        hit = [[(of, name) for of, name in names if (of, True) == (_parts(gap)[0], _parts(gap)[1] in name)] for gap in gaps]
        for gap, cases in zip(gaps, hit, strict=True):
            assert _parts(gap)[0] in Registry("checks").all(), f"{warehouse}: the gap {gap.what!r} is of no check type"
            assert cases, f"{warehouse}: no case of tests/cases has the gap {gap.what!r}, so that nothing tries it"
            assert issubclass(getattr(errors, gap.raises), errors.WarehouseError), f"{warehouse}: {gap.raises} is no error of a warehouse"
        print(_line(warehouse, len(names), sum(map(len, hit)), kind.was_run))
        print(*(f"    gap: {gap.what} ({gap.raises}): {gap.because}\n" for gap in gaps), sep="", end="")


def _parts(gap: Any) -> tuple[str, str]:
    kind, _, part = gap.what.partition(": ")
    return kind, part


def _line(warehouse: str, cases: int, gaps: int, was_run: str) -> str:
    if warehouse not in KINDS:
        return f"{warehouse}: no engine for the cases. {was_run}"
    reason = engine(warehouse).why_not()
    return f"{warehouse}: {cases} cases, {gaps} of them refused as declared{f'; not here: {reason}' if reason else ''}"
