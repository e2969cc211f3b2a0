"""`dqmon silence` and `dqmon incidents snooze` as a user runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from place import Place

CONFIG = """\
version: 1
store: {url: "sqlite:///.dqmon/store.db"}
warehouses:
  main: {type: sqlite, path: data/shop.db}
channels:
  oncall: {type: pagerduty, routing_key: "${env:NO_SUCH_KEY}", dry_run: true}
routes:
  - {name: rest, default: true, to: [oncall], group_wait: 0s}
maintenance:
  - {name: yearly audit, match: "*", cron: "0 0 29 2 *", for: 1h}
"""
CHECKS = """\
version: 1
defaults: {owner: "@orders", runbook: "https://wiki.example.com/rb"}
datasets:
  - {dataset: orders, checks: [row_count: {min: 5, severity: critical}]}
  - {dataset: payments, checks: [row_count: {min: 5}]}
"""
ORDERS, PAYMENTS = "main.orders.row_count", "main.payments.row_count"
DRY = "not sent: dry_run"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write("config/dqmon.yaml", CONFIG)
    made.write("checks/shop.yaml", CHECKS)
    made.sqlite("create table orders (id integer)", "create table payments (id integer)")
    return made


def incident(place: Place, root: str) -> str:
    """The id of the newest incident of a root."""
    found = re.findall(rf"^  (\S+) .*{re.escape(root)}$", place.dqmon("incidents", "list").out, re.MULTILINE)
    assert found, f"there is no open incident of {root}"
    return str(found[0])


def test_a_silence_from_its_preview_to_its_end(place: Place) -> None:
    add = ("silence", "add", "main.orders", "--for", "2h", "--reason", "backfill", "--by", "@oncall")
    place.dqmon(*add, "--preview").expect(0, f"  {ORDERS}  failing, critical; ")
    assert PAYMENTS not in place.dqmon(*add, "--preview").out
    place.dqmon("silence", "list").expect(0, "maintenance  coming", "02-29 00:00 UTC", "yearly audit")
    place.dqmon(*add).expect(0, ORDERS, "S-1 mutes main.orders until 20")
    place.dqmon("check").expect(1, ORDERS, PAYMENTS)
    shown = place.dqmon("incidents", "show", incident(place, ORDERS)).expect(
        0, "trigger (event) not sent: silenced S-1 until", '"backfill" @oncall'
    )
    assert DRY not in shown.out
    place.dqmon("incidents", "show", incident(place, PAYMENTS)).expect(0, DRY)
    place.dqmon("silence", "add", "main.*", "--preview").expect(0, f"  open now  {ORDERS} ", f"  open now  {PAYMENTS} ")
    listed = place.dqmon("silence", "list").expect(0)
    assert re.search(r"^  S-1 +active +20.*UTC  20.*UTC  main\.orders  backfill +@oncall$", listed.out, re.MULTILINE), listed.out
    place.dqmon("silence", "expire", "S-1", "--by", "ann").expect(0, "S-1 is over: main.orders")
    place.dqmon("incidents", "show", incident(place, ORDERS)).expect(0, "not sent: silenced S-1 until", DRY)
    assert "S-1" not in place.dqmon("silence", "list").out
    place.dqmon("silence", "list", "--all").expect(0, "over: ended by ann")


def test_a_snoozed_incident_is_quiet_until_it_resolves(place: Place) -> None:
    place.dqmon("check").expect(1)
    orders = incident(place, ORDERS)
    place.dqmon("incidents", "snooze", orders[:24], "--for", "2h", "--reason", "known").expect(0, f"S-1 snoozes {orders} until 20")
    place.dqmon("silence", "list").expect(0, f"incident {orders}", "known", "tester")
    place.sqlite("insert into orders values (1), (2), (3), (4), (5)")
    place.dqmon("check", "main.orders").expect(0)
    place.dqmon("incidents", "show", orders).expect(0, f"resolve (event) {DRY}")
    place.dqmon("incidents", "snooze", orders, "--for", "2h").expect(2, "is resolved already")


def test_what_cannot_be_understood_is_said_and_changes_nothing(place: Place) -> None:
    for words, said in (
        (("add", "main.orders", "--reason", "x"), "write how long, by one of --for 2h and --until"),
        (("add", "main.orders", "--reason", "x", "--for", "2h", "--until", "2099-01-01T00:00Z"), "write how long, by one of"),
        (("add", "main.orders", "--reason", "x", "--for", "2 hours"), "--for: '2 hours' is not a duration"),
        (("add", "main.orders", "--reason", "x", "--for", "31d"), "a silence of 31d is too long: 30d at most"),
        (("add", "main.orders", "--reason", "x", "--until", "2019-01-01"), "--until '2019-01-01' is no instant with a zone"),
        (("add", "main.orders", "--reason", "x", "--until", "2019-01-01T00:00Z"), "before it begins"),
        (("add", "main.orders", "--for", "2h"), "a silence needs a reason"),
        (("add", "severity:critcal", "--for", "2h", "--reason", "x"), "unknown severity 'critcal'; did you mean 'critical'?"),
        (("add", "tagg:x", "--for", "2h", "--reason", "x"), "unknown selector key 'tagg' in 'tagg:x'"),
        (("expire", "S-9"), "there is no silence 'S-9'"),
    ):
        place.dqmon("silence", *words).expect(2, said)
    assert "S-" not in place.dqmon("silence", "list", "--all").expect(0).out
    place.dqmon("silence", "add", "main.typo", "--for", "2h", "--reason", "x").expect(
        0, "no check has an alert that main.typo means", "S-1 mutes"
    )
