"""The steps of `escalation:` with their selectors read, as the routes that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from dqmon.config.report import suggest
from dqmon.config.routes import NO_MATCH, can_match, read_selector
from dqmon.config.yaml_lines import line_of
from dqmon.core.duration import format_duration
from dqmon.core.route import Route

if TYPE_CHECKING:
    from dqmon.config.escalation import EscalationKeys
    from dqmon.config.settings_file import SettingsFile
    from dqmon.core.selector import Selector


def escalation_channels(file: SettingsFile) -> tuple[str, ...]:
    """The channels that `escalation:` names."""
    return tuple(name for one in file.keys.escalation for step in one.steps for name in step.to)


def read_escalation(file: SettingsFile, routes: Sequence[Route], words: Mapping[str, tuple[str, ...]]) -> tuple[Route, ...]:
    """The steps of all escalations as routes; what is wrong with them is in the file's report."""
    steps: list[Route] = []
    names = {route.name for route in routes}
    for at, keys in enumerate(file.keys.escalation):
        match = _match(file, at, keys, words)
        _check(file, at, keys, is_told=bool(routes))
        for step in keys.steps:
            name = f"{keys.name} after {format_duration(step.after)}"
            if name in names:
                file.report.error(
                    line_of(file.data, ("escalation", at)), f"there is a step or route {name!r} already", "give it another name"
                )
            names.add(name)
            to = tuple(dict.fromkeys(step.to))
            steps.append(Route(name, match, to, goes_on=True, group_wait_s=step.after, unless_acknowledged=True))
    return tuple(steps)


def _match(file: SettingsFile, at: int, keys: EscalationKeys, words: Mapping[str, tuple[str, ...]]) -> Selector | None:
    line = line_of(file.data, ("escalation", at, "match"))
    try:
        match = read_selector((keys.match,), words)
    except ValueError as e:
        file.report.error(line, f"escalation {keys.name!r}: {e}")
        return None
    if not can_match(match):
        file.report.error(line, f"escalation {keys.name!r}: no open alert can match {keys.match!r}", NO_MATCH)
    return match


def _check(file: SettingsFile, at: int, keys: EscalationKeys, *, is_told: bool) -> None:
    known, report = file.names("channels"), file.report
    if not is_told:
        report.error(
            line_of(file.data, ("escalation", at)),
            f"escalation {keys.name!r} begins with a message, and there are no routes",
            "add routes:",
        )
    for number, step in enumerate(keys.steps):
        for place, name in enumerate(step.to):
            if name not in known:
                line = line_of(file.data, ("escalation", at, "steps", number, "to", place))
                hint = suggest(name, known) or "declare it under channels:"
                report.error(line, f"escalation {keys.name!r}: unknown channel {name!r}", hint)
    for number, (before, step) in enumerate(pairwise(keys.steps), start=1):
        if step.after <= before.after:
            line = line_of(file.data, ("escalation", at, "steps", number, "after"))
            found = f"{format_duration(step.after)} comes after {format_duration(before.after)}"
            report.error(
                line, f"escalation {keys.name!r}: {found}", "write steps in the order of their times, each later than the one before"
            )
