"""`exposures:` of check files: what is read from the data, and by whom; the end of the lineage."""

from __future__ import annotations

from collections.abc import Sequence

from dqmon.config.check_file import Entry, listed
from dqmon.config.fields import read_model
from dqmon.config.keys import ExposureEntry, given
from dqmon.config.report import Report
from dqmon.config.targets import Facts, upstream_nodes, warehouse_of
from dqmon.config.yaml_lines import YamlMap
from dqmon.core.lineage import Edge, Exposure, Lineage, of_edges

KEY = "exposures"


def declared_exposures(data: YamlMap, report: Report) -> tuple[Entry, ...]:
    """The exposures of a check file's content that can be read; what is wrong is in `report`."""
    raw = data.get("defaults")
    defaults = {key: raw[key] for key in ("owner", "warehouse") if isinstance(raw.get(key), str)} if isinstance(raw, YamlMap) else {}
    found = []
    for item, line in listed(data, KEY, report, "- exposure: …"):
        if not isinstance(item, YamlMap):
            report.error(line, f"{item!r} is no exposure", "write - exposure: … and upstream: […]")
        elif keys := read_model(ExposureEntry, item, report):
            found.append(
                Entry(report, keys.exposure, is_dataset=False, data=item, keys=given(keys), defaults=defaults, defaults_lines={}, items=())
            )
    return tuple(found)


def exposed(entries: Sequence[Entry], facts: Facts) -> Lineage:
    """The exposures as the end of the graph, each below what it reads. A second one of a name is an error that tells both places."""
    first: dict[str, Entry] = {}
    edges: list[Edge] = []
    exposures: list[Exposure] = []
    for entry in entries:
        other = first.setdefault(entry.subject, entry)
        if other is not entry:
            where = f"{other.report.path}:{other.line_of('exposure')}"
            entry.report.error(entry.line_of("exposure"), f"the exposure {entry.subject!r} is already declared at {where}", "rename one")
            continue
        warehouse = warehouse_of(entry, facts)
        if warehouse is None:
            continue
        said = {key: value for key, value in entry.keys.items() if value is not None}
        owner = entry.keys.get("owner", entry.defaults.get("owner"))
        exposure = Exposure(entry.subject, said.get("type", "dashboard"), owner, said.get("url"), said.get("description"))
        exposures.append(exposure)
        edges += (Edge(exposure.node, node) for node in upstream_nodes(entry, warehouse, facts))
    return of_edges(edges, exposures)
