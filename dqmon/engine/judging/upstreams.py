"""Which pipelines tables are made from, by the lineage, and what the store has kept of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check import PipelineRef
from dqmon.core.verdict import Dimension

if TYPE_CHECKING:
    from dqmon.core.lineage import Lineage
    from dqmon.core.result import CheckResult
    from dqmon.engine.environment import Environment

_LOADS = 30
"""The newest loads of a pipeline tell how it is, and what is usual."""
_SINCE = timedelta(days=90)
_EXPLAINED = (Dimension.TIMELINESS, Dimension.VOLUME)
"""What a load that did not come explains; nulls, ranges and schemas are the table's own."""


def pipeline_of(node: str, sources: Collection[str]) -> PipelineRef | None:
    """The pipeline that a node of the lineage is; None of a table, an exposure, and a pipeline of no configured source."""
    source, slash, pipeline = node.partition("/")
    return PipelineRef(source, pipeline) if slash and source in sources else None


def above(lineage: Lineage, node: str, sources: Collection[str]) -> tuple[PipelineRef, ...]:
    """All pipelines that `node` is made from, the most upstream first, then by name."""
    found = {parent: ref for parent in lineage.ancestors(node) if (ref := pipeline_of(parent, sources)) is not None}
    return tuple(found[name] for name in sorted(found, key=lambda name: (len(lineage.ancestors(name)), name)))


def nearest(lineage: Lineage, node: str, sources: Collection[str]) -> tuple[PipelineRef, ...]:
    """The pipelines that load `node` itself, else the tables that it is made from at the least distance at which any is loaded."""
    level, seen = {node}, {node}
    while level:
        level = {parent for one in level for parent in lineage.parents.get(one, ())} - seen
        if found := [ref for parent in sorted(level) if (ref := pipeline_of(parent, sources)) is not None]:
            return tuple(found)
        seen |= level
    return ()


def explained(environment: Environment, results: Sequence[CheckResult], now: datetime) -> Sequence[CheckResult]:
    """The results; bad ones of timeliness and volume say which pipeline upstream they are caused by (`engine.judging.cause`).

    Three statements for all of them, none where nothing is bad or no pipeline stands upstream. Raises StoreError.
    """
    if not environment.sources or not environment.lineage.parents:
        return results
    nodes = {result.check.node for result in results if may_be_caused(result)}
    refs = {node: above(environment.lineage, node, environment.sources) for node in nodes}
    wanted = {ref for found in refs.values() for ref in found}
    if not wanted:
        return results
    from dqmon.engine.judging.cause import Kept, upstream, with_cause
    from dqmon.store import loads, pipelines

    with environment.database.read() as connection:
        records = loads.newest(connection, wanted, _LOADS, now - _SINCE, whole=True)
        infos, contacts = pipelines.infos_of(connection, wanted), pipelines.contacts(connection)
    never = pipelines.Contact()
    states = {ref: upstream(Kept(ref, records[ref], infos.get(ref), contacts.get(ref.source, never)), now) for ref in wanted}
    by_node = {node: tuple(states[ref] for ref in found) for node, found in refs.items()}
    return [with_cause(result, by_node[result.check.node]) if may_be_caused(result) else result for result in results]


def may_be_caused(result: CheckResult) -> bool:
    """True of a bad result of a table that a load may have caused: of timeliness or volume."""
    return result.verdict.is_bad and result.check.table is not None and result.check.rule.dimension in _EXPLAINED
