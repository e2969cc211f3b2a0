"""The notation of series in rule tests, as promtool has it: `0.5% 7%x3 _ error 10+5x4`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from dqmon.core.duration import parse_duration
from dqmon.core.rule_test import Given

MAX_VALUES = 10_000
"""Of one series: a check that runs every minute for a week."""

_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d{1,2})?"
_UNIT = r"%|[smhdw]"
_STEPS = re.compile(
    rf"(?P<first>{_NUMBER})(?P<unit>{_UNIT})?(?:(?P<sign>[+-])(?P<step>\d+(?:\.\d+)?)(?P<also>{_UNIT})?)?(?:x(?P<times>\d+))?"
)
_SHARE = re.compile(r"(?P<bad>\d+)/(?P<of>\d+)(?:x(?P<times>\d+))?")
_WORD = re.compile(r"(?P<word>_|error)(?:x(?P<times>\d+))?")
_FORMS = "write 10, 7%, 530/926, 90m, _ (no data) or error; 10x3 is 10 10 10 10, 10+5x3 is 10 15 20 25, _x3 is _ _ _"


def read_series(text: str) -> tuple[Given, ...]:
    """The values of a series, one for each run. As in promtool `axn` and `a+bxn` are n + 1 values, `_xn` and `errorxn` are n.

    ValueError names the item that is not understood, and the forms there are.
    """
    found: list[Given] = []
    for item in text.split():
        times = _times(item)
        if len(found) + times > MAX_VALUES:
            raise ValueError(f"the series has more than {MAX_VALUES:,} values at {item!r}; write fewer")
        found.extend(_values(item, times))
    if not found:
        raise ValueError(f"the series has no values; {_FORMS}")
    return tuple(found)


def _times(item: str) -> int:
    match = _WORD.fullmatch(item) or _SHARE.fullmatch(item) or _STEPS.fullmatch(item)
    if match is None:
        raise ValueError(f"{item!r} is no value; {_FORMS}")
    times = match["times"]
    if times is None:
        return 1
    if len(times) > len(str(MAX_VALUES)):
        return MAX_VALUES + 1
    return int(times) if match.re is _WORD else int(times) + 1


def _values(item: str, times: int) -> Iterator[Given]:
    if word := _WORD.fullmatch(item):
        yield from [Given(word["word"], is_error=word["word"] == "error")] * times
    elif share := _SHARE.fullmatch(item):
        bad, of = int(share["bad"]), int(share["of"])
        if not bad <= of or not of:
            raise ValueError(f"{item!r} is no share: write bad rows / tested rows, such as 530/926")
        yield from [Given(f"{bad}/{of}", Decimal(bad), of=of)] * times
    elif steps := _STEPS.fullmatch(item):
        unit = steps["unit"] or ""
        if steps["step"] and (steps["also"] or "") != unit:
            raise ValueError(
                f"{item!r} adds another unit than it starts with; write {steps['first']}{unit}{steps['sign']}{steps['step']}{unit}"
            )
        step = Decimal(steps["step"] or 0) * (-1 if steps["sign"] == "-" else 1)
        for number in range(times):
            yield _given(Decimal(steps["first"]) + number * step, unit)


def _given(value: Decimal, unit: str) -> Given:
    shown = f"{value.normalize():f}{unit}"
    if unit in ("", "%"):
        return Given(shown, value, is_percent=unit == "%")
    return Given(shown, value * parse_duration(f"1{unit}"), is_duration=True)
