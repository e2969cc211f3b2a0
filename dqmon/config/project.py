"""A project: its folder, settings, checks, routes; loaded whole, or refused with all that is wrong at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from dqmon.config.build import build
from dqmon.config.check_file import Entry
from dqmon.config.check_files import read_check_files
from dqmon.config.exposures import exposed
from dqmon.config.fallbacks import warn_of_single_paths, with_fallbacks
from dqmon.config.quiet import read_quiet
from dqmon.config.registries import Registries
from dqmon.config.report import Report, shown_path
from dqmon.config.routes import read_routes, vocabulary
from dqmon.config.runbooks import Runbooks
from dqmon.config.sections import read_extensions, source_warehouses, with_mirror
from dqmon.config.settings import Settings
from dqmon.config.settings_file import SettingsFile, read_settings_file
from dqmon.config.steps import escalation_channels, read_escalation
from dqmon.config.targets import Facts, Placed, Target, WarehouseFacts, place
from dqmon.config.timetables import digest_channels
from dqmon.core.check import Check, PipelineRef
from dqmon.core.check_type import DatasetCheck
from dqmon.core.lineage import Lineage
from dqmon.core.load_record import PipelineInfo
from dqmon.core.protocols import Warehouse
from dqmon.core.route import Route
from dqmon.core.silence import Quiet
from dqmon.core.table import TableRef
from dqmon.errors import ConfigError, DqmonError, Problem

CONFIG = "config/dqmon.yaml"


class Resolved(NamedTuple):
    """Patterns applied to what is there: all checks of the project, problems and warnings, what is made from what."""

    checks: tuple[Check, ...]
    problems: tuple[Problem, ...]
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class Project:
    """A valid configuration. `checks` are those of tables and pipelines that are named; `patterns` are the entries
    that need to know what is there, see `resolve`.
    """

    root: Path
    path: Path
    settings: Settings
    checks: tuple[Check, ...]
    patterns: tuple[Placed, ...]
    routes: tuple[Route, ...]
    lineage: Lineage
    warnings: tuple[Problem, ...]
    placed: tuple[Placed, ...]
    facts: Facts
    file: SettingsFile
    exposed: Lineage
    quiet: tuple[Quiet, ...]
    escalation: tuple[Route, ...]

    def resolve(self, tables: Iterable[tuple[TableRef, bool]], pipelines: Iterable[PipelineInfo] = ()) -> Resolved:
        """All checks once the patterns are applied to `tables` (with is_view, as `Session.tables` gives them) and `pipelines`.

        Checks of named tables stay whether or not they are listed. A pattern that matches nothing is a warning; two
        entries that contradict each other for a table are an error, and its check is taken from the first.
        """
        there: dict[Target, bool] = {self.facts.own(table): is_view for table, is_view in tables}
        there |= {PipelineRef(info.source, info.pipeline): False for info in pipelines}
        found = Report("")
        placed = tuple(_with_report(item, found) for item in self.placed)
        built = build(placed, self.facts, there)
        for item in placed:
            if item.pattern is not None and not any(item.covers(target, is_view=view) for target, view in there.items()):
                line = item.entry.line_of("dataset" if item.entry.is_dataset else "pipeline")
                found.of(item.entry.report.path).errors.append(
                    Problem(item.entry.report.path, line, f"the pattern {item.entry.subject!r} matches nothing", is_warning=True)
                )
        return Resolved(tuple(built.checks), tuple(dict.fromkeys(found.errors)), built.lineage.beside(self.exposed))


def load(config: str | None = None) -> Project:
    """The project that `--config`, `DQMON_CONFIG` or the working folder names. Raises ConfigError."""
    return load_project(find_project(config, os.environ, Path.cwd()), os.environ)


def find_project(config: str | None, env: Mapping[str, str], cwd: Path) -> Path:
    """The path of dqmon.yaml: `config`, else DQMON_CONFIG, else config/dqmon.yaml in `cwd` or the nearest folder above.

    Raises ConfigError when it is not there.
    """
    named = config or env.get("DQMON_CONFIG")
    if named:
        path = (cwd / named).resolve()
        if not _is_file(path):
            if path.is_dir():
                raise _refused(named, "is a folder", f"name the file, such as {Path(named) / CONFIG}")
            raise _refused(named, "there is no such file", "--config or DQMON_CONFIG must name a dqmon.yaml")
        return path
    for folder in (cwd, *cwd.parents):
        if _is_file(folder / CONFIG):
            return (folder / CONFIG).resolve()
    raise _refused(CONFIG, "not found in this folder or any above", "go to your project, or name the file with --config FILE")


def _is_file(path: Path) -> bool:
    """True for a file; ConfigError where this user may not look."""
    try:
        return path.is_file()
    except OSError as e:
        raise _refused(str(path)[:300], f"cannot be looked at: {e.strerror}", "give this user the right to read it and its folder") from e


def load_project(path: Path, env: Mapping[str, str], registries: Registries | None = None) -> Project:
    """The project that the file at `path` configures. Raises ConfigError with every problem of every file.

    `env` is the environment: `DQMON_…` settings and what `${env:…}` refers to.
    """
    known = registries or Registries()
    root = root_of(path)
    report = Report(shown_path(path, root))
    if not path.is_file():
        raise _refused(report.path, "there is no such file", "name another with --config FILE")
    file = read_settings_file(path, root, env, known, report)
    if file is None:
        raise ConfigError(_sorted(report.errors))
    entries, exposures = read_check_files(root, file, known, report)
    used = _used(file, entries)
    settings = read_extensions(file, with_mirror(file, used), known)
    words = vocabulary(known.checks.names(), file.names("warehouses"))
    routes, quiet = read_routes(file.data, file.names("channels"), words, report), read_quiet(file, words)
    escalation = read_escalation(file, routes, words)
    warn_of_single_paths(file, settings.channels, routes, known)
    facts = _facts(file, settings, known, report)
    placed = tuple(found for entry in entries if (found := place(entry, facts)))
    built, ends = build(placed, facts), exposed(exposures, facts)
    _note_unscheduled(built.checks, report)
    if report.errors:
        raise ConfigError(_sorted(map(file.placed, report.errors)))
    patterns = tuple(item for item in placed if item.pattern is not None)
    warnings = _sorted(map(file.placed, report.warnings))
    lineage = built.lineage.beside(ends)
    checks = tuple(built.checks)
    return Project(root, path, settings, checks, patterns, routes, lineage, warnings, placed, facts, file, ends, quiet, escalation)


def root_of(path: Path) -> Path:
    """The folder of the project that the file at `path` configures."""
    return path.parent.parent if path.parent.name == "config" else path.parent


def _used(file: SettingsFile, entries: Iterable[Entry]) -> dict[str, frozenset[str]]:
    """The names that checks and routes refer to, by section; what is not used may lack its secrets."""
    first = file.names("warehouses")[:1]
    listed = tuple(entries)
    pipelines = [entry.subject for entry in listed if not entry.is_dataset]
    pipelines += [text for entry in listed for text in entry.keys.get("upstream") or () if "/" in text]
    sources = frozenset(text.partition("/")[0] for text in pipelines)
    warehouses = [entry.keys.get("warehouse") or entry.defaults.get("warehouse") or "".join(first) for entry in listed if entry.is_dataset]
    rules = [item.rule for entry in listed for item in entry.items]
    warehouses += [name for rule in rules if isinstance(rule, DatasetCheck) for name in rule.other_warehouses]
    routes = file.data.get("routes")
    channels = [name for route in routes if isinstance(route, dict) for name in _texts(route.get("to"))] if isinstance(routes, list) else []
    return {
        "warehouses": frozenset(warehouses) | source_warehouses(file, sources),
        "ingestion": sources,
        "channels": with_fallbacks(file, [*channels, *digest_channels(file), *escalation_channels(file)]),
    }


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _facts(file: SettingsFile, settings: Settings, known: Registries, report: Report) -> Facts:
    """What names mean; a warehouse or source with errors of its own takes every name, so that they stay the only ones."""
    warehouses: dict[str, WarehouseFacts] = {}
    for name in file.names("warehouses"):
        one = settings.warehouses.get(name)
        warehouses[name] = WarehouseFacts(name)
        if one is not None:
            try:
                warehouse: Warehouse = known.warehouses.get(one.type)(name, one.options)
            except (DqmonError, ValueError) as e:
                report.error(one.source.line, f"warehouses.{name}: {e}")
                continue
            catalog = getattr(warehouse, "default_catalog", None)
            warehouses[name] = WarehouseFacts(
                name, warehouse.default_schema, catalog, warehouse.naive_timezone, warehouse.capabilities.grammar
            )
    sources: dict[str, frozenset[str] | None] = dict.fromkeys(file.names("ingestion"))
    sources |= {name: one.options.narrowed(frozenset(known.ingestion.get(one.type).provides)) for name, one in settings.ingestion.items()}
    if not warehouses and not sources:
        report.error(None, "no warehouse is declared", "add warehouses: {main: {type: duckdb, path: data/warehouse.duckdb}}")
    owners = {name: str(one.options.owner) for name, one in settings.ingestion.items() if one.options.owner}
    pipelines = {name: declared for name, one in settings.ingestion.items() if (declared := one.options.declared()) is not None}
    folder = settings.python_path
    if folder is not None and not folder.is_dir():
        report.error(file.data.lines.get("python_path"), f"python_path: there is no folder {folder}", "make it, or remove python_path:")
    python_path = str(folder) if folder else None
    hosts, runbooks = settings.runbook_hosts, Runbooks(file.outside.root)
    return Facts(warehouses, sources, settings.require_runbook, hosts, owners, pipelines, python_path, runbooks)


def _note_unscheduled(checks: Iterable[Check], report: Report) -> None:
    """One note for each file whose checks `dqmon run` will never start."""
    idle: dict[str, list[int]] = {}
    for check in checks:
        if check.schedule is None:
            idle.setdefault(check.source.path, []).append(check.source.line)
    for path, lines in idle.items():
        what = "1 check has" if len(lines) == 1 else f"{len(lines)} checks have"
        report.of(path).warn(lines[0], f"{what} no schedule and will run on demand only", "add schedule: to the defaults")


def _with_report(item: Placed, found: Report) -> Placed:
    return replace(item, entry=replace(item.entry, report=found.of(item.entry.report.path)))


def _refused(path: str, message: str, hint: str) -> ConfigError:
    return ConfigError((Problem(path, None, message, hint),))


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, by file and line."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.path, problem.line or 0)))
