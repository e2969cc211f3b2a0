"""What a round of killed senders came to, judged from the outbox's rows and from what the fake vendor holds. Counts only."""

from collections import Counter

from dqmon.core.delivery import DeliveryState
from dqmon.core.message import DeliveryKind

WRONG = ("lost", "duplicate_incidents", "left_open", "excess_posts", "unmarked_repeats", "outside_thread")
"""Each of these must be 0."""
KEYS = ("cycles", "kills", "deliveries", "sent", "not_sent", "cut_off", "repeated", "incidents", *WRONG)


def pagerduty(rows, vendor):
    """lost: sent by the outbox, unknown to PagerDuty. repeated: events that it got twice and absorbed."""
    sent = Counter((r.dedup_key, "resolve" if r.kind is DeliveryKind.RESOLVE else "trigger") for r in _sent(rows))
    arrived = Counter((event["dedup_key"], event["event_action"]) for event in vendor["events"])
    incidents = Counter(incident["dedup_key"] for incident in vendor["incidents"])
    return _common(rows) + Counter(
        lost=(sent - arrived).total(),
        repeated=(arrived - sent).total(),
        incidents=len(incidents),
        duplicate_incidents=incidents.total() - len(incidents),
        left_open=sum(incident["state"] != "resolved" for incident in vendor["incidents"]),
    )


def slack(rows, vendor):
    """repeated: messages that stand there twice. excess_posts: more copies of one than attempts that were cut off.

    An edit leaves no message of its own, so only posts and replies are counted; it also replaces the words of a marked post.
    """
    copies, repeats, threadless = Counter(), Counter(), 0
    part = {row.id: row.part for row in rows}
    for posted in vendor["messages"]:
        key = posted["metadata"]["event_payload"]["delivery_id"]
        repeats["unmarked"] += copies[key] > 0 and not posted["edits"] and "(may repeat)" not in posted["text"]
        threadless += part[key] == "reply" and "thread_ts" not in posted
        copies[key] += 1
    return _common(rows) + Counter(
        lost=sum(row.part != "edit" and not copies[row.id] for row in _sent(rows)),
        repeated=copies.total() - len(copies),
        incidents=sum(part[key] == "post" for key in copies),
        excess_posts=sum(max(0, copies[row.id] - row.attempt) for row in rows),
        unmarked_repeats=repeats["unmarked"],
        outside_thread=threadless,
    )


def _sent(rows):
    return [row for row in rows if row.state is DeliveryState.SENT]


def _common(rows):
    """cut_off: attempts that another sender had to take over. Anything but sent, or not sent for a reason, is lost."""
    not_sent = sum(row.state is DeliveryState.NOT_SENT and bool(row.reason) for row in rows)
    sent = len(_sent(rows))
    return Counter(
        deliveries=len(rows),
        sent=sent,
        not_sent=not_sent,
        cut_off=sum(max(0, row.attempt - 1) for row in rows),
        lost=len(rows) - sent - not_sent,
    )
