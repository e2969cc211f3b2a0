"""The pages' HTML: jinja2 with autoescape, so that every text is a text."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dqmon.alerts.wording import affected_text
from dqmon.core.duration import format_duration
from dqmon.core.feedback import NOTE_LIMIT, Feedback
from dqmon.core.verdict import Unit
from dqmon.exporters.chart import NARROW, Dot, Panel, chart
from dqmon.notify.base.text import clean, link
from dqmon.web.markdown import html

if TYPE_CHECKING:
    from jinja2 import Template

    from dqmon.core.message import AlertFacts, Reading
    from dqmon.engine.incidents.incident_page import IncidentPage

_FOLDER = Path(__file__).parent
TEXT_LIMIT = 2_000
"""Characters of a value."""
_SPANS = {"days": 86_400, "hours": 3_600, "minutes": 60}
FEEDBACK = {Feedback.REAL: "Real issue", Feedback.EXPECTED: "Expected change", Feedback.BAD_THRESHOLD: "Bad threshold"}


def shown(page: IncidentPage, now: datetime, *, notice: str, actor: str | None, seal: str, can_log_in: bool) -> str:
    """The page of an incident. With `actor` it has forms, which carry `seal`."""
    root = page.alerts[0] if page.alerts else None
    return _template().render(
        page=page,
        incident=page.incident,
        root=root,
        title=root.headline if root else str(page.incident.root),
        age=format_duration(((page.incident.resolved_at or now) - page.incident.opened_at).total_seconds()),
        chart=_chart(root) if root else None,
        affected=[(affected_text(item), None if item.url is None else link(item.url)) for item in page.radius.listed],
        runbooks=[(guide.place, html(guide.text)) for guide in page.runbooks],
        links=[(url, link(url)) for url in page.links],
        words=FEEDBACK,
        note_limit=NOTE_LIMIT,
        notice=notice,
        actor=actor,
        seal=seal,
        is_login=can_log_in,
    )


def refused(notice: str, incident_id: str, *, is_login: bool) -> str:
    """A page that says no; with a form to log in, which leads to the incident's page."""
    return _template().render(page=None, title="dqmon", notice=notice, incident_id=incident_id, is_login=is_login)


@cache
def style_sheet() -> str:
    """The style sheet of the pages."""
    return (_FOLDER / "page.css").read_text(encoding="utf-8")


@cache
def _template() -> Template:
    loader = FileSystemLoader(_FOLDER)
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_visible, trim_blocks=True, lstrip_blocks=True)
    made.filters["utc"] = _utc
    return made.get_template("incident.html")


def _visible(value: object) -> object:
    """A text without the characters that hide or reorder what is read; our own markup as it is."""
    return clean(value, TEXT_LIMIT, keep_lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _chart(alert: AlertFacts) -> Markup | None:
    """The values of the last slots with what was expected; None of fewer than two."""
    if len(alert.series) < 2:  # noqa: PLR2004 - one value is no course
        return None
    scale, unit = _unit(alert)
    dots = tuple(_dot(one, scale) for one in alert.series)
    return Markup(chart([Panel("", clean(unit, 40), dots)], NARROW))  # noqa: S704 - the chart escapes its texts


def _unit(alert: AlertFacts) -> tuple[float, str]:
    """What the values are multiplied with to be shown, and what they then are: a share in per cent, seconds as people would say them."""
    observed = (alert.result or {}).get("observed") or {}
    if observed.get("ratio") is not None:
        return 100.0, "%"
    unit = str(observed.get("unit") or "")
    most = max(one.value for one in alert.series)
    longer = ((1 / seconds, name) for name, seconds in _SPANS.items() if unit == Unit.SECONDS and most >= 2 * seconds)
    return next(longer, (1.0, unit))


def _dot(one: Reading, scale: float) -> Dot:
    low, high = (None if bound is None else bound * scale for bound in (one.low, one.high))
    return Dot(one.at, one.value * scale, low, high, "failed" if one.is_bad else None)
