"""Slack's form of a message: Block Kit within all limits; pure.

The header stands in the message's own blocks (so that `text` is only the fallback), the rest in one attachment, for its
colour. Limits: docs.slack.dev/reference/block-kit/blocks; the total of 10,000 is ours, under the undocumented
13,200 at which Slack says `msg_blocks_too_long` (slackapi/bolt-js#2509).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from dqmon.alerts.wording import affected_text
from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Severity
from dqmon.notify.base.series import course, sparkline
from dqmon.notify.base.slack_buttons import buttons
from dqmon.notify.base.slack_digest import digest_card
from dqmon.notify.base.story import also_text, recovered_text, status
from dqmon.notify.base.text import bare_title, clean, code_block, link, mrkdwn, named_links, units, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from dqmon.core.message import AlertFacts, Message
    from dqmon.core.plain import Json

T = TypeVar("T")

TOTAL_LIMIT = 10_000
HEADER_LIMIT = 150
SQL_LIMIT = 1_500
_VALUE_LIMIT = 300
_LINE_LIMIT = 280
_SERIES = "series"
"""The block_id of the line of values, whose place a picture takes."""
_GREEN = "#2eb67d"
_COLOURS = {Severity.INFO: "#8d8d8d", Severity.WARNING: "#ecb22e", Severity.ERROR: "#e8590c", Severity.CRITICAL: "#c92a2a"}
# What is left out when a message is too long, in this order: the query, then the lists.
_ROOMS = ((SQL_LIMIT, 10), (0, 10), (0, 0))


def card(message: Message, *, has_buttons: bool = False) -> Json:
    """The group's parent message, as it stands now; of a digest, all that there is."""
    if message.kind is DeliveryKind.DIGEST:
        return digest_card(message)
    last = [buttons(message)] if has_buttons else []

    def build(sql_limit: int, lines: int) -> Json:
        return _payload(message, [_header(message)], [*_card(message, sql_limit, lines), *last, _origin(message)])

    return _fitting(build)


def marked(payload: Json) -> Json:
    """The payload saying that it may be there already."""
    note = {"type": "context", "elements": [{"type": "plain_text", "text": "(may repeat)"}]}
    return {**payload, "text": f"{payload['text']} (may repeat)", "blocks": [*payload["blocks"], note]}


def with_chart(payload: Json, file_id: str) -> Json:
    """A card with a picture that Slack has in the place of its line of values; one without such a line as it is."""
    attachment = payload["attachments"][0]
    blocks = [_image(block, file_id) if block.get("block_id") == _SERIES else block for block in attachment["blocks"]]
    return {**payload, "attachments": [{**attachment, "blocks": blocks}]}


def _image(line: Json, file_id: str) -> Json:
    # docs.slack.dev/reference/block-kit/blocks/image-block; a text of it is for those who see no picture.
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": _plain_text(line["text"]["text"])}


def reply(message: Message) -> Json:
    """What happened, for the thread under the parent; a resolve is shown in the channel as well."""
    head = _section(f"*{mrkdwn(status(message), _VALUE_LIMIT)}*: {mrkdwn(bare_title(message), _VALUE_LIMIT)}")
    payload = _fitting(lambda _, lines: _payload(message, [head], list(_news(message, lines))))
    return payload | {"reply_broadcast": True} if message.kind is DeliveryKind.RESOLVE else payload


def _fitting(build: Json) -> Json:
    """The first, richest form that keeps to the total; the last one always does."""
    for room in _ROOMS:
        payload = build(*room)
        if _size(payload) <= TOTAL_LIMIT:
            break
    return payload


def _size(node: Json) -> int:
    if isinstance(node, dict):
        return sum(units(v) if k in ("text", "fallback") and isinstance(v, str) else _size(v) for k, v in node.items())
    return sum(map(_size, node)) if isinstance(node, list) else 0


