"""What becomes of each verdict: who is told of it (R5), and what `on_error` and `on_no_data` make of it (R1)."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from alert_world import MINUTE, T0, Loud, World, check

from dqmon.app import open_app
from dqmon.core.alert import AlertState
from dqmon.core.delivery import DeliveryState
from dqmon.core.route import Route
from dqmon.core.selector import Selector, parse_selector
from dqmon.core.verdict import Severity, Verdict
from dqmon.store import alerts, deliveries, results

STATES = {
    "ok": Verdict.PASS,
    "warn": Verdict.WARN,
    "fail": Verdict.FAIL,
    "error": Verdict.ERROR,
    "no_data": Verdict.SKIPPED,
    "skipped": Verdict.SKIPPED,
}
CHANNELS = ("oncall", "team", "mail")
ROUTES = (
    Route("pages", parse_selector(["severity:critical"]), ("oncall", "team"), group_wait_s=10),
    Route("digest", parse_selector(["severity:info"]), ("mail",)),
    Route("rest", None, ("team",)),
)
TOLD = """
             oncall    team      mail
critical ok        -         -         -
critical warn      -         warning   -
critical fail      critical  critical  -
critical error     -         warning   -
critical no_data   -         -         -
critical skipped   -         -         -
error    ok        -         -         -
error    warn      -         warning   -
error    fail      -         error     -
error    error     -         warning   -
error    no_data   -         -         -
error    skipped   -         -         -
warning  ok        -         -         -
warning  warn      -         warning   -
warning  fail      -         warning   -
warning  error     -         warning   -
warning  no_data   -         -         -
warning  skipped   -         -         -
info     ok        -         -         -
info     warn      -         -         info
info     fail      -         -         info
info     error     -         warning   -
info     no_data   -         -         -
info     skipped   -         -         -
"""
"""The severity with which each channel is told of a check of such a severity; an ERROR has `error_severity`, here as it is by default."""


class Calm(Loud):
    pages = False


def test_who_is_told_what_of_4_severities_x_6_states_x_3_channels(tmp_path: Path) -> None:
    declared = {f"{severity}_{state}": severity for severity, state in product(Severity, STATES)}
    checks = [replace(check(f"main:{name}", "row_count", one), error_severity=Severity.WARNING) for name, one in declared.items()]
    world = World(tmp_path, checks, {})
    channels = {"oncall": Loud(), "team": Calm(), "mail": Calm()}
    world.environment = replace(world.environment, routes=ROUTES, channels=channels, storm_above=1_000)
    verdicts = {f"{name}.row_count": STATES[name.partition("_")[2]] for name in declared}
    for number in range(2):
        world.run(verdicts, T0 + number * MINUTE)
    world.until(T0 + 10 * MINUTE)
    sent = [d for d in world.deliveries() if d.state is DeliveryState.SENT]
    assert {d.kind.value for d in sent} == {"trigger"}
    found = {(d.message.alerts[0].check_id.removesuffix(".row_count"), d.channel): d.message.severity.value for d in sent}
    assert len(found) == len(sent), "a channel was told twice"
    rows = [line.split() for line in TOLD.strip().splitlines()[1:]]
    expected = {(f"{row[0]}_{row[1]}", channel): word for row in rows for channel, word in zip(CHANNELS, row[2:], strict=True)}
    assert len(expected) == 72
    assert {place: found.get(place, "-") for place in expected} == expected
    world.database.close()


CONFIG = """\
version: 1
store: {url: "sqlite:///store.db"}
warehouses: {main: {type: sqlite, path: shop.db}}
channels: {ops: {type: webhook, url: "https://ops.example.com/hook", dry_run: true}}
routes: [{name: rest, default: true, to: [ops], group_wait: 0s}]
"""
FILE = """\
version: 1
datasets:
  - dataset: empty
    checks:
      - completeness: {name: by_default, column: v}
      - completeness: {name: skips, column: v, on_no_data: skip}
      - completeness: {name: passes, column: v, on_no_data: pass}
      - completeness: {name: warns, column: v, on_no_data: warn, severity: error}
      - completeness: {name: fails, column: v, on_no_data: fail, severity: error}
      - freshness: {name: fails_by_default, column: at, fail_after: 1h}
      - freshness: {name: may_be_empty, column: at, fail_after: 1h, on_no_data: skip}
  - dataset: orders
    checks:
      - completeness: {name: alerts_by_default, column: gone}
      - completeness: {name: alerts, column: gone, on_error: alert, error_severity: critical}
      - completeness: {name: records, column: gone, on_error: record}
      - completeness: {name: bad, column: v, on_error: record}
"""
DATA = {
    "empty.completeness.v.by_default": ("skipped", "resolved", ""),
    "empty.completeness.v.skips": ("skipped", "resolved", ""),
    "empty.completeness.v.passes": ("pass", "resolved", ""),
    "empty.completeness.v.warns": ("warn", "firing", "warning"),
    "empty.completeness.v.fails": ("fail", "firing", "error"),
    "empty.freshness.at.fails_by_default": ("fail", "firing", "warning"),
    "empty.freshness.at.may_be_empty": ("skipped", "resolved", ""),
    "orders.completeness.gone.alerts_by_default": ("error", "firing", "warning"),
    "orders.completeness.gone.alerts": ("error", "firing", "critical"),
    "orders.completeness.gone.records": ("error", "resolved", ""),
    "orders.completeness.v.bad": ("fail", "firing", "warning"),
}
"""The verdict, the state of the alert after two runs, and the severity that it was told with."""


def test_each_policy_from_the_file_to_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "checks").mkdir()
    (tmp_path / "config" / "dqmon.yaml").write_text(CONFIG)
    (tmp_path / "checks" / "all.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    shop = sqlite3.connect("shop.db")
    shop.executescript("create table empty (v text, at timestamp); create table orders (v text); insert into orders values (null)")
    shop.close()
    now = [T0]
    with open_app(clock=lambda: now[0]) as app:
        for _ in range(2):
            assert app.check(Selector(), None, alerts=True).problem is None
            now[0] += timedelta(minutes=1)
        with app.database.read() as connection:
            verdicts = {one: kept[0].verdict.value for one, kept in results.latest(connection, set(app.environment.checks)).items()}
            opened = {alert.key.check_id: alert for alert in alerts.open_alerts(connection)}
            said = {a.check_id: d.message for d in deliveries.after(connection, 0) for a in d.message.alerts}
    prefix = "main."
    shown = {
        check_id.removeprefix(prefix): (
            verdict,
            (opened[check_id].state if check_id in opened else AlertState.RESOLVED).value,
            next((a.severity.value for a in said[check_id].alerts if a.check_id == check_id), "") if check_id in said else "",
        )
        for check_id, verdict in verdicts.items()
    }
    assert shown == DATA
