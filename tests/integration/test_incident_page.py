"""The page of an incident as it runs: what it says, who may read it, who may act, and what is tried against it (R34)."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from alert_world import T0, World, check
from raw_http import exchange, request
from sample_messages import delivery, facts

from dqmon.config.runbooks import Runbooks
from dqmon.core.delivery import DeliveryState
from dqmon.core.feedback import Feedback
from dqmon.core.incident import IncidentState
from dqmon.core.judgement import Expected, Observed
from dqmon.core.lineage import Exposure
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.message import Reading
from dqmon.core.pages import LINK_VALID, Pages, seal
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.core.verdict import Severity, Unit, Verdict
from dqmon.engine.incidents.explain import Story, messages
from dqmon.engine.incidents.incident_page import _messages, incident_page
from dqmon.store import deliveries, feedback, incidents, leases, loads, schemas, silences
from dqmon.web import server
from dqmon.web.access import Limiter
from dqmon.web.served import Served
from dqmon.web.session import LOGIN_LASTS, digest
from dqmon.web.view import _unit, shown

URL = "https://dqmon.example.com"
HOST = "dqmon.example.com"
KEY = b"a key of the tests"
ANNA, BEN = "anna-token-of-24-characters", "ben-token-of-24-characters"
ROOT, SYMPTOM = "orders.row_count", "daily.row_count"
RUNBOOK = """# Orders

## Late

