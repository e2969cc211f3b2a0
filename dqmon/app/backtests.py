"""A project's configuration, and others, tried on what its store has kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dqmon.app.rule_tests import rules_of
from dqmon.config.overrides import overridden, read_values
from dqmon.config.registries import Registries
from dqmon.engine.rehearsal.trial import Period, Trial, trial
from dqmon.engine.select import select
from dqmon.errors import ConfigError, Problem, UsageError

if TYPE_CHECKING:
    from dqmon.app.commands import App
    from dqmon.config.project import Project
    from dqmon.core.check import Check
    from dqmon.core.selector import Selector
    from dqmon.engine.run import Progress


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of today's configuration and, with values set, of the other one; those checks whose type has none of the keys."""

    trial: Trial
    untouched: tuple[str, ...]


def checks_of(app: App, project: Project) -> dict[str, Check]:
    """All checks of another form of the app's project by id, its patterns applied to what is there. Raises ConfigError."""
    tables, pipelines = ((), ()) if app.listing.unreachable else (app.listing.tables, app.listing.pipelines)
    found = project.resolve(tables, pipelines)
    if errors := tuple(problem for problem in found.problems if not problem.is_warning):
        raise ConfigError(errors)
    return {check.id: check for check in found.checks}


def period(app: App, days: int) -> Period:
    """The last days, up to now."""
    now = app.now()
    return Period(now - timedelta(days=days), now)


def try_out(app: App, sides: Sequence[Sequence[Check]], days: int, progress: Progress | None = None) -> Trial:
    """Each side on the last days. Nothing is written and no warehouse is asked. Raises StoreError."""
    return trial(app.database, sides, rules_of(app.project, app.environment.lineage), period(app, days), progress)


def backtest(app: App, selector: Selector, days: int, texts: Sequence[str] = (), progress: Progress | None = None) -> Backtest:
    """Today's configuration of the selected checks, and beside it the one with the `key=value` texts.

    UsageError when nothing is selected; ConfigError for values that a check file could not have, or that change what is measured.
    """
    chosen = app.select(selector)
    if not chosen:
        known = app.environment.checks
        near = [found for term in selector.terms for value in term.values for found in get_close_matches(value, known, 1, 0.5)]
        hint = f"did you mean {near[0]!r}?" if near else f"`dqmon plan` names the {len(known)} checks"
        raise UsageError(f"nothing is selected; {hint}")
    values = read_values(texts)
    if not values:
        return Backtest(try_out(app, [chosen], days, progress), ())
    changed, untouched = with_values(app, chosen, values)
    return Backtest(try_out(app, [chosen, changed], days, progress), untouched)


def with_values(app: App, chosen: Sequence[Check], values: Mapping[str, object]) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """The checks with other values of some keys, and the ids of those whose type has none of them. Raises ConfigError."""
    found = overridden(app.project, chosen, values, Registries().checks)
    try:
        changed = checks_of(app, found.project)
    except ConfigError as e:
        # The files are as they were: what is wrong with a check is what was set.
        raise ConfigError(tuple(replace(problem, path=f"--set, {problem.path}") for problem in e.problems)) from e
    problems = [
        Problem("--set", None, f"{', '.join(values)} changes what {check.id} measures, and the past was measured as it was")
        for check in chosen
        if check.id not in changed or _measured(changed[check.id]) != _measured(check)
    ]
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(changed[check.id] for check in chosen), found.untouched


def all_of(app: App, project: Project, selector: Selector) -> dict[str, Check]:
    """The selected checks of another form of the project by id."""
    chosen = select(checks_of(app, project).values(), selector, app.database, app.now())
    return {check.id: check for check in chosen}


def _measured(check: Check) -> object:
    """What a check measures of its table."""
    from dqmon.core.check_type import DatasetCheck

    return check.rule.metrics(check) if isinstance(check.rule, DatasetCheck) else None
