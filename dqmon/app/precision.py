"""How often alerts were right, by what people said of their incidents, and what would make those of a project more so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.app.backtests import period, try_out, with_values
from dqmon.engine.rehearsal.compare import Known
from dqmon.engine.rehearsal.precision import Precision, by_check, by_owner, told_checks
from dqmon.engine.rehearsal.tuning import Score, Values, best, candidates, real_ones, score
from dqmon.errors import ConfigError, UsageError
from dqmon.store import feedback, incidents

if TYPE_CHECKING:
    from dqmon.app.commands import App
    from dqmon.config.check_file import Item
    from dqmon.core.check import Check
    from dqmon.core.selector import Selector


@dataclass(frozen=True, slots=True)
class Precise:
    """What was said of incidents, and those incidents."""

    checks: tuple[Precision, ...]
    owners: tuple[Precision, ...]
    known: tuple[Known, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of one check. `written`: of each key what stands in its check file and in which line, None where it does not.
    `values` empty: nothing that was tried is quieter and misses no real incident.
    """

    check: Check
    precision: Precision
    values: Values
    written: Mapping[str, tuple[object, int] | None]
    before: Score
    after: Score


def precision(app: App, selector: Selector, days: int) -> Precise:
    """Of the incidents of the last days in which a selected check was told of; without a selector of all, also of checks that are gone.

    Raises UsageError when nothing is selected, and StoreError.
    """
    with app.database.read() as connection:
        opened = incidents.opened_since(connection, period(app, days).since)
        said = feedback.of_incidents(connection, [incident.id for incident in opened])
    every = tuple(Known(one, said[one.id].feedback if one.id in said else None) for one in opened)
    chosen = {check.id for check in app.select(selector)} if selector.terms else None
    if chosen is not None and not chosen:
        raise UsageError(f"nothing is selected; `dqmon plan` names the {len(app.environment.checks)} checks")
    known = tuple(one for one in every if chosen is None or chosen & told_checks(one.incident))
    checks = tuple(one for one in by_check(known) if chosen is None or one.name in chosen)
    owners = {check_id: check.owner for check_id, check in app.environment.checks.items()}
    return Precise(checks, by_owner(known, owners), known)


def proposals(app: App, found: Precise, days: int, wanted: float, labels: int) -> Iterable[Proposal]:
    """For each declared check with so many labels and less than that precision, the smallest change that is enough.

    Each change is replayed; one that misses a real incident is never proposed. Raises StoreError.
    """
    for one in found.checks:
        check = app.environment.checks.get(one.name)
        if check is not None and one.labelled >= labels and (one.ratio or 0.0) < wanted:
            yield _proposal(app, check, one, found.known, (days, wanted))


def _proposal(app: App, check: Check, said: Precision, known: Sequence[Known], asked: tuple[int, float]) -> Proposal:
    days, wanted = asked
    real, span = real_ones(known, check.id), period(app, days)
    as_it_is = try_out(app, [[check]], days).sides[0]
    before = score(check.id, as_it_is, real, span)
    forms: list[tuple[Values, Check]] = []
    for values in candidates(check, as_it_is, real, span):
        try:
            forms.append((values, with_values(app, [check], values)[0][0]))
        except ConfigError:
            continue  # what this type, or this check, cannot have
    tried = try_out(app, [[form] for _, form in forms], days).sides if forms else ()
    scored = [(values, score(check.id, side, real, span)) for (values, _), side in zip(forms, tried, strict=True)]
    chosen = best(before, scored, wanted)
    values, after = chosen or ({}, before)
    return Proposal(check, said, values, _written(app, check, values), before, after)


def _written(app: App, check: Check, values: Values) -> dict[str, tuple[object, int] | None]:
    """What stands in the check file of those keys, and where."""
    item = _item(app, check)
    return {key: (item.data[key], item.line_of(key)) if item and key in item.data else None for key in values}


def _item(app: App, check: Check) -> Item | None:
    for placed in app.project.placed:
        if placed.entry.report.path == check.source.path:
            for item in placed.entry.items:
                if item.line == check.source.line:
                    return item
    return None
