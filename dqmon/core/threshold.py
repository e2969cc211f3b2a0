"""Thresholds: the *bad* condition of a check, `> 0.5%`, `not between 20 and 60`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Operator = Literal[">", ">=", "<", "<=", "=", "!=", "between", "not between"]

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_COMPARE = re.compile(rf"^\s*(>=|<=|!=|>|<|=)\s*({_NUMBER})\s*(%?)\s*$")
_BETWEEN = re.compile(rf"^\s*(not\s+)?between\s+({_NUMBER})\s*(%?)\s+and\s+({_NUMBER})\s*(%?)\s*$")
_FORM = 'write OP NUMBER[%] with > >= < <= = or !=, or [not] between A and B, such as "> 0.5%"'


@dataclass(frozen=True, slots=True)
class Threshold:
    """A condition that is bad when it is met; `high` is set for the two `between` forms only.

    With `is_percent` it is compared with ratio x 100 in Decimal, so `> 0.5%` of 200 rows is exactly more than one.
    """

    operator: Operator
    low: Decimal
    high: Decimal | None = None
    is_percent: bool = False

    def is_met(self, value: Decimal) -> bool:
        """True when `value` (a percentage if `is_percent`) is in the bad range; bounds of between are inclusive."""
        match self.operator:
            case ">":
                return value > self.low
            case ">=":
                return value >= self.low
            case "<":
                return value < self.low
            case "<=":
                return value <= self.low
            case "=":
                return value == self.low
            case "!=":
                return value != self.low
            case "between":
                return self.low <= value <= (self.high if self.high is not None else self.low)
            case "not between":
                return not self.low <= value <= (self.high if self.high is not None else self.low)

    def __str__(self) -> str:
        sign = "%" if self.is_percent else ""
        if self.high is None:
            return f"{self.operator} {self.low}{sign}"
        return f"{self.operator} {self.low}{sign} and {self.high}{sign}"


def parse_threshold(text: object) -> Threshold:
    """The threshold that `text` says; ValueError names what was found and the form expected."""
    if isinstance(text, str):
        if found := _COMPARE.match(text):
            return Threshold(found[1], Decimal(found[2]), None, found[3] == "%")  # type: ignore[arg-type]  # the pattern admits only operators
        if found := _BETWEEN.match(text):
            low, high = Decimal(found[2]), Decimal(found[4])
            if found[3] != found[5]:
                msg = f"{text!r} has % on one bound only; write it on both or on none"
                raise ValueError(msg)
            if low > high:
                msg = f"{text!r} has its bounds the wrong way round"
                raise ValueError(msg)
            return Threshold("not between" if found[1] else "between", low, high, found[3] == "%")
    msg = f"{text!r} is not a threshold; {_FORM}"
    raise ValueError(msg)


def percentage(part: int | Decimal, whole: int | Decimal) -> Decimal:
    """Part / whole x 100 in Decimal; whole must not be 0."""
    return Decimal(part) * 100 / Decimal(whole)