1. Open **Fivetran**, sync `shop_pg`: [console](https://fivetran.example.com/x)
2. Ask [on call](oncall.md).
"""


BOARD = Exposure("board", "dashboard", "@bi", "https://bi.example.com/7")


class Place(World):
    """A world whose incidents have pages. Checks observe 3 rows when they fail, else 12."""

    def __init__(self, root, texts="{}", exposure=BOARD, runbook=RUNBOOK):
        (root / "rb.md").write_text(runbook)
        guide = Runbooks(root).find("rb.md")
        self.text = lambda value: texts.replace("{}", value)
        self.person = self.text("ben").encode("utf-8", "ignore").decode()
        self.root = self.text(ROOT).encode("utf-8", "ignore").decode()
        told = {"id": self.root, "owner": self.text("@shop"), "description": self.text("of the shop"), "runbook": "rb.md", "guide": guide}
        root_check = replace(check("main:orders", "row_count", Severity.CRITICAL), **told)
        parents = {"main:orders": ["shop/sync"], "main:daily": ["main:orders"], exposure.node: ["main:daily"]}
        super().__init__(root, [root_check, check("main:daily", "row_count")], parents, [exposure])
        self.environment = replace(self.environment, pages=Pages(URL, KEY, is_open=True))
        self.ticks = itertools.count()
        self.server = server.Server("127.0.0.1:0", self.served(), Limiter(lambda: float(next(self.ticks))))
        self.server.start()

    def close(self):
        self.server.stop()
        self.database.close()

    def served(self, **changes):
        given = {"actors": {"anna": digest(ANNA), self.person: digest(BEN)}, "environment": self.environment}
        return Served(self.database, {}, {}, frozenset({HOST}), lambda *_: None, lambda: self.now, lambda: 0.0, **given | changes)

    def _result(self, item, verdict, at, slot, run):
        seen = Observed(3.0 if verdict.is_bad else 12.0, Unit.ROWS)
        found = super()._result(item, verdict, at, slot, run)
        return replace(found, observed=seen, expected=Expected(10.0, None, self.text("at least 10 rows")), reason=self.text(found.reason))

    def happen(self):
        """A day of good results, a changed column, a load that failed, then the failure; returns the incident's id."""
        for hour in range(4):
            self.run({self.root: Verdict.PASS, SYMPTOM: Verdict.PASS}, T0 + timedelta(hours=hour))
        at = T0 + timedelta(hours=4)
        failed = LoadRecord("shop", "sync", "1", LoadStatus.FAILED, at, finished_at=at, rows=1_204, error=self.text("disk full"))
        table, column = TableRef("main", None, None, "orders"), Column("id", "int", TypeGroup.INTEGER, nullable=False, position=1)
        more = replace(column, name=self.text("promo_id"), position=2)
        with self.database.write() as connection:
            loads.upsert(connection, [failed])
            schemas.record(connection, {table: (column,)}, T0)
            schemas.record(connection, {table: (column, more)}, at)
        self.run({self.root: Verdict.FAIL, SYMPTOM: Verdict.FAIL}, at + timedelta(minutes=5))
        self.now += timedelta(minutes=53)
        with self.database.write() as connection:
            leases.acquire(connection, leases.NOTIFY, "the daemon, which tells what is done here", self.now)
        (incident,) = self.incidents().values()
        return incident.id

    def ask(self, method, path, *, cookie=None, origin=None, host=HOST, fields=None, headers=()):
        more = [f"Cookie: {cookie}"] if cookie else []
        more += [f"Origin: {origin}"] if origin else []
        return exchange(
            self.server.port, request(method, path, host=host, headers=[*more, *headers], body=urlencode(fields or {}).encode())
        )

    def link(self, id_):
        return self.environment.pages.link(id_, self.now).removeprefix(URL)

    def log_in(self, token=ANNA, origin=URL):
        said = self.ask("POST", "/login", origin=origin, fields={"token": token, "incident": "x"})
        assert (said.status, said.headers["location"]) == (303, "/incidents/x")
        return next(self.cookies(token, origin))

    def cookies(self, token, origin):
        """As a browser reads it, which the lower-case headers of `raw_http` do not show."""
        import socket

        with socket.create_connection(("127.0.0.1", self.server.port)) as sock:
            body = urlencode({"token": token, "incident": "x"}).encode()
            sock.sendall(request("POST", "/login", host=HOST, headers=[f"Origin: {origin}"], body=body))
            yield re.search(r"(?im)^set-cookie: ([^;]*)", sock.recv(65_536).decode())[1]

    def act(self, id_, what, cookie, **fields):
        found = re.search(r'name="seal" value="([^"]+)"', self.ask("GET", f"/incidents/{id_}", cookie=cookie).body.decode())
        return self.ask("POST", f"/incidents/{id_}", cookie=cookie, origin=URL, fields={"seal": found[1], "act": what, **fields})

    def incident(self, id_):
        with self.database.read() as connection:
            return incidents.get(connection, id_)

    def state(self):
        """All that acting would change."""
        with self.database.read() as connection:
            found = incidents.listed(connection, None, 100)
            said = feedback.of_incidents(connection, [one.id for one in found])
            return found, said, silences.listed(connection, 100), len(deliveries.after(connection, 0))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    found = Place(tmp_path_factory.mktemp("page"))
    yield found
    found.close()


@pytest.fixture
def place(shared):
    shared.reset()
    shared.now = T0
    shared.server.current.served = shared.served()
    return shared


class Html(HTMLParser):
    """What a browser would make of it: tags with their attributes' names, addresses, texts."""

    def __init__(self, body):
        super().__init__(convert_charrefs=True)
        self.tags, self.addresses, self.texts, self.odd = [], [], [], []
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *sorted(name for name, _ in attrs)))
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action", "formaction", "xlink:href")]

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.odd.append(data)

    handle_pi = unknown_decl = handle_comment

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def test_a_phone_shows_what_is_wrong_what_changed_and_what_to_do(place):
    id_ = place.happen()
    said = place.ask("GET", place.link(id_))
    page = Html(said.body)
    assert said.status == 200
    for words in (
        "CRITICAL OPEN for 53m", "orders row_count: 3 rows, at least 10 expected", "Owner @shop",
        "Observed 3 rows Expected at least 10 rows", "Last good 12 rows, 2026-03-01 11:00 UTC", "of the shop",
        "First step Open Fivetran, sync shop_pg: console; then: dqmon explain orders.row_count Last good",
        "Runbook rb.md Orders Late Open Fivetran , sync shop_pg : console Ask on call (oncall.md)",
        "What changed 2026-03-01 12:00 UTC orders: column added: promo_id 2026-03-01 12:00 UTC shop/sync failed, 1,204 rows: disk full",
        "Affected fails: daily, last good 2026-03-01 11:00 UTC dashboard board, @bi, https://bi.example.com/7",
        "opened: orders.row_count", "loud: trigger sent", "loud: trigger not sent: inhibited: caused by orders.row_count",
    ):  # fmt: skip
        assert words in page.text, f"{words!r} is missing in\n{page.text}"
    assert [tag for tag, *_ in page.tags if tag in ("polyline", "polygon", "circle")] == ["polygon", "polyline", "circle", "circle"]
    assert "https://fivetran.example.com/x" in page.addresses
    assert "script" not in {tag for tag, *_ in page.tags}
    assert "form" not in {tag for tag, *_ in page.tags}, "a link alone lets nobody act"
    assert said.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; form-action 'self'")
    style = place.ask("GET", "/page.css")
    assert (style.status, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


def test_what_a_channel_sends_in_several_requests_is_one_message_of_the_timeline():
    sent = [delivery(part=part, state=DeliveryState.SENT, text="CRITICAL") for part in ("post", "chart")]
    assert [moment.text for moment in _messages(sent)] == ["team: trigger sent"]
    assert [moment.text for moment in _messages([*sent, *sent])] == ["team: trigger sent (2 times)"]
    assert len(messages(Story(None, (), tuple(sent)))) == 1, "`dqmon incidents show` prints it once"


@pytest.mark.parametrize(
    ("observed", "most", "unit"),
    [
        ({"unit": "seconds"}, 90.0, (1.0, "seconds")),
        ({"unit": "seconds"}, 18_000.0, (1 / 3_600, "hours")),
        ({"unit": "seconds"}, 172_800.0, (1 / 86_400, "days")),
        ({"unit": "rows", "ratio": 0.1}, 0.1, (100.0, "%")),
        ({"unit": "rows", "ratio": None}, 172_800.0, (1.0, "rows")),
        ({}, 1.0, (1.0, "")),
    ],
)
def test_the_chart_is_in_a_unit_that_people_say(observed, most, unit):
    assert _unit(facts(result={"observed": observed}, series=(Reading(T0, 0.0), Reading(T0, most)))) == unit


def test_the_partitions_that_fail_are_named_be_it_only_one(place):
    page = incident_page(place.environment, place.happen(), place.now)
    root = replace(page.alerts[0], members=("2026-02-28: 3 rows <b>",))
    told = shown(replace(page, alerts=(root,)), place.now, notice="", actor=None, seal="", can_log_in=False)
    assert "Where 2026-02-28: 3 rows <b> First step" in Html(told.encode()).text


def test_messages_link_the_page_and_say_the_first_step(place):
    id_ = place.happen()
    (delivery,) = [one for one in place.deliveries() if one.state is DeliveryState.SENT]
    links, root = delivery.message.links, delivery.message.alerts[0]
    assert links == {"incident": links["incident"], "runbook": f"{links['incident']}#runbook"}
    assert root.runbook == links["runbook"]
    assert root.first_step == "Open Fivetran, sync shop_pg: console; then: dqmon explain orders.row_count"
    assert place.ask("GET", links["incident"].removeprefix(URL)).status == 200
    assert f"/incidents/{id_}?" in links["incident"]


def test_a_link_opens_its_page_for_72_hours_also_after_the_end(place):
    id_ = place.happen()
    link, given = place.link(id_), place.now
    place.run({ROOT: Verdict.PASS, SYMPTOM: Verdict.PASS}, place.now)
    place.now = given + LINK_VALID - timedelta(seconds=1)
    said = Html(place.ask("GET", link).body)
    assert "CRITICAL RESOLVED after 53m orders row_count: 3 rows, at least 10 expected" in said.text, said.text
    place.now = given + LINK_VALID
    assert place.ask("GET", link).status == 401


def test_a_person_acts_and_it_is_kept_who_did_it(place):
    id_ = place.happen()
    cookie = place.log_in()
    assert place.act(id_, "acknowledge", cookie).status == 303
    assert place.act(id_, "snooze", cookie, note="looking").status == 303
    page = Html(place.ask("GET", f"/incidents/{id_}", cookie=cookie).body)
    for words in (
        "ACKNOWLEDGED, OPEN for 53m, snoozed until",
        "acknowledged by anna",
        "snoozed by anna until 2026-03-01 14:58 UTC: looking",
        "you are anna",
    ):
        assert words in page.text, f"{words!r} is missing in\n{page.text}"
    refused = place.act(id_, "resolve", cookie)
    assert (refused.status, "say what it was" in Html(refused.body).text) == (409, True), "closing it without a word teaches nothing"
    assert place.act(id_, "resolve", cookie, was="expected", note="promo ended").status == 303
    found, said, (snooze,), _ = place.state()
    assert (found[0].state, found[0].acknowledged_by, found[0].closed_by_hand) == (IncidentState.RESOLVED, "anna", "anna")
    assert (said[id_].feedback, said[id_].said_by, said[id_].note) == (Feedback.EXPECTED, "anna", "promo ended")
    assert (snooze.by, snooze.end - snooze.start) == ("anna", timedelta(hours=2))
    late = place.act(id_, "label", place.log_in(BEN), was="real", note="it was not")
    assert (late.status, place.state()[1][id_].said_by) == (303, "ben")
    assert place.act(id_, "acknowledge", cookie).status == 409


def test_earlier_incidents_of_the_check_are_shown_with_what_was_said(place):
    first = place.happen()
    place.act(first, "resolve", place.log_in(), was="real", note="API key expired")
    place.run({ROOT: Verdict.PASS, SYMPTOM: Verdict.PASS}, place.now + timedelta(minutes=1))
    place.run({ROOT: Verdict.FAIL}, place.now + timedelta(days=2))
    page = Html(place.ask("GET", place.link(place.incidents()[ROOT].id)).body)
    assert "Earlier incidents of this check 2026-03-01 12:05 UTC, 53m: real issue, “API key expired”" in page.text, page.text
    assert not any(first in address for address in page.addresses), "a link to one page opens no other"


def test_without_persons_the_page_is_read_only_and_without_pages_there_is_none(place):
    id_ = place.happen()
    place.server.current.served = place.served(actors={})
    assert place.ask("GET", place.link(id_)).status == 200
    assert b"<form" not in place.ask("GET", f"/incidents/{id_}").body
    assert place.ask("POST", "/login", origin=URL, fields={"token": ANNA}).status == 401
    place.server.current.served = place.served(environment=replace(place.environment, pages=None))
    for method, path in (("GET", place.link(id_)), ("POST", f"/incidents/{id_}"), ("POST", "/login")):
        assert place.ask(method, path, origin=URL).status == 404


def test_a_login_ends_with_its_time_its_token_and_its_person(place):
    id_ = place.happen()
    cookie, began = place.log_in(), place.now
    path = f"/incidents/{id_}"
    assert place.ask("GET", path, cookie=cookie).status == 200
    place.server.current.served = place.served(actors={"anna": digest("another-token-of-24-chars")})
    assert place.ask("GET", path, cookie=cookie).status == 401
    place.server.current.served = place.served(actors={"ben": digest(BEN)})
    assert place.ask("GET", path, cookie=cookie).status == 401
    place.server.current.served = place.served()
    place.now = began + LOGIN_LASTS
    assert place.ask("GET", path, cookie=cookie).status == 401


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """One incident that all attacks are against, which none of them may change; with a login of the victim and of the attacker."""
    found = Place(tmp_path_factory.mktemp("target"))
    id_ = found.happen()
    cookie = found.log_in()
    own_seal = re.search(r'name="seal" value="([^"]+)"', found.ask("GET", f"/incidents/{id_}", cookie=cookie).body.decode())[1]
    yield found, id_, cookie, own_seal, found.log_in(BEN), found.link(id_)
    found.close()


def until(at):
    return str(int(at.timestamp()))


SOON = until(datetime(2026, 3, 2, tzinfo=UTC))
READS = {
    # What stands in the place of a link, and what it is answered with. ID, UNTIL and SEAL are those of a link that opens the page.
    "no seal": ("/incidents/ID", 401),
    "an empty seal": ("/incidents/ID?until=UNTIL&seal=", 401),
    "no end": ("/incidents/ID?seal=SEAL", 401),
    "a later end": ("/incidents/ID?until=9999999999&seal=SEAL", 401),
    "an end that is none": ("/incidents/ID?until=x&seal=SEAL", 401),
    "an end of 5,000 digits": (f"/incidents/ID?until={'9' * 5_000}&seal=SEAL", 401),
    "the end in other digits": ("/incidents/ID?until=%D9%A1%D9%A2&seal=SEAL", 401),
    "half a seal": ("/incidents/ID?until=UNTIL&seal=HALF", 401),
    "a seal in capitals": ("/incidents/ID?until=UNTIL&seal=UPPER", 401),
    "a seal that is no ASCII": ("/incidents/ID?until=UNTIL&seal=%C3%A9", 401),
    "a seal of another key": (f"/incidents/ID?until={SOON}&seal=" + seal(b"guess", "read", "ID", SOON), 401),
    "a seal of no key": (f"/incidents/ID?until={SOON}&seal=" + seal(b"", "read", "ID", SOON), 401),
    "two seals": ("/incidents/ID?until=UNTIL&seal=SEAL&seal=x", 401),
    "the seal of another incident": ("/incidents/000009?until=UNTIL&seal=SEAL", 401),
    "an incident that is not there": ("/incidents/000009", 401),
    "parts cut elsewhere": ("/incidents/IDUNTIL?until=&seal=SEAL", 401),
    "the beginning of the id": ("/incidents/0?until=UNTIL&seal=SEAL", 401),
    "capitals in the id": ("/incidents/ABC?until=UNTIL&seal=SEAL", 404),
    "NUL in the id": ("/incidents/ID%00?until=UNTIL&seal=SEAL", 404),
    "traversal": ("/incidents/..%2F..%2Fetc%2Fpasswd?until=UNTIL&seal=SEAL", 404),
    "a slash more": ("/incidents/ID/?until=UNTIL&seal=SEAL", 404),
    "SQL in the id": ("/incidents/ID'%20or%20'1'='1?until=UNTIL&seal=SEAL", 404),
    "the list": ("/incidents", 404),
    "the template": ("/incident.html", 404),
    "the login as a page": ("/login", 405),
}


@pytest.mark.parametrize("name", READS)
def test_who_has_no_link_reads_nothing(target, name):
    place, id_, *_, link = target
    ends, sealed = re.search("until=([^&]+)&seal=(.+)", link).groups()
    path, status = READS[name]
    for word, value in (("ID", id_), ("UNTIL", ends), ("SEAL", sealed), ("HALF", sealed[:20]), ("UPPER", sealed.upper())):
        path = path.replace(word, value)
    said = place.ask("GET", path)
    assert said.status == status, f"{name}: HTTP {said.status}, {status} is expected"
    assert b"at least 10" not in said.body
    assert b"Traceback" not in said.body
    if status == 401:
        assert b"72 hours" in said.body, "the same words, whatever is wrong"


def test_a_foreign_name_for_this_host_reads_nothing(target):
    place, *_, link = target
    assert place.ask("GET", link, host="evil.example").status == 421


def old_cookie(place):
    ends = until(T0 - timedelta(hours=1))
    return f"__Host-dqmon=anna.{ends}.{seal(KEY, 'login', 'anna', ends, digest(ANNA).hex())}"


ACTS = {
    # name: (status, what differs from a form that would be taken)
    "no login": (401, {"cookie": None}),
    "a login without seal": (401, {"cookie": f"__Host-dqmon=anna.{SOON}."}),
    "a forged login": (401, {"cookie": f"__Host-dqmon=anna.{SOON}.{seal(b'guess', 'login', 'anna', SOON, digest(ANNA).hex())}"}),
    "a login by a link's seal": (401, {"cookie": f"__Host-dqmon=anna.{SOON}.LINK"}),
    "a login of nobody": (401, {"cookie": f"__Host-dqmon=eve.{SOON}.{seal(KEY, 'login', 'eve', SOON, '')}"}),
    "a login that is over": (401, {"cookie": old_cookie}),
    "a login under another cookie's name": (401, {"cookie": "dqmon=COOKIE"}),
    "a login whose end is later": (401, {"cookie": "__Host-dqmon=anna.9999999999.x"}),
    "a cookie of 10,000 characters": (401, {"cookie": "__Host-dqmon=" + "x" * 10_000}),
    "a link in place of a login": (401, {"cookie": None, "path": "LINK"}),
    "the token as bearer": (401, {"cookie": None, "headers": [f"Authorization: Bearer {ANNA}"]}),
    "no seal in the form": (403, {"fields": {"act": "acknowledge"}}),
    "an empty seal in the form": (403, {"fields": {"act": "acknowledge", "seal": ""}}),
    "another login's seal": (403, {"cookie": "OTHER"}),
    "the seal of a link": (403, {"fields": {"act": "acknowledge", "seal": "LINK"}}),
    "the seal in the query": (403, {"path": "/incidents/ID?seal=SEAL", "fields": {"act": "acknowledge"}}),
    "no origin": (403, {"origin": None}),
    "a foreign origin": (403, {"origin": "https://evil.example"}),
    "an origin that begins well": (403, {"origin": f"{URL}.evil.example"}),
    "an origin that ends well": (403, {"origin": "https://evil-dqmon.example.com"}),
    "an origin without TLS": (403, {"origin": "http://dqmon.example.com"}),
    "an origin of another port": (403, {"origin": f"{URL}:8443"}),
    "an origin of nowhere": (403, {"origin": "null"}),
    "two origins": (403, {"headers": [f"Origin: {URL}"]}),
    "another port of this machine": (403, {"host": "127.0.0.1:8321", "origin": "http://127.0.0.1:9999"}),
    "a foreign host": (421, {"host": "evil.example"}),
    "a foreign host with its own origin": (421, {"host": "evil.example", "origin": "https://evil.example"}),
    "an unknown act": (400, {"fields": {"seal": "SEAL", "act": "delete"}}),
    "no act": (400, {"fields": {"seal": "SEAL"}}),
    "a field twice": (400, {"raw": "seal=SEAL&act=acknowledge&act=resolve"}),
    "an unknown word": (409, {"fields": {"seal": "SEAL", "act": "resolve", "was": "<script>"}}),
    "a form of 17 KB": (413, {"fields": {"seal": "SEAL", "act": "resolve", "was": "real", "note": "x" * 17_000}}),
    "an incident that is not there": (404, {"path": "/incidents/000000"}),
    "another method": (405, {"method": "PUT"}),
    "a form by GET": (200, {"method": "GET", "path": "/incidents/ID?act=resolve&was=real&seal=SEAL", "fields": {}}),
}


@pytest.mark.parametrize("name", ACTS)
def test_what_is_tried_without_right_changes_nothing(target, name):
    place, id_, cookie, own_seal, other, link = target
    status, changes = ACTS[name]
    words = {"ID": id_, "SEAL": own_seal, "OTHER": other, "LINK": link.rpartition("=")[2], "COOKIE": cookie.partition("=")[2]}

    def filled(text):
        for word, value in words.items():
            text = text.replace(word, value) if isinstance(text, str) else text
        return text

    given = {
        "method": "POST",
        "path": f"/incidents/{id_}",
        "cookie": cookie,
        "origin": URL,
        "fields": {"seal": "SEAL", "act": "acknowledge"},
    }
    given |= changes
    raw, method, path = given.pop("raw", None), given.pop("method"), filled(given.pop("path"))
    path = link if path == words["LINK"] else path
    sent_cookie = given["cookie"](place) if callable(given["cookie"]) else filled(given["cookie"])
    fields = (
        dict(pair.split("=") for pair in filled(raw).split("&")) if raw else {key: filled(value) for key, value in given["fields"].items()}
    )
    before = place.state()
    if raw:
        heads = [f"Cookie: {sent_cookie}", f"Origin: {URL}"]
        said = exchange(place.server.port, request(method, path, host=HOST, headers=heads, body=filled(raw).encode()))
    else:
        said = place.ask(method, path, **given | {"cookie": sent_cookie, "fields": fields})
    assert said.status == status, f"{name}: HTTP {said.status}, {status} is expected: {said.body[:200]!r}"
    assert place.state() == before, f"{name} changed something"
    assert b"Traceback" not in said.body
    assert ANNA.encode() not in said.body


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        ({"token": BEN[:-1], "incident": "x"}, URL),
        ({"token": "", "incident": "x"}, URL),
        ({"incident": "x"}, URL),
        ({"token": "x" * 10_000, "incident": "x"}, URL),
        ({"token": digest(ANNA).hex(), "incident": "x"}, URL),
        ({"token": "anna", "incident": "x"}, URL),
    ],
)
def test_a_wrong_token_begins_no_login(target, fields, origin):
    said = target[0].ask("POST", "/login", origin=origin, fields=fields)
    assert (said.status, "set-cookie" in said.headers) == (401, False)


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
def test_no_other_site_logs_anybody_in(target, origin):
    said = target[0].ask("POST", "/login", origin=origin, fields={"token": ANNA, "incident": "x"})
    assert (said.status, "set-cookie" in said.headers) == (403, False)


