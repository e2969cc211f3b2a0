"""The graph of what is made from what."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Lineage:
    """`parents` maps a dataset or pipeline, written as `Check.subject` writes it, to what it is made from."""

    parents: dict[str, frozenset[str]] = field(default_factory=dict)

    def ancestors(self, subject: str) -> frozenset[str]:
        """All that `subject` is made from, at any distance; never `subject` itself, also in a cycle."""
        seen: set[str] = set()
        stack = [subject]
        while stack:
            for parent in self.parents.get(stack.pop(), frozenset()):
                if parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return frozenset(seen - {subject})

    def cycle(self) -> tuple[str, ...]:
        """The names of one cycle, first and last equal; empty when there is none."""
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
