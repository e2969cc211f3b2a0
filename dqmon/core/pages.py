"""Where incidents have pages, and the links that let whoever has one read its page for a while."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LINK_VALID = timedelta(hours=72)
"""How long a link in a message opens its page: over a weekend."""
_LONGEST = 200
"""Characters of what is compared; anything longer is none of ours."""


def seal(key: bytes, *parts: str) -> str:
    """43 characters that only who has the key can make of these parts (HMAC-SHA256, RFC 2104); other ones however parts are cut."""
    return urlsafe_b64encode(hmac.digest(key, json.dumps(parts).encode(), "sha256")).rstrip(b"=").decode()


def is_sealed(key: bytes, found: str, *parts: str) -> bool:
    """True when `found` is the seal of the parts; takes the same time whatever is wrong with it."""
    return hmac.compare_digest(found[:_LONGEST].encode(), seal(key, *parts).encode())


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of incidents.

    url: the web endpoint as people reach it; None: messages link nothing. key: seals links and logins. is_open: a link alone
    opens its page; else who follows it has to log in.
    """

    url: str | None
    key: bytes = field(repr=False)
    is_open: bool = False

    def link(self, incident_id: str, now: datetime) -> str | None:
        """The page's address for a message, with what opens it for LINK_VALID from `now` on."""
        if self.url is None:
            return None
        page = f"{self.url}/incidents/{incident_id}"
        if not self.is_open:
            return page
        until = str(int((now + LINK_VALID).timestamp()))
        return f"{page}?until={until}&seal={seal(self.key, 'read', incident_id, until)}"

    def opens(self, incident_id: str, until: str, found: str, now: datetime) -> bool:
        """True for the end (seconds since 1970) and the seal of a link to that page whose time is not over."""
        is_ours = self.is_open and is_sealed(self.key, found, "read", incident_id, until[:_LONGEST])
        return is_ours and now.timestamp() < int(until)