@pytest.mark.parametrize("incident", ["//evil.example", "https://evil.example", "x\r\nSet-Cookie: a=b", "..", "/\\evil.example"])
def test_a_login_leads_to_a_page_of_dqmon_alone(target, incident):
    said = target[0].ask("POST", "/login", origin=URL, fields={"token": ANNA, "incident": incident})
    assert said.status == 303
    assert re.fullmatch(r"/incidents/[\w.%-]*", said.headers["location"])
    assert said.headers["set-cookie"].startswith("__host-dqmon=anna.")
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= set(said.headers["set-cookie"].split("; "))


HOSTILE = (
    "<script>alert(1)</script>{}", '"><img src=x onerror=alert(1)>{}', "' onmouseover='alert(1)' {}", "</title><svg/onload=alert(1)>{}",
    "<!--{}", "{}<![CDATA[", "javascript:alert(1)//{}", "&lt;script&gt;{}", "\u202e{}\u2066\x00", "{{7*7}}{}", "<a href='javascript:x'>{}</a>",
    "</textarea><form action=https://evil.example>{}", "<iframe srcdoc='<script>'>{}", "<meta http-equiv=refresh content='0;https://evil.example'>{}",
    "<style>@import 'https://evil.example'</style>{}", "data:text/html,<script>{}", "<base href=https://evil.example>{}", "{}\ud800" ,
)  # fmt: skip
HOSTILE_RUNBOOK = """# {text}

1. {text}
2. [label](javascript:alert(1)) [l](JaVaScRiPt:alert(1)) [l](data:text/html,x) [l](vbscript:x) [l](//evil.example) [l](http://evil.example)
3. ![{text}](https://evil.example/a.png "onerror=alert(1)") <javascript:alert(1)> [l](<https://a.example/" onclick="x>)
4. <b onclick=alert(1)>bold</b> [l](https://user@evil.example/) [l](/incidents/x) [l](file:///etc/passwd) [l](&#106;avascript:alert(1))

```html" onclick="x
{text}
```

| {text} | b |
|:-:|---|
| <script>alert(1)</script> | [x][ref] |

[ref]: javascript:alert(1) "x"
"""


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    return skeleton(tmp_path_factory.mktemp("harmless"), "{}")


