"""The extensions that a configuration may name."""

from __future__ import annotations

from dataclasses import dataclass, field

from dqmon.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Registries:
    """One registry for each kind of extension; tests pass their own."""

    checks: Registry = field(default_factory=lambda: Registry("checks"))
    warehouses: Registry = field(default_factory=lambda: Registry("warehouses"))
    ingestion: Registry = field(default_factory=lambda: Registry("ingestion"))
    channels: Registry = field(default_factory=lambda: Registry("channels"))

    def of(self, kind: str) -> Registry:
        """The registry of a kind: checks, warehouses, ingestion or channels."""
        return {"checks": self.checks, "warehouses": self.warehouses, "ingestion": self.ingestion, "channels": self.channels}[kind]
