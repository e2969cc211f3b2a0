"""What people do in PagerDuty comes back: signed webhooks through a running endpoint, and those that nobody signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from alert_world import MINUTE, SECOND, T0, World, check
from raw_http import exchange, request
from sample_messages import facts, message

from dqmon.core.incident import IncidentState
from dqmon.core.judgement import Observed
from dqmon.core.message import DeliveryKind
from dqmon.core.pages import Pages
from dqmon.core.verdict import Severity, Unit, Verdict
from dqmon.engine.incidents.paged import WINDOW, paged
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions
from dqmon.store import groups
from dqmon.web import server
from dqmon.web.served import Served

SECRET, NEXT_SECRET, OTHER_SECRET = "secret-of-16-characters", "next-secret-of-16-characters", "other-secret-of-16-characters"
ANA = {"id": "P1", "summary": "Ana Silva", "type": "user_reference"}
PATH = "/api/v1/pagerduty/oncall"


def pager(name, secret):
    return PagerDuty(name, PagerDutyOptions.model_validate({"dry_run": True, "webhook_secret": secret}))


class Place(World):
    """Two tables with trouble, told to two services of PagerDuty and a third channel; the endpoint's clock is the world's."""

    def __init__(self, path):
        super().__init__(path, [check("main:a", "completeness", Severity.CRITICAL), check("main:b", "completeness")], {})
        self.pagers = {"oncall": pager("oncall", f"{SECRET} {NEXT_SECRET}"), "other": pager("other", OTHER_SECRET)}
        route = replace(self.route, to=("oncall", "other", "loud"))
        self.environment = replace(self.environment, channels={**self.environment.channels, **self.pagers}, routes=(route,))
        self.run({"a.completeness": Verdict.FAIL}, T0)
        self.server = server.Server("127.0.0.1:0", self.served())
        self.server.start()
        self.number = 0

    def served(self):
        mute = PagerDuty("mute", PagerDutyOptions.model_validate({"dry_run": True}))
        given = (self.database, {}, {}, frozenset(), lambda *_: None, lambda: self.now, lambda: 0.0)
        tell = {"paged": lambda event: paged(self.environment, event, self.now)}
        return Served(*given, pagers={**self.pagers, "mute": mute}, **tell)

    def key(self, channel="oncall"):
        return next(group.dedup_key for group in self.groups() if group.channel == channel)

    def body(self, what="acknowledged", agent=ANA, at=None, key=None, **changes):
        """A webhook of a new event, as PagerDuty words it."""
        self.number += 1
        data = {"id": "Q1", "type": "incident", "number": 7, "status": what, "incident_key": key or self.key()}
        event = {"id": f"01E{self.number}", "event_type": f"incident.{what}", "resource_type": "incident", "agent": agent, "client": None}
        at = (at or self.now).isoformat().replace("+00:00", "Z")
        return json.dumps({"event": {**event, "occurred_at": at, "data": data, **changes}}).encode()

    def sent(self, body, path=PATH, secret=SECRET, header=None):
        header = signature(body, secret) if header is None else header
        return request(
            "POST", path, body=body, headers=["Content-Type: application/json", *([f"X-PagerDuty-Signature: {header}"] if header else [])]
        )

    def post(self, body, **fields):
        said = exchange(self.server.port, self.sent(body, **fields))
        return said.status, said.json.get("status") or said.json["error"]

    def state(self):
        """All that a webhook could change."""
        (incident,) = self.incidents(is_open=False).values()
        return incident, [(group.id, group.told_acknowledged, group.resolved_at) for group in self.groups()]

    def incident(self):
        return self.state()[0]

    def told(self):
        """(channel, kind) of what was said since the last call."""
        self.notify(self.now)
        found = [(one.channel, one.kind) for one in self.deliveries()[self.seen :]]
        self.seen += len(found)
        return found

    seen = 0


def signature(body, secret):
    return f"v1={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


@pytest.fixture
def place(tmp_path):
    found = Place(tmp_path)
    found.told()
    yield found
    found.server.stop()
    found.database.close()


def test_an_acknowledgement_stops_the_repeats_and_is_told_to_the_others(place):
    assert place.post(place.body()) == (202, "acknowledged")
    incident = place.incident()
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_at) == (IncidentState.ACKNOWLEDGED, "Ana Silva (PagerDuty)", T0)
    assert sorted(place.told()) == [("loud", DeliveryKind.ACKNOWLEDGE), ("other", DeliveryKind.ACKNOWLEDGE)], (
        "and not back to where it was done"
    )
    place.until(T0 + timedelta(hours=12))
    assert place.told() == []


def test_an_acknowledgement_that_is_taken_back_starts_them_again(place):
    place.post(place.body())
    place.told()
    place.now += MINUTE
    assert place.post(place.body("unacknowledged", agent=None)) == (202, "taken_back")
    assert (place.incident().state, place.incident().acknowledged_by) == (IncidentState.OPEN, None)
    place.until(T0 + timedelta(hours=5))
    assert {kind for _, kind in place.told()} == {DeliveryKind.REPEAT}
    assert place.post(place.body()) == (202, "acknowledged")
    assert ("loud", DeliveryKind.ACKNOWLEDGE) in place.told()


def test_what_a_person_resolves_is_resolved_by_hand(place):
    assert place.post(place.body("resolved")) == (202, "resolved")
    assert (place.incident().state, place.incident().closed_by_hand) == (IncidentState.RESOLVED, "Ana Silva (PagerDuty)")
    assert {kind for _, kind in place.told()} == {DeliveryKind.RESOLVE}
    assert place.post(place.body("resolved", key="dqmon:gone")) == (202, "ignored: no open page has this key")


def test_any_secret_of_several_and_any_signature_of_several_will_do(place):
    body = place.body()
    assert place.post(body, header=f"v1={'0' * 64}, {signature(body, NEXT_SECRET)}") == (202, "acknowledged")


def test_what_dqmon_has_no_use_for_is_taken_and_changes_nothing(place):
    before = place.state()
    service = {"id": "S1", "summary": "orders", "type": "service_reference"}
    for body in (
        place.body("resolved", agent=service),
        place.body("resolved", agent=None),
        place.body("priority_updated"),
        place.body(event_type="pagey.ping", data={"message": "Hello", "type": "ping"}),
        place.body(key="somebody-elses"),
        place.body(key=place.key("other")),
        place.body("unacknowledged"),
    ):
        status, said = place.post(body)
        assert (status, said.partition(":")[0]) == (202, "ignored")
    assert place.state() == before


def test_an_old_key_of_a_page_that_became_critical_resolves_nothing(tmp_path):
    """A rise of severity opens a new page and resolves the old one: that PagerDuty tells of that must end no incident."""
    place = Place(tmp_path)
    try:
        old = place.key()
        with place.database.write() as connection:
            page = next(group for group in groups.open_groups(connection) if group.channel == "oncall")
            groups.save(connection, [replace(page, dedup_key="dqmon:new", escalation=1)])
        assert place.post(place.body("resolved", key=old)) == (202, "ignored: no open page has this key")
    finally:
        place.server.stop()


def test_late_and_mixed_up_events_and_many_at_once(place):
    late, replayed = place.body("unacknowledged", at=T0), place.body(at=T0 + SECOND)
    found, together = [], threading.Barrier(8)

    def post():
        together.wait()
        found.append(place.post(replayed))

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said for _, said in found) == ["acknowledged", *["ignored: it is known already"] * 7]
    assert place.post(late) == (202, "ignored: it is known already"), "a later event of the page is known"
    assert place.incident().state is IncidentState.ACKNOWLEDGED


def attacks(place):
    """(name, status, request): none of these may change anything."""
    body = place.body()
    good = signature(body, SECRET)
    resolve = place.body("resolved")
    deep = b'{"event": ' + b"[" * 65 + b"]" * 65 + b"}"
    yield "no signature", 401, place.sent(body, header="")
    yield "a wrong secret", 401, place.sent(body, secret="x" * 16)
    yield "another channel's secret", 401, place.sent(body, secret=OTHER_SECRET)
    yield "another channel", 401, place.sent(body, path="/api/v1/pagerduty/other")
    yield "a channel without a secret", 401, place.sent(body, path="/api/v1/pagerduty/mute", secret="")
    yield "an unknown channel", 401, place.sent(body, path="/api/v1/pagerduty/nobody")
    yield "a channel that is no pager", 401, place.sent(body, path="/api/v1/pagerduty/loud")
    yield "two paths", 404, place.sent(body, path="/api/v1/pagerduty/oncall/x")
    yield "the signature of another body", 401, place.sent(resolve, header=good)
    yield "one byte more", 401, place.sent(body + b" ", header=good)
    yield "half a signature", 401, place.sent(body, header=good[:-1])
    yield "upper case", 401, place.sent(body, header=good.upper())
    yield "no version", 401, place.sent(body, header=good.removeprefix("v1="))
    yield "another version", 401, place.sent(body, header=good.replace("v1", "v0"))
    yield "an empty signature", 401, place.sent(body, header="v1=")
    yield "the good one behind ten others", 401, place.sent(body, header=",".join([f"v1={'0' * 64}"] * 10 + [good]))
    yield "SHA-1", 401, place.sent(body, header="v1=" + hmac.new(SECRET.encode(), body, "sha1").hexdigest())
    yield "bytes beyond ASCII", 401, place.sent(body, header="v1=\xe9" + good[4:])
    yield "both secrets as one", 401, place.sent(body, secret=f"{SECRET} {NEXT_SECRET}")
    yield "an old one", 202, place.sent(old := place.body(at=place.now - WINDOW - SECOND), header=signature(old, SECRET))
    yield "one of the future", 202, place.sent(new := place.body(at=place.now + WINDOW + SECOND), header=signature(new, SECRET))
    yield "without a time", 400, place.sent(place.body(occurred_at=None))
    yield "a time that is none", 400, place.sent(place.body(occurred_at="yesterday"))
    yield "without an id", 400, place.sent(place.body(id=None))
    yield "a key that is a list", 400, place.sent(place.body(data={"incident_key": [place.key()]}))
    yield "data that is a text", 400, place.sent(place.body(data="x"))
    yield "a list", 400, place.sent(b"[]")
    yield "not JSON", 400, place.sent(b"{")
    yield "deep JSON", 400, place.sent(deep)
    yield "no body", 400, place.sent(b"")
    yield "65 KB", 413, place.sent(place.body() + b" " * 65_536)
    yield "GET", 405, request("GET", PATH)
    yield "a rebound name", 421, request("POST", PATH, body=body, host="evil.example", headers=[f"X-PagerDuty-Signature: {good}"])


def test_no_attack_passes(place, capsys):
    before, passed, count = place.state(), [], 0
    for name, status, data in attacks(place):
        count += 1
        said = exchange(place.server.port, data)
        if said is None or said.status != status or place.state() != before or SECRET.encode() in said.body:
            passed.append((name, said and (said.status, said.body)))
    with capsys.disabled():
        print(f"\n{count} attacks on the webhook of PagerDuty, {len(passed)} passed", end="")
    assert not passed
    assert place.told() == []


def test_the_page_shows_the_chart_of_the_incident(tmp_path):
    """PagerDuty fetches pictures by their address: the sealed link of the message, and nothing else, opens it."""

    class Counting(Place):
        rows = 900

        def _result(self, item, *more):
            self.rows -= 100
            return replace(super()._result(item, *more), observed=Observed(self.rows, Unit.ROWS))

    place = Counting(tmp_path)
    try:
        pages = Pages("https://dqmon.example.com", b"k" * 32, is_open=True)
        place.environment = replace(place.environment, pages=pages)
        place.server.current.served = replace(place.served(), environment=place.environment)
        (incident,) = place.incidents().values()
        told = replace(message(root=facts()), incident_id=incident.id, links={"incident": pages.link(incident.id, place.now)})
        (image,) = place.pagers["oncall"].render(told, "event")["images"]
        assert image["href"] == told.links["incident"]
        path = image["src"].removeprefix("https://dqmon.example.com")
        assert exchange(place.server.port, request("GET", path)).status == 404, "one value is no course"
        place.run({"a.completeness": Verdict.FAIL}, T0 + MINUTE)
        said = exchange(place.server.port, request("GET", path))
        assert (said.status, said.headers["content-type"], said.body[1:4]) == (200, "image/png", b"PNG")
        for bad in (path.partition("?")[0], path[:-1], path.replace(incident.id, "0" * 6)):
            assert exchange(place.server.port, request("GET", bad)).status == 401
        place.now += timedelta(hours=73)
        assert exchange(place.server.port, request("GET", path)).status == 401
        place.server.current.served = place.served()
        assert exchange(place.server.port, request("GET", path)).status == 404, "there are no pages"
        plain = replace(told, links={"incident": "http://dqmon.example.com/incidents/1?seal=x"})
        assert "images" not in place.pagers["oncall"].render(plain, "event")
    finally:
        place.server.stop()
