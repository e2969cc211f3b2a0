"""Durations as users write them: `90s`, `15m`, `2h`, `1d`, `4w`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

PATTERN = r"^[0-9]+(s|m|h|d|w)$"
_LONGEST_TEXT = 20
LONGEST_S = 36_525 * 86_400
"""100 years: any instant of today plus or minus such a duration is still a date."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_duration(text: object) -> int:
    """Seconds of `[0-9]+(s|m|h|d|w)`, 100 years at most; ValueError names what was found and the form expected."""
    if not isinstance(text, str) or not re.fullmatch(PATTERN, text):
        msg = f"{text!r} is not a duration; write a number and s, m, h, d or w, such as 90m or 2h"
        raise ValueError(msg)
    seconds = int(text[:-1]) * _SECONDS[text[-1]] if len(text) <= _LONGEST_TEXT else LONGEST_S + 1
    if seconds > LONGEST_S:
        msg = f"{text[:_LONGEST_TEXT]!r} is longer than 100 years; write a shorter duration"
        raise ValueError(msg)
    return seconds


def format_duration(seconds: float) -> str:
    """A duration for people, two units at most: `2h 11m`, `45s`, `3d 4h`; below a second `0s`."""
    left = int(abs(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    text = " ".join(parts[:2]) or "0s"
    return f"-{text}" if seconds <= -1 else text


def write_duration(seconds: int) -> str:
    """The shortest text that `parse_duration` reads back as `seconds`."""
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"


def _seconds(value: object, info: ValidationInfo) -> int:
    """Whole seconds stay as they are where Python gives them; in a file every duration has its unit."""
    return value if type(value) is int and info.mode == "python" else parse_duration(value)


Duration = Annotated[
    int,
    BeforeValidator(_seconds),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]
"""A pydantic field that reads a duration and holds whole seconds."""