def _payload(message: Message, head: list[Json], body: list[Json]) -> Json:
    title = mrkdwn(f"[{status(message)}] {bare_title(message)}", _VALUE_LIMIT)
    colour = _GREEN if message.kind is DeliveryKind.RESOLVE else _COLOURS[message.severity]
    return {
        "text": title,
        "blocks": head,
        "attachments": [{"color": colour, "fallback": title, "blocks": body}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _header(message: Message) -> Json:
    title = clean(f"[{status(message)}] {bare_title(message)}", HEADER_LIMIT)
    return {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}


def _card(message: Message, sql_limit: int, lines: int) -> Iterator[Json]:
    root = message.alerts[0]
    yield {"type": "section", "fields": [_mrkdwn(f"*{label}*\n{value}") for label, value in _fields(message, root)]}
    if sparks := sparkline(root):
        yield _section(f"*Last {len(sparks)} values:* {sparks} {mrkdwn(course(root), _VALUE_LIMIT)}") | {"block_id": _SERIES}
    if why := mrkdwn(root.reason, 800):
        yield _section(f"*Why:* {why}")
    if cause := mrkdwn(root.caused_by or "", _VALUE_LIMIT):
        yield _section(f"*Likely root:* {cause}")
    yield from _list("Changed", message.changes, lines)
    if root.first_step and message.kind is not DeliveryKind.RESOLVE:
        yield _section(f"*First step:* `{mrkdwn(root.first_step, _VALUE_LIMIT)}`")
    if description := mrkdwn(root.description or "", 500):
        yield _section(description)
    if message.acknowledged_by and message.kind is not DeliveryKind.ACKNOWLEDGE:
        yield _section(f"*Acknowledged by:* {mrkdwn(message.acknowledged_by, _VALUE_LIMIT)}")
    yield from _list("Also", message.alerts[1:], lines, message.more, also_text)
    yield from _recovered(message, lines)
    yield from _list("Affected", message.affected, lines, message.affected_more, affected_text)
    yield from _list("Where", root.members, lines)
    yield from _list("Ended", root.members_left, lines)
    if root.sql and sql_limit:
        yield _section("*Reproduce*\n" + code_block(root.sql, sql_limit))
    yield _links(message)


def _news(message: Message, lines: int) -> Iterator[Json]:
    root = message.alerts[0]
    if message.kind in (DeliveryKind.REPEAT, DeliveryKind.RESOLVE):
        yield _section(f"*Observed:* {mrkdwn(root.observed, _VALUE_LIMIT)}, *expected:* {mrkdwn(root.expected, _VALUE_LIMIT)}")
    yield from _list("Changed", message.changes, lines)
    yield from _recovered(message, lines)
    yield _links(message)
    yield _origin(message)


def _recovered(message: Message, lines: int) -> Iterator[Json]:
    yield from _list("Recovered", message.left, lines, 0, recovered_text)


def _fields(message: Message, root: AlertFacts) -> Iterator[tuple[str, str]]:
    yield "Observed", mrkdwn(root.observed, _VALUE_LIMIT) or "–"
    yield "Expected", mrkdwn(root.expected, _VALUE_LIMIT) or "–"
    yield "Since", _date(root.since) + _how_long(root)
    yield "Last good", mrkdwn(root.last_good or "never seen", _VALUE_LIMIT)
    yield "Owner", mrkdwn(root.owner or "nobody: set `owner`", _VALUE_LIMIT)
    yield ("Impact", _impact(message)) if message.affected else ("Dataset", mrkdwn(root.subject, _VALUE_LIMIT))


def _impact(message: Message) -> str:
    """`2 tables, 1 dashboard, 30 more; 1 fails`: what is made from the root."""
    kinds = Counter(mrkdwn(item.kind, 40) for item in message.affected)
    said = [f"{amount} {kind}{'' if amount == 1 else 's'}" for kind, amount in kinds.items()]
    failing = sum(item.is_failing for item in message.affected)
    more = [f"{message.affected_more} more"] if message.affected_more else []
    return ", ".join([*said, *more]) + (f"; {failing} fail{'s' if failing == 1 else ''}" if failing else "")


def _how_long(root: AlertFacts) -> str:
    if root.resolved_at is not None:
        return f", until {_date(root.resolved_at)}"
    return f" ({root.outcomes_in_a_row} bad outcome{'' if root.outcomes_in_a_row == 1 else 's'} in a row)"


def _list(label: str, items: Sequence[T], lines: int, more: int = 0, said: Callable[[T], str] = str) -> Iterator[Json]:
    hidden = more + max(0, len(items) - lines)
    shown = [f"• {mrkdwn(said(item), _LINE_LIMIT)}" for item in items[:lines]] + ([f"… and {hidden} more"] if hidden else [])
    if shown:
        yield _section(f"*{label}*\n" + "\n".join(shown))


def _links(message: Message) -> Json:
    """The runbook, always, and the others."""
    named = named_links(message)
    links = [_link(label, url) for label, url in list(named.items())[:5]]
    return _section(" | ".join(links if "Runbook" in named else ["Runbook: none declared", *links]))


def _origin(message: Message) -> Json:
    """Where all this comes from."""
    root = message.alerts[0]
    origin = (message.instance, root.check_id, root.run_id and f"run {root.run_id}", root.declared_at, f"incident {message.incident_id}")
    return {"type": "context", "elements": [_mrkdwn(" | ".join(text for part in origin if (text := mrkdwn(part, 200))))]}


def _link(label: str, url: str) -> str:
    """A link only where the configuration gives a usable URL; anything else is shown as text."""
    target = link(url)
    if target is None or len(target) > _VALUE_LIMIT + 200:
        return f"{mrkdwn(label, 40)}: {mrkdwn(url, _VALUE_LIMIT)}"
    return f"<{target.replace('&', '&amp;')}|{mrkdwn(label, 40)}>"


def _date(at: datetime) -> str:
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{utc(at)}>"


def _section(text: str) -> Json:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> Json:
    # verbatim: Slack makes no links of its own out of URLs, names or mentions in the text.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(payload: Json) -> str:
    """The payload as a person reads it, line by line."""
    blocks = [*payload["blocks"], *payload["attachments"][0]["blocks"]]
    return "\n".join(line for block in blocks for line in _plain_block(block))


def _plain_block(block: Json) -> Iterator[str]:
    if block["type"] == "actions":
        words = [(element.get("text") or element["placeholder"])["text"] for element in block["elements"]]
        yield " ".join(f"[{word}]" for word in words)
        return
    for node in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
        if node:
            yield _plain_text(node["text"]) if node["type"] == "mrkdwn" else node["text"]


def _plain_text(text: str) -> str:
    text = re.sub(r"^\*([^*\n]+)\*\n(?!•|```)", r"\1: ", text)
    text = re.sub(r"^\*([^*\n]+)\*", r"\1", text).replace(", *expected:*", ", expected:")
    text = re.sub(r"<!date\^[^|>]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<([^|>]*)\|([^>]*)>", r"\2: \1", text).replace("```\n", "").replace("\n```", "")
    return text.replace("\u200b", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
