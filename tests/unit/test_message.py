"""A message survives the outbox unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.message import AlertFacts, DeliveryKind, Message, Reading, from_json, to_json
from dqmon.core.verdict import Severity

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
TEXTS = st.text(max_size=40)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
FACTS = st.builds(
    AlertFacts,
    check_id=TEXTS,
    kind=st.sampled_from(["data", "error"]),
    state=TEXTS,
    severity=st.sampled_from(Severity),
    subject=TEXTS,
    type=TEXTS,
    headline=TEXTS,
    observed=TEXTS,
    expected=TEXTS,
    reason=TEXTS,
    since=INSTANTS,
    outcomes_in_a_row=st.integers(0, 9999),
    owner=st.none() | TEXTS,
    runbook=st.none() | TEXTS,
    sql=st.none() | TEXTS,
    series=st.lists(st.builds(Reading, at=INSTANTS, value=FLOATS, low=st.none() | FLOATS, high=st.none() | FLOATS), max_size=4).map(tuple),
    result=st.none() | st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=4),
    members=st.lists(TEXTS, max_size=3).map(tuple),
    members_left=st.lists(TEXTS, max_size=3).map(tuple),
    resolved_at=st.none() | INSTANTS,
)
MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(DeliveryKind),
    instance=TEXTS,
    incident_id=TEXTS,
    group_id=TEXTS,
    dedup_key=TEXTS,
    severity=st.sampled_from(Severity),
    title=TEXTS,
    opened_at=INSTANTS,
    at=INSTANTS,
    alerts=st.lists(FACTS, max_size=3).map(tuple),
    left=st.lists(FACTS, max_size=2).map(tuple),
    changes=st.lists(TEXTS, max_size=3).map(tuple),
    more=st.integers(0, 500),
    acknowledged_by=st.none() | TEXTS,
    resolved_after_s=st.none() | st.floats(0, 1e9),
    links=st.dictionaries(TEXTS, TEXTS, max_size=3),
)


@given(MESSAGES)
def test_a_message_reads_back_as_it_was_written(message: Message) -> None:
    assert from_json(json.loads(json.dumps(to_json(message)))) == message


@given(MESSAGES)
def test_a_message_of_a_version_before_is_read(message: Message) -> None:
    """It waited in the outbox while dqmon was brought up to date: the values of then, and nothing of what it did not know."""
    stored = to_json(message)
    del stored["left"]
    for alert in stored["alerts"]:
        alert["recent"] = [point["value"] for point in alert.pop("series")]
        del alert["result"]
    assert from_json(stored) == replace(message, left=(), alerts=tuple(replace(a, series=(), result=None) for a in message.alerts))
