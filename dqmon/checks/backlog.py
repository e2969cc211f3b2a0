"""Check type backlog: how much waits to be loaded."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from dqmon.checks.base.counted import because, interval, limits
from dqmon.checks.base.words import count, holds
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import total
from dqmon.core.verdict import Dimension, Unit, Verdict

if TYPE_CHECKING:
    from dqmon.core.load_record import Backlog as Waiting

_Unit: TypeAlias = Literal["messages", "files", "bytes", "seconds"]
_UNITS: tuple[_Unit, ...] = ("messages", "files", "bytes", "seconds")
_FRESH = timedelta(seconds=1)
"""A backlog is judged only by what the source said at the poll of this very judgement, but for rounding."""
_RANK = (Verdict.SKIPPED, Verdict.PASS, Verdict.WARN, Verdict.FAIL)


class Backlog(PipelineCheck):
    """Not too much waits to be loaded, and not for too long.

    What it measures:
        What waits now, in messages, files, bytes or seconds, as the tool counts: that of all partitions together; of seconds (a
        lag), the partition that is farthest behind. With warn_after or fail_after also since when the oldest of it waits, with
        growing_for whether it grew from each of the last polls to the next.

    Why it matters:
        A consumer that is slower than its topic, or a pipe that stopped, fails nothing: rows come later every hour, until the
        queue drops them.

    Parameters:
        warn_if, fail_if: conditions on what waits, in its unit, without %.
        warn_after, fail_after: how long the oldest may wait, such as 15m.
        growing_for: fails when more waits than at the poll before, so many polls in a row (2 to 1000); polls of one minute are one.
          At least one of these limits or conditions is required; of several the worst verdict counts.
        of: `messages`, `files`, `bytes` or `seconds`, for a pipeline with several; default: the first of these that there is.

    NULLs and empty tables:
        0 is a value. When the source says nothing of the pipeline's backlog there is nothing to judge: SKIPPED
        (`on_no_data` changes that). So it is with warn_after and fail_after alone where things wait and the tool does not
        say since when. growing_for alone is SKIPPED (learning) until there were so many polls within two days.

    SQL it runs:
        None on your data; the source asks the tool when it is polled.

    Example:
        ```yaml
        - backlog: {warn_if: "> 10000", fail_after: 15m}
        - backlog: {name: falling_behind, growing_for: 30}
        ```

    Known limits:
        A backlog is of now: a run for a past time (`--at`) has none. One poll at which less waits ends a growth: choose
        growing_for longer than what the consumer takes from one visit to the next.

    References:
        - Kafka, consumer lag: https://kafka.apache.org/documentation/#basic_ops_consumer_lag
        - Snowflake, SYSTEM$PIPE_STATUS: https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status
    """

    type: ClassVar[str] = "backlog"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    unit: ClassVar[Unit] = Unit.VALUE
    needs: ClassVar[frozenset[str]] = frozenset({"backlog"})

    warn_after: Duration | None = None
    fail_after: Duration | None = None
    growing_for: Annotated[int, Field(ge=2, le=1000)] | None = None
    of: _Unit | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """No limit at all, or limits the wrong way round."""
        if all(limit is None for limit in (check.warn_if, check.fail_if, self.warn_after, self.fail_after, self.growing_for)):
            return ('backlog has no limit; write warn_if: or fail_if:, such as "> 10000", fail_after:, such as 15m, or growing_for:',)
        if self.warn_after is not None and self.fail_after is not None and self.warn_after > self.fail_after:
            return ("warn_after is longer than fail_after, so that it would never warn; write the shorter one as warn_after",)
        return ()

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The amount against the conditions, the oldest against the ages, the growth; the worst of these."""
        waiting = self._current(evidence)
        if not waiting:
            reason = "the source says nothing of what waits" + (f" in {self.of}" if self.of else "")
            return Judgement(Verdict.SKIPPED, Observed(None, Unit.VALUE), Expected(text=self._expected(check)), reason, is_no_data=True)
        judged = [j for j in (self._amount(check, waiting), self._age(waiting, evidence), self._growth(waiting, evidence)) if j is not None]
        if not judged:
            reason = f"{_said(waiting)}; the tool does not say since when"
            observed = Observed(_pending(waiting), Unit.VALUE)
            return Judgement(Verdict.SKIPPED, observed, Expected(text=self._expected(check)), reason, is_no_data=True)
        return max(judged, key=lambda judgement: _RANK.index(judgement.verdict))

    def _current(self, evidence: LoadEvidence) -> tuple[Waiting, ...]:
        """What the source said at the poll of this judgement, in one unit."""
        fresh = [one for one in evidence.backlogs if abs(one.observed_at - evidence.measured_at) <= _FRESH]
        newest = max((one.observed_at for one in fresh), default=None)
        last = [one for one in fresh if one.observed_at == newest]
        unit = self.of or next((unit for unit in _UNITS if any(one.unit == unit for one in last)), None)
        return tuple(one for one in last if one.unit == unit)

    def _amount(self, check: Check, waiting: tuple[Waiting, ...]) -> Judgement | None:
        """What waits against the conditions; None without any."""
        bounds = limits(check)
        if bounds.tightest is None:
            return None
        pending = _pending(waiting)
        verdict = bounds.verdict(pending)
        applied = bounds.applied(verdict)
        low, high = interval(applied) if applied else (None, None)
        expected = Expected(None if low is None else float(low), None if high is None else float(high), self._expected(check))
        return Judgement(verdict, Observed(pending, Unit.VALUE), expected, f"{_said(waiting)}{because(bounds, verdict, waiting[0].unit)}")

    def _age(self, waiting: tuple[Waiting, ...], evidence: LoadEvidence) -> Judgement | None:
        """Since when the oldest waits against the ages; None without limits, and where the tool does not say."""
        limit = self.warn_after if self.warn_after is not None else self.fail_after
        if limit is None:
            return None
        since = min((one.oldest_pending_at for one in waiting if one.pending and one.oldest_pending_at), default=None)
        if since is None and _pending(waiting):
            return None
        age_s = max(timedelta(), evidence.measured_at - since).total_seconds() if since else 0.0
        verdict = Verdict.PASS
        if self.fail_after is not None and age_s > self.fail_after:
            verdict, limit = Verdict.FAIL, self.fail_after
        elif self.warn_after is not None and age_s > self.warn_after:
            verdict = Verdict.WARN
        text = f"nothing waits for more than {format_duration(limit)}"
        verb = "fails" if limit == self.fail_after else "warns"
        oldest = f", the oldest for {format_duration(age_s)}; {verb} after {format_duration(limit)}" if since else ""
        return Judgement(verdict, Observed(_pending(waiting), Unit.VALUE), Expected(text=text), f"{_said(waiting)}{oldest}")

    def _growth(self, waiting: tuple[Waiting, ...], evidence: LoadEvidence) -> Judgement | None:
        """How often in a row more waited than at the poll before; None without growing_for."""
        if self.growing_for is None:
            return None
        unit, pending = waiting[0].unit, _pending(waiting)
        minute = evidence.measured_at.replace(second=0, microsecond=0)
        earlier = [one.pending for one in evidence.samples if one.unit == unit and one.observed_at < minute]
        amounts = [*earlier[-self.growing_for :], pending]
        observed, text = Observed(pending, Unit.VALUE), f"no growth over {self.growing_for:,} polls in a row"
        grown = 0
        while grown + 1 < len(amounts) and amounts[-grown - 1] > amounts[-grown - 2]:
            grown += 1
        said = f"{_said(waiting)}; more than at the poll before, {count(grown, 'times')} in a row"
        if grown < self.growing_for and len(amounts) <= self.growing_for:
            missing = count(self.growing_for + 1 - len(amounts), "more polls")
            return Judgement(Verdict.SKIPPED, observed, Expected(text=text), f"{said}; learning, {missing} needed", is_learning=True)
        verdict = Verdict.FAIL if grown >= self.growing_for else Verdict.PASS
        return Judgement(verdict, observed, Expected(text=text), f"{said}; fails after {self.growing_for:,}")

    def _expected(self, check: Check) -> str:
        tightest = limits(check).tightest
        return f"{holds(tightest, self.of or '')} waiting" if tightest else "nothing waits for too long"


def _pending(waiting: tuple[Waiting, ...]) -> int:
    return total(waiting[0].unit, [one.pending for one in waiting])


def _said(waiting: tuple[Waiting, ...]) -> str:
    """`1,200 messages wait in 3 partitions, the most in orders-0 (900)`; of a lag, which partition is farthest behind."""
    pending, unit = _pending(waiting), waiting[0].unit
    most = max(waiting, key=lambda one: one.pending)
    where = f" in {most.partition}" if most.partition else ""
    if unit == "seconds":
        return f"loading is {format_duration(pending)} behind{where}"
    verb = "waits" if pending == 1 else "wait"
    if len(waiting) == 1 or not pending:
        return f"{count(pending, unit)} {verb}{where if len(waiting) == 1 else ''}"
    return f"{count(pending, unit)} {verb} in {len(waiting):,} partitions, the most{where} ({most.pending:,})"
