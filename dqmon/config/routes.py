"""Routes and selectors: parsed, and checked against the words that can ever match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dqmon.config.fields import read_model
from dqmon.config.report import Report, suggest
from dqmon.config.settings import RouteKeys
from dqmon.config.timetables import read_timetable
from dqmon.config.yaml_lines import YamlList, YamlMap, line_of
from dqmon.core.result import OUTAGE
from dqmon.core.route import Route
from dqmon.core.selector import KEYS, Selector, parse_selector
from dqmon.core.verdict import Dimension, Severity

STATES = ("passing", "warning", "failing", "error", "skipped", "learning", "overdue")
KINDS = ("data", "error")
NO_MATCH = "name one severity, kind or state that is open"
_TROUBLE = (("data", "failing"), ("data", "warning"), ("error", "error"))
"""The kinds and states of alerts that are open."""


def vocabulary(types: Iterable[str], warehouses: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The values that selector keys with a closed set of them may have."""
    return {
        "severity": tuple(Severity),
        "kind": KINDS,
        "state": STATES,
        "dimension": tuple(Dimension),
        "type": (*types, OUTAGE),
        "warehouse": tuple(warehouses),
    }


def read_selector(texts: Iterable[str], words: Mapping[str, tuple[str, ...]]) -> Selector:
    """The selector of `texts`; ValueError with a suggestion for an unknown key, or a value that can never match."""
    listed = tuple(texts)
    try:
        selector = parse_selector(listed)
    except ValueError as e:
        found = next((word for text in listed for word in text.split() if repr(word) in str(e)), "")
        hint = suggest(found.removeprefix("not:").partition(":")[0], KEYS) if "unknown selector key" in str(e) else None
        raise ValueError(f"{e}; {hint}" if hint else str(e)) from None
    check_words(selector, words)
    return selector


def check_words(selector: Selector, words: Mapping[str, tuple[str, ...]]) -> None:
    """ValueError with a suggestion for a value that nothing can have."""
    for term in selector.terms:
        for value in term.values:
            known = words.get(term.key)
            if known is not None and "*" not in value and value not in known:
                hint = suggest(value, known)
                raise ValueError(f"unknown {term.key} {value!r}" + (f"; {hint}" if hint else ""))


def can_match(match: Selector) -> bool:
    """True when some open alert could have what the selector's terms say of severity, kind and state."""
    open_alerts = ({"severity": (one.value,), "kind": (kind,), "state": (state,)} for one in Severity for kind, state in _TROUBLE)
    return any(Selector(tuple(term for term in match.terms if term.key in alert)).matches(alert) for alert in open_alerts)


def read_routes(data: YamlMap, channels: Iterable[str], words: Mapping[str, tuple[str, ...]], report: Report) -> tuple[Route, ...]:
    """The routes in order; what is wrong is in `report`, and a warning when there are none."""
    raw = data.get("routes")
    if not raw:
        report.warn(data.lines.get("routes"), "there are no routes: results are recorded and nobody is told", "add routes: and channels:")
        return ()
    if not isinstance(raw, YamlList):
        report.error(data.lines["routes"], "routes must be a list", "write - {name: rest, default: true, to: [team]}")
        return ()
    known = tuple(channels)
    routes: list[Route] = []
    names: dict[str, int] = {}
    for item, line in zip(raw, raw.lines, strict=True):
        keys = read_model(RouteKeys, item, report) if isinstance(item, YamlMap) else None
        if keys is None:
            if not isinstance(item, YamlMap):
                report.error(line, f"{item!r} is no route", "write - {name: rest, default: true, to: [team]}")
            continue
        if names.setdefault(keys.name, line) != line:
            report.error(
                line_of(item, ("name",)), f"a route {keys.name!r} stands in line {names[keys.name]} already", "give it another name"
            )
        routes.append(_route(keys, item, known, words, report))
    if len(routes) == len(raw):
        _check_default(raw, report)
    return tuple(routes)


def _route(keys: RouteKeys, item: YamlMap, channels: tuple[str, ...], words: Mapping[str, tuple[str, ...]], report: Report) -> Route:
    for at, channel in enumerate(keys.to):
        if channel not in channels:
            report.error(
                line_of(item, ("to", at)),
                f"route {keys.name!r}: unknown channel {channel!r}",
                suggest(channel, channels) or "declare it under channels:",
            )
    match: Selector | None = None
    if keys.match is not None:
        try:
            match = read_selector((keys.match,), words)
        except ValueError as e:
            report.error(line_of(item, ("match",)), f"route {keys.name!r}: {e}")
        if match is not None and not can_match(match):
            report.error(line_of(item, ("match",)), f"route {keys.name!r}: no open alert can match {keys.match!r}", NO_MATCH)
    if (keys.match is None) is not keys.is_default:
        message = "has both match and default" if keys.is_default else "has neither match nor default: true"
        report.error(
            line_of(item, ("default",)),
            f"route {keys.name!r} {message}",
            "keep one" if keys.is_default else 'add match: "severity:critical", say',
        )
    return Route(
        name=keys.name,
        match=match,
        to=tuple(dict.fromkeys(keys.to)),
        goes_on=keys.goes_on,
        group_by=("owner",) if keys.digest is not None and "group_by" not in keys.model_fields_set else keys.group_by,
        group_wait_s=keys.group_wait,
        group_interval_s=keys.group_interval,
        repeat_interval_s=keys.repeat_interval,
        speaks=read_timetable(keys, item, match, report),
    )


def _check_default(raw: YamlList, report: Report) -> None:
    """Every severity finds a route: the last takes what is left, and only the last."""
    for item, line in zip(raw[:-1], raw.lines[:-1], strict=True):
        if item.get("default") is True:
            report.error(
                line_of(item, ("default",)) or line,
                "a default route that is not the last takes everything from those below",
                "move it to the end",
            )
    last: Any = raw[-1]
    if last.get("default") is not True:
        report.error(
            raw.lines[-1],
            "the last route is not the default, so some alerts would reach nobody",
            "add - {name: rest, default: true, to: […]}",
        )
