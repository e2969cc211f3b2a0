"""What messages say of runbooks that are Markdown files of the project, and of the incident's page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dqmon.alerts.wording import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dqmon.core.check import Check
    from dqmon.core.incident import Incident
    from dqmon.core.message import AlertFacts, Message
    from dqmon.core.runbook import Runbook
    from dqmon.engine.environment import Environment

PAGE = "incident"
"""The page's name among a message's links."""
STEP_LIMIT = 280
"""Characters of a first step and the command after it: channels show 300 of a value, and make some characters two."""


def guided(message: Message, environment: Environment) -> Message:
    """The message with the first step of each Markdown runbook before the command, and with links to the incident's page.

    Where there is a page, such a runbook is a link to it, since it stands there whole; else it stays the file's path.
    """
    page = environment.pages.link(message.incident_id, message.at) if environment.pages else None
    alerts = tuple(guided_facts(alert, environment.checks, page) for alert in message.alerts)
    runbook = next((alert.runbook for alert in alerts[:1] if alert.runbook), None)
    links = {**message.links, **({"runbook": runbook} if runbook else {}), **({PAGE: page} if page else {})}
    return replace(message, alerts=alerts, links=links)


def guide_of(checks: Mapping[str, Check], check_id: str, runbook: str | None) -> Runbook | None:
    """What the runbook of a result of the check says; None for a link, and for a file that is the check's no more."""
    check = checks.get(check_id)
    guide = check.guide if check else None
    return guide if guide and guide.place == runbook else None


def guides(checks: Mapping[str, Check], incident: Incident) -> tuple[Runbook, ...]:
    """The Markdown runbooks of the incident's checks as the files have them by now, each once: the root's first, no symptom's."""
    keys = (incident.root, *(member.key for member in incident.members.values() if member.caused_by is None))
    found = (checks[key.check_id].guide for key in keys if key.check_id in checks)
    return tuple({guide.place: guide for guide in found if guide}.values())


def guided_facts(alert: AlertFacts, checks: Mapping[str, Check], page: str | None = None) -> AlertFacts:
    """As `guided`, of one alert; `page` is the incident's, None where it has none."""
    guide = guide_of(checks, alert.check_id, alert.runbook)
    if guide is None:
        return alert
    then = f"; then: {alert.first_step}" if alert.first_step else ""
    own = guide.first_step.rstrip(".;")
    step = f"{cut(own, max(1, STEP_LIMIT - len(then)))}{then}" if own else alert.first_step
    return replace(alert, runbook=f"{page}#runbook" if page else alert.runbook, first_step=step)
