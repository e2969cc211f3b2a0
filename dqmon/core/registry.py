"""Finds extensions: one file in a room, or an entry point of another package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from dqmon.errors import ExtensionError

ROOMS = {
    "checks": "checks",
    "warehouses": "warehouses",
    "ingestion": "ingestion",
    "channels": "notify",
    "detectors": "detectors",
}
"""Entry point group `dqmon.<key>` and the room that holds dqmon's own extensions of that kind."""


class Registry:
    """The extensions of one kind, by name. Listing names imports none of them; `get` imports just one.

    A file of the room is an extension named as the file; sub-packages hold what several of them share. A name that is
    there twice, or an extension that cannot be imported, is an ExtensionError that says which package is to blame.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._package = f"dqmon.{ROOMS[kind]}"
        room = Path(__file__).parent.parent / ROOMS[kind]
        self._own = frozenset(m.name for m in pkgutil.iter_modules([str(room)]) if not m.ispkg)
        self._found: dict[str, type[Any]] = {}
        self._outside: dict[str, EntryPoint] | None = None

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._own | self._entry_points().keys()))

    def get(self, name: str) -> type[Any]:
        """The class of that name. Raises ExtensionError, also for a duplicate of the name."""
        if name not in self._found:
            outside = self._entry_points().get(name)
            if outside is not None:
                self._found[name] = self._load(outside)
            elif name in self._own:
                self._found[name] = _class_in(importlib.import_module(f"{self._package}.{name}"), name)
            else:
                msg = f"there is no extension {name!r} in {self.kind}; there are {', '.join(self.names())}"
                raise ExtensionError(msg)
        return self._found[name]

    def all(self) -> dict[str, type[Any]]:
        """Every extension by name; imports all of them."""
        return {name: self.get(name) for name in self.names()}

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._outside is None:
            self._outside = {}
            for point in sorted(_outside_points(f"dqmon.{self.kind}"), key=lambda p: (p.name, p.value)):
                other = self._outside.get(point.name)
                if other is not None and other.value == point.value:
                    continue
                if point.name in self._own or other is not None:
                    first = f"{_package(other)} too" if other else "dqmon itself"
                    msg = f"{self.kind}: {_package(point)} brings {point.name!r}, which {first} brings; uninstall one"
                    raise ExtensionError(msg)
                self._outside[point.name] = point
        return self._outside

    def _load(self, point: EntryPoint) -> type[Any]:
        try:
            found = point.load()
        except Exception as e:
            msg = f"{self.kind}: {point.name!r} of {_package(point)} cannot be imported: {type(e).__name__}: {e}"
            raise ExtensionError(msg) from e
        if not inspect.isclass(found) or getattr(found, "type", None) != point.name:
            msg = f"{self.kind}: {point.value} of {_package(point)} is no class whose `type` is {point.name!r}"
            raise ExtensionError(msg)
        return found


def _outside_points(group: str) -> EntryPoints:
    return _all_points().select(group=group)


@cache
def _all_points() -> EntryPoints:
    """The entry points of all installed packages; looking through them takes 5 ms, so once a process."""
    return entry_points()  # type: ignore[return-value]  # Python 3.11 has a sibling class with the same `select`


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _class_in(module: ModuleType, name: str) -> type[Any]:
    for found in vars(module).values():
        if inspect.isclass(found) and found.__module__ == module.__name__ and getattr(found, "type", None) == name:
            return found
    msg = f"{module.__name__} has no class whose `type` is {name!r}"
    raise ExtensionError(msg)
