"""`/incidents/ID`: an incident for whoever is woken, on a phone, without scripts; and what a person who has logged in does there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dqmon.core.feedback import Feedback, Label
from dqmon.engine.incidents.by_hand import acknowledge_incident, give_feedback, resolve_incident
from dqmon.engine.incidents.incident_page import incident_page
from dqmon.engine.incidents.silences import snooze
from dqmon.errors import NotifyError, UsageError
from dqmon.store import incidents
from dqmon.telemetry import Log
from dqmon.web import body
from dqmon.web.refusal import Refused
from dqmon.web.session import check_form, check_origin, form_seal, log_in, named, session
from dqmon.web.view import refused, shown, style_sheet

if TYPE_CHECKING:
    from starlette.requests import Request

    from dqmon.core.pages import Pages
    from dqmon.engine.environment import Environment
    from dqmon.web.served import Served
    from dqmon.web.session import Session

log = Log(__name__)

BODY_LIMIT = 16_384
SNOOZE = timedelta(hours=2)
_ID = re.compile("[0-9a-z]{1,64}")
ACTS = ("acknowledge", "snooze", "resolve", "label")
HEADERS = {
    # Nothing is loaded but the style sheet; no script runs, no other page may show this one in a frame.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # A link that opens a page is no other site's business. `no-referrer` would take Origin off the forms, too.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about. `by` is who has logged in, `opens` true for a link that lets read."""

    served: Served
    environment: Environment
    pages: Pages
    incident_id: str
    now: datetime
    by: Session | None
    opens: bool


async def show(request: Request) -> Response:
    """The page. 401, in the same words for every id, to whoever has neither a link nor a login; 404 when the incident is kept no longer."""
    return await _page(_asked(request))


async def act(request: Request) -> Response:
    """Does what a form says, and shows the page. 403 for a form that is not ours, 401 without a login, 409 when it cannot be done."""
    asked = _asked(request)
    check_origin(request, asked.pages)
    if asked.by is None:
        return _answer(refused("Log in first.", asked.incident_id, is_login=True), 401)
    given = body.read_form(await body.read(request, BODY_LIMIT))
    check_form(asked.pages, asked.by, given.get("seal", ""))
    try:
        await run_in_threadpool(_act, asked, asked.by.actor, given)
    except UsageError as e:
        return await _page(asked, str(e), 409)
    except NotifyError as e:
        log.warning("an act on a page was kept, and not told yet", incident=asked.incident_id, reason=str(e))
    return _back(asked.incident_id)


async def login(request: Request) -> Response:
    """Begins a login and goes to the incident's page. 401 for a token that nobody has."""
    served: Served = request.state.served
    _, pages = _parts(served)
    check_origin(request, pages)
    given = body.read_form(await body.read(request, BODY_LIMIT))
    incident_id, name = given.get("incident", ""), named(given.get("token", ""), served.actors)
    if name is None:
        log.warning("a login was refused")
        return _answer(refused("This is nobody's token.", incident_id, is_login=bool(served.actors)), 401)
    response = _back(incident_id)
    log_in(response, pages, name, served.actors[name], served.clock())
    log.info("logged in", actor=name)
    return response


async def style(request: Request) -> Response:
    """The style sheet of the pages."""
    del request
    return Response(style_sheet(), media_type="text/css")


def _parts(served: Served) -> tuple[Environment, Pages]:
    environment = served.environment
    if environment is None or environment.pages is None:
        raise Refused(404, "there is nothing here")
    return environment, environment.pages


def _asked(request: Request) -> Asked:
    served: Served = request.state.served
    environment, pages = _parts(served)
    id_, now, query = request.path_params["incident"], served.clock(), request.query_params
    if not _ID.fullmatch(id_):
        raise Refused(404, "there is nothing here")
    opens = pages.opens(id_, query.get("until", ""), query.get("seal", ""), now)
    return Asked(served, environment, pages, id_, now, session(request, pages, served.actors, now), opens)


async def _page(asked: Asked, notice: str = "", status: int = 200) -> Response:
    can_log_in = bool(asked.served.actors)
    if asked.by is None and not asked.opens:
        how = "Log in to read this incident and to act on it. Without a login the" if can_log_in else "The"
        notice = f"{how} link in a message opens its page for 72 hours; the newest message has the newest link."
        return _answer(refused(notice, asked.incident_id, is_login=can_log_in), 401)
    found = await run_in_threadpool(incident_page, asked.environment, asked.incident_id, asked.now)
    if found is None:
        return _answer(refused("There is no such incident (any more).", asked.incident_id, is_login=False), 404)
    seal = form_seal(asked.pages, asked.by) if asked.by else ""
    actor = asked.by.actor if asked.by else None
    return _answer(shown(found, asked.now, notice=notice, actor=actor, seal=seal, can_log_in=can_log_in), status)


def _act(asked: Asked, actor: str, given: dict[str, str]) -> None:
    """One of ACTS, as the command line does it. Refused with 400 for anything else; raises as those do."""
    environment, id_, what = asked.environment, asked.incident_id, given.get("act", "")
    if what not in ACTS:
        raise Refused(400, f"act must be one of {', '.join(ACTS)}")
    with environment.database.read() as connection:
        if not incidents.is_there(connection, id_):
            raise Refused(404, "there is no such incident (any more)")
    note = given.get("note", "").strip()
    log.info("incident acted on", incident=id_, act=what, actor=actor)
    if what == "acknowledge":
        acknowledge_incident(environment, id_, actor)
    elif what == "snooze":
        snooze(environment, id_, SNOOZE, note, actor)
    elif what == "resolve":
        resolve_incident(environment, id_, actor, still_failing=False, label=_label(given, note))
    else:
        label = _label(given, note)
        give_feedback(environment, id_, label.feedback, actor, label.note)


def _label(given: dict[str, str], note: str) -> Label:
    try:
        return Label(Feedback(given.get("was", "")), note)
    except ValueError:
        raise UsageError("say what it was: a real issue, an expected change or a bad threshold") from None


def _back(incident_id: str) -> Response:
    """To the page, by GET, so that a reload sends no form twice."""
    return RedirectResponse(f"/incidents/{quote(incident_id, safe='')}", 303, HEADERS)


def _answer(content: str, status: int) -> Response:
    return HTMLResponse(content, status, HEADERS)
