"""What dbt's artifacts say, in the words of dqmon. https://docs.getdbt.com/reference/artifacts/dbt-artifacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dqmon.core.load_record import LoadStatus
from dqmon.ingestion.base.json_fields import mapping, text

if TYPE_CHECKING:
    from dqmon.core.plain import Json

LOADING = frozenset({"run", "build", "seed", "snapshot", "clone", "retry"})
"""The commands that write tables; all others, but `test`, leave run results that say nothing of loads."""
TABLES = frozenset({"model", "seed", "snapshot"})
_STATUSES = {
    "success": LoadStatus.SUCCEEDED,
    "pass": LoadStatus.SUCCEEDED,
    "warn": LoadStatus.SUCCEEDED,
    "error": LoadStatus.FAILED,
    "runtime error": LoadStatus.FAILED,
    "fail": LoadStatus.FAILED,
    "partial success": LoadStatus.PARTIAL,
    "skipped": LoadStatus.SKIPPED,
    "no-op": LoadStatus.SKIPPED,
}
"""https://docs.getdbt.com/reference/artifacts/run-results-json, and `dbt.contracts.results` of dbt-core 1.12. dbt exits with 0 on warn."""
_KEPT = frozenset(
    {
        "resource_type",
        "unique_id",
        "database",
        "schema",
        "name",
        "alias",
        "identifier",
        "freshness",
        "attached_node",
        "depends_on",
        "relation_name",
    }
)
_OF_EXPOSURES = frozenset({"resource_type", "name", "type", "owner", "url", "description"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a project consists of.

    tables: the table of each model, seed, snapshot and source, by dbt's unique id; `schema.table`, with the database
    before it where two would be called alike. expected: ids of the sources whose freshness dbt measures.
    tested: the ids of what a test is about.
    """

    project: str
    tables: Mapping[str, str]
    expected: tuple[str, ...]
    tested: Mapping[str, tuple[str, ...]]

    def table(self, unique_id: str) -> str:
        """The table of a node; one that the manifest does not know (it was renamed since) goes by its own name."""
        return self.tables.get(unique_id) or ".".join(unique_id.split(".")[2:]) or unique_id


def slim_node(found: dict[str, Any]) -> Json:
    """What is kept of an object of manifest.json: of a node only what is read of it, without code and documentation."""
    if "resource_type" not in found:
        return found
    kept = _OF_EXPOSURES if found["resource_type"] == "exposure" else _KEPT
    return {key: value for key, value in found.items() if key in kept} if found["resource_type"] != "macro" else None


def slim_result(found: dict[str, Any]) -> Json:
    """What is kept of an object of run_results.json and sources.json: all but the compiled code."""
    found.pop("compiled_code", None)
    return found


def manifest(content: Mapping[str, Json]) -> Manifest:
    """The project that manifest.json describes; parts that have another form than dbt's are left out."""
    nodes = {key: node for part in ("nodes", "sources") for key, node in mapping(content.get(part)).items() if isinstance(node, dict)}
    named = {key: _name(node) for key, node in nodes.items() if node.get("resource_type") in {*TABLES, "source"}}
    often = Counter(named.values())
    tables = {
        key: f"{nodes[key]['database']}.{name}" if often[name] > 1 and nodes[key].get("database") else name for key, name in named.items()
    }
    return Manifest(
        text(mapping(content.get("metadata")).get("project_name")) or "dbt",
        tables,
        tuple(sorted(key for key, node in nodes.items() if node.get("resource_type") == "source" and _has_limit(node.get("freshness")))),
        {key: _tested(node) for key, node in nodes.items() if node.get("resource_type") == "test"},
    )


def status(raw: Json) -> LoadStatus:
    """The status behind dbt's word; one that dbt has not had until 1.12 is UNKNOWN."""
    return _STATUSES.get(str(raw).lower(), LoadStatus.UNKNOWN)


def overall(statuses: Iterable[LoadStatus]) -> LoadStatus:
    """The status of an invocation, as dbt's own exit code has it: one failure fails it. Without any result nobody can say."""
    found = set(statuses)
    if found & {LoadStatus.FAILED, LoadStatus.PARTIAL}:
        return LoadStatus.FAILED
    if not found or LoadStatus.UNKNOWN in found:
        return LoadStatus.UNKNOWN
    return LoadStatus.SUCCEEDED if LoadStatus.SUCCEEDED in found else LoadStatus.SKIPPED


def name_of(node: Mapping[str, Json]) -> str:
    """The name of the table in its schema."""
    return text(node.get("alias")) or text(node.get("identifier")) or text(node.get("name")) or "?"


def _name(node: Mapping[str, Json]) -> str:
    return f"{node['schema']}.{name_of(node)}" if text(node.get("schema")) else name_of(node)


def _has_limit(freshness: Json) -> bool:
    limits = mapping(freshness)
    return any(mapping(limits.get(key)).get("count") is not None for key in ("warn_after", "error_after"))


def _tested(node: Mapping[str, Json]) -> tuple[str, ...]:
    """The node that a test is attached to; a test of one's own has none, and is about all that it reads."""
    attached = text(node.get("attached_node"))
    nodes = mapping(node.get("depends_on")).get("nodes")
    return (attached,) if attached else tuple(map(str, nodes)) if isinstance(nodes, list) else ()
