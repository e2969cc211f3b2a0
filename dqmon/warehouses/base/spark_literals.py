r"""Bound values as text, since Spark's Thrift protocol has no parameters: typed, and one literal each whatever they hold.

Spark reads `\u0041` in a text as the character (https://spark.apache.org/docs/latest/sql-ref-literals.html), and puts its settings and
the server's environment in the place of `${…}` before it parses, in texts too (`spark.sql.variable.substitute`, which a session of
dqmon switches off). So everything in a text but letters, digits and a few signs is written by its number.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal

_NUMBERED = re.compile(r"[^A-Za-z0-9 _.,:;@/()\[\]|^+*?=<>!#&~-]")

_TOO_MANY = Decimal(10) ** 38
"""The first number that no decimal of Spark holds (https://spark.apache.org/docs/latest/sql-ref-datatypes.html)."""


def literal(value: object) -> str:
    """The literal of a bound value. ValueError for a text that is no Unicode, TypeError for a type that has no literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | Decimal():
            return _exact(Decimal(value))
        case float():
            return _double(value)
        case str():
            return text(value)
        case datetime() if value.tzinfo is not None:
            return f"TIMESTAMP_LTZ'{value.astimezone(UTC).isoformat(' ', 'microseconds')}'"
        case datetime():
            return f"TIMESTAMP_NTZ'{value.isoformat(' ', 'microseconds')}'"
        case date():
            return f"DATE'{value.isoformat()}'"
    raise TypeError(f"there is no literal of the type {type(value).__name__}")


def text(value: str) -> str:
    """A text between quotes. ValueError for one that is no Unicode: half of a pair would be a question mark there."""
    value.encode()
    return "'" + _NUMBERED.sub(_number, value) + "'"


def _number(found: re.Match[str]) -> str:
    point = ord(found[0])
    return f"\\u{point:04X}" if point < 0x1_0000 else f"\\U{point:08X}"  # noqa: PLR2004 - what four hex digits hold


def _exact(value: Decimal) -> str:
    # What no decimal holds is beyond all values of a column, so that the nearest double compares as it does.
    return format(value, "f") if value.is_finite() and value.copy_abs() < _TOO_MANY else _double(float(value))


def _double(value: float) -> str:
    return f"{value!r}D" if math.isfinite(value) else f"CAST('{value}' AS DOUBLE)"
