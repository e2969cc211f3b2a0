"""Histograms as they are measured, kept and compared, and the grid that numbers are counted on.

The grid never moves, so that histograms of all runs compare and the first one needs no earlier run. It is log-linear, as in
HdrHistogram (https://hdrhistogram.org) and OpenTelemetry's exponential histograms: each octave, from one power of two to the
next, has GRID bins of equal width, mirrored below zero. A bin is as wide as a 4,096th to an 8,192nd of its values. A histogram
counts on every `step`-th edge, a power of two: coarser edges are edges of all finer grids, so that any two meet exactly.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

GRID = 4_096
"""Bins of an octave: 0.02 % is finer than any change of a distribution that matters."""
LOWEST = -32
"""Numbers nearer to 0 than 2^LOWEST (2e-10) are counted as 0."""
HIGHEST = 128
"""Numbers further from 0 than 2^HIGHEST (3e38, as far as 32-bit floats reach), and infinity, are counted as that."""
LISTED = 200
"""A value is counted by itself when one row in so many has it: so at most LISTED of them are kept, rarer ones together."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many rows there are of each bin. `str` gives the text that is kept.

    bins: texts (`sql.metrics.totals.key_text`) by frequency, or with `step` codes of the grid, ascending; each with its rows.
    other: rows of values too rare to be listed. missing: rows with NULL or NaN. step: bins of the grid that one bin here
    holds, from its code away from 0; 0 for texts.
    """

    bins: tuple[tuple[str | int, int], ...] = ()
    other: int = 0
    missing: int = 0
    step: int = 0

    @property
    def rows(self) -> int:
        """All rows."""
        return self.missing + self.valued

    @property
    def valued(self) -> int:
        """Rows with a value."""
        return self.other + sum(rows for _, rows in self.bins)

    def __str__(self) -> str:
        kept = {"bins": self.bins, "other": self.other, "missing": self.missing, "step": self.step}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def read_histogram(text: str) -> Histogram:
    """The histogram that `text`, the `str` of one, stands for."""
    kept = json.loads(text)
    return Histogram(tuple((code, rows) for code, rows in kept["bins"]), kept["other"], kept["missing"], kept["step"])


def grid_code(value: float) -> int:
    """The number of the grid's bin that holds `value`: 0 about zero, then counted up and, below zero, down. NaN is a ValueError."""
    size = abs(value)
    if math.isnan(size):
        raise ValueError("NaN is in no bin")
    if size < 2.0**LOWEST:
        return 0
    half, exponent = math.frexp(min(size, 2.0**HIGHEST))
    position = (exponent - 1 - LOWEST) * GRID + int((2 * half - 1) * GRID)
    return 1 + position if value > 0 else -1 - position


def coarse(code: int, step: int) -> int:
    """The code of the bin of `step` that holds the bin of `code`."""
    start = abs(code) - 1 - (abs(code) - 1) % step + 1
    return start if code > 0 else -start if code else 0


def grid_span(code: int, step: int) -> tuple[float, float]:
    """The least and the greatest value of a bin, the one further from 0 exclusive."""
    if not code:
        return 0.0, 0.0
    near, far = (_edge(abs(code)), _edge(abs(code) + step))
    return (near, far) if code > 0 else (-far, -near)


def _edge(code: int) -> float:
    octave, part = divmod(code - 1, GRID)
    return math.ldexp(1 + part / GRID, octave + LOWEST)
