"""The graph of what is made from what: tables, pipelines, and at its end what people read (exposures)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal


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
    description: str | None = None

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
    _children: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def nodes(self) -> frozenset[str]:
        """All nodes that have a parent or a child, and all exposures."""
        return frozenset(self.exposures).union(self.parents, *self.parents.values())

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All of them, in the order of their names."""
        return tuple(sorted(Edge(child, parent) for child, parents in self.parents.items() for parent in parents))

    def beside(self, other: Lineage) -> Lineage:
        """Both as one graph, as they are: a cycle between them is not looked for. An exposure that both know is as this one says."""
        nothing = frozenset[str]()
        children = {**self.parents, **other.parents}
        parents = {child: self.parents.get(child, nothing) | other.parents.get(child, nothing) for child in children}
        return Lineage(parents, {**other.exposures, **self.exposures})

    def ancestors(self, node: str) -> frozenset[str]:
        """All that `node` is made from, at any distance; never `node` itself, also in a cycle."""
        return _reached(node, self.parents)

    def descendants(self, node: str) -> frozenset[str]:
        """All that is made from `node`, at any distance; never `node` itself, also in a cycle."""
        return _reached(node, self.children())

    def children(self) -> Mapping[str, frozenset[str]]:
        """The graph the other way round: a node to those that are made from it. Turned round once, however often it is asked for."""
        if not self._children:
            found: dict[str, set[str]] = {}
            for child, parents in self.parents.items():
                for parent in parents:
                    found.setdefault(parent, set()).add(child)
            self._children.update({parent: frozenset(children) for parent, children in found.items()})
        return self._children

    def cycle(self) -> tuple[str, ...]:
        """The nodes of one cycle, first and last equal, the same one each time; empty when there is none."""
        done: set[str] = set()
        for start in sorted(self.parents):
            path: dict[str, None] = {}
            stack: list[tuple[str, bool]] = [(start, False)]
            while stack:
                node, is_left = stack.pop()
                if is_left:
                    del path[node]
                    done.add(node)
                elif node in path:
                    names = tuple(path)
                    return (*names[names.index(node) :], node)
                elif node not in done:
                    path[node] = None
                    stack.append((node, True))
                    stack.extend((parent, False) for parent in sorted(self.parents.get(node, frozenset()), reverse=True))
        return ()


def kind_of(node: str) -> Literal["dataset", "pipeline", "exposure"]:
    """What a node stands for, by its name."""
    if node.startswith(EXPOSURE):
        return "exposure"
    return "dataset" if ":" in node.partition("/")[0] else "pipeline"


def of_edges(edges: Iterable[Edge], exposures: Iterable[Exposure] = ()) -> Lineage:
    """The graph of those edges, as they are: a cycle among them stays one."""
    parents: dict[str, set[str]] = {}
    for edge in edges:
        parents.setdefault(edge.child, set()).add(edge.parent)
    return Lineage({child: frozenset(found) for child, found in parents.items()}, {exposure.node: exposure for exposure in exposures})


def joined(declared: Lineage, told: Lineage) -> tuple[Lineage, tuple[Edge, ...]]:
    """Both as one graph without a cycle, and the edges of `told` that are left out of it for that, by name.

    `declared` has no cycle. The edges of `told` are tried in the order of their names: one that would close a cycle with those before it
    is left out. An exposure that both know is as `declared` says.
    """
    graph = declared.beside(told)
    if not graph.cycle():
        return graph, ()
    knot, sure = _knot(graph), set(declared.edges)
    doubtful = [edge for edge in told.edges if {edge.child, edge.parent} <= knot and edge not in sure]
    both = dict(graph.parents)
    for edge in doubtful:
        both[edge.child] -= {edge.parent}
    left_out = []
    for edge in doubtful:
        if edge.child == edge.parent or edge.child in _reached(edge.parent, both):
            left_out.append(edge)
        else:
            both[edge.child] |= {edge.parent}
    return Lineage({child: parents for child, parents in both.items() if parents}, graph.exposures), tuple(left_out)


def _knot(graph: Lineage) -> set[str]:
    """The nodes in cycles and between them: what is left when the others are taken off, from both ends of the graph."""
    left = set(graph.nodes)
    for above, below in ((graph.parents, graph.children()), (graph.children(), graph.parents)):
        waits = {node: sum(other in left for other in above.get(node, ())) for node in left}
        free = [node for node, count in waits.items() if not count]
        while free:
            node = free.pop()
            left.remove(node)
            for other in below.get(node, ()):
                if other in left:
                    waits[other] -= 1
                    if not waits[other]:
                        free.append(other)
    return left


def _reached(node: str, steps: Mapping[str, frozenset[str]]) -> frozenset[str]:
    seen: set[str] = set()
    stack = [node]
    while stack:
        for found in steps.get(stack.pop(), frozenset()):
            if found not in seen:
                seen.add(found)
                stack.append(found)
    return frozenset(seen - {node})
