"""Which channels an alert goes to, and what selectors see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.alert import AlertKind
from dqmon.core.route import Route
from dqmon.core.verdict import Verdict

if TYPE_CHECKING:
    from dqmon.core.alert import Alert
    from dqmon.core.result import ResultRecord

Attributes: TypeAlias = Mapping[str, tuple[str, ...]]
"""What selectors match and groups are formed by: the keys of `core.selector`, `""` for bare terms, and `dataset`."""


def attributes_of(alert: Alert, result: ResultRecord) -> Attributes:
    """An alert's attributes. `severity` is the alert's, so a warning of a critical check is routed as a warning."""
    subject = tuple(name for name in (result.dataset, result.pipeline) if name)
    return {
        "": (*subject, result.check_id),
        "id": (result.check_id,),
        "type": (result.type,),
        "tag": result.tags,
        "owner": (result.owner,) if result.owner else (),
        "severity": (alert.severity.value,),
        "kind": (alert.key.kind.value,),
        "state": (_state(alert),),
        "warehouse": (result.warehouse,) if result.warehouse else (),
        "dimension": (result.dimension,),
        "dataset": subject,
    }


def routes_for(attributes: Attributes, routes: Sequence[Route]) -> tuple[tuple[Route, str], ...]:
    """The (route, channel) pairs of an alert: of the first route that matches, and of later ones while it `goes_on`.

    A channel is told once, by the first of these routes that names it.
    """
    found: dict[str, Route] = {}
    for route in routes:
        if route.match is None or route.match.matches(attributes):
            for channel in route.to:
                found.setdefault(channel, route)
            if not route.goes_on:
                break
    return tuple((route, channel) for channel, route in found.items())


def _state(alert: Alert) -> str:
    if not alert.is_open:
        return "passing"
    if alert.key.kind is AlertKind.ERROR:
        return "error"
    return "warning" if all(member.verdict is Verdict.WARN for member in alert.members.values()) else "failing"
