"""A message as short texts, for the channels that give it no form of their own: e-mail, cards, plain text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dqmon.alerts.wording import affected_text
from dqmon.core.duration import format_duration
from dqmon.core.message import DeliveryKind
from dqmon.notify.base.text import ZERO_WIDTH_SPACE, bare_title, inert, link, named_links, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dqmon.core.message import AlertFacts, Message

T = TypeVar("T")

LINK_LIMIT = 500
"""Characters of a URL that is linked to; a longer one is shown, cut."""


_DIGEST_LINE = 230
"""Characters of each of the seven lines of a digest: with all of them within the least that a channel takes."""


@dataclass(frozen=True, slots=True)
class Room:
    """The place that there is: characters of the query, items of each list, characters of a value, links."""

    sql: int
    lines: int
    value: int
    links: int = 5


# What is left out when a message is too long, in this order: the query, then the lists, then the ends of values and all
# links but the runbook.
ROOMS = (Room(1_500, 10, 300), Room(0, 10, 300), Room(0, 3, 300), Room(0, 0, 300), Room(0, 0, 60, 1))


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the configuration; `url` is None where there is nothing usable to go to, and `text` then says what there is."""

    label: str
    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """What is told, in the order of reading. All texts are `inert`; the URLs of `links` alone are meant to be followed.

    The runbook is always the first of the links; a digest has none. lists: what changed, what recovered, what also
    fails, what is affected, where it fails, how it ended.
    """

    status: str
    title: str
    facts: tuple[tuple[str, str], ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    sql: str
    links: tuple[Link, ...]
    origin: str


def status(message: Message) -> str:
    """Where the group stands, in words."""
    match message.kind:
        case DeliveryKind.RESOLVE if message.resolved_after_s is not None:
            return f"RESOLVED after {format_duration(message.resolved_after_s)}"
        case DeliveryKind.RESOLVE:
            return "RESOLVED"
        case DeliveryKind.ACKNOWLEDGE:
            return f"ACKNOWLEDGED by {message.acknowledged_by or 'somebody'}"
        case DeliveryKind.REPEAT:
            return f"STILL {message.severity.upper()} after {format_duration((message.at - message.opened_at).total_seconds())}"
        case DeliveryKind.DIGEST:
            return "DIGEST"
        case _:
            return message.severity.upper()


def story(message: Message, fits: Callable[[Story], bool] = lambda _: True) -> Story:
    """The fullest story of a message that fits; the shortest one if none does. A digest is short, and has one only."""
    if message.kind is DeliveryKind.DIGEST:
        return _digest(message)
    for room in ROOMS:
        found = _told(message, room)
        if fits(found):
            break
    return found


def also_text(alert: AlertFacts) -> str:
    """One of the other alerts, in a line."""
    return f"{alert.severity.upper()} {alert.headline}"


def recovered_text(alert: AlertFacts) -> str:
    """One of the alerts that have resolved while others go on, in a line."""
    return f"{alert.check_id}: {alert.observed or alert.reason}"


def headline(message: Message, limit: int) -> str:
    """`[CRITICAL] analytics.orders row_count: 3 rows, at least 1,000 expected`, in `limit` characters."""
    return inert(f"[{status(message)}] {bare_title(message)}", limit)


def plain_text(told: Story) -> str:
    """The story line by line, for media that show texts as they are."""
    return "\n".join(_lines(told))


def readable(text: str) -> str:
    """`text` without the zero-width spaces that make values inert."""
    return text.replace(ZERO_WIDTH_SPACE, "")


def _digest(message: Message) -> Story:
    facts = tuple((inert(label, 40), inert(text, _DIGEST_LINE)) for label, text in message.lines)
    return Story(status(message), inert(bare_title(message), _DIGEST_LINE), facts, (), "", (), inert(message.instance, _DIGEST_LINE))


def _told(message: Message, room: Room) -> Story:
    root = message.alerts[0]
    return Story(
        status=inert(status(message), room.value),
        title=inert(bare_title(message), room.value) or "(no title)",
        facts=tuple((label, shown) for label, value in _facts(message, root) if (shown := inert(value, room.value))),
        lists=tuple(_lists(message, root, room)),
        sql=inert(root.sql or "", room.sql, keep_lines=True) if room.sql else "",
        links=tuple(_links(message, room)),
        origin=" | ".join(shown for part in _origin(message, root) if (shown := inert(part, min(200, room.value)))),
    )


def _facts(message: Message, root: AlertFacts) -> Iterator[tuple[str, str]]:
    """How bad, since when, why, whose, what to do first; then what helps to understand."""
    is_over = root.resolved_at is not None
    count = f"{root.outcomes_in_a_row} bad outcome{'' if root.outcomes_in_a_row == 1 else 's'} in a row"
    yield "Observed", root.observed or "–"
    yield "Expected", root.expected or "–"
    yield "Since", f"{utc(root.since)}, until {utc(root.resolved_at)}" if root.resolved_at else f"{utc(root.since)} ({count})"
    yield "Why", root.reason
    yield "Caused by", root.caused_by or ""
    yield "Owner", root.owner or "nobody: set `owner`"
    yield "First step", "" if is_over or message.kind is DeliveryKind.RESOLVE else root.first_step
    yield "Last good", root.last_good or "never seen"
    yield "Dataset", root.subject
    yield "Description", root.description or ""
    yield "Acknowledged by", "" if message.kind is DeliveryKind.ACKNOWLEDGE else message.acknowledged_by or ""


def _lists(message: Message, root: AlertFacts, room: Room) -> Iterator[tuple[str, tuple[str, ...]]]:
    for label, lines in (
        ("Changed", _listed(message.changes, room)),
        ("Recovered", _listed(message.left, room, 0, recovered_text)),
        ("Also", _listed(message.alerts[1:], room, message.more, also_text)),
        ("Affected", _listed(message.affected, room, message.affected_more, affected_text)),
        ("Where", _listed(root.members, room)),
        ("Ended", _listed(root.members_left, room)),
    ):
        if lines:
            yield label, lines


def _listed(items: Sequence[T], room: Room, more: int = 0, said: Callable[[T], str] = str) -> tuple[str, ...]:
    hidden = more + max(0, len(items) - room.lines)
    shown = [text for item in items[: room.lines] if (text := inert(said(item), room.value))]
    return (*shown, *([f"… and {hidden} more"] if hidden else []))


def _links(message: Message, room: Room) -> Iterator[Link]:
    named = named_links(message)
    if "Runbook" not in named:
        yield Link("Runbook", "none declared", None)
    for label, target in list(named.items())[: room.links]:
        url = link(target)
        is_usable = url is not None and len(url) <= LINK_LIMIT
        yield Link(inert(label, 40) or "Link", inert(target, room.value) or "–", url if is_usable else None)


def _origin(message: Message, root: AlertFacts) -> tuple[str, ...]:
    run = f"run {root.run_id}" if root.run_id else ""
    return (message.instance, root.check_id, run, root.declared_at, f"incident {message.incident_id}")


def _lines(told: Story) -> Iterator[str]:
    yield f"[{told.status}] {told.title}"
    yield from (f"{label}: {value}" for label, value in told.facts)
    for label, items in told.lists:
        yield f"{label}:"
        yield from (f"  {item}" for item in items)
    if told.sql:
        yield f"Reproduce:\n{told.sql}"
    yield from (f"{item.label}: {item.url or item.text}" for item in told.links)
    yield told.origin
