"""What people say of incidents by the command line, runbooks there, and the page of a whole project: one SQLite table that is empty."""

from __future__ import annotations

import io
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from raw_http import exchange, request

from dqmon.app import open_app
from dqmon.app.daemon import _refreshed
from dqmon.app.endpoint import Endpoint
from dqmon.cli.program import run
from dqmon.store import deliveries, feedback, incidents

TOKEN, SECRET = "anna-token-of-24-characters", "link-secret-of-24-characters"
CONFIG = """\
version: 1
store: {{url: "sqlite:///.dqmon/dqmon.db"}}
warehouses: {{main: {{type: sqlite, path: shop.db}}}}
channels: {{ops: {{type: webhook, url: "https://ops.example.com/hook", dry_run: true}}}}
routes: [{{name: rest, default: true, to: [ops]}}]
web: {{bind: "127.0.0.1:0", url: "https://dqmon.example.com", incident_links: true, actors: {{anna: "{token}"}}{more}}}
"""
CHECKS = """\
version: 1
datasets:
  - {dataset: orders, owner: me, runbook: docs/late.md, severity: critical, checks: [row_count: {min: 1}]}
"""


class Shop:
    """A project with an incident in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.config = root, root / "config/dqmon.yaml"
        for folder in ("config", "checks", "docs"):
            (root / folder).mkdir()
        self.configure()
        (root / "checks/a.yaml").write_text(CHECKS)
        (root / "docs/late.md").write_text("# Late\n\n1. Open *Fivetran*.\n2. \x1b[2JWait.\n")
        self.sql("create table orders (id integer)")
        assert self.type("check") == 1
        self.id = self.newest().id

    def configure(self, more: str = "") -> None:
        self.config.write_text(CONFIG.format(token=TOKEN, more=more))

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.root / "shop.db")) as connection, connection:
            connection.execute(statement)

    def type(self, *words: str) -> int:
        return run([*words, "--config", str(self.config)])

    def newest(self):
        with open_app(str(self.config)) as app, app.database.read() as connection:
            return incidents.listed(connection, None, 1)[0]

    def said(self):
        with open_app(str(self.config)) as app, app.database.read() as connection:
            found = feedback.of_incident(connection, self.id)
        return found and (found.feedback.value, found.said_by, found.note)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_resolving_says_what_it_was(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    for words, complaint in (
        (("--was", "bad-threshold"), "did you mean 'bad_threshold'?"),
        (("--note", "promo"), "a note belongs to what the incident was; add --was real, expected or bad_threshold"),
    ):
        assert shop.type("incidents", "resolve", shop.id[:20], *words) == 2
        assert complaint in capsys.readouterr().err
    assert shop.newest().resolved_at is None, "a word that is none closes nothing"
    assert shop.type("incidents", "resolve", shop.id[:20], "--was", "expected", "--note", " promo ended ", "--by", "anna") == 0
    assert f"resolved: {shop.id[:20]} (expected)" in capsys.readouterr().out
    assert shop.said() == ("expected", "anna", "promo ended")
    assert shop.type("incidents", "list", "--state", "all") == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert row[heading.index("LABEL") :].startswith("expected"), f"{heading}\n{row}"
    assert shop.type("incidents", "feedback", shop.id, "real", "--note", "no promo", "--by", "ben") == 0
    assert shop.type("incidents", "show", shop.id) == 0
    assert "real, by ben, " in (told := capsys.readouterr().out)
    assert ": no promo" in told
    assert shop.said() == ("real", "ben", "no promo")


@pytest.mark.parametrize(
    ("typed", "said"),
    [(None, None), ("\n", None), ("what?\nbad_threshold\n", ("bad_threshold", "ann", ""))],
)
def test_a_person_is_asked_and_a_script_is_not(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str | None, said: object
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("real\n") if typed is None else Terminal(typed))
    assert shop.type("incidents", "resolve", shop.id, "--by", "ann") == 0
    told = capsys.readouterr()
    assert (shop.said(), shop.newest().closed_by_hand) == (said, "ann")
    assert (f"What was {shop.id}? real, expected, bad_threshold, or Enter" in told.err) is (typed is not None)
    assert ("not said what it was; `dqmon incidents feedback" in told.err) is (said is None)
    assert ("'what?' is none of these" in told.err) is (said is not None)


def test_the_runbook_is_shown_whole(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert shop.type("incidents", "show", shop.id) == 0
    told = capsys.readouterr().out
    assert "first step: Open Fivetran; then: dqmon explain main.orders.row_count" in told
    assert "Runbook docs/late.md" not in told
    assert shop.type("incidents", "show", shop.id, "--runbook") == 0
    assert "Runbook docs/late.md\n  | # Late\n  | \n  | 1. Open *Fivetran*.\n  | 2. \\x1b[2JWait.\n" in capsys.readouterr().out
    assert shop.type("alert", "preview", "main.orders.row_count") == 0
    assert "Open Fivetran; then: dqmon explain" in (told := capsys.readouterr().out)
    assert "incidents/preview" not in told, "there is no page of what is only shown"


def test_a_messages_link_opens_the_page_that_the_daemon_serves_until_its_key_changes(shop: Shop) -> None:
    with open_app(str(shop.config)) as app:
        with app.database.read() as connection:
            (delivery,) = deliveries.of_incident(connection, shop.id)
        path = delivery.message.links["incident"].removeprefix("https://dqmon.example.com")
        endpoint = Endpoint(lambda: 0.0)
        endpoint.adopt(app)

        def status(sent: bytes) -> int:
            return exchange(endpoint._server.port, sent).status

        login = f"token={TOKEN}&incident={shop.id}".encode()
        try:
            assert status(request("GET", path, host="dqmon.example.com")) == 200
            origin = ["Origin: https://dqmon.example.com"]
            assert status(request("POST", "/login", host="dqmon.example.com", headers=origin, body=login)) == 303
            shop.configure(f", link_secret: {SECRET}")
            with open_app(str(shop.config)) as other:
                endpoint.adopt(other)
                assert status(request("GET", path, host="dqmon.example.com")) == 401, "another key closes the links of the one before"
                link = other.environment.pages.link(shop.id, other.now())
                assert status(request("GET", link.removeprefix("https://dqmon.example.com"), host="dqmon.example.com")) == 200
                assert SECRET not in repr(other.environment.pages)
        finally:
            endpoint.stop()


def test_the_page_follows_a_table_that_a_pattern_finds_later(shop: Shop) -> None:
    (shop.root / "checks/a.yaml").write_text(CHECKS.replace("dataset: orders", 'dataset: "*"'))
    adopted = []
    with open_app(str(shop.config)) as app:
        assert list(app.environment.checks) == ["main.orders.row_count"]
        assert _refreshed(app, adopted.append) is None
        assert adopted == [], "nothing has changed"
        shop.sql("create table returns (id integer)")
        assert _refreshed(app, adopted.append) is not None
    (other,) = adopted
    assert other.environment.checks["main.returns.row_count"].guide.place == "docs/late.md"
