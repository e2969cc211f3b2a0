"""The graph of what is made from what: tables, pipelines, and at its end what people read (exposures)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`child` is made from `parent`. Both are nodes: `warehouse:dataset` as `TableRef` writes it, `source/pipeline`, or an exposure's."""

    child: str
    parent: str


@dataclass(frozen=True, slots=True, order=True)
class Exposure:
    """What people or programs read: a dashboard, a report, a notebook, an application. It has no checks and no children.

    `type` is dbt's word for it (dashboard, notebook, analysis, ml, application).
    """

    name: str
    type: str = "dashboard"
    owner: str | None = None
    url: str | None = None

    @property
    def node(self) -> str:
        """Its name in the graph; no table and no pipeline has such a one."""
        return f"{EXPOSURE}{self.name}"


EXPOSURE = "exposure:/"
"""What the node of an exposure begins with: `:` before the first `/` is no pipeline, and a table's name has no bare `/`."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """`parents` maps a node to those that it is made from; `exposures` are by node."""

    parents: Mapping[str, frozenset[str]] = field(default_factory=dict)
    exposures: Mapping[str, Exposure] = field(default_factory=dict)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All of them, in the order of their names."""
        return tuple(sorted(Edge(child, parent) for child, parents in self.parents.items() for parent in parents))

    def ancestors(self, node: str) -> frozenset[str]:
        """All that `node` is made from, at any distance; never `node` itself, also in a cycle."""
        return _reached(node, self.parents)

    def descendants(self, node: str) -> frozenset[str]:
        """All that is made from `node`, at any distance; never `node` itself, also in a cycle."""
        return _reached(node, self.children())

    def children(self) -> dict[str, frozenset[str]]:
        """The graph the other way round: a node to those that are made from it."""
        found: dict[str, set[str]] = {}
        for child, parents in self.parents.items():
            for parent in parents:
                found.setdefault(parent, set()).add(child)
        return {parent: frozenset(children) for parent, children in found.items()}

    def cycle(self) -> tuple[str, ...]:
        """The nodes of one cycle, first and last equal; empty when there is none."""
        done: set[str] = set()
        for start in self.parents:
            path: list[str] = []
            stack: list[tuple[str, bool]] = [(start, False)]
            while stack:
                node, is_left = stack.pop()
                if is_left:
                    done.add(path.pop())
                elif node in path:
                    return (*path[path.index(node) :], node)
                elif node not in done:
                    path.append(node)
                    stack.append((node, True))
                    stack.extend((parent, False) for parent in self.parents.get(node, frozenset()))
        return ()


def of_edges(edges: Iterable[Edge], exposures: Iterable[Exposure] = ()) -> Lineage:
    """The graph of those edges, as they are: a cycle among them stays one."""
    parents: dict[str, set[str]] = {}
    for edge in edges:
        parents.setdefault(edge.child, set()).add(edge.parent)
    return Lineage({child: frozenset(found) for child, found in parents.items()}, {exposure.node: exposure for exposure in exposures})


def _reached(node: str, steps: Mapping[str, frozenset[str]]) -> frozenset[str]:
    seen: set[str] = set()
    stack = [node]
    while stack:
        for found in steps.get(stack.pop(), frozenset()):
            if found not in seen:
                seen.add(found)
                stack.append(found)
    return frozenset(seen - {node})
