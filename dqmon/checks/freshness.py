"""Check type freshness: how old the newest row is, and whether it came when rows usually come."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Literal

from dqmon.checks.base.arrival import both
from dqmon.checks.base.counted import measured_count
from dqmon.checks.base.due_options import DueOptions, instant_text
from dqmon.checks.base.words import count
from dqmon.core.check import Check
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric, Value
from dqmon.core.verdict import Dimension, Unit, Verdict
from dqmon.sql.metrics import FutureCount, LastChange, LatestInstant, MaxIngestionDelay, RowCount


class Freshness(DueOptions):
    """The newest row is young enough, is there by a deadline, or came in quickly enough.

    What it measures:
        Age: the time of measuring minus the newest value of `column`, in seconds, never below 0. With `event_column` it is
        the ingestion delay instead: the longest time from `event_column` to `column` of any row. With `deadline`, whether
        the newest value has reached the day that was due. With `arrival: learned`, the time since new rows came last, against when
        they usually come: the first time on that day of the week, or what usually passes after one at that hour where rows come
        several times a day. With `column: metadata` it is the time since the engine's own record says
        that rows of the table were added, changed or deleted last.

    Why it matters:
        A pipeline that stopped leaves correct but old numbers on every report, and nobody sees an error.

    Parameters:
        column: when a row was loaded or happened: a timestamp or a date (midnight). Or the word `metadata`: the table's last change
          by the engine's own record, without reading the table, where the engine keeps an exact one.
        warn_after, fail_after: durations; bad when age or delay is longer.
        deadline: a time of day in `timezone`, such as "07:00". After it, the newest value has to be at or after that day's
          local midnight minus `covers`. Before it, and on other days, what the last due day asked for still stands.
        covers: how far before midnight the newest value may lie, default 0d.
        arrival: `learned` fails when new rows are late, by the kept loads of the pipelines upstream (`column` may then be left
          out), else by when the newest row changed at earlier checks. Until 14 days with an arrival are known it is SKIPPED.
        false_alerts_per_year: how often a year `arrival: learned` may be wrong; default 2. Fewer means later.
        days: the days that have a deadline or an arrival: `all` (default), `weekdays`, `weekends` or a list such as [mon, wed].
        calendar: a country (US), a part of one (US-NY) or a market (XNYS), on whose holidays nothing is due.
        event_column: when the row happened; then warn_after and fail_after limit the delay.
        One of warn_after, fail_after, deadline and arrival is required; of several the worst counts.

    NULLs and empty tables:
        NULLs are left out; for a delay, rows that lack one of the two times. Without any value there is nothing to judge,
        which is a FAIL here (`on_no_data: fail` is this type's default). For the age, values more than 5 minutes in the
        future are left out and counted in the reason. Timestamps without a zone are read in `naive_timezone`, dates as
        midnight there; in the hour that a clock shows twice the later reading counts. Infinity is in the future; minus infinity,
        years before 1 and delays from or to an infinite moment are no values.

    SQL it runs:
        `max(column)` (or the maximum of the delay), `count(*)` and a count of future values, part of the table's fused
        statement; `partition` is ignored. With `column: metadata` no statement of its own: one look-up for all tables of a schema.

    Example:
        ```yaml
        - freshness: {column: loaded_at, warn_after: 1h, fail_after: 3h}
        - freshness: {name: morning_sla, column: loaded_at, deadline: "07:00", days: weekdays, calendar: US}
        - freshness: {name: lag, column: loaded_at, event_column: event_at, fail_after: 1h}
        - freshness: {name: usual, column: loaded_at, arrival: learned, days: weekdays, calendar: DE, fail_after: 3d}
        - freshness: {column: metadata, fail_after: 6h}
        ```

    Known limits:
        `column: metadata` is of the whole table, and any change makes it fresh, a delete or a load of old rows too. On an engine that
        keeps no exact time of changes, and of views, the check is an ERROR that says why. A column of the name metadata is named in a
        view.
        `arrival: learned` follows the clock of `timezone`: loads that a scheduler starts by UTC come an hour off after a clock
        change. A day of the week counts when rows came on 8 of its last 10; an arrival after the day's end stands for the next
        day. From measurements alone it is as exact as the check is often, and knows as much as the store keeps.

    References:
        - dbt source freshness: https://docs.getdbt.com/docs/deploy/source-freshness
        - holidays, the calendars: https://holidays.readthedocs.io/
    """

    type: ClassVar[str] = "freshness"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    unit: ClassVar[Unit] = Unit.SECONDS
    allows_threshold: ClassVar[bool] = False
    ignores_partition: ClassVar[bool] = True
    on_no_data: ClassVar[Literal["skip", "fail"]] = "fail"

    column: str | None = None
    event_column: str | None = None
    warn_after: Duration | None = None
    fail_after: Duration | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """No limit, limits the wrong way round, options that do not go together."""
        found: list[str] = []
        if self._is_metadata and self.event_column is not None:
            found.append("column: metadata has no event_column:, which compares two columns; name the column of the load")
        if self._is_metadata and (check.where is not None or check.segment_by):
            found.append("column: metadata is of the whole table, so that filter: and segment_by: mean nothing; name a column")
        if self.column is None and (self._has_limit or self.arrival is None):
            found.append("column is missing; write the column that says when a row was loaded, or metadata")
        if not self._has_limit and self.arrival is None:
            found.append("freshness has no limit; write warn_after:, fail_after:, deadline: or arrival: learned")
        if self.warn_after is not None and self.fail_after is not None and self.warn_after > self.fail_after:
            found.append("warn_after is longer than fail_after, so that it never warns; swap them")
        if self.event_column is not None and (self.deadline is not None or self.arrival is not None):
            found.append("event_column is given beside deadline or arrival; write two checks")
        return (*found, *self.due_problems(check, self.column))

    @property
    def _has_limit(self) -> bool:
        return self.warn_after is not None or self.fail_after is not None or self.deadline is not None

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """All rows, and the longest delay or the newest value with the number of those in the future."""
        del check
        measured = self._measured()
        if measured is None:
            return ()
        if self.column is None or not isinstance(measured, LatestInstant):
            return (measured,) if self._is_metadata else (RowCount(), measured)
        return (RowCount(), measured, FutureCount(self.column))

    def changes_metric(self, check: Check) -> Metric | None:
        """The newest row, whose changes are arrivals."""
        del check
        return self._measured() if self.needs_loads else None

    @property
    def observes_age(self) -> bool:
        """Unless it is a delay, or no row is looked at."""
        return self.column is not None and self.event_column is None

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The age, the delay or the newest value against the limits, and the arrivals; the worst verdict counts."""
        measured = self._measured()
        if measured is not None and evidence.values[measured] is None:
            return self._without_values(evidence)
        learned = self.by_arrival(check, evidence, measured)
        if measured is None and learned is not None:
            return learned
        fixed = self._by_limits(check, evidence, evidence.values[measured] if measured else None)
        if learned is None:
            return fixed
        return both(fixed, learned) if self._has_limit else replace(learned, observed=fixed.observed)

    def _by_limits(self, check: Check, evidence: Evidence, measured: Value) -> Judgement:
        if isinstance(measured, datetime):
            age = max(0.0, (evidence.measured_at - measured).total_seconds())
            newest = self._subject if self._is_metadata else f"newest {self._subject}"
            reason = f"the {newest} is {format_duration(age)} old ({instant_text(measured)})"
        else:
            age = float(measured) if isinstance(measured, int | float) else 0.0
            reason = f"{self.column} is up to {format_duration(age)} after {self.event_column}"
        judgement = self._by_age(age, reason + self._future(evidence))
        if self.deadline is not None and isinstance(measured, datetime):
            judgement = self.by_deadline(check, evidence, measured, (self._subject, judgement))
        return judgement

    def _by_age(self, age: float, reason: str) -> Judgement:
        limit = self.fail_after if self.warn_after is None else self.warn_after
        verdict = Verdict.PASS
        if self.fail_after is not None and age > self.fail_after:
            verdict, limit = Verdict.FAIL, self.fail_after
        elif self.warn_after is not None and age > self.warn_after:
            verdict = Verdict.WARN
        observed = Observed(round(age, 3), Unit.SECONDS)
        if limit is None:
            return Judgement(verdict, observed, Expected(), reason)
        shown = format_duration(limit)
        what = f"{self.column} at most {shown} after {self.event_column}" if self.event_column else f"{self._subject} at most {shown} old"
        verb = "warns" if verdict is Verdict.WARN or self.fail_after is None else "fails"
        after = self.fail_after if verb == "fails" and self.fail_after is not None else limit
        return Judgement(verdict, observed, Expected(None, float(limit), what), f"{reason}; {verb} after {format_duration(after)}")

    def _without_values(self, evidence: Evidence) -> Judgement:
        rows = measured_count(evidence, RowCount())
        pair = f"{self.column} and {self.event_column}" if self.event_column else self.column
        why = "the table has no rows" if rows == 0 else f"none of {count(rows, 'rows')} has a usable {pair}{self._future(evidence)}"
        limit = self.fail_after if self.fail_after is not None else self.warn_after
        text = f"{self.column} at most {format_duration(limit)} old" if limit is not None else f"a value of {self.column}"
        return Judgement(Verdict.SKIPPED, Observed(None, Unit.SECONDS), Expected(text=text), why, is_no_data=True)

    def _future(self, evidence: Evidence) -> str:
        ahead = (
            0
            if self.column is None or self._is_metadata or self.event_column is not None
            else measured_count(evidence, FutureCount(self.column))
        )
        return "" if not ahead else f", leaving out {count(ahead, 'values')} more than 5 minutes in the future"

    @property
    def _is_metadata(self) -> bool:
        return self.column == "metadata"

    @property
    def _subject(self) -> str:
        return "last change" if self._is_metadata else self.column or "arrival"

    def _measured(self) -> LastChange | LatestInstant | MaxIngestionDelay | None:
        if self.column is None or self._is_metadata:
            return LastChange() if self._is_metadata else None
        return LatestInstant(self.column) if self.event_column is None else MaxIngestionDelay(self.column, self.event_column)
