"""`dqmon route`: who is told of what, without sending anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.alerts.route import Attributes
    from dqmon.core.check import Check
    from dqmon.core.route import Route

GROUP = typer.Typer(name="route", help="Who is told of what.", no_args_is_help=True)
Expect = Annotated[
    str | None, typer.Option("--expect", metavar="CHANNELS", help="Exit 1 unless exactly these are told: `oncall,team`; empty is nobody.")
]
STEPS = ("ESCALATION", "MATCH", "AFTER", "TELLS")
HEADINGS = ("ROUTE", "MATCH", "TELLS", "GROUP BY", "WAIT", "INTERVAL", "REPEAT", "SPEAKS")


@GROUP.command()
def show(config: options.ConfigFile = None) -> None:
    """Shows the routes in their order: the first that matches is taken, and the next ones too after `continue: true`.

    Then the steps of escalations: who is told unless somebody has acknowledged by then.
    """
    from dqmon.config.project import load

    project = load(config)
    routes = project.routes
    for line in output.table([_row(route) for route in routes], HEADINGS):
        output.write(line)
    for line in output.table([_step(step) for step in project.escalation], STEPS) if project.escalation else ():
        output.write(line)
    if not routes:
        output.note("there are no routes: results are recorded and nobody is told")


@GROUP.command(name="test")
def try_out(
    terms: Annotated[list[str], typer.Argument(metavar="KEY:VALUE...", help="What an alert has: severity:critical owner:@x tag:pii.")],
    expect: Expect = None,
    config: options.ConfigFile = None,
) -> None:
    """Says which channels an alert with these attributes would reach; a bare value is its dataset, pipeline or check id."""
    from dqmon.alerts.route import routes_for
    from dqmon.config.project import load
    from dqmon.config.registries import Registries
    from dqmon.config.routes import KINDS, vocabulary

    project = load(config)
    attributes = _attributes(terms, vocabulary(Registries().checks.names(), project.file.names("warehouses")))
    alert = {"kind": (KINDS[0],), **attributes}
    told = routes_for(alert, project.routes)
    output.write(_sentence(told) + _later(alert, project.escalation))
    _compare({channel for _, channel in told}, tuple(project.settings.channels), expect)


@GROUP.command()
def explain(check: options.CheckArgument, expect: Expect = None, config: options.ConfigFile = None) -> None:
    """Says which channels each alert of a check would reach: when it fails, when it warns, when it cannot be measured."""
    from dqmon.alerts.route import routes_for
    from dqmon.app import open_app
    from dqmon.engine.select import attributes, no_check

    with open_app(config) as app:
        found = app.environment.checks.get(check)
        if found is None:
            raise UsageError(no_check(check, app.environment.checks))
        routes, channels = app.environment.routes, tuple(app.project.settings.channels)
        steps = app.environment.escalation
    reached: set[str] = set()
    for name, alert in alerts_of(found):
        told = routes_for({**attributes(found), **alert}, routes)
        output.write(f"{name}: {_sentence(told)}{_later({**attributes(found), **alert}, steps)}")
        reached |= {channel for _, channel in told}
    _compare(reached, channels, expect)


def _attributes(terms: Sequence[str], words: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Each key with its values. UsageError for what an alert cannot have: a pattern, a negation, an unknown word, two severities."""
    from dqmon.config.routes import read_selector

    found: dict[str, tuple[str, ...]] = {}
    try:
        selector = read_selector(terms, words)
    except ValueError as e:
        raise UsageError(str(e)) from e
    for term in selector.terms:
        if term.is_negated or any("*" in value for value in term.values):
            raise UsageError("an alert has attributes, not patterns: write key:value, such as severity:critical")
        found[term.key] = (*found.get(term.key, ()), *term.values)
        if term.key in words and len(set(found[term.key])) > 1:
            raise UsageError(f"an alert has one {term.key}, and here are {', '.join(found[term.key])}; test one after the other")
    return found


def alerts_of(check: Check) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    """The alerts that the check can have, the worst first: in which case, and the attributes that differ between them."""
    from dqmon.core.verdict import least

    warned = least(check.severity, check.warn_severity)
    found = [("data", "failing", check.severity)]
    found += [("data", "warning", warned)] if warned is not check.severity else []
    found += [("error", "error", check.error_severity)] if check.on_error == "alert" else []
    for kind, state, severity in found:
        yield f"{state}, {severity.value}", {"kind": (kind,), "state": (state,), "severity": (severity.value,)}


def _sentence(told: Sequence[tuple[Route, str]]) -> str:
    return ", ".join(f"{channel} (route {route.name}{_when(route)})" for route, channel in told) or "nobody"


def _later(alert: Attributes, steps: Sequence[Route]) -> str:
    """`, unless acknowledged: lead (nights after 15m), boss (nights after 1h)`."""
    from dqmon.alerts.escalate import steps_for

    found = ", ".join(f"{channel} ({step.name})" for step, channel in steps_for(alert, steps))
    return f", unless acknowledged: {found}" if found else ""


def _when(route: Route) -> str:
    from dqmon.alerts.timetable import timetable_text
    from dqmon.core.timetable import ALWAYS

    return "" if route.speaks == ALWAYS else f", {timetable_text(route.speaks)}"


def _compare(found: set[str], channels: Sequence[str], expect: str | None) -> None:
    """Exit 1 when the channels are others than expected; UsageError for a channel that is not configured."""
    if expect is None:
        return
    wanted = {name.strip() for name in expect.split(",") if name.strip()}
    for name in sorted(wanted):
        options.choice("--expect", name, tuple(channels))
    if wanted != found:
        output.note(f"expected {', '.join(sorted(wanted)) or 'nobody'}, but {', '.join(sorted(found)) or 'nobody'} would be told")
        raise typer.Exit(ExitCode.FAILED)


def _row(route: Route) -> tuple[str, ...]:
    from dqmon.alerts.timetable import timetable_text
    from dqmon.core.duration import format_duration

    match = "everything else" if route.match is None else str(route.match)
    waits = (format_duration(seconds) for seconds in (route.group_wait_s, route.group_interval_s, route.repeat_interval_s))
    tells = ", ".join(route.to) + (", and the next routes" if route.goes_on else "")
    return route.name, match, tells, ", ".join(route.group_by), *waits, timetable_text(route.speaks)


def _step(step: Route) -> tuple[str, ...]:
    from dqmon.core.duration import format_duration

    return step.name, str(step.match), format_duration(step.group_wait_s), ", ".join(step.to)
