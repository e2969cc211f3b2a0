"""Ingestion source step_functions: executions of AWS Step Functions."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.ingestion.base.aws import Aws, AwsOptions
from dqmon.ingestion.base.json_fields import count, in_window, pointed, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

PAGE = 1_000
"""The largest page that the API gives."""
DESCRIBED = 50
"""Executions of one poll, the newest ones, whose error or rows are asked for: each is a request of its own."""
_STATUSES = {
    "RUNNING": LoadStatus.RUNNING,
    "PENDING_REDRIVE": LoadStatus.QUEUED,
    "SUCCEEDED": LoadStatus.SUCCEEDED,
    "FAILED": LoadStatus.FAILED,
    "TIMED_OUT": LoadStatus.FAILED,
    "ABORTED": LoadStatus.CANCELLED,
}
_OPEN = frozenset({LoadStatus.QUEUED, LoadStatus.RUNNING})


class StepFunctionsOptions(AwsOptions):
    """Options of the source step_functions.

    state_machines: only these, by name; all without. rows_pointer: where an execution's output, which is JSON, tells how many
    rows were loaded, a JSON pointer such as /load/rows. The credentials need states:ListStateMachines, ListExecutions and
    DescribeExecution.
    """

    state_machines: tuple[str, ...] = Field(default=(), strict=False)
    rows_pointer: str | None = Field(default=None, pattern=r"^(/([^~/]|~[01])*)*$")


class StepFunctions:
    """Executions as loads, one record each; a pipeline is a state machine, by its name.

    TIMED_OUT is FAILED, ABORTED is CANCELLED. A redriven execution is another attempt, which started when it was redriven. The
    error is the execution's error and cause, the rows what its output tells at rows_pointer; both are asked for the newest
    50 executions of a poll that failed, or succeeded. Express state machines keep no executions and are left out; what starts
    a state machine (a schedule of EventBridge) is not seen.

    Run against moto's server only; redriving is compiled from the API's model of 2026, not run.
    """

    type: ClassVar[str] = "step_functions"
    Options: ClassVar[builtins.type[BaseModel]] = StepFunctionsOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "rows"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, StepFunctionsOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        self._aws = Aws(options, name, "stepfunctions")

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All standard state machines, by name."""
        return tuple(PipelineInfo(self.name, machine) for machine in sorted(self._machines()))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Executions that ended in [since, until), and those that run now."""
        executions = {}
        for name, machine in self._machines().items():
            for one in self._executions(machine, since):
                executions[self._aws.told(one, "executionArn")] = self._record(name, one, until)
        found = in_window(executions.values(), since, until)
        arns = {(r.pipeline, r.load_id, r.attempt): arn for arn, r in executions.items()}
        wanted = {LoadStatus.FAILED} | ({LoadStatus.SUCCEEDED} if self._options.rows_pointer is not None else set())
        asked = {id(r) for r in [r for r in found if r.status in wanted][-DESCRIBED:]}
        return tuple(self._described(r, arns[(r.pipeline, r.load_id, r.attempt)]) if id(r) in asked else r for r in found)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: Step Functions has no queue."""
        del at
        return ()

    def _machines(self) -> dict[str, str]:
        """Name to ARN."""
        found = self._aws.all("list_state_machines", "stateMachines", "nextToken", maxResults=PAGE)
        machines = {self._aws.told(one, "name"): self._aws.told(one, "stateMachineArn") for one in found if one.get("type") != "EXPRESS"}
        return {name: arn for name, arn in machines.items() if not self._options.state_machines or name in self._options.state_machines}

    def _executions(self, machine: str, since: datetime) -> Iterator[dict[str, Any]]:
        """Those that run, then all, newest first. What ends in between is in both lists, and the second one knows better.

        The API puts those that have ended in the order of their end, others in that of their start:
        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
        """
        given = {"stateMachineArn": machine, "maxResults": PAGE}
        yield from self._aws.all("list_executions", "executions", "nextToken", statusFilter="RUNNING", **given)
        for page in self._aws.pages("list_executions", "executions", "nextToken", **given):
            yield from page
            if page and (_utc(page[-1], "stopDate", "redriveDate", "startDate") or since) < since:
                return

    def _record(self, pipeline: str, one: Mapping[str, Any], until: datetime) -> LoadRecord:
        raw_status = text(one.get("status")) or "unknown"
        status = _STATUSES.get(raw_status, LoadStatus.UNKNOWN)
        return LoadRecord(
            source=self.name,
            pipeline=pipeline,
            load_id=self._aws.told(one, "name"),
            attempt=int(one.get("redriveCount") or 0) + 1,
            status=status,
            observed_at=until,
            raw_status=raw_status,
            started_at=_utc(one, "redriveDate", "startDate"),
            finished_at=None if status in _OPEN else _utc(one, "stopDate"),
        )

    def _described(self, record: LoadRecord, arn: str) -> LoadRecord:
        told = self._aws.call("describe_execution", executionArn=arn)
        if record.status is LoadStatus.SUCCEEDED:
            return replace(record, rows=self._rows(told.get("output")))
        said = ": ".join(part for part in (told.get("error"), told.get("cause")) if part)
        return replace(record, error=text(said) or f"Step Functions names no reason ({record.raw_status})")

    def _rows(self, output: str | None) -> int | None:
        """AWS caps an output at 256 KB; one that is no JSON, or has no count there, says nothing."""
        try:
            return count(pointed(json.loads(output or ""), self._options.rows_pointer or ""))
        except (ValueError, RecursionError):
            return None


def _utc(one: Mapping[str, Any], *keys: str) -> datetime | None:
    """The first of these times that is told."""
    at = next((one[key] for key in keys if one.get(key)), None)
    return at.astimezone(UTC) if at else None
