"""The default detector without one of its parts: what each part pays.

A part is switched off by putting something simpler in the place of its function, so that the product has no options for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any

import numpy as np

from dqmon.detectors import auto
from dqmon.detectors.base import closed, forecast, level, scale


def _no_closing(series: Any) -> closed.Closed:
    return closed.Closed(np.zeros(len(series.values), np.bool_), may_be=False, always=0)


def _plain_incidents(series: Any, alerted: Any) -> tuple[Any, tuple[int, ...]]:
    """Alerted points teach nothing, unless nothing else is left to learn from."""
    del series
    return (~alerted if (~alerted).sum() >= 14 else np.ones(len(alerted), np.bool_)), ()


def _normal_width(errors: Any, p: float) -> float:
    return float(np.std(errors)) * NormalDist().inv_cdf(1 - p / 2)


def _without_edges(slots: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return lambda *given: [slot for slot in slots(*given) if slot[0] != "month edge"]


PARTS: Mapping[str, tuple[tuple[Any, str, Any], ...]] = {
    "seasons": ((forecast, "slots", lambda *_: []),),
    "month edges": ((forecast, "slots", _without_edges(forecast.slots)),),
    "closing times": ((auto, "closed_of", _no_closing),),
    "holidays": ((forecast, "holiday_of", lambda *_: None),),
    "drift": ((forecast, "drift_of", lambda *_: None),),
    "re-learning of new levels": ((auto, "believed", _plain_incidents),),
    "choice of the level's memory": ((level, "_MEMORIES", (0.15,)),),
    "outliers drawn in": ((level, "cleaned", lambda values: values),),
    "widths by t, not normal": ((forecast, "half_width", _normal_width),),
    "season of a point by the others": ((forecast, "_held_out", lambda level, _: level),),
    "room for what is slight": ((forecast, "_SLIGHT", 0.0),),
    "noise of counts": ((forecast, "_width", lambda _scale, _scaled, found, _middle, p: forecast.half_width(found.errors, p)),),
    "chance of Poisson counts": ((forecast, "poisson_range", lambda mean, p: (mean, mean)),),
    "scale by likelihood": ((forecast, "scale_of", lambda _: scale.Scale.LINEAR),),
    "second scale": ((forecast, "second_scale_of", lambda _: None),),
    "totals by their steps": ((auto, "is_total", lambda _: False),),
}
"""By name, what stands in for which function or constant of which module."""


@contextmanager
def without(part: str | None) -> Iterator[None]:
    """The detector without a part; with all of them for None. Raises KeyError for a part that there is not."""
    replaced = [(module, name, getattr(module, name), simple) for module, name, simple in (PARTS[part] if part else ())]
    for module, name, _, simple in replaced:
        setattr(module, name, simple)
    try:
        yield
    finally:
        for module, name, own, _ in replaced:
            setattr(module, name, own)
