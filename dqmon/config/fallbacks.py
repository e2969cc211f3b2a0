"""`fallback:` of channels: who is told what a channel does not take. Checked as a whole, and what is missing is said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dqmon.config.report import suggest
from dqmon.config.yaml_lines import line_of
from dqmon.core.selector import Selector
from dqmon.core.verdict import Severity

if TYPE_CHECKING:
    from dqmon.config.registries import Registries
    from dqmon.config.settings import Configured
    from dqmon.config.settings_file import SettingsFile
    from dqmon.core.route import Route

_CRITICAL = {"severity": (Severity.CRITICAL.value,)}


def with_fallbacks(file: SettingsFile, used: Collection[str]) -> frozenset[str]:
    """These channels and all that are told in their place, as far as the file says."""
    found, names = set(used), file.names("channels")
    waiting = [name for name in used if name in names]
    while waiting:
        to = file.option("channels", waiting.pop(), "fallback")
        if isinstance(to, str) and to in names and to not in found:
            found.add(to)
            waiting.append(to)
    return frozenset(found)


def check_fallbacks(file: SettingsFile, channels: Mapping[str, Configured]) -> None:
    """Reports each `fallback` that is no channel, and those that lead back to where they began."""
    names = file.names("channels")
    to = {name: one.options.fallback for name, one in channels.items() if one.options.fallback is not None}
    seen: set[str] = set()
    for name, fallback in to.items():
        line = line_of(file.data, ("channels", name, "fallback"))
        if fallback not in names:
            hint = suggest(fallback, names) or "declare it under channels:"
            file.report.error(line, f"channels.{name}: unknown fallback {fallback!r}", hint)
            continue
        path = [name]
        while (following := to.get(path[-1])) is not None and following not in path:
            path.append(following)
        if following == name and name not in seen:
            seen.update(path)
            file.report.error(line, f"fallback goes in a circle: {' -> '.join((*path, name))}", "remove one of them")
        elif fallback in channels and channels[fallback].options.dry_run:
            file.report.warn(line, f"channels.{name}: its fallback {fallback} is set to send nothing (dry_run)")


def warn_of_single_paths(file: SettingsFile, channels: Mapping[str, Configured], routes: Sequence[Route], known: Registries) -> None:
    """Warns of each channel that pages, has no fallback, and is alone with what is critical."""
    for name in dict.fromkeys(_alone(routes)):
        one = channels.get(name)
        if one is None or one.options.fallback is not None or one.options.dry_run or not known.channels.get(one.type).pages:
            continue
        message = f"channels.{name} pages, has no fallback, and nobody else is told what is critical: while it is out, nobody is"
        file.report.warn(one.source.line, message, "add fallback: NAME of another channel")


def _alone(routes: Sequence[Route]) -> Iterable[str]:
    """The channels to which a critical alert goes and to no other one, by the routes that may take it."""
    taking = [route for route in routes if route.match is None or _may_be_critical(route)]
    for at, route in enumerate(taking):
        later = {channel for other in taking[at + 1 :] for channel in other.to} if route.goes_on else set[str]()
        if len({*route.to, *later}) == 1:
            yield route.to[0]


def _may_be_critical(route: Route) -> bool:
    """True unless its terms on the severity leave critical alerts out."""
    assert route.match is not None  # noqa: S101 - the caller asked
    return Selector(tuple(term for term in route.match.terms if term.key == "severity")).matches(_CRITICAL)
