"""Bytes, credits and seconds for people."""

from __future__ import annotations

import math

from dqmon.core import cost

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: float | None) -> str:
    """`12.3 MB`, in powers of 1,000; `-` for what is not known."""
    if count is None:
        return "-"
    power = min(int(math.log10(max(count, 1)) // 3), len(_UNITS) - 1)
    return f"{count / 1_000**power:,.{1 if power else 0}f} {_UNITS[power]}"


def amount(value: float | None) -> str:
    """Credits or seconds; `-` for what is not known."""
    return "-" if value is None else cost.amount(value)
