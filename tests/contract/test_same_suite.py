"""One project of 40 checks on every engine: what they observe is the same, and what plain Python finds in the rows."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
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

FIXTURES = Path(__file__).parent.parent / "fixtures"
CASES = Path(__file__).parent.parent / "cases"
SUITE = FIXTURES / "same_suite"
COUNT = 40

Seen: TypeAlias = dict[tuple[str, str, str], tuple[Any, ...]]
"""Verdict, value, ratio and rows tested, by check, partition and segment."""

Measured: TypeAlias = Callable[[str], Seen]


@dataclass
class Lab:
    """A project on one engine."""

    engine: Engine
    location: str
    root: Path

    def prepare(self) -> None:
        """The tables filled, and the project written."""
        self.engine.make(self.location, [("orders", COLUMNS, ROWS), ("ledger", LEDGER_COLUMNS, LEDGER)])
        (self.root / "config").mkdir()
        shutil.copytree(SUITE, self.root / "checks")
        warehouse = {"type": self.engine.kind, **self.engine.options(self.location)}
        settings = {"version": 1, "warehouses": {"main": warehouse}, "python_path": str(FIXTURES / "contracts")}
        YAML().dump(settings, self.root / "config/dqmon.yaml")

    def run(self) -> Seen:
        """What `dqmon check` observes now; a run an hour ago was the first, so that partitions have a past."""
        project = load_project(self.root / "config/dqmon.yaml", {})
        for at in (NOW - timedelta(hours=1), NOW):
            with App(project, lambda at=at: at) as app:  # type: ignore[misc]  # each its own
                report = app.check(Selector(), None, alerts=True, reuses=False)
        errors_found = [f"{record.name}: {record.reason}" for record in report.records if record.verdict is Verdict.ERROR]
        assert not errors_found, f"{self.engine.kind} could not measure: {'; '.join(errors_found)}"
        return {(record.name or "", record.partition, record.segment): _seen(record) for record in report.records}


def _seen(record: ResultRecord) -> tuple[Any, ...]:
    return record.verdict.value, _value(record.observed_value), record.ratio and float(f"{record.ratio:.12g}"), record.rows_tested


def _value(value: Any) -> Any:
    """Numbers as exact ones, doubles to 12 digits."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, float):
        return Decimal(f"{value:.12g}").normalize()
    return Decimal(value).normalize() if isinstance(value, str | int) and not isinstance(value, bool) else value


@pytest.fixture(scope="module")
def measured(servers: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """What the suite observes on an engine, by its kind."""

    @cache
    def seen(kind: str) -> Seen:
        root = tmp_path_factory.mktemp(f"same_{kind}")
        found = engine(kind)
        lab = Lab(found, found.place(servers(kind), root), root)
        lab.prepare()
        return lab.run()

    return seen
