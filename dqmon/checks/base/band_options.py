"""The options that all types share which compare a value with its own past."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from dqmon.checks.base.fields import Number, as_decimal
from dqmon.checks.base.words import count, number
from dqmon.core.check import Check
from dqmon.core.check_type import CheckType
from dqmon.core.due_days import holidays_of
from dqmon.core.duration import Duration, write_duration
from dqmon.core.protocols import Detector
from dqmon.core.registry import Registry

_DETECTORS = Registry("detectors")
_OF_SOME_METHODS = ("false_alerts_per_year", "sigmas", "percent", "tail_percent", "seasonality")
_WIDTHS = _OF_SOME_METHODS[:-1]
_GRAIN_S = {"hour": 3_600, "day": 86_400, "week": 604_800, "month": 2_678_400}


def _as_change(value: object) -> str:
    """`5%`, or a number in the value's unit, as text; ValueError for anything else."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?\s*%", text):
        return text.replace(" ", "")
    found = as_decimal(text)
    if not isinstance(found, Decimal) or found < 0:
        msg = f"{value!r} is no change; write a percentage such as 5%, or a number from 0 up in the value's unit"
        raise ValueError(msg)
    return str(found)


Change = Annotated[str, BeforeValidator(_as_change), WithJsonSchema({"type": ["number", "string"]})]
"""How large a change is: a share of the expected value, or a number in the value's unit."""


class BandOptions(CheckType):
    """Which method finds the band, how wide it is, and what it is learned from."""

    allows_threshold: ClassVar[bool] = False
    smallest_change: ClassVar[float]
    """What a value that was always the same may change by at least: 1 for counts, 0 for values that may be of any size."""

    method: str = "auto"
    direction: Literal["both", "drop", "rise"] = "both"
    false_alerts_per_year: Annotated[Number, Field(gt=0)] = Field(default=2, validate_default=True)
    warn_per_year: Annotated[Number, Field(gt=0)] | None = None
    sigmas: Annotated[Number, Field(gt=0)] | None = None
    percent: Annotated[Number, Field(gt=0)] | None = None
    tail_percent: Annotated[Number, Field(gt=0, lt=50)] | None = None
    ignore_change_below: Change | None = None
    min_history: Annotated[int, Field(ge=2)] = 14
    training_period: Annotated[Duration, Field(gt=0)] | None = None
    max_age_of_history: Annotated[Duration, Field(gt=0)] | None = None
    seasonality: Literal["auto", "none", "hour", "day_of_week", "month_day"] = "auto"
    calendar: str | None = None

    @property
    def history_span(self) -> timedelta | None:
        """`training_period`."""
        return None if self.training_period is None else timedelta(seconds=self.training_period)

    @property
    def has_budget(self) -> bool:
        """True when a number of false alerts sets the width."""
        return "false_alerts_per_year" in _DETECTORS.get(self.method).takes and not self._own_width

    def detector(self, per_year: float) -> Detector:
        """The method, at the width of `per_year` false alerts. A one-sided check spends its whole budget on its side."""
        budget = per_year if self.direction == "both" else 2 * per_year
        given = {name: value for name in _OF_SOME_METHODS if (value := getattr(self, name)) is not None}
        shared = {"false_alerts_per_year": budget, "min_history": self.min_history, "smallest_change": self.smallest_change}
        found: Detector = _DETECTORS.get(self.method)(given | shared)
        return found

    def ignored_change(self, center: float) -> float:
        """By how much the value may be off its expectation without being an alert, in its unit."""
        if self.ignore_change_below is None:
            return 0.0
        if self.ignore_change_below.endswith("%"):
            return abs(center) * float(self.ignore_change_below[:-1]) / 100
        return min(float(self.ignore_change_below), math.ldexp(1.0, 1000))

    def problems(self, check: Check) -> tuple[str, ...]:
        """A method that does not exist, options that it has no use for, a warning net that is no wider, what never learns."""
        if self.method not in _DETECTORS.names():
            return (f"there is no method {self.method!r}; there are {', '.join(_DETECTORS.names())}",)
        return (*self._method_problems(), *self._net_problems(), *self._history_problems(check))

    @property
    def _own_width(self) -> tuple[str, ...]:
        """The options given that set the width in place of false_alerts_per_year."""
        return tuple(name for name in _WIDTHS[1:] if getattr(self, name) is not None)

    def _method_problems(self) -> list[str]:
        takes = _DETECTORS.get(self.method).takes
        given = [name for name in _OF_SOME_METHODS if name in self.model_fields_set and name not in takes]
        taken = ", ".join(name for name in _OF_SOME_METHODS if name in takes)
        found = [f"method {self.method} has no use for {name}; it takes {taken}" for name in given]
        if self._own_width and "false_alerts_per_year" in self.model_fields_set and not given:
            found.append(f"{self._own_width[0]} and false_alerts_per_year both set the width of the band; write one of them")
        return found

    def _net_problems(self) -> list[str]:
        if self.warn_per_year is None:
            return []
        if not self.has_budget:
            return [
                f"warn_per_year is a wider net than false_alerts_per_year, which method {self.method} does not go by here; leave it out"
            ]
        if self.warn_per_year > self.false_alerts_per_year:
            return []
        pair = f"warn_per_year {number(self.warn_per_year)} is not above false_alerts_per_year {number(self.false_alerts_per_year)}"
        return [f"{pair}, so that it never warns; a wider net costs more false alerts"]

    def _history_problems(self, check: Check) -> list[str]:
        found = []
        if self.calendar is not None:
            try:
                holidays_of(self.calendar)
            except ValueError as e:
                found.append(str(e))
        if check.partition is not None:
            grain_s = _GRAIN_S[check.partition.grain]
            if self.training_period is not None and self.training_period < self.min_history * grain_s:
                period, points = write_duration(self.training_period), count(self.min_history, "points")
                found.append(f"training_period {period} never holds min_history, {points} of a {check.partition.grain} each")
            if self.max_age_of_history is not None and self.max_age_of_history < grain_s:
                age = write_duration(self.max_age_of_history)
                found.append(f"max_age_of_history {age} is shorter than a {check.partition.grain}, so that nothing is ever learned")
        return found
