"""`dqmon lineage`: what is made from what, and how each of it is now."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.core.lineage import kind_of
from dqmon.core.plain import plain

if TYPE_CHECKING:
    from dqmon.app.lineage import Node, Picture
    from dqmon.core.plain import Json

FORMATS = ("text", "json", "mermaid")
SCHEMA_VERSION = 1
_HEADINGS = ("STATE", "NODE", "OWNER", "LAST GOOD", "LINK")
_COLOURS = {"failing": "fill:#f8c8c8,stroke:#b00", "warning": "fill:#fbeebc,stroke:#a70", "error": "fill:#e8cdf0,stroke:#808"}


def command(
    name: Annotated[
        str, typer.Argument(metavar="TABLE", help="[warehouse:]dataset or source/pipeline, as in check files; or an exposure.")
    ],
    *,
    up: Annotated[bool, typer.Option("--up", help="Only what it is made from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what is made from it.")] = False,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json or mermaid.")] = "text",
    config: options.ConfigFile = None,
) -> None:
    """Shows what a table is made from, and what from it.

    Each table, pipeline and exposure with the worst verdict of its checks, its owner, and when it was good last. The graph is that of
    `upstream:` and `exposures:` in check files, and of what tools such as dbt said when they were polled last. No warehouse is asked.
    """
    options.choice("--format", form, FORMATS)
    from dqmon.app import open_app

    with open_app(config) as app:
        found = app.lineage(name, up=up or not down, down=down or not up)
    if form == "json":
        output.write(json.dumps(document(found), indent=2, ensure_ascii=False))
        return
    for line in mermaid(found) if form == "mermaid" else lines(found, up=up or not down, down=down or not up):
        output.write(line)


def lines(found: Picture, *, up: bool, down: bool) -> Iterator[str]:
    """The picture as text: the node, then a tree of each direction; a node that stands in a tree twice has its branches once."""
    node = found.nodes[found.node]
    good = _last_good(node)
    facts = (node.state, node.owner and f"owner {node.owner}", good and f"last good {good}")
    yield output.clean("  ".join([_label(node), *(fact for fact in facts if fact)]))
    trees = ({"Upstream": found.graph.parents} if up else {}) | ({"Downstream": found.graph.children()} if down else {})
    for title, steps in trees.items():
        rows = list(_tree(found, steps))
        if not rows:
            yield f"{title}: nothing that is known"
            continue
        yield title
        width = len(_HEADINGS) if any(row[-1] for row in rows) else len(_HEADINGS) - 1
        yield from output.table([row[:width] for row in rows], _HEADINGS[:width])


def _tree(found: Picture, steps: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, ...]]:
    """A row for each edge, those of a node below it by name; without recursion, since chains may be thousands long."""
    fork, end, bar = ("├─ ", "└─ ", "│  ") if "utf" in (sys.stdout.encoding or "").lower() else ("|- ", "`- ", "|  ")
    seen: set[str] = set()
    stack: list[tuple[str, str, str]] = []

    def push(node: str, indent: str) -> None:
        names = sorted(steps.get(node, ()), key=lambda name: (found.nodes[name].name, name), reverse=True)
        stack.extend((name, indent, fork if at else end) for at, name in enumerate(names))

    push(found.node, "")
    while stack:
        name, indent, branch = stack.pop()
        node, is_again = found.nodes[name], name in seen
        shown = f"{indent}{branch}{_label(node)}{' (see above)' if is_again else ''}"
        yield node.state or "", shown, node.owner or "", _last_good(node), (node.exposure and node.exposure.url) or ""
        if not is_again:
            seen.add(name)
            push(name, indent + ("   " if branch is end else bar))


def _last_good(node: Node) -> str:
    """Empty of a node about which its checks say nothing."""
    return output.instant(node.last_good_at) if node.last_good_at else "never" if node.state in ("failing", "warning") else ""


def mermaid(found: Picture) -> Iterator[str]:
    """The picture as a flow chart from left to right, for Markdown pages. https://mermaid.js.org/syntax/flowchart.html."""
    ids = {name: f"n{at}" for at, name in enumerate(sorted(found.nodes))}
    yield "flowchart LR"
    for name, id_ in ids.items():
        node = found.nodes[name]
        opening, closing = ("([", "])") if node.exposure else ("[/", "/]") if kind_of(name) == "pipeline" else ("[", "]")
        mark = f":::{node.state}" if node.state in _COLOURS else ""
        yield f'    {id_}{opening}"{_escaped(_label(node))}"{closing}{mark}'
    for edge in found.edges:
        yield f"    {ids[edge.parent]} --> {ids[edge.child]}"
    yield f"    style {ids[found.node]} stroke-width:3px"
    for state in sorted({node.state for node in found.nodes.values() if node.state in _COLOURS}):
        yield f"    classDef {state} {_COLOURS[state]}"


def _escaped(text: str) -> str:
    """Everything but letters, digits and a few signs as a character code, so that no name can be read as markup."""
    return "".join(c if c.isalnum() or c in " ._-/:()" else f"#{ord(c)};" for c in text)


def document(found: Picture) -> Json:
    """The picture as JSON: nodes with what is known of them, and the edges between them."""
    graph, shown = found.graph, found.nodes.keys()
    return {
        "schema_version": SCHEMA_VERSION,
        "node": found.node,
        "ancestors": sorted(graph.ancestors(found.node) & shown),
        "descendants": sorted(graph.descendants(found.node) & shown),
        "nodes": [_json(found.nodes[name]) for name in sorted(shown)],
        "edges": [{"child": edge.child, "parent": edge.parent} for edge in found.edges],
    }


def _json(node: Node) -> Json:
    end = node.exposure
    return {
        "node": node.node,
        "kind": kind_of(node.node),
        "name": node.name,
        "state": node.state,
        "checks": node.checks,
        "owner": node.owner,
        "last_good_at": plain(node.last_good_at),
        "type": end.type if end else None,
        "url": end.url if end else None,
        "description": end.description if end else None,
    }


def _label(node: Node) -> str:
    return f"{node.name} ({node.exposure.type})" if node.exposure else node.name
