"""`warn_after`, `fail_after` and `times_usual`: how long something of a load may take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dqmon.checks.base.fields import Number
from dqmon.checks.base.words import count, number
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, Observed
from dqmon.core.verdict import Unit, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dqmon.core.load_record import LoadRecord

_SHARE = 0.95
"""What is usual: the duration that 95 of 100 loads kept."""
_NEWEST = 100
"""How many of the newest durations say what is usual: a pipeline that grew slower is not measured by last quarter."""


class UsualLimits(PipelineCheck):
    """What types share that judge seconds by fixed limits, by the loads before, or by both: then the longer one counts."""

    unit: ClassVar[Unit] = Unit.SECONDS
    allows_threshold: ClassVar[bool] = False

    warn_after: Duration | None = None
    fail_after: Duration | None = None
    times_usual: Annotated[Number, Field(gt=0)] | None = None
    min_history: Annotated[int, Field(ge=1)] = 5

    @property
    def needed(self) -> frozenset[str]:
        """With times_usual, the durations of earlier loads, too."""
        return self.needs | ({"duration"} if self.times_usual is not None else frozenset())

    def problems(self, check: Check) -> tuple[str, ...]:
        """No limit at all, or limits the wrong way round."""
        del check
        if self.warn_after is None and self.fail_after is None and self.times_usual is None:
            return ("no limit is given; write warn_after: or fail_after:, such as 90m, or times_usual:, such as 3",)
        if self.warn_after is not None and self.fail_after is not None and self.warn_after > self.fail_after:
            return ("warn_after is longer than fail_after, so that it would never warn; write the shorter one as warn_after",)
        return ()

    def judge_seconds(self, seconds: float, earlier: Sequence[float], what: str, seen: str) -> Judgement:
        """The verdict on `seconds`, by what `earlier` loads took. what: of an expectation, `the load`. seen: the reason's start."""
        usual = usual_seconds(earlier, self.min_history) if self.times_usual is not None else None
        warn, fail = self._limits(usual)
        observed = Observed(seconds, Unit.SECONDS)
        if warn is None and fail is None:
            missing = count(self.min_history - len(earlier), "more loads")
            reason = f"{seen}; learning what is usual, {missing} needed before judging"
            return Judgement(Verdict.SKIPPED, observed, Expected(text="learning"), reason, is_learning=True)
        is_failed = fail is not None and seconds > fail
        is_warned = not is_failed and warn is not None and seconds > warn
        verdict = Verdict.FAIL if is_failed else Verdict.WARN if is_warned else Verdict.PASS
        limit = fail if is_failed or warn is None else warn
        assert limit is not None  # noqa: S101 - for the type checker: not both are None
        of_usual = ""
        if usual is not None and self.times_usual is not None and math.isclose(limit, float(self.times_usual) * usual):
            of_usual = f", {number(self.times_usual)} times the usual {format_duration(usual)}"
        verb = "fails" if limit == fail else "warns"
        text = f"at most {format_duration(limit)} for {what}"
        reason = f"{seen}; {verb} after {format_duration(limit)}{of_usual}"
        return Judgement(verdict, observed, Expected(high=limit, text=text), reason)

    def _limits(self, usual: float | None) -> tuple[float | None, float | None]:
        """The limits in seconds; what is usual lengthens each that is given, and is the limit of a FAIL where none is."""
        times = 0.0 if usual is None or self.times_usual is None else float(self.times_usual) * usual
        warn = None if self.warn_after is None else max(float(self.warn_after), times)
        if self.fail_after is not None:
            return warn, max(float(self.fail_after), times)
        return warn, times if warn is None and usual is not None else None


def durations(loads: Iterable[LoadRecord]) -> tuple[float, ...]:
    """Seconds from start to end of those loads that have both, in their order."""
    return tuple((r.finished_at - r.started_at).total_seconds() for r in loads if r.started_at is not None and r.finished_at is not None)


def usual_seconds(earlier: Sequence[float], fewest: int) -> float | None:
    """The 95th percentile of the newest durations, one that occurred; None of fewer than `fewest`."""
    newest = sorted(earlier[-_NEWEST:])
    return newest[math.ceil(_SHARE * len(newest)) - 1] if len(newest) >= fewest else None
