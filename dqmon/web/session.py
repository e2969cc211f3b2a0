"""Who acts on a page: logins by a person's token, kept in a sealed cookie, and the seal that each form carries."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from dqmon.core.pages import is_sealed, seal
from dqmon.web.refusal import Refused

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dqmon.core.pages import Pages

LOGIN_LASTS = timedelta(hours=12)
"""A shift."""
_LONGEST = 1_000
"""Characters of a cookie or token that are looked at."""


@dataclass(frozen=True, slots=True)
class Session:
    """A login. `cookie` is its text, which forms are sealed with, so that a form is of use in this login alone."""

    actor: str
    cookie: str


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def named(token: str, actors: Mapping[str, bytes]) -> str | None:
    """Whose token it is; None when nobody's. Every one is compared, whichever it is."""
    given = digest(token[:_LONGEST])
    found = [name for name, kept in actors.items() if hmac.compare_digest(given, kept)]
    return found[0] if found else None


def log_in(response: Response, pages: Pages, name: str, kept: bytes, now: datetime) -> None:
    """Lets the response begin a login of that actor. It ends by itself, with another token, and when the actor is removed."""
    until = str(int((now + LOGIN_LASTS).timestamp()))
    text = f"{quote(name, safe='')}.{until}.{_seal(pages, name, until, kept)}"
    secure = _is_secure(pages)
    lasts_s = int(LOGIN_LASTS.total_seconds())
    response.set_cookie(_cookie(pages), text, lasts_s, path="/", secure=secure, httponly=True, samesite="strict")


def session(request: Request, pages: Pages, actors: Mapping[str, bytes], now: datetime) -> Session | None:
    """The login that the request's cookie is of; None without one, and when it is forged or over."""
    text = request.cookies.get(_cookie(pages), "")[:_LONGEST]
    # A name may have dots, an end and a seal have none.
    rest, _, found = text.rpartition(".")
    quoted, _, until = rest.rpartition(".")
    name = unquote(quoted)
    kept = actors.get(name, b"")
    is_ours = is_sealed(pages.key, found, "login", name, until, kept.hex())
    return Session(name, text) if is_ours and kept and now.timestamp() < int(until) else None


def form_seal(pages: Pages, by: Session) -> str:
    """What every form of this login carries: another site knows it as little as the cookie (CSRF)."""
    return seal(pages.key, "form", by.cookie)


def check_form(pages: Pages, by: Session, found: str) -> None:
    """Refused with 403 when a form does not carry its seal."""
    if not is_sealed(pages.key, found, "form", by.cookie):
        raise Refused(403, "this form is of another login; open the page again")


def check_origin(request: Request, pages: Pages) -> None:
    """Refused with 403 when another site's page sent the form, or nobody knows whose.

    Browsers put Origin on every POST (https://fetch.spec.whatwg.org/#origin-header). It must be `url` of `web:`, or the host that
    the request names, which the gate has let pass.
    """
    host = request.headers.get("host", "").lower()
    own = {pages.url}
    if pages.url is None or host != urlsplit(pages.url).netloc:
        own |= {f"http://{host}", f"https://{host}"}
    found = request.headers.getlist("origin")
    if len(found) != 1 or found[0] not in own:
        raise Refused(403, "a form is taken from dqmon's own pages alone")


def _seal(pages: Pages, name: str, until: str, kept: bytes) -> str:
    return seal(pages.key, "login", name, until, kept.hex())


def _is_secure(pages: Pages) -> bool:
    return pages.url is not None and pages.url.startswith("https:")


def _cookie(pages: Pages) -> str:
    """By its prefix browsers know that no other host may set it (draft-ietf-httpbis-rfc6265bis, 4.1.3.2)."""
    return "__Host-dqmon" if _is_secure(pages) else "dqmon"
