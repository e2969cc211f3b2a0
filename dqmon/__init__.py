"""dqmon: a data-quality and observability monitoring daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.frames.validate import FrameReport, Split, pandera_schema, validate

__all__ = ["FrameReport", "Split", "pandera_schema", "validate"]


def __getattr__(name: str) -> object:
    """The public names; nothing is imported before one of them is asked for (PEP 562)."""
    if name in __all__:
        from dqmon.frames import validate as public

        return getattr(public, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
