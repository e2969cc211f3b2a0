"""Rule tests against the rules of one project; its store, warehouses and channels are not touched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dqmon.config.project import load
from dqmon.config.registries import Registries
from dqmon.config.rule_tests import read_rule_tests
from dqmon.engine.rehearsal.rule_tests import Tested, run_tests
from dqmon.engine.rehearsal.stage import Rules

if TYPE_CHECKING:
    from dqmon.config.project import Project
    from dqmon.core.lineage import Lineage


def run_rule_tests(paths: Iterable[str] = (), config: str | None = None) -> tuple[Tested, ...]:
    """What came of the tests of `paths`, else of all of `checks/tests/`, in their order. Raises ConfigError and ExtensionError."""
    project = load(config)
    return tuple(run_tests(read_rule_tests(project, paths), rules_of(project, project.lineage)))


def rules_of(project: Project, lineage: Lineage) -> Rules:
    """The project around its checks, with channels that only record. Raises ExtensionError."""
    settings, known = project.settings, Registries()
    return Rules(
        settings.instance,
        project.routes,
        lineage,
        settings.correlate_within_s,
        {name: known.channels.get(one.type).pages for name, one in settings.channels.items()},
        {name: one.type for name, one in settings.warehouses.items()},
        project.quiet,
        project.escalation,
        settings.storm_above,
    )
