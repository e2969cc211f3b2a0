"""What is made from what around one table, pipeline or exposure, and how each of them is now; read from the files and the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dqmon.config.targets import Facts
from dqmon.core.check import Check
from dqmon.core.lineage import EXPOSURE, Edge, Exposure, Lineage, kind_of
from dqmon.core.load_record import PipelineInfo
from dqmon.core.table import TableRef
from dqmon.core.verdict import Verdict
from dqmon.engine.polling.lineage import whole
from dqmon.errors import UsageError
from dqmon.store import results

if TYPE_CHECKING:
    from dqmon.app.parts import Parts
    from dqmon.core.result import ResultRecord

_STATES = {
    Verdict.FAIL: "failing",
    Verdict.ERROR: "error",
    Verdict.WARN: "warning",
    Verdict.PASS: "passing",
    Verdict.SKIPPED: "skipped",
}
"""The worst first: what is skipped says nothing."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node as it is now.

    node: its name in the graph. name: as people write it, without the default warehouse. state: the worst of its checks' newest verdicts
    (failing, error, warning, passing, skipped), `not run` before there is one, `no checks`; None of an exposure, which cannot have any.
    last_good_at: of one that fails, until when all that fails of it was measured as good; else when anything of it was; None: never.
    """

    node: str
    name: str
    state: str | None
    owner: str | None = None
    last_good_at: datetime | None = None
    checks: int = 0
    exposure: Exposure | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A node of the graph with what was asked for around it; `nodes` are all that are shown, by their names in the graph."""

    node: str
    graph: Lineage
    nodes: Mapping[str, Node]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Those between the nodes that are shown, by name."""
        return tuple(edge for edge in self.graph.edges if edge.child in self.nodes and edge.parent in self.nodes)


def picture(parts: Parts, text: str, *, with_ancestors: bool, with_descendants: bool) -> Picture:
    """What stands above and below the table, pipeline or exposure that `text` names as in check files; its schema may be left out.

    No warehouse is asked: patterns are applied to the tables and pipelines of the graph, and a check that only a pattern names counts
    once it has a result. UsageError when nothing is called so, with the nearest name, or several things are.
    """
    facts = parts.project.facts
    checks, graph = _resolved(parts)
    node = _named(text, graph.nodes | {check.node for check in parts.project.checks}, facts)
    shown = {node} | (graph.ancestors(node) if with_ancestors else set()) | (graph.descendants(node) if with_descendants else set())
    around = [check for check in checks if check.node in shown]
    ids = [check.id for check in around]
    with parts.database.read() as connection:
        newest = results.latest(connection, ids)
        good = results.measured(connection, ids, Verdict.PASS)
    named = {check.id for check in parts.project.checks}
    of_node: dict[str, list[Check]] = {}
    for check in around:
        if check.id in named or check.id in newest:
            of_node.setdefault(check.node, []).append(check)
    nodes = {one: _node(one, _shown(one, facts), of_node.get(one, ()), newest, good) for one in shown - graph.exposures.keys()}
    ends = (graph.exposures[one] for one in shown & graph.exposures.keys())
    return Picture(node, graph, nodes | {end.node: Node(end.node, end.name, None, end.owner, exposure=end) for end in ends})


def _resolved(parts: Parts) -> tuple[Sequence[Check], Lineage]:
    """All checks and the whole graph, as far as both are known without a warehouse."""
    project, told = parts.project, parts.told
    if not project.patterns:
        return project.checks, whole(project.lineage, (check.node for check in project.checks), told)
    known = project.lineage.nodes.union(*(found.nodes for found in told.values()))
    tables = [(table, False) for node in sorted(known) if (table := _table(node, project.facts))]
    pipelines = [node.partition("/") for node in sorted(known) if kind_of(node) == "pipeline"]
    found = project.resolve(tables, (PipelineInfo(source, pipeline) for source, _, pipeline in pipelines))
    return found.checks, whole(found.lineage, (check.node for check in found.checks), told)


def _named(text: str, nodes: Collection[str], facts: Facts) -> str:
    wanted = {text, EXPOSURE + text}
    wanted |= {str(table) for name in (text, f"{facts.first}:{text}") if (table := _table(name, facts))}
    found = sorted(wanted.intersection(nodes)) or sorted(node for node in nodes if _last(node, facts) == text)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{text!r} may be {' or '.join(found)}; write one of them")
    near = get_close_matches(text, {_shown(node, facts) for node in nodes}, 1)
    hint = f"did you mean {near[0]!r}?" if near else "it has no checks, and nothing names it as upstream"
    raise UsageError(f"nothing is known of a table, pipeline or exposure {text!r}; {hint}")


def _table(node: str, facts: Facts) -> TableRef | None:
    """The table; None of any other node, and of what no check file could name: tools may say anything."""
    warehouse, _, dataset = node.partition(":")
    with suppress(ValueError, KeyError):
        return facts.table(warehouse, dataset) if kind_of(node) == "dataset" else None
    return None


def _last(node: str, facts: Facts) -> str:
    """The table's, pipeline's or exposure's name alone."""
    table = _table(node, facts)
    return table.name if table else node.partition("/")[2]


def _shown(node: str, facts: Facts) -> str:
    return node.removeprefix(EXPOSURE).removeprefix(f"{facts.first}:")


def _node(
    node: str, name: str, checks: Sequence[Check], newest: Mapping[str, Sequence[ResultRecord]], good: Mapping[str, datetime]
) -> Node:
    verdicts = {check.id: _worst(record.verdict for record in newest[check.id]) for check in checks if check.id in newest}
    worst = _worst(verdicts.values())
    state = _STATES[worst] if worst else "not run" if checks else "no checks"
    owners = dict.fromkeys(check.owner for check in checks if check.owner)
    return Node(node, name, state, ", ".join(owners) or None, _last_good(verdicts, good), len(checks))


def _last_good(verdicts: Mapping[str, Verdict | None], good: Mapping[str, datetime]) -> datetime | None:
    bad = [check_id for check_id, verdict in verdicts.items() if verdict is not None and verdict.is_bad]
    times = [good[check_id] for check_id in bad or verdicts if check_id in good]
    if bad:
        return min(times) if len(times) == len(bad) else None
    return max(times, default=None)


def _worst(verdicts: Iterable[Verdict | None]) -> Verdict | None:
    found = set(verdicts)
    return next((verdict for verdict in _STATES if verdict in found), None)
