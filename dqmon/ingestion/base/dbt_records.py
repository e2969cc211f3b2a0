"""The records of one dbt invocation, from its artifact and the project's manifest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dqmon.core.duration import format_duration
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.ingestion.base.dbt_artifacts import LOADING, TABLES, Manifest, overall, status
from dqmon.ingestion.base.json_fields import count, instant, mapping, text

if TYPE_CHECKING:
    from dqmon.core.plain import Json

_BAD = (LoadStatus.FAILED, LoadStatus.PARTIAL, LoadStatus.UNKNOWN)
_ABSENT = "dbt has measured no freshness of it: its query failed, or it was not selected (it is in manifest.json, not in sources.json)"


def ran(content: Mapping[str, Json], project: Manifest, whole: LoadRecord) -> list[LoadRecord]:
    """The records of run_results.json, the whole invocation first; none of a command that neither loads nor tests.

    `whole` has what is known of the invocation: whose it is, its id and its times.
    """
    which = text(mapping(content.get("args")).get("which"))
    if which != "test" and which not in LOADING:
        return []
    results = _results(content)
    failures = _test_failures(results, project)
    if which == "test":
        pipeline = f"{project.project}.tests"
        tables = [
            replace(whole, pipeline=pipeline, table=table, status=worst, rows_rejected=rejected)
            for table, (rejected, worst) in failures.items()
        ]
        rows = None
    else:
        pipeline = project.project
        written = {project.table(id_): found for id_, found in results.items() if id_.partition(".")[0] in TABLES}
        tables = [_written(replace(whole, pipeline=pipeline, table=t), found, failures.get(t)) for t, found in written.items()]
        counted = [record.rows for record in tables if record.status is LoadStatus.SUCCEEDED]
        known = [amount for amount in counted if amount is not None]
        rows = sum(known) if known and len(known) == len(counted) else None
    rejected = sum(found for found, _ in failures.values()) if failures else None
    seen = [(id_, status(found.get("status")), text(found.get("message"))) for id_, found in results.items()]
    return [_summed(replace(whole, pipeline=pipeline, raw_status=which, rows=rows, rows_rejected=rejected), seen), *tables]


def measured(content: Mapping[str, Json], project: Manifest, whole: LoadRecord, *, expects_all: bool) -> list[LoadRecord]:
    """The records of sources.json, the whole invocation first; with `expects_all` also of the sources that should be in it."""
    whole = replace(whole, pipeline=f"{project.project}.freshness", raw_status="freshness")
    results = _results(content)
    seen = [(id_, status(found.get("status")), _staleness(found)) for id_, found in results.items()]
    seen += [(id_, LoadStatus.FAILED, _ABSENT) for id_ in project.expected if expects_all and id_ not in results]
    tables = [
        replace(
            _timed(whole, results.get(id_, {})),
            table=project.table(id_),
            status=outcome,
            raw_status=text(results.get(id_, {}).get("status")),
            data_through=instant(results.get(id_, {}).get("max_loaded_at")),
            error=problem,
        )
        for id_, outcome, problem in seen
    ]
    return [_summed(whole, seen), *tables]


def _written(record: LoadRecord, result: Mapping[str, Json], tests: tuple[int, LoadStatus] | None) -> LoadRecord:
    """What an invocation did to one table."""
    answer, outcome = mapping(result.get("adapter_response")), status(result.get("status"))
    is_skipped = outcome is LoadStatus.SKIPPED
    return replace(
        _timed(record, result),
        status=outcome,
        raw_status=text(result.get("status")),
        # Snowflake's adapter says code SUCCESS and 1 row of a `create table as` of any size.
        rows=count(answer.get("rows_affected")) if answer.get("code") != "SUCCESS" else None,
        rows_rejected=tests[0] if tests else None,
        error=text(result.get("message")) if outcome in _BAD else "skipped by dbt, after a failure before it" if is_skipped else None,
    )


def _summed(whole: LoadRecord, seen: Sequence[tuple[str, LoadStatus, str | None]]) -> LoadRecord:
    """The invocation with its status, and the first failure in dbt's own words."""
    bad = [(id_, message) for id_, outcome, message in seen if outcome in _BAD]
    error = None if seen else "dbt lists no result at all: nothing was selected, or it broke before it ran anything"
    if bad:
        error = text(f"{len(bad)} of {len(seen)} failed: {bad[0][0]}: {bad[0][1] or 'dbt gives no reason'}")
    return replace(whole, status=overall(outcome for _, outcome, _ in seen), error=error)


def _timed(record: LoadRecord, result: Mapping[str, Json]) -> LoadRecord:
    """The record with the times of the node's own execution; one that was not executed has no start."""
    timing = result.get("timing")
    steps = [mapping(step) for step in timing] if isinstance(timing, list) else []
    begun = min((at for step in steps if (at := instant(step.get("started_at")))), default=None)
    ended = max((at for step in steps if (at := instant(step.get("completed_at")))), default=record.finished_at)
    return replace(record, started_at=begun, finished_at=ended)


def _staleness(result: Mapping[str, Json]) -> str | None:
    """Why the freshness of a source is not all right; None when it is."""
    if result.get("status") == "pass":
        return None
    limits = mapping(result.get("criteria"))
    words = [
        f"{word} after {limit['count']} {limit.get('period')}"
        for word in ("warn", "error")
        if (limit := mapping(limits.get(f"{word}_after"))).get("count") is not None
    ]
    age = result.get("max_loaded_at_time_ago_in_s")
    if isinstance(age, int | float) and not isinstance(age, bool):
        return f"its newest row was {format_duration(age)} old ({', '.join(words)})"
    return text(result.get("error")) or "dbt could not measure its freshness"


def _results(content: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    """The results by the id of their node; a node that is listed twice has its last one."""
    listed = content.get("results")
    return {str(one.get("unique_id")): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}


def _test_failures(results: Mapping[str, Mapping[str, Json]], project: Manifest) -> dict[str, tuple[int, LoadStatus]]:
    """Of each table with tests that ran: the failures that they counted, and their worst outcome."""
    found: dict[str, tuple[int, LoadStatus]] = {}
    for id_, result in results.items():
        outcome = status(result.get("status"))
        if id_.partition(".")[0] == "test" and outcome is not LoadStatus.SKIPPED:
            for table in dict.fromkeys(project.table(node) for node in project.tested.get(id_, ())):
                rejected, worst = found.get(table, (0, LoadStatus.SUCCEEDED))
                found[table] = rejected + (count(result.get("failures")) or 0), overall((worst, outcome))
    return found