def skeleton(root, texts):
    """The page, for whoever may act, of a world whose every text is so: tags, addresses, oddities, texts."""
    safe = texts.encode("utf-8", "ignore").decode()
    runbook = HOSTILE_RUNBOOK.replace("{text}", safe.replace("{}", "t").replace("\n", " ").replace("\0", ""))
    name = texts.replace("{}", "board")
    place = Place(root, texts, Exposure(name, name, name, name), runbook)
    try:
        id_ = place.happen()
        cookie = place.log_in(BEN)
        acts = {"snooze": {}, "acknowledge": {}, "resolve": {"was": "real"}}
        assert [place.act(id_, act, cookie, note=safe.replace("{}", "note"), **more).status for act, more in acts.items()] == [303] * 3
        page = Html(place.ask("GET", f"/incidents/{id_}", cookie=cookie).body)
        return sorted(tag for tag in page.tags if tag[0] not in ("p", "br")), page.addresses, page.odd, page.text
    finally:
        place.close()


@pytest.mark.parametrize("part", range(3))
def test_a_script_in_every_text_stays_a_text(tmp_path, harmless, part):
    texts = " ".join(HOSTILE[part::3])
    tags, addresses, odd, text = skeleton(tmp_path, texts)
    allowed = {"h3", "ol", "li", "pre", "code", "table", "thead", "tbody", "tr", "th", "td", "a", "ul"}
    new = [tag for tag in tags if tag not in harmless[0] and tag[0] not in allowed]
    assert new == [], f"{texts!r} became tags"
    assert odd == []
    assert not any(name.startswith("on") or name in ("style", "srcdoc") for _, *names in tags for name in names)
    live = [
        address
        for address in addresses
        if not re.match(r"https://(evil\.example/a\.png|a\.example/)|/(incidents|page\.css|login)", address)
    ]
    assert live == [], f"{texts!r} leads to {live}"
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\ud800]", text), "hidden characters reorder what is read"
