"""Results as OpenLineage run events, for catalogues and lineage servers: https://openlineage.io/docs/spec/facets."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dqmon.core.plain import Json, plain
from dqmon.core.verdict import Verdict
from dqmon.core.version import version
from dqmon.exporters.openlineage_names import DataSource

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.result import ResultRecord

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
    "dataQualityMetrics": "1-0-3/DataQualityMetricsInputDatasetFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "nominalTime": "1-0-1/NominalTimeRunFacet",
    "test": "1-0-1/TestRunFacet",
}
"""Versions of the facets, each by its key."""
_METRICS = {
    "missing_count": "nullCount",
    "non_missing_count": "count",
    "distinct_count": "distinctCount",
    "sum": "sum",
    "min": "min",
    "max": "max",
}
"""dqmon's metrics of one column, without any further option, that the facet has a name for."""
_COUNTS = ("nullCount", "distinctCount")
_STATUS = {Verdict.PASS: "pass", Verdict.WARN: "fail", Verdict.FAIL: "fail", Verdict.SKIPPED: "skip", Verdict.ERROR: "skip"}
_TEXT_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """A number that a run measured of a whole table without filter; `metric_key` as in the store."""

    run_id: str
    warehouse: str
    dataset: str
    metric_key: str
    value: float


@dataclass(frozen=True)
class Naming:
    """What events call things. `instance` is the namespace of the jobs; `sources` are warehouses by name."""

    instance: str
    sources: Mapping[str, DataSource] = field(default_factory=dict)

    @cached_property
    def producer(self) -> str:
        """Who writes the events: a URI, as the specification wants it."""
        return f"urn:dqmon:{version().replace(' ', '-')}"


def run_events(results: Iterable[ResultRecord], measured: Iterable[MeasuredValue], naming: Naming) -> Iterator[Json]:
    """START and COMPLETE or FAIL for each run of checks of one table or pipeline, in the order of the results.

    A verdict of PASS, WARN or FAIL is an assertion; it stands in `inputFacets` and in `facets` of the table, where OpenLineage's
    integration for dbt writes it, too. ERROR and SKIPPED say nothing of the data, so they are no assertions: the run's test facet
    has them as `skip`, beside all others. The event is FAIL when a check failed, or could not be measured (errorMessage says
    why); a WARN alone leaves it COMPLETE. The run's id follows from the results', so that an event that is sent twice is the same run.
    """
    numbers: dict[tuple[str, str | None, str], list[MeasuredValue]] = {}
    for one in measured:
        numbers.setdefault((one.run_id, one.warehouse, one.dataset), []).append(one)
    groups: dict[tuple[str, str | None, str], list[ResultRecord]] = {}
    for result in results:
        groups.setdefault((result.run_id, result.warehouse, result.subject), []).append(result)
    for key, group in groups.items():
        yield from _events(group, numbers.get(key, ()), naming)


def _events(results: Sequence[ResultRecord], measured: Sequence[MeasuredValue], naming: Naming) -> tuple[Json, Json]:
    first = results[0]
    node = f"{first.warehouse}:{first.dataset}" if first.dataset else first.subject
    is_bad = any(result.verdict in (Verdict.FAIL, Verdict.ERROR) for result in results)
    job = {
        "namespace": naming.instance,
        "name": f"check.{node}",
        "facets": {"jobType": _facet(naming, "jobType", processingType="BATCH", integration="DQMON", jobType="TEST")},
    }
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"dqmon:{naming.instance}/{first.run_id}/{node}"))
    nominal = _facet(naming, "nominalTime", nominalStartTime=plain(min(result.scheduled_at for result in results)))
    started = min(result.measured_at - timedelta(seconds=result.duration_s) for result in results)
    ended = max(result.measured_at for result in results)

    def event(kind: str, at: datetime, facets: Json, inputs: Json) -> Json:
        return {
            "eventType": kind,
            "eventTime": plain(at),
            "producer": naming.producer,
            "schemaURL": SPEC,
            "run": {"runId": run_id, "facets": {"nominalTime": nominal} | facets},
            "job": job,
            "inputs": inputs,
            "outputs": [],
        }

    bare = [dataset | {"facets": {}} for dataset in _dataset(first, naming)]
    inputs = [dataset | _dataset_facets(results, measured, naming) for dataset in bare]
    return event("START", started, {}, bare), event("FAIL" if is_bad else "COMPLETE", ended, _run_facets(results, naming), inputs)


