"""Reading the sections of `config/dqmon.yaml` that hold extensions, each by its type, and what the settings say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dqmon.config.endpoints import OpenlineageKeys, check_endpoints
from dqmon.config.extension import Written, read_extension
from dqmon.config.fallbacks import check_fallbacks
from dqmon.config.registries import Registries
from dqmon.config.report import suggest
from dqmon.config.settings import SECTIONS, BudgetKeys, Configured, Settings, absolute_store
from dqmon.config.settings_file import SettingsFile
from dqmon.config.timetables import check_digest
from dqmon.config.yaml_lines import YamlMap, line_of
from dqmon.core.cost import Budget
from dqmon.core.protocols import Writable


def read_extensions(file: SettingsFile, used: Mapping[str, frozenset[str]], registries: Registries) -> Settings:
    """All settings; problems are in the file's report. `used` are the names in use, by section."""
    found = _extensions(file, used, registries)
    _check_source_warehouses(file)
    _check_budgets(file, found["warehouses"])
    _check_mirror(file, found["warehouses"], registries)
    check_endpoints(file, found, registries)
    check_fallbacks(file, found["channels"])
    check_digest(file, found["channels"], registries)
    keys = file.keys
    return Settings(
        instance=keys.instance,
        store_url=absolute_store(keys.store.url.get_secret_value(), file.outside.root),
        checks_path=file.outside.root / keys.checks_path,
        require_runbook=keys.require_runbook,
        runbook_hosts=keys.runbook_hosts,
        fuse_within_s=keys.fuse_within,
        correlate_within_s=keys.correlate_within,
        retention=keys.retention,
        python_path=file.outside.root / keys.python_path if keys.python_path is not None else None,
        reuse=keys.reuse,
        budgets={name: Budget(**budget.model_dump()) for name, budget in keys.budgets.items()},
        mirror=keys.mirror,
        web=keys.web,
        openlineage=_absolute_ca(keys.openlineage, file.outside.root),
        platform_owner=keys.platform_owner,
        storm_above=keys.storm.above,
        digest=keys.digest.plan if keys.digest else None,
        warehouses=found["warehouses"],
        ingestion=found["ingestion"],
        channels=found["channels"],
    )


def _extensions(file: SettingsFile, used: Mapping[str, frozenset[str]], registries: Registries) -> dict[str, dict[str, Configured]]:
    """What each section declares, by name; what has errors is left out."""
    found: dict[str, dict[str, Configured]] = {}
    for section, registry in SECTIONS.items():
        found[section] = {}
        raw: Any = file.data.get(section)
        if raw is not None and not isinstance(raw, YamlMap):
            file.report.error(file.data.lines[section], f"{section} must be a mapping of names to options", "write name: {type: …}")
        for name in file.names(section):
            is_used = name in used.get(section, ())
            line = line_of(file.data, (section, name))
            written = Written(section, name, raw[name], line, is_used)
            one = read_extension(written, file.outside, registries.of(registry), file.report)
            if one is not None:
                found[section][name] = one
    return found


def _absolute_ca(keys: OpenlineageKeys | None, root: Path) -> OpenlineageKeys | None:
    """The keys with the CA file's path made absolute."""
    return keys and (keys.model_copy(update={"verify": str(root / keys.verify)}) if keys.verify else keys)


def _check_source_warehouses(file: SettingsFile) -> None:
    known = file.names("warehouses")
    for name in file.names("ingestion"):
        warehouse = file.option("ingestion", name, "warehouse")
        if isinstance(warehouse, str) and warehouse not in known:
            line = line_of(file.data, ("ingestion", name, "warehouse"))
            file.report.error(
                line, f"ingestion.{name}: unknown warehouse {warehouse!r}", suggest(warehouse, known) or "declare it under warehouses:"
            )


def _check_budgets(file: SettingsFile, warehouses: Mapping[str, Configured]) -> None:
    """Each budget is of a warehouse that is there, limits something, and counts credits only where there is a price."""
    known = file.names("warehouses")
    for name, budget in file.keys.budgets.items():
        line = line_of(file.data, ("budgets", name))
        if name not in known:
            file.report.error(line, f"budgets: unknown warehouse {name!r}", suggest(name, known) or "declare it under warehouses:")
        elif budget == BudgetKeys():
            file.report.error(line, f"budgets.{name} limits nothing", "write credits_per_day, bytes_per_day or seconds_per_day")
        elif budget.credits_per_day is not None and name in warehouses and not _has_price(warehouses[name]):
            line = line_of(file.data, ("budgets", name, "credits_per_day"))
            file.report.error(line, f"budgets.{name}: the warehouse has no price", "set its credits_per_hour or price_per_tib")


def _has_price(warehouse: Configured) -> bool:
    return warehouse.options.credits_per_hour is not None or warehouse.options.price_per_tib is not None


def _check_mirror(file: SettingsFile, warehouses: Mapping[str, Configured], registries: Registries) -> None:
    """Its warehouse is there, is of a type that can be written to, and is no file that others read."""
    mirror, known = file.keys.mirror, file.names("warehouses")
    if mirror is None:
        return
    line = line_of(file.data, ("mirror", "warehouse"))
    target = warehouses.get(mirror.warehouse)
    if mirror.warehouse not in known:
        file.report.error(line, f"mirror: unknown warehouse {mirror.warehouse!r}", suggest(mirror.warehouse, known) or "declare it there")
    if target is None:
        return
    kind = registries.warehouses.get(target.type)
    if not issubclass(kind, Writable):
        able = ", ".join(name for name, other in registries.warehouses.all().items() if issubclass(other, Writable))
        file.report.error(line, f"mirror: {target.type} is not written to", f"name a warehouse of one of these types: {able}")
    path = getattr(target.options, "path", None)
    same = [other.name for other in warehouses.values() if other is not target and getattr(other.options, "path", None) == path]
    if path is not None and same:
        hint = "give the mirror a file of its own, since nobody can read a file while it is written"
        file.report.error(line, f"mirror: {mirror.warehouse} is the same file as {same[0]}", hint)


def with_mirror(file: SettingsFile, used: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    """The names in use with the mirror's warehouse, which nothing else may use: its role writes, and those of checks must not."""
    if file.keys.mirror is None:
        return used
    name = file.keys.mirror.warehouse
    if name in used["warehouses"]:
        hint = "declare it a second time under another name, with a user who may write, for the mirror alone"
        file.report.error(line_of(file.data, ("mirror", "warehouse")), f"mirror: checks use the warehouse {name}, too", hint)
    return {**used, "warehouses": used["warehouses"] | {name}}


def source_warehouses(file: SettingsFile, sources: Iterable[str]) -> frozenset[str]:
    """The warehouses that these sources read."""
    found = (file.option("ingestion", name, "warehouse") for name in sources if name in file.names("ingestion"))
    return frozenset(name for name in found if isinstance(name, str))
