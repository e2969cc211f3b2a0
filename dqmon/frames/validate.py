"""`dqmon.validate` and `dqmon.pandera_schema`: the public way to judge frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, overload

from dqmon.config.project import load
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.result import ResultRecord, record
from dqmon.core.table import TableRef
from dqmon.core.verdict import Verdict
from dqmon.errors import ConfigError, FrameNotJudged, UsageError
from dqmon.exporters.pandera import Library, Marks, schema
from dqmon.frames.frame import Frame, reason


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What the checks of a dataset say of a frame: one result for each check and segment.

    `not_judged` has the ids of the dataset's other checks, each with why a frame does not show it.
    """

    results: tuple[ResultRecord, ...]
    not_judged: Mapping[str, str]

    @property
    def is_good(self) -> bool:
        """True when no result is FAIL or ERROR."""
        return not any(result.verdict in (Verdict.FAIL, Verdict.ERROR) for result in self.results)


class Split(NamedTuple):
    """A frame's good and bad rows in their order, and the verdicts.

    Bad are the rows that break a check whose verdict is FAIL; their column `dq_reasons` names check and reason, several with `; `.
    """

    good: Any
    bad: Any
    report: FrameReport


@dataclass(frozen=True, slots=True)
class _Declared:
    """A dataset's checks that frames are judged by, and why not by the others."""

    table: TableRef
    checks: Mapping[str, Check]
    not_judged: Mapping[str, str]


@overload
def validate(frame: Any, dataset: str, *, split: Literal[False] = False, config: str | None = None) -> FrameReport: ...
@overload
def validate(frame: Any, dataset: str, *, split: Literal[True], config: str | None = None) -> Split: ...
def validate(frame: Any, dataset: str, *, split: bool = False, config: str | None = None) -> FrameReport | Split:
    """What the declared checks of `dataset` (`[warehouse:][schema.]table`) say of a pandas or polars frame.

    All rows are judged at once, as if they were the table: `filter` and `segment_by` apply, `partition` does not. With `split`
    also the good and the bad rows. `config` names dqmon.yaml as `--config` does. Connects to nothing and records nothing.
    Raises UsageError for a frame or dataset that is none, ConfigError, and with `split` FrameNotJudged when a result is ERROR.
    """
    declared = _declared(dataset, config)
    with Frame(frame, declared.table) as judged:
        results = judged.results(declared.checks.values())
        # The results speak of the table that was declared, not of the one in memory.
        records = tuple(record(replace(result, check=declared.checks[result.check.id])) for result in results)
        report = FrameReport(records, declared.not_judged)
        if not split:
            return report
        errors = [f"{result.check_id}: {result.reason}" for result in records if result.verdict is Verdict.ERROR]
        if errors:
            raise FrameNotJudged("; ".join(errors))
        good, bad = judged.split(results)
        return Split(good, bad, report)


def pandera_schema(dataset: str, config: str | None = None, *, library: Library = "pandas") -> Any:
    """The declared checks of `dataset` as a pandera DataFrameSchema for frames of `library`.

    Its verdicts are those of `validate`: FAIL fails it, WARN is a SchemaWarning, ERROR is a failure that says why. The checks
    that it does not have stand in its `metadata["not_judged"]`. Raises UsageError and ConfigError.
    """
    if library not in ("pandas", "polars"):
        raise UsageError(f"library is {library!r}; write 'pandas' or 'polars'")
    declared = _declared(dataset, config)

    def mark(frame: Any, check: Check) -> Marks:
        with Frame(frame, declared.table) as judged:
            results = judged.results((check,))
            errors = [result.reason for result in results if result.verdict is Verdict.ERROR]
            if errors:
                raise FrameNotJudged(f"{check.id}: {'; '.join(errors)}")
            verdicts = {result.verdict for result in results}
            worst = next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in verdicts), Verdict.PASS)
            return Marks(worst, sorted(place for places in judged.bad(results).values() for place in places))

    return schema(
        dataset, {reason(check): check for check in declared.checks.values()}, mark, library, {"not_judged": dict(declared.not_judged)}
    )


def _declared(dataset: str, config: str | None) -> _Declared:
    project = load(config)
    prefix, colon, rest = dataset.partition(":")
    warehouse, text = (prefix, rest) if colon else (project.facts.first, dataset)
    if warehouse not in project.facts.warehouses:
        raise UsageError(f"there is no warehouse {warehouse!r}; there are {', '.join(project.facts.warehouses)}")
    try:
        table = project.facts.table(warehouse, text)
    except ValueError as e:
        raise UsageError(str(e)) from e
    # Patterns apply as if the table were there already.
    resolved = project.resolve([(table, False)])
    errors = tuple(problem for problem in resolved.problems if not problem.is_warning)
    if errors:
        raise ConfigError(errors)
    found = [check for check in resolved.checks if check.table == table]
    if not found:
        known = dict.fromkeys(check.dataset for check in project.checks if check.dataset and check.warehouse == warehouse)
        raise UsageError(f"no check is declared for {table.dataset!r}; there are checks for {', '.join(known) or 'no table'}")
    judged = {check.id: check for check in found if isinstance(check.rule, DatasetCheck) and check.rule.row_rule is not None}
    others = {
        check.id: f"{check.type} is about the whole table, not about its rows one by one" for check in found if check.id not in judged
    }
    return _Declared(table, judged, others)
