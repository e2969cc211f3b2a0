"""Values as JSON has them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dqmon.core.table import Column

Json = Any
"""Anything that `json.loads` returns."""


def plain(value: object) -> Json:
    """`value` as JSON has it: instants in ISO with Z, decimals as text, NaN and infinity as text, columns as names."""
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return value if value - value == 0 else str(value)
        case Decimal():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Column():
            return value.name
        case tuple() | list():
            return [plain(item) for item in value]
        case _:
            return str(value)
