"""Ingestion source heartbeat: jobs that say themselves when they start, succeed and fail, by one HTTP request each."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.ingestion.base.pushed import PipelineSchedule, Pushed, PushedOptions

if TYPE_CHECKING:
    from pydantic import BaseModel

_ENDS = {"success": LoadStatus.SUCCEEDED, "fail": LoadStatus.FAILED}
_OWN_ID = {"run_id": "made by dqmon"}
"""In `extra` of a run whose job gave it no id."""


@dataclass(frozen=True, slots=True)
class Ping:
    """What a job says of one run; None: not said. `error` is of a fail only."""

    status: Literal["start", "success", "fail"]
    run_id: str | None = None
    rows: int | None = None
    rows_rejected: int | None = None
    cursor: str | None = None
    error: str | None = None
    duration_s: float | None = None


class HeartbeatOptions(PushedOptions):
    """Options of the source heartbeat.

    token: 16 characters or more, a secret; each request must carry it. pipelines: the jobs that may ping, each with when it
    should start, for missed_schedule: `cron` in `timezone`, or `every` (how long after one start the next one); or with nothing.
    """

    pipelines: dict[str, PipelineSchedule | None] = Field(min_length=1)

    def declared(self) -> tuple[str, ...]:
        """The jobs that may ping: a ping of any other is refused."""
        return tuple(self.pipelines)


class Heartbeat(Pushed):
    """Jobs of cron and of anything that can send an HTTP request: `POST /api/v1/ping/SOURCE/PIPELINE` (docs/web.md).

    `?status=start`, `success` (what a request without a status means) or `fail`, with the header `Authorization: Bearer TOKEN`. A
    form or a JSON object may say more, as may the query: run_id, rows, rows_rejected, cursor, error (2,000 characters are kept),
    duration_s.

    With a `run_id` (one for each run) requests may come twice or late: a run begins and ends once, a repeated start is a sign of
    life of the run (stuck_run, heartbeat_after), and of two ends that differ the newer one counts. Without one, a start opens a
    run, and a success or fail ends the open run that started last, or is a run of its own when there is none; a further start
    leaves an open run UNKNOWN, since it never said how it ended. Times are those of dqmon's clock when the request came.

        curl -fsS -X POST -H "Authorization: Bearer $TOKEN" https://dqmon.example.com/api/v1/ping/cron/backup
    """

    type: ClassVar[str] = "heartbeat"
    Options: ClassVar[builtins.type[BaseModel]] = HeartbeatOptions
    provides: ClassVar[frozenset[str]] = frozenset(
        {"success", "failures", "running", "duration", "heartbeat", "rows", "rejects", "cursor", "schedule"}
    )

    def knows(self, pipeline: str) -> bool:
        """True for a pipeline of the options."""
        return pipeline in self._schedules

    def records(
        self, pipeline: str, ping: Ping, same: LoadRecord | None, opened: tuple[LoadRecord, ...], now: datetime
    ) -> tuple[LoadRecord, ...]:
        """The records to keep after a ping, the run's own first; pure.

        same: what is kept of the run with the ping's run_id. opened: the pipeline's runs that have not ended, newest last.
        """
        if ping.run_id is None and ping.status == "start":
            lost = [record for record in opened if record.extra == _OWN_ID]
            return (self._new(pipeline, ping, now), *(_lost(record, now) for record in lost))
        known = same if ping.run_id is not None else (opened[-1] if opened else None)
        if ping.status == "start":
            return (_alive(known, now) if known else self._new(pipeline, ping, now),)
        return (_ended(known or self._new(pipeline, ping, now), ping, now),)

    def _new(self, pipeline: str, ping: Ping, now: datetime) -> LoadRecord:
        """A run that begins now, or one of which only its end is told."""
        started = now if ping.status == "start" else None
        if ping.duration_s is not None and started is None:
            started = now - timedelta(seconds=ping.duration_s)
        made = f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"
        extra = {} if ping.run_id else dict(_OWN_ID)
        status = LoadStatus.RUNNING
        return LoadRecord(self.name, pipeline, ping.run_id or made, status, now, raw_status=ping.status, started_at=started, extra=extra)


def _alive(record: LoadRecord, now: datetime) -> LoadRecord:
    """A start that is told again: a sign of life of what runs, nothing new of what has ended."""
    return replace(record, heartbeat_at=now, observed_at=_later(record, now)) if record.status is LoadStatus.RUNNING else record


def _ended(record: LoadRecord, ping: Ping, now: datetime) -> LoadRecord:
    """The run with its end; as it is when the same end was told before."""
    status = _ENDS[ping.status]
    if record.status is status:
        return record
    told = {name: getattr(ping, name) for name in ("rows", "rows_rejected", "cursor") if getattr(ping, name) is not None}
    return replace(
        record,
        status=status,
        raw_status=ping.status,
        finished_at=max(now, record.started_at or now),
        observed_at=_later(record, now),
        error=ping.error,
        **told,
    )


def _lost(record: LoadRecord, now: datetime) -> LoadRecord:
    return replace(record, status=LoadStatus.UNKNOWN, raw_status="no end", observed_at=_later(record, now))


def _later(record: LoadRecord, now: datetime) -> datetime:
    """When it was observed: never before what is kept, which the store would hold to be newer after the clock was set back."""
    return max(now, record.observed_at)
