"""The real engines that the contract suites run on: one file each, found by its presence."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from engines.base import Engine

__all__ = ["Engine", "all_engines", "engine"]


@cache
def all_engines() -> tuple[Engine, ...]:
    """One of each kind, by name; also those that this machine cannot start (`Engine.why_not`)."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "base")
    modules = [importlib.import_module(f"engines.{name}") for name in names]
    kinds = [
        value for module in modules for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    return tuple(kind() for kind in kinds if issubclass(kind, Engine))


def engine(kind: str) -> Engine:
    """The one whose warehouse type is `kind`."""
    return next(found for found in all_engines() if found.kind == kind)
