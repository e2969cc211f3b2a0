"""What a source can say whose records are mapped by hand, field by field."""

from __future__ import annotations

from collections.abc import Collection

_NEEDED: dict[str, tuple[frozenset[str], ...]] = {
    "success": (frozenset({"finished_at"}), frozenset({"data_through"})),
    "duration": (frozenset({"started_at", "finished_at"}),),
    "heartbeat": (frozenset({"heartbeat_at"}),),
    "rows": (frozenset({"rows"}),),
    "rejects": (frozenset({"rows_rejected"}),),
    "schema": (frozenset({"schema_version"}),),
    "cursor": (frozenset({"cursor"}),),
}
"""The fields of a LoadRecord without one set of which nothing can be said; a status alone tells failures and what runs."""


def said_by(mapped: Collection[str], provides: frozenset[str]) -> frozenset[str]:
    """Of all that the type provides, what these fields tell."""
    return frozenset(one for one in provides if one not in _NEEDED or any(fields <= set(mapped) for fields in _NEEDED[one]))
