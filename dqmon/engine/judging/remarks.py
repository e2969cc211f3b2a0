"""What is said of a judgement besides: that it is of a sample, that there was nothing to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dqmon.core.check import Check
from dqmon.core.judgement import Judgement
from dqmon.core.measurement import Measurement
from dqmon.core.verdict import Verdict

LEAST_SAMPLED = 1_000
"""Tested rows of a sample with which a share of 1% is known to about 0.6 percent points, 19 times of 20 (normal approximation)."""


def of_sample(judgement: Judgement, measured: Sequence[Measurement]) -> Judgement:
    """The judgement, saying that it is of a sample if it is; SKIPPED when that is too small, or not all is of the same one."""
    way = next((m.way for m in measured if m.request.sample is not None), None)
    if way is None:
        return judgement
    read = {(m.request.sample, m.scan_id if m.request.sample is not None else "") for m in measured}
    tested = judgement.observed.rows_tested or 0
    if len(read) == 1 and tested >= LEAST_SAMPLED:
        return replace(judgement, reason=f"{judgement.reason}; {way}")
    why = f"{tested:,} rows are too few to judge by" if len(read) == 1 else "not all that the check needs is of the same rows"
    return replace(judgement, verdict=Verdict.SKIPPED, reason=f"{why}, {way}", is_no_data=False)


def without_data(check: Check, judgement: Judgement) -> Judgement:
    """What `on_no_data` makes of a judgement that had nothing to judge."""
    if check.on_no_data == "skip":
        return judgement
    verdict = {"pass": Verdict.PASS, "warn": Verdict.WARN, "fail": Verdict.FAIL}[check.on_no_data]
    return replace(judgement, verdict=verdict, reason=f"{judgement.reason} (on_no_data: {check.on_no_data})")
