"""What is wrong with a check as a whole: thresholds, divisions, runbook, what its source can tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dqmon.config.merge import Chosen
from dqmon.config.report import suggest
from dqmon.config.targets import Facts, Placed, Target
from dqmon.config.words import is_host_allowed, runbook_host
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck, PipelineCheck
from dqmon.core.runbook import is_path
from dqmon.core.table import TableRef
from dqmon.core.verdict import Dimension, Severity
from dqmon.errors import UnsafeSql


def review(check: Check, one: Chosen, values: Mapping[str, Any], facts: Facts) -> None:
    """Reports all that can be said without a warehouse, each at the line of the key that it is about."""
    _thresholds(check, one)
    _divisions(check, one)
    _runbook(check, one, values, facts)
    _needs(check, one, facts)
    _elsewhere(check, one, facts)
    for sentence in check.rule.problems(check):
        mentioned = next((word for word in re.findall(r"\w+", sentence) if word in one.item.data.lines), "")
        _error(one, mentioned, sentence if sentence.startswith(f"{check.type} ") else f"{check.type}: {sentence}")


def review_filters(target: Target, layers: Sequence[Placed], facts: Facts) -> None:
    """Reports each filter that is no single condition, where it stands. Each by itself: joined, two halves could pass for a whole."""
    grammar = facts.warehouses[target.warehouse].grammar if isinstance(target, TableRef) else None
    if grammar is None:
        return
    for entry in (layer.entry for layer in layers):
        found = [(entry.defaults.get("filter"), entry.defaults_lines.get("filter")), (entry.keys.get("filter"), entry.line_of("filter"))]
        found += [(item.keys.get("filter"), item.line_of("filter")) for item in entry.items]
        for text, line in found:
            if text and (problem := _sql_problem(text.strip(), grammar)):
                entry.report.error(line, f"filter: {problem}")


def _sql_problem(text: str, grammar: str) -> str | None:
    from dqmon.sql.raw import condition  # sqlglot, which it needs, is imported only by those who have a filter

    try:
        condition(text, grammar)
    except UnsafeSql as e:
        return str(e)
    return None


def _error(one: Chosen, key: str, message: str, hint: str | None = None) -> None:
    one.placed.entry.report.error(one.item.line_of(key), message, hint)


def _thresholds(check: Check, one: Chosen) -> None:
    rule = check.rule
    for key in ("warn_if", "fail_if"):
        threshold = one.item.keys.get(key)
        if threshold is None:
            continue
        if not rule.allows_threshold:
            _error(one, key, f"{check.type} takes no {key}", "remove it")
        elif threshold.is_percent and not rule.allows_percent:
            _error(
                one,
                key,
                f"{key}: {check.type} has no percentage, only {rule.unit}",
                f'write it without %, such as "{threshold.operator} {threshold.low}"',
            )


def _needs(check: Check, one: Chosen, facts: Facts) -> None:
    provided = facts.sources[check.pipeline.source] if check.pipeline else None
    if check.pipeline and isinstance(check.rule, PipelineCheck) and provided is not None and (missing := check.rule.needed - provided):
        message = f"{check.type} needs {', '.join(sorted(missing))}, which the source {check.pipeline.source!r} cannot tell"
        _error(one, check.type, message, "remove the check, or map what tells it if the source is of the type sql or http")


def _elsewhere(check: Check, one: Chosen, facts: Facts) -> None:
    for name in check.rule.other_warehouses if isinstance(check.rule, DatasetCheck) else ():
        if name not in facts.warehouses:
            _error(one, "to", f"{check.type}: unknown warehouse {name!r}", suggest(name, facts.warehouses))


def _divisions(check: Check, one: Chosen) -> None:
    """A key that the type would ignore is refused where it stands on the check itself; outside it may be for others."""
    own = one.item.keys
    if own.get("partition") and isinstance(check.rule, DatasetCheck) and check.rule.across_table:
        _error(one, "partition", f"{check.type} looks at the whole table, never at partitions", "remove partition:")
    if own.get("segment_by") and check.rule.dimension is Dimension.SCHEMA:
        _error(one, "segment_by", f"{check.type} has no segments", "remove segment_by:")


def _runbook(check: Check, one: Chosen, values: Mapping[str, Any], facts: Facts) -> None:
    """Missing owner or runbook: an error from `require_runbook` on, a warning from error on."""
    report = one.placed.entry.report
    missing = [key for key in ("owner", "runbook") if not values.get(key)]
    if missing:
        required = facts.require_runbook != "never" and check.severity.rank >= Severity(facts.require_runbook).rank
        message = f"{check.type} of severity {check.severity} has no {' and no '.join(missing)}"
        line = one.item.line_of("severity")
        if required:
            report.error(line, message, f"add {missing[0]}: to the check, its entry or defaults")
        elif check.severity.rank >= Severity.ERROR.rank:
            report.warn(line, message)
    if check.runbook and facts.runbook_hosts and not is_path(check.runbook):
        host = runbook_host(check.runbook)
        if not is_host_allowed(host, facts.runbook_hosts):
            message = f"the runbook's host {host!r} is not among runbook_hosts ({', '.join(facts.runbook_hosts)})"
            report.error(one.line_of("runbook"), message, "add it there, or link elsewhere")
