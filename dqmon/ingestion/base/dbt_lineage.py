"""What dbt's manifest says of what is made from what. https://docs.getdbt.com/reference/artifacts/manifest-json."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dqmon.core.check import PipelineRef
from dqmon.core.lineage import Edge, Exposure, Lineage, of_edges
from dqmon.ingestion.base.dbt_artifacts import TABLES, name_of
from dqmon.ingestion.base.json_fields import mapping, text
from dqmon.ingestion.base.relation import relation

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse
    from dqmon.core.table import TableRef

_LINK = re.compile(r"https?://[^\s@\\\"<>|`]+")
"""Links that a message may hold: without a user, and without what ends a link in one of the channels."""


def lineage(content: Mapping[str, Json], pipeline: PipelineRef, warehouse: Warehouse) -> Lineage:
    """The graph of the manifest's tables in the warehouse, and its exposures.

    Each model, seed and snapshot is made from its parents and by `pipeline`, the project's runs, so that a failed run stands above its
    tables. What has no table of its own (ephemeral models, metrics) is passed through to its parents. Tests are left out.
    """
    parents = mapping(content.get("parent_map"))
    nodes = {id_: mapping(node) for part in ("nodes", "sources") for id_, node in mapping(content.get(part)).items()}
    made = {id_ for id_, node in nodes.items() if node.get("resource_type") in TABLES}
    tables = {
        id_: str(_table(node, warehouse))
        for id_, node in nodes.items()
        if (id_ in made or node.get("resource_type") == "source") and text(node.get("relation_name"))
    }
    edges = [Edge(table, str(pipeline)) for id_, table in tables.items() if id_ in made]
    edges += (Edge(table, parent) for id_, table in tables.items() for parent in _nearest(id_, parents, tables) if parent != table)
    exposures = {id_: _exposure(id_, mapping(found)) for id_, found in mapping(content.get("exposures")).items()}
    edges += (Edge(end.node, parent) for id_, end in exposures.items() for parent in _nearest(id_, parents, tables))
    return of_edges(edges, exposures.values())


def _table(node: Mapping[str, Json], warehouse: Warehouse) -> TableRef:
    name, statement = name_of(node), text(node.get("relation_name")) or ""
    return relation(warehouse, text(node.get("database")), text(node.get("schema")), name, statement)


def _nearest(id_: str, parents: Mapping[str, Json], tables: Mapping[str, str]) -> Iterator[str]:
    """The tables that the node reads, itself or through others that have none."""
    seen, stack = {id_}, [id_]
    while stack:
        above = parents.get(stack.pop())
        for parent in above if isinstance(above, list) else ():
            if isinstance(parent, str) and parent not in seen:
                seen.add(parent)
                if parent in tables:
                    yield tables[parent]
                else:
                    stack.append(parent)


def _exposure(id_: str, found: Mapping[str, Json]) -> Exposure:
    owner, link = mapping(found.get("owner")), text(found.get("url")) or ""
    emails = owner.get("email")  # a list since dbt 1.10
    email = emails[0] if isinstance(emails, list) and emails else emails
    return Exposure(
        text(found.get("name")) or id_.rpartition(".")[2],
        text(found.get("type")) or "dashboard",
        text(owner.get("name")) or text(email),
        link if _LINK.fullmatch(link) else None,
        text(found.get("description")),
    )