def _dataset(result: ResultRecord, naming: Naming) -> list[dict[str, Any]]:
    """The table, as the one input; none for a pipeline."""
    if result.dataset is None or result.warehouse is None:
        return []
    source = naming.sources.get(result.warehouse, DataSource(result.warehouse))
    return [{"namespace": source.namespace, "name": source.name(result.dataset)}]


def _facet(naming: Naming, key: str, **fields: Any) -> dict[str, Any]:
    path, name = _FACETS[key], _FACETS[key].partition("/")[2]
    return {
        "_producer": naming.producer,
        "_schemaURL": f"https://openlineage.io/spec/facets/{path}.json#/$defs/{name}",
    } | fields


def _run_facets(results: Sequence[ResultRecord], naming: Naming) -> Json:
    found = {"test": _facet(naming, "test", tests=[_test(result) for result in results])}
    errors = dict.fromkeys(result.reason for result in results if result.verdict is Verdict.ERROR)
    if errors:
        found["errorMessage"] = _facet(naming, "errorMessage", message="; ".join(errors)[:_TEXT_LIMIT], programmingLanguage="SQL")
    return found


def _dataset_facets(results: Sequence[ResultRecord], measured: Sequence[MeasuredValue], naming: Naming) -> Json:
    assertions = [_assertion(result) for result in results if result.verdict in (Verdict.PASS, Verdict.WARN, Verdict.FAIL)]
    facets = {"dataQualityAssertions": _facet(naming, "dataQualityAssertions", assertions=assertions)} if assertions else {}
    metrics = _metrics(measured)
    own = {"dataQualityMetrics": _facet(naming, "dataQualityMetrics", **metrics)} if metrics else {}
    return {"facets": facets, "inputFacets": facets | own}


def _assertion(result: ResultRecord) -> Json:
    column = {"column": result.columns[0]} if len(result.columns) == 1 else {}
    return {"assertion": result.type, "success": result.verdict is Verdict.PASS, "name": result.check_id} | column | _details(result)


def _test(result: ResultRecord) -> Json:
    return {"name": result.check_id, "status": _STATUS[result.verdict], "type": result.type} | _details(result)


def _details(result: ResultRecord) -> dict[str, Any]:
    """What assertions and tests say alike; OpenLineage's severity is whether a failure blocks, dqmon's stands in params."""
    value = result.observed_value
    actual = None if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    said = {
        "severity": {Verdict.WARN: "warn", Verdict.FAIL: "error"}.get(result.verdict),
        "description": (result.description or result.reason)[:_TEXT_LIMIT],
        "expected": result.expected_text or None,
        "actual": actual and actual[:_TEXT_LIMIT],
    }
    params = {
        "verdict": result.verdict.value,
        "severity": result.severity.value,
        "unit": result.unit,
        "columns": list(result.columns) or None,
        "partition": result.partition or None,
        "segment": json.loads(result.segment) or None,
        "owner": result.owner,
        "runbook": result.runbook,
    }
    return {key: text for key, text in said.items() if text} | {"params": {k: v for k, v in params.items() if v is not None}}


def _metrics(measured: Sequence[MeasuredValue]) -> dict[str, Any]:
    """The facet's fields, of what is known; empty when nothing is."""
    columns: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] = {}
    for one in measured:
        name, options = _read_key(one.metric_key)
        if name == "row_count" and not options:
            found["rowCount"] = int(one.value)
        elif name in _METRICS and options.keys() == {"column"}:
            field_name = _METRICS[name]
            columns.setdefault(options["column"], {})[field_name] = int(one.value) if field_name in _COUNTS else one.value
        elif name == "quantile" and options.keys() == {"column", "q"}:
            columns.setdefault(options["column"], {}).setdefault("quantiles", {})[str(options["q"])] = one.value
    return found | {"columnMetrics": columns} if found or columns else {}


def _read_key(key: str) -> tuple[str, dict[str, Any]]:
    """Name and options of `name(field=JSON, …)`; options that cannot be read make it a metric of no known name."""
    name, _, rest = key.partition("(")
    options: dict[str, Any] = {}
    decoder, at = json.JSONDecoder(), 0
    while option := re.compile(r"(?:, )?(\w+)=").match(rest, at):
        try:
            options[option[1]], at = decoder.raw_decode(rest, option.end())
        except ValueError:
            return "", {}
    options = {k: v for k, v in options.items() if (k, v) != ("nan", "missing")}
    return (name, options) if rest[at:] == ")" else ("", {})
