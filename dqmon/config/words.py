"""Words with a grammar of their own: time zones, cron expressions, runbook links."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from dqmon.config.report import suggest
from dqmon.core.runbook import is_path

_CRON_FIELDS = 5
_ANY_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Any instant does: only whether the expression ever fires is looked at."""


def check_timezone(value: object) -> object:
    """`value` if it names a time zone; ValueError with the nearest name otherwise."""
    if isinstance(value, str):
        _known_zone(value)
    return value


@lru_cache(1024)
def _known_zone(name: str) -> None:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        hint = suggest(name, available_timezones()) or "write a name such as UTC or America/New_York"
        msg = f"unknown time zone {name!r}; {hint}"
        raise ValueError(msg) from None


def check_cron(value: object) -> object:
    """`value` if it is a cron expression of five fields that fires some day; ValueError otherwise."""
    if isinstance(value, str):
        _known_cron(value)
    return value


@lru_cache(1024)
def _known_cron(text: str) -> None:
    from cronsim import CronSim, CronSimError

    form = 'write minute hour day month weekday, such as "15 * * * *", or {every: 15m}'
    if len(text.split()) != _CRON_FIELDS:
        msg = f"{text!r} is not a cron expression of five fields; {form}"
        raise ValueError(msg)
    try:
        next(CronSim(text, _ANY_MONDAY))
    except CronSimError as e:
        msg = f"{text!r} is not a cron expression: {str(e).lower()}; {form}"
        raise ValueError(msg) from None
    except StopIteration:
        msg = f"the cron expression {text!r} never fires"
        raise ValueError(msg) from None


def check_runbook(value: object) -> object:
    """`value` if it is a Markdown file's path, or may be sent in a message: https, a host name, no user in it; else ValueError."""
    if isinstance(value, str):
        if unknown := sorted(set(re.findall(r"\{[^}]*\}?", value)) - {"{check}", "{dataset}"}):
            msg = f"runbook {value!r} holds {unknown[0]}; only {{check}} and {{dataset}} are filled in"
            raise ValueError(msg)
        if not is_path(value):
            _check_link("runbook", value, ' \\"<>|`', ", or be a Markdown file of the project such as docs/runbooks/orders.md")
        elif not value.isprintable() or "\\" in value:
            msg = f"runbook {value!r} holds a character that the path of a runbook cannot have"
            raise ValueError(msg)
    return value


def check_link(value: object) -> object:
    """`value` if it may be sent in a message, as of a runbook, and holds nothing to fill in; ValueError otherwise."""
    if isinstance(value, str):
        _check_link("url", value, ' \\"<>|`{}')
    return value


def _check_link(key: str, text: str, refused: str, instead: str = "") -> None:
    if not text.isprintable() or any(c in text for c in refused):
        msg = f"{key} {text!r} holds a character that a link cannot have; write it as %XX"
        raise ValueError(msg)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as e:
        msg = f"{key} {text!r} is not a link: {e}"
        raise ValueError(msg) from None
    if parts.scheme != "https":
        msg = f"{key} {text!r} must start with https://{instead}"
        raise ValueError(msg)
    if "@" in parts.netloc:
        msg = f"a {key} link must not hold a user or password"
        raise ValueError(msg)
    if not _is_name(host):
        msg = f"{key} {text!r} must name its host, not an address"
        raise ValueError(msg)


def runbook_host(runbook: str) -> str:
    """The host of a link that `check_runbook` took: in small letters, without the dot of a whole domain name."""
    return (urlsplit(runbook).hostname or "").rstrip(".")


def check_host_pattern(value: object) -> object:
    """`value`, in small letters, if it is a host name or `*.` before one; ValueError otherwise."""
    if not isinstance(value, str):
        return value
    if not _is_name(value.removeprefix("*.")):
        msg = f"{value!r} is no host; write wiki.example.com, or *.example.com for all hosts below it"
        raise ValueError(msg)
    return value.lower().rstrip(".")


def is_host_allowed(host: str, patterns: Iterable[str]) -> bool:
    """True when `host` is one of the names, or below one that `*.` stands before; that name itself is not."""
    return any(host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]) and host != pattern[1:]) for pattern in patterns)


def _is_name(host: str) -> bool:
    """False for IP literals in any notation that a client may take (0x7f.1, 2130706433), and for what is no host name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        labels = host.rstrip(".").split(".")
        is_number = re.fullmatch(r"0x[0-9a-f]*|[0-9]+", labels[-1], re.IGNORECASE) is not None
        return not is_number and all(re.fullmatch(r"(?!-)[\w-]{1,63}(?<!-)", label) for label in labels)
    return False
