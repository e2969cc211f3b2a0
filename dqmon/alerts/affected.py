"""The blast radius: all that is made from what is in trouble. Pure."""

from __future__ import annotations

from collections.abc import Collection

from dqmon.core.lineage import Lineage
from dqmon.core.message import Affected

LISTED_AFFECTED = 10
"""How many a message lists; the rest is counted."""


def affected(root: str, lineage: Lineage, failing: Collection[str]) -> tuple[tuple[str, Affected], ...]:
    """All descendants of `root` with their nodes: those that fail first, then what people read, then by name.

    A table is named without its warehouse where all of them are of one.
    """
    below = lineage.descendants(root)
    tables = [node for node in (root, *below) if node not in lineage.exposures and _is_table(node)]
    is_one = len({node.partition(":")[0] for node in tables}) == 1
    found = [(node, _affected(node, lineage, is_failing=node in failing, is_one=is_one)) for node in below]
    return tuple(sorted(found, key=lambda item: (not item[1].is_failing, item[0] not in lineage.exposures, item[1].name, item[0])))


def _affected(node: str, lineage: Lineage, *, is_failing: bool, is_one: bool) -> Affected:
    if (exposure := lineage.exposures.get(node)) is not None:
        return Affected(exposure.name, exposure.type, owner=exposure.owner, url=exposure.url)
    if _is_table(node):
        return Affected(node.partition(":")[2] if is_one else node, "table", is_failing)
    return Affected(node, "pipeline", is_failing)


def _is_table(node: str) -> bool:
    """`warehouse:dataset`, and not `source/pipeline`, whose name may have a colon."""
    return ":" in node.partition("/")[0]
