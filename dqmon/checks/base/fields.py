"""Option types of check types: what YAML gives in, exact values out."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema


def as_decimal(value: object) -> object:
    """YAML's number, or text that is one, as an exact finite Decimal; ValueError for anything else."""
    if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except ArithmeticError:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    msg = f"{value!r} is not a number"
    raise ValueError(msg)


def as_tuple(value: object) -> object:
    """YAML's list as a tuple; anything else is left for pydantic to refuse."""
    return tuple(value) if isinstance(value, list) else value


def _as_scalars(value: object) -> object:
    """YAML's list of scalars with its fractions exact, so that 0.1 is compared as 0.1."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(as_decimal(item) if isinstance(item, float) else item for item in value)


def _as_texts(value: object) -> object:
    """YAML's list of values as texts, which the column's type reads again: 1, 1.5, true, 2013-01-31, new."""
    return tuple(_as_text(item) for item in value) if isinstance(value, list | tuple) else value


def _as_text(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float() | Decimal():
            return str(as_decimal(value))
        case date():
            return value.isoformat()
        case None:
            raise ValueError("null is no value; NULL is never tested here, write a completeness check for it")
        case _:
            raise ValueError(f"{value!r} is no text, number, true, false or date")


Number = Annotated[
    Decimal,
    BeforeValidator(as_decimal),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": ["number", "string"]}),
]
"""An exact number."""

Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
"""Column names, in declared order."""

Scalars = Annotated[
    tuple[str | int | Decimal | bool, ...],
    BeforeValidator(_as_scalars),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "number", "boolean"]}}),
]
"""Values that stand for "nothing was entered"."""


Values = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_texts),
    Field(min_length=1),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}),
]
"""Values of a column, at least one, each as the text that its type reads."""


def key_problems(column: str | None, columns: tuple[str, ...]) -> tuple[str, ...]:
    """What is wrong with the pair of options `column` and `columns`, of which exactly one is to be given."""
    if column is not None and columns:
        return ("column and columns are both given; write one of them",)
    if column is None and not columns:
        return ("no column is given; write column: name, or columns: [name, …]",)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    return (f"columns names {', '.join(twice)} twice; write each column once",) if twice else ()


def pattern_problems(pattern: str | None) -> tuple[str, ...]:
    """What is wrong with a regular expression, as far as Python can tell."""
    try:
        re.compile(pattern or "")
    except re.error as e:
        return (f"{pattern!r} is not a regular expression: {e}",)
    return ()
