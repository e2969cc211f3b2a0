"""What entries speak of: one table or pipeline, or by a pattern many of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from dqmon.config.check_file import Entry
from dqmon.config.report import suggest
from dqmon.config.runbooks import Runbooks
from dqmon.config.yaml_lines import line_of
from dqmon.core.check import PipelineRef
from dqmon.core.table import TableRef, table_ref

Target: TypeAlias = TableRef | PipelineRef

_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_QUOTED_STAR = "\0"
"""Stands for a `*` inside quotes, which is part of a name; no name of a table holds it."""
_ELSEWHERE = re.compile(r"([A-Za-z_][\w-]*):(.*)", re.DOTALL)
"""A table with the name of its warehouse before it."""
EXPLICIT = 1_000_000
"""The specificity of an entry without `*`: above any pattern's."""


@dataclass(frozen=True, slots=True)
class WarehouseFacts:
    """What names mean in one warehouse. `schema` and `catalog` are its own, filled in or left out of names; `grammar` is
    that of its SQL (`Capabilities.grammar`), None when it is not known.
    """

    name: str
    schema: str | None = None
    catalog: str | None = None
    naive_timezone: str = "UTC"
    grammar: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the configuration says of the warehouses (the first is the default) and of what ingestion sources can tell.

    `python_path` is the folder of Python code that checks may run. A source that could not be read is None there: nothing is held
    against it. A source's owner owns the checks of its pipelines that name nobody. `pipelines` are all that there can be of the
    sources that declare theirs. `runbooks` are the Markdown files of the project.
    """

    warehouses: Mapping[str, WarehouseFacts]
    sources: Mapping[str, frozenset[str] | None]
    require_runbook: str = "critical"
    runbook_hosts: tuple[str, ...] = ()
    source_owners: Mapping[str, str] = field(default_factory=dict)
    pipelines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    python_path: str | None = None
    runbooks: Runbooks = field(default_factory=lambda: Runbooks(Path()), compare=False)

    def own(self, table: TableRef) -> TableRef:
        """`table` without its catalog when that is the warehouse's own."""
        facts = self.warehouses.get(table.warehouse)
        is_own = facts is not None and table.catalog is not None and table.catalog == facts.catalog
        return TableRef(table.warehouse, None, table.schema, table.name) if is_own else table

    def unknown_pipeline(self, source: str, pipeline: str) -> tuple[str, str | None] | None:
        """What is wrong with the name, and what to do; None when such a pipeline can be there. A pattern can match later."""
        if source not in self.sources:
            return f"unknown ingestion source {source!r}", suggest(source, self.sources) or "declare it under ingestion: in dqmon.yaml"
        known = self.pipelines.get(source)
        if known is None or pipeline in known or "*" in pipeline:
            return None
        return f"{source} has no pipeline {pipeline!r}", suggest(pipeline, known)

    @property
    def first(self) -> str:
        """The default warehouse's name; empty when there is none."""
        return next(iter(self.warehouses), "")

    def table(self, warehouse: str, text: str) -> TableRef:
        """The table that `text` names there; ValueError when it is no name."""
        facts = self.warehouses[warehouse]
        return self.own(table_ref(warehouse, text, facts.schema))


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and what it applies to: `target`, or when `pattern` is set all that it matches.

    `specificity` is the length of the pattern's literal prefix; `target` of a pattern is its own text, for validation.
    """

    entry: Entry
    target: Target
    pattern: re.Pattern[str] | None
    specificity: int

    def covers(self, target: Target, *, is_view: bool = False) -> bool:
        """True when the entry applies to `target`."""
        if self.pattern is None:
            return target == self.target
        if type(target) is not type(self.target) or _home(target) != _home(self.target):
            return False
        if is_view and self.entry.keys.get("include") != "views":
            return False
        return self.pattern.fullmatch(_text(target)) is not None


def place(entry: Entry, facts: Facts) -> Placed | None:
    """Where the entry belongs; None with the reason in its report."""
    return _place_dataset(entry, facts) if entry.is_dataset else _place_pipeline(entry, facts)


def warehouse_of(entry: Entry, facts: Facts) -> str | None:
    """The warehouse of the names in the entry; None, with the reason in its report, when there is no such one."""
    name: str = entry.keys.get("warehouse", entry.defaults.get("warehouse")) or facts.first
    if name in facts.warehouses:
        return name
    hint = suggest(name, facts.warehouses) or "declare it under warehouses: in dqmon.yaml"
    entry.report.error(entry.line_of("warehouse"), f"unknown warehouse {name!r}" if name else "the table has no warehouse", hint)
    return None


def _place_dataset(entry: Entry, facts: Facts) -> Placed | None:
    report, line = entry.report, entry.line_of("dataset")
    name = warehouse_of(entry, facts)
    if name is None:
        return None
    text = _QUOTED.sub(lambda found: found[0].replace("*", _QUOTED_STAR), entry.subject)
    try:
        table = facts.table(name, text)
    except ValueError as e:
        report.error(line, str(e).replace(_QUOTED_STAR, "*"))
        return None
    is_pattern = "*" in text
    if "include" in entry.keys and not is_pattern:
        report.error(entry.line_of("include"), "include: stands on a pattern only", "remove it")
    parts = (table.catalog, table.schema, table.name)
    catalog, schema, last = (part and part.replace(_QUOTED_STAR, "*") for part in parts)
    target = TableRef(name, catalog, schema, last or "")
    if not is_pattern:
        return Placed(entry, target, None, EXPLICIT)
    written = [part for part in parts if part is not None]
    prefix = len(".".join(written).split("*")[0])
    return Placed(entry, target, re.compile(_SEPARATOR.join(_regex(part, "[^\x1f]*") for part in written)), prefix)


def _place_pipeline(entry: Entry, facts: Facts) -> Placed | None:
    source, slash, pipeline = entry.subject.partition("/")
    line = entry.line_of("pipeline")
    if not slash or not source or not pipeline:
        entry.report.error(line, f"{entry.subject!r} is not a pipeline", "write source/pipeline")
        return None
    wrong = facts.unknown_pipeline(source, pipeline)
    if wrong:
        entry.report.error(line, *wrong)
        return None
    target = PipelineRef(source, pipeline)
    if "*" not in pipeline:
        return Placed(entry, target, None, EXPLICIT)
    prefix = len(f"{source}/{pipeline.split('*')[0]}")
    return Placed(entry, target, re.compile(_regex(pipeline, ".*"), re.DOTALL), prefix)


_SEPARATOR = "\x1f"
"""Between name parts while matching, so that `*` cannot cross from one to the next whatever characters names have."""


def _regex(part: str, star: str) -> str:
    return star.join(re.escape(piece.replace(_QUOTED_STAR, "*")) for piece in part.split("*"))


def _text(target: Target) -> str:
    if isinstance(target, PipelineRef):
        return target.pipeline
    return _SEPARATOR.join(part for part in (target.catalog, target.schema, target.name) if part is not None)


def _home(target: Target) -> str:
    return target.warehouse if isinstance(target, TableRef) else target.source


def upstream_node(text: str, warehouse: str, facts: Facts) -> str:
    """The node of a parent: `[warehouse:]dataset` (by default of `warehouse`), or with `/` a pipeline. ValueError when it is none."""
    bare = _QUOTED.sub("", text)
    if "*" in bare:
        msg = f"upstream {text!r} is a pattern; write each name"
        raise ValueError(msg)
    source, slash, pipeline = text.partition("/") if "/" in bare else ("", "", "")
    if slash:
        if not source or not pipeline:
            msg = f"upstream {text!r} is not a pipeline; write source/pipeline"
            raise ValueError(msg)
        wrong = facts.unknown_pipeline(source, pipeline)
        if wrong:
            msg = f"upstream {text!r}: {'; '.join(filter(None, wrong))}"
            raise ValueError(msg)
        return str(PipelineRef(source, pipeline))
    elsewhere = _ELSEWHERE.fullmatch(text)
    name, dataset = elsewhere.groups() if elsewhere else (warehouse, text)
    if name not in facts.warehouses:
        hint = suggest(name, facts.warehouses) or "declare it under warehouses: in dqmon.yaml"
        msg = f"upstream {text!r}: unknown warehouse {name!r}; {hint}"
        raise ValueError(msg)
    return str(facts.table(name, dataset))


def upstream_nodes(entry: Entry, warehouse: str, facts: Facts) -> tuple[str, ...]:
    """The nodes that the entry's `upstream:` names, each once; what is no name is in its report."""
    nodes = []
    for at, text in enumerate(entry.keys.get("upstream") or ()):
        try:
            nodes.append(upstream_node(text, warehouse, facts))
        except ValueError as e:
            entry.report.error(line_of(entry.data, ("upstream", at)), str(e))
    return tuple(dict.fromkeys(nodes))


def known_targets(placed: Iterable[Placed]) -> tuple[Target, ...]:
    """The targets that entries without a pattern name, in declared order."""
    return tuple(dict.fromkeys(item.target for item in placed if item.pattern is None))
