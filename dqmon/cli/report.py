"""A run's report as JSON and as text, and its exit code. Pure: nothing is printed here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dqmon.cli.exit_codes import ExitCode
from dqmon.cli.units import amount
from dqmon.core.duration import format_duration
from dqmon.core.plain import plain
from dqmon.core.result_json import result_json
from dqmon.core.verdict import Severity, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.plain import Json
    from dqmon.core.result import ResultRecord
    from dqmon.engine.on_demand import CheckReport

SCHEMA_VERSION = 1
_ORDER = (Verdict.FAIL, Verdict.WARN, Verdict.ERROR, Verdict.SKIPPED)


def exit_code(report: CheckReport, fail_on: str, min_severity: Severity) -> ExitCode:
    """The exit code: 4 before 3 before 1; `min_severity` counts for 1 only."""
    bad = {"fail": {Verdict.FAIL}, "warn": {Verdict.FAIL, Verdict.WARN}, "never": set[Verdict]()}[fail_on]
    if report.problem is not None:
        return ExitCode.NOT_RECORDED
    if report.unresolved or any(record.verdict is Verdict.ERROR for record in report.records):
        return ExitCode.NOT_EVALUATED
    if any(record.verdict in bad and record.severity.rank >= min_severity.rank for record in report.records):
        return ExitCode.FAILED
    return ExitCode.OK


def document(report: CheckReport, code: ExitCode) -> Json:
    """The output contract's object."""
    records = report.records
    verdicts = Counter(record.verdict for record in records)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": report.run_id,
        "started_at": plain(report.started_at),
        "finished_at": plain(report.finished_at),
        "exit_code": int(code),
        "summary": {
            "checks": len({record.check_id for record in records}),
            "results": len(records),
            **{verdict.value: verdicts[verdict] for verdict in Verdict},
            "datasets": len({(record.warehouse, record.dataset) for record in records if record.dataset}),
            "statements": report.statements,
            "reused": report.reused,
            "credits": dict(report.credits_by_warehouse),
        },
        "results": [result_json(record) for record in records],
    }


def to_json(report: CheckReport, code: ExitCode) -> str:
    """`document` as text; NaN and Infinity cannot occur in it."""
    return json.dumps(document(report, code), indent=2, ensure_ascii=False, allow_nan=False)


def rows(records: Sequence[ResultRecord]) -> list[tuple[str, ...]]:
    """A row for each result that is not a pass, worst first, then a row for each subject's passes."""
    bad = [record for verdict in _ORDER for record in records if record.verdict is verdict]
    shown = [(word(record), label(record), record.reason, _cost(record)) for record in bad]
    passes = Counter((record.warehouse, record.subject) for record in records if record.verdict is Verdict.PASS)
    alike = Counter(subject for _, subject in passes)
    names = {key: key[1] if alike[key[1]] == 1 else f"{key[0]}:{key[1]}" for key in passes}
    return [*shown, *(("PASS", names[key], f"{count} {_plural(count, 'result')}", "") for key, count in passes.items())]


def word(record: ResultRecord) -> str:
    """The verdict in capitals; LEARNING for a result that waits for more history."""
    return "LEARNING" if record.is_learning else record.verdict.upper()


def label(record: ResultRecord) -> str:
    """The check's id, with the partition and the segment that are meant."""
    parts = [record.check_id]
    if record.partition_start and record.partition_end:
        length = format_duration((record.partition_end - record.partition_start).total_seconds())
        parts.append(f"[{record.partition_start:%Y-%m-%d %H:%M}Z +{length}]")
    elif record.partition:
        parts.append(f"[{record.partition_column} is null]")
    if record.segment != "{}":
        parts.append(", ".join(f"{key}={'null' if value is None else value}" for key, value in json.loads(record.segment).items()))
    return " ".join(parts)


def details(records: Sequence[ResultRecord], at: datetime | None = None, limit: int = 5) -> Iterable[str]:
    """What to do about the worst results: where each is declared, its runbook, and the command that explains it (as of `at`)."""
    failed = [record for verdict in (Verdict.FAIL, Verdict.ERROR) for record in records if record.verdict is verdict]
    firsts = list({record.check_id: record for record in reversed(failed)}.values())[::-1]
    for record in firsts[:limit]:
        yield f"{record.verdict.upper()} {record.check_id}  {record.source_path}:{record.source_line}"
        if record.expected_text and record.verdict is Verdict.FAIL:
            yield f"  expected  {record.expected_text}"
        if record.owner or record.runbook:
            yield "  " + "  ".join(text for text in (record.owner and f"owner {record.owner}", record.runbook) if text)
        yield f"  next      dqmon explain {record.check_id}" + (f" --at {plain(at)}" if at else "")
    if len(firsts) > limit:
        yield f"and {len(firsts) - limit} more"


def summary(report: CheckReport, code: ExitCode) -> str:
    """One line: how many of each verdict, how long it took, and the exit code."""
    counted = Counter(word(record).lower() for record in report.records)
    counts = ", ".join(f"{counted[name]} {name}" for name in ("pass", "warn", "fail", "error", "skipped", "learning") if counted[name])
    seconds = (report.finished_at - report.started_at).total_seconds()
    statements = f"{report.statements} {_plural(report.statements, 'statement')}" + (f", {report.reused} reused" if report.reused else "")
    cost = "".join(f", about {amount(spent)} credits of {name}" for name, spent in report.credits_by_warehouse.items())
    return f"{counts or 'no results'} in {seconds:.1f} s, {statements}{cost}  exit {int(code)}"


def _cost(record: ResultRecord) -> str:
    return record.severity.value if record.verdict.is_bad else ""


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
