"""What is made from what: what the tools say is kept, and made one graph with what the check files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING

from dqmon.core.lineage import Lineage, joined, kind_of
from dqmon.core.protocols import Lineaged
from dqmon.errors import SourceError
from dqmon.store import lineage
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Source
    from dqmon.store.database import Database

LONGEST_NODE = 800
"""Characters of a node's name that are kept: PostgreSQL's index takes 2,704 bytes for an edge, its source and two names."""

log = Log(__name__)


def keep_lineage(source: Source, database: Database, now: datetime) -> None:
    """Keeps what the source says of the lineage in place of what it said before; while that is the same, it is written once a day.

    Does nothing with a source that knows of none. Raises SourceError, which leaves what is kept as it is, and StoreError.
    """
    if not isinstance(source, Lineaged):
        return
    found = source.lineage()
    if long := max(found.nodes, key=len, default="")[LONGEST_NODE:]:
        raise SourceError(
            f"ingestion {source.name}: its lineage has a name of {LONGEST_NODE + len(long)} characters; {LONGEST_NODE} are the limit"
        )
    with database.read() as connection:
        is_kept = lineage.is_kept(connection, source.name, found, now)
    if not is_kept:
        with database.write() as connection:
            lineage.keep(connection, source.name, found, now)


def whole(declared: Lineage, tables: Iterable[str], told: Mapping[str, Lineage]) -> Lineage:
    """The one graph of what the check files say and of what each source said last, without a cycle.

    A source's table that the check files know in other letters' case alone is theirs: most engines take both for one, and its tool writes
    the name in its own way. `tables` are the nodes of tables with checks. An edge of a source that would close a cycle is left out, and
    one warning names all of these.
    """
    same = _spelling({*declared.nodes, *tables})
    spelt = {source: _spelt(found, same) for source, found in sorted(told.items())}
    graph, left_out = joined(declared, reduce(Lineage.beside, spelt.values(), Lineage()))
    if left_out:
        by = {
            edge: ", ".join(source for source, found in spelt.items() if edge.parent in found.parents.get(edge.child, ()))
            for edge in left_out
        }
        names = "; ".join(f"{edge.child} <- {edge.parent} ({sources})" for edge, sources in by.items())
        log.warning(
            "lineage goes in a circle", left_out=names, advice="upstream: of a check file, or the tool's model, is the wrong way round"
        )
    return graph


def _spelling(known: Iterable[str]) -> dict[str, str]:
    """Each table that is known in one spelling, by its name in small letters."""
    tables = [node for node in known if kind_of(node) == "dataset"]
    often = Counter(map(str.lower, tables))
    return {node.lower(): node for node in tables if often[node.lower()] == 1}


def _spelt(found: Lineage, same: Mapping[str, str]) -> Lineage:
    def spelt(node: str) -> str:
        return same.get(node.lower(), node) if kind_of(node) == "dataset" else node

    parents: dict[str, frozenset[str]] = {}
    for child, above in found.parents.items():
        parents[spelt(child)] = parents.get(spelt(child), frozenset()) | frozenset(map(spelt, above))
    return Lineage(parents, found.exposures)
