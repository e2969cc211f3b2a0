"""What a digest says, and in every channel's form (USERS.md, weekly digest)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sample_messages import message

from dqmon.alerts.digest import Figures, Spending, digest_lines, digest_title
from dqmon.core.feedback import Feedback
from dqmon.core.message import DeliveryKind, from_json, to_json
from dqmon.core.registry import Registry

UNTIL = datetime(2026, 11, 23, 9, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=7)
FULL = Figures(
    "finance-data",
    SINCE,
    UNTIL,
    checks=310,
    healthy=307,
    healthy_before=308,
    incidents=2,
    mtta_s=360,
    mttr_s=7_500,
    pages=4,
    said={Feedback.REAL: 2, Feedback.BAD_THRESHOLD: 1},
    to_tune=("analytics.fx.range",),
    noisiest=(("analytics.fx.range", 11), ("a", 2), ("b", 1), ("c", 1)),
    never_failed=44,
    errors=4,
    overdue=1,
    ending=2,
    spent={"snow": Spending(1.9, 1.7, ("events.uniqueness", 0.8)), "big": Spending(0.25, None)},
)
TOLD = message(DeliveryKind.DIGEST, title=digest_title(FULL), lines=digest_lines(FULL), alerts=(), opened_at=SINCE, at=UNTIL)


def test_a_full_week() -> None:
    assert digest_title(FULL) == "finance-data, week 47: 99 % of 310 checks healthy (-0.3)"
    assert digest_lines(FULL) == (
        ("Incidents", "2, MTTA 6m, MTTR 2h 5m"),
        ("Pages", "4 (real 2, bad threshold 1, not said 1): tune analytics.fx.range"),
        ("Noisiest", "analytics.fx.range 11 alerts, a 2 alerts, b 1 alert"),
        ("Never failed in 180d", "44 (run less often?)"),
        ("Blind spots", "4 checks in error > 3d, 1 check not run for > 3d, 2 silences ending within a week"),
        ("Cost", "0.25 credits of big; 1.90 credits of snow (+0.2), top: events.uniqueness 0.8"),
    )


def test_a_week_without_anything() -> None:
    quiet = Figures("", SINCE, UNTIL, checks=1, healthy=1, healthy_before=1)
    assert digest_title(quiet) == "checks without an owner, week 47: 100 % of 1 check healthy"
    assert digest_lines(quiet) == (("Incidents", "none"), ("Pages", "none"), ("Blind spots", "none"))


@pytest.mark.parametrize(
    ("days", "hours", "period"),
    [(7, 0, "week 47"), (7, 1, "week 47"), (7, -1, "week 47"), (1, 0, "2026-11-22 to 2026-11-23"), (30, 0, "2026-10-24 to 2026-11-23")],
)
def test_of_which_time_it_is(days: int, hours: int, period: str) -> None:
    figures = replace(FULL, since=UNTIL - timedelta(days=days, hours=hours))
    assert digest_title(figures).startswith(f"finance-data, {period}: ")


def test_it_comes_out_of_the_outbox_as_it_went_in() -> None:
    assert from_json(to_json(TOLD)) == TOLD


OPTIONS = {
    "slack": {"token": "x", "channel": "#dq"},
    "webhook": {"url": "https://ops.example.com/hook", "secret": "a-secret-to-sign-with"},
    "email": {"host": "mail.example.com", "sender": "dq@example.com", "to": ["a@example.com"]},
    "teams": {"webhook_url": "https://flow.example.com/x"},
    "apprise": {"url": "ntfys://ntfy.example.com/data"},
    "sns": {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:data"},
}
PAGERS = {"pagerduty", "opsgenie", "alertmanager", "datadog"}


def test_every_channel_is_asked() -> None:
    assert set(Registry("channels").names()) == OPTIONS.keys() | PAGERS, "a channel that no test renders a digest for"


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_channel_shows_the_title_and_each_line(name: str) -> None:
    kind = Registry("channels").get(name)
    channel = kind(name, kind.Options.model_validate(OPTIONS[name]))
    (part,) = channel.parts(TOLD)
    shown = channel.text(channel.render(TOLD, part))
    assert TOLD.title in shown
    for label, text in TOLD.lines:
        assert f"{label}: {text}" in shown, f"{name} leaves out {label}"
    assert "Runbook" not in shown
    assert "prod" in shown


@pytest.mark.parametrize("name", sorted(PAGERS))
def test_what_wakes_people_takes_none(name: str) -> None:
    kind = Registry("channels").get(name)
    assert kind(name, kind.Options.model_validate({"dry_run": True})).parts(TOLD) == ()


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_hostile_names_stay_texts_and_within_the_limits(name: str) -> None:
    kind = Registry("channels").get(name)
    channel = kind(name, kind.Options.model_validate(OPTIONS[name]))
    worst = "<!channel> <https://evil.example|x> @here " + "y" * 10_000
    told = replace(TOLD, title=worst, lines=tuple((label, worst) for label, _ in TOLD.lines))
    payload = channel.render(told, channel.parts(told)[0])
    assert len(str(payload)) < 20_000
    if name == "apprise":
        assert len(payload["body"]) <= 1_900
    if name == "slack":
        assert "<!channel>" not in payload["text"] + str(payload["attachments"]), "the header alone is plain text, where nothing is live"
        assert all(len(block["text"]["text"]) <= 3_000 for block in payload["attachments"][0]["blocks"] if "text" in block)


def test_the_event_of_a_webhook() -> None:
    kind = Registry("channels").get("webhook")
    payload = kind("events", kind.Options.model_validate(OPTIONS["webhook"])).render(replace(TOLD, lines=TOLD.lines[:1]), "event")
    assert payload == {
        "schema_version": 1,
        "event": "digest",
        "digest": {
            "instance": "prod",
            "title": TOLD.title,
            "lines": [{"label": "Incidents", "text": "2, MTTA 6m, MTTR 2h 5m"}],
            "since": "2026-11-16T09:00:00Z",
            "until": "2026-11-23T09:00:00Z",
        },
    }
