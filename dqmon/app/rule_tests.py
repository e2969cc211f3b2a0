"""Rule tests against the rules of one project; its store, warehouses and channels are not touched."""

from __future__ import annotations

from collections.abc import Iterable

from dqmon.config.project import load
from dqmon.config.registries import Registries
from dqmon.config.rule_tests import read_rule_tests
from dqmon.engine.rule_tests import Rules, Tested, run_tests


def run_rule_tests(paths: Iterable[str] = (), config: str | None = None) -> tuple[Tested, ...]:
    """What came of the tests of `paths`, else of all of `checks/tests/`, in their order. Raises ConfigError and ExtensionError."""
    project = load(config)
    tests, settings, known = read_rule_tests(project, paths), project.settings, Registries()
    rules = Rules(
        settings.instance,
        project.routes,
        project.lineage,
        settings.correlate_within_s,
        {name: known.channels.get(one.type).pages for name, one in settings.channels.items()},
        {name: one.type for name, one in settings.warehouses.items()},
        project.quiet,
    )
    return tuple(run_tests(tests, rules))
