"""Entries to checks: all levels merged, the type's defaults filled in, everything judged that needs no warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dqmon.config.check_file import Entry
from dqmon.config.merge import Chosen, chosen_checks, former_id, join, merged_keys
from dqmon.config.report import Report
from dqmon.config.review import review, review_filters
from dqmon.config.runbooks import with_guide
from dqmon.config.targets import Facts, Placed, Target, known_targets, upstream_nodes
from dqmon.core.check import Check, PartitionBy, PipelineRef, Schedule, SourceLine
from dqmon.core.check_type import CheckType
from dqmon.core.lineage import Lineage
from dqmon.core.table import TableRef
from dqmon.core.threshold import Threshold, parse_threshold
from dqmon.core.verdict import Dimension


@dataclass(slots=True)
class Built:
    """Checks in declared order, what is made from what, and which entry says so of each node."""

    checks: list[Check] = field(default_factory=list)
    parents: dict[str, frozenset[str]] = field(default_factory=dict)
    told_by: dict[str, Entry] = field(default_factory=dict)

    @property
    def lineage(self) -> Lineage:
        """The graph of all `upstream:` keys."""
        return Lineage(self.parents)


def build(placed: Sequence[Placed], facts: Facts, there: Mapping[Target, bool] | None = None) -> Built:
    """The checks of all explicit targets and, with `there`, of those of its keys that a pattern matches.

    `there` maps tables and pipelines that are there to whether they are views. Without it each pattern is tried on its
    own text, so that `validate` sees its errors; those checks are not in the result. Problems go to the entries' reports.
    """
    built = Built()
    seen = there or {}
    patterns = [item for item in placed if item.pattern is not None]
    explicit: dict[Target, list[Placed]] = {target: [] for target in known_targets(placed)}
    for item in placed:
        if item.pattern is None:
            explicit[item.target].append(item)
    for target in dict.fromkeys((*explicit, *(t for t in seen if any(p.covers(t, is_view=seen[t]) for p in patterns)))):
        layers = [*explicit.get(target, ()), *(p for p in patterns if p.covers(target, is_view=seen.get(target, False)))]
        _add(built, target, sorted(layers, key=lambda layer: -layer.specificity), facts, is_load=there is None)
    if there is None:
        for item in patterns:
            layers = [other for other in patterns if other.target == item.target]
            _add(Built(), item.target, sorted(layers, key=lambda layer: -layer.specificity), facts, is_load=True)
    _check_ids(built.checks, {item.entry.report.path: item.entry.report for item in placed})
    _check_cycle(built, facts)
    return built


def _add(built: Built, target: Target, layers: Sequence[Placed], facts: Facts, *, is_load: bool) -> None:
    keys, origin = merged_keys(layers)
    chosen = chosen_checks(target, layers, facts)
    if keys.get("enabled") is False:
        return
    review_filters(target, layers, facts)
    upstream = _upstream(target, origin.get("upstream"), facts)
    if upstream:
        built.parents[str(target)] = frozenset(upstream)
        built.told_by[str(target)] = origin["upstream"].entry
    is_trial = all(layer.pattern is not None for layer in layers) and any(layer.target == target for layer in layers)
    bases: dict[int, dict[str, Any]] = {}
    for one in chosen:
        entry = one.placed.entry
        base = bases.get(id(entry))
        if base is None:
            base = bases[id(entry)] = join(entry.defaults, keys)
        values = join(base, one.item.keys)
        if isinstance(target, PipelineRef) and target.source in facts.source_owners:
            values = {"owner": facts.source_owners[target.source], **values}
        if values.get("enabled") is not False:
            check = _check(target, one, values, facts, upstream)
            review(check, one, values, facts)
            built.checks.append(with_guide(check, one, facts.runbooks, is_trial=is_trial, is_load=is_load))


def _upstream(target: Target, origin: Placed | None, facts: Facts) -> tuple[str, ...]:
    """The parents that the entry `origin` names; a table that a pattern matches is no parent of itself."""
    if origin is None or isinstance(target, PipelineRef):
        return ()
    nodes = upstream_nodes(origin.entry, target.warehouse, facts)
    return nodes if origin.pattern is None else tuple(node for node in nodes if node != str(target))


def _check(target: Target, one: Chosen, values: Mapping[str, Any], facts: Facts, upstream: tuple[str, ...]) -> Check:
    """The check that `values` (all levels merged) describe."""
    rule, entry = one.item.rule, one.placed.entry
    table = target if isinstance(target, TableRef) else None
    said = {key: value for key, value in values.items() if value is not None}
    timezone = said.get("timezone", "UTC")
    optional = ("severity", "warn_severity", "error_severity", "tags", "hold_for", "recover_after", "on_error", "max_segments")
    is_divided = rule.subject == "dataset" and rule.dimension is not Dimension.SCHEMA
    partition = said.get("partition")
    return Check(
        id=one.id,
        rule=rule,
        table=table,
        pipeline=target if isinstance(target, PipelineRef) else None,
        source=SourceLine(entry.report.path, one.item.line),
        name=said.get("name"),
        was=former_id(target, one.placed, one.item, facts),
        owner=said.get("owner"),
        runbook=said.get("runbook"),
        description=said.get("description"),
        schedule=_schedule(said, timezone),
        timezone=timezone,
        naive_timezone=said.get("naive_timezone", facts.warehouses[table.warehouse].naive_timezone if table else "UTC"),
        where=said["filter"].strip() if table and "filter" in said else None,
        partition=PartitionBy(partition.column, partition.grain, partition.lookback, partition.lag) if table and partition else None,
        segment_by=said.get("segment_by", ()) if is_divided else (),
        warn_if=said.get("warn_if"),
        fail_if=_fail_if(rule, said),
        on_no_data=said.get("on_no_data", rule.on_no_data),
        upstream=upstream,
        python_path=facts.python_path,
        **{key: said[key] for key in optional if key in said},
    )


def _fail_if(rule: CheckType, said: Mapping[str, Any]) -> Threshold | None:
    """What was given; the type's default only when neither threshold was."""
    if "fail_if" in said or "warn_if" in said or rule.default_fail_if is None:
        found: Threshold | None = said.get("fail_if")
        return found
    return parse_threshold(rule.default_fail_if)


def _schedule(said: Mapping[str, Any], timezone: str) -> Schedule | None:
    keys = said.get("schedule")
    return keys and Schedule(keys.cron, keys.every, keys.timezone or timezone)


def _check_ids(checks: Iterable[Check], reports: Mapping[str, Report]) -> None:
    """Ids are unique among all targets; `was:` names an id that nobody has."""
    seen: dict[str, Check] = {}
    former: dict[str, Check] = {}
    listed = list(checks)
    for check in listed:
        first = seen.setdefault(check.id, check)
        if first is not check:
            reports[check.source.path].error(
                check.source.line, f"the id {check.id!r} is taken by {first.source}", "give one of them another id"
            )
    for check in listed:
        if check.was is None:
            continue
        report = reports[check.source.path]
        if check.was in seen:
            report.error(check.source.line, f"was: {check.was!r} is the id of the check at {seen[check.was].source}", "remove was:")
        elif former.setdefault(check.was, check) is not check:
            report.error(check.source.line, f"was: {check.was!r} is claimed by {former[check.was].source} too", "keep one")


def _check_cycle(built: Built, facts: Facts) -> None:
    if cycle := built.lineage.cycle():
        entry = built.told_by[cycle[0]]
        names = " <- ".join(node.removeprefix(f"{facts.first}:") for node in cycle)
        entry.report.error(entry.line_of("upstream"), f"upstream goes in a circle: {names}", "remove one of them")
