"""`alert preview` says before a message why it would not be sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from alert_world import T0, World, check

from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertState
from dqmon.core.message import DeliveryKind
from dqmon.core.selector import Selector, Term
from dqmon.core.silence import Silence
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.incidents.by_hand import acknowledge_incident
from dqmon.engine.telling.withheld import withheld
from dqmon.store import alerts, incidents, results

ROOT, SYMPTOM, OTHER = "raw_orders.freshness", "mart_orders.freshness", "mart_orders.completeness"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    checks = [check("main:raw_orders", "freshness"), check("main:mart_orders", "freshness"), check("main:mart_orders", "completeness")]
    made = World(tmp_path_factory.mktemp("withheld"), checks, {"main:mart_orders": ["main:raw_orders"]})
    made.run({SYMPTOM: Verdict.PASS, OTHER: Verdict.PASS, ROOT: Verdict.FAIL}, T0)
    return made


def why(environment, check_id, kind=DeliveryKind.TRIGGER):
    key = AlertKey(check_id, AlertKind.DATA)
    with environment.database.read() as connection:
        kept, (record, *_) = alerts.get(connection, [key]).get(key), results.latest(connection, {check_id})[check_id]
    firing = Alert(key, AlertState.FIRING, Severity.ERROR, {}, 1, T0, T0)
    return withheld(environment, kept if kept and kept.is_open else firing, record, kind)


def test_nothing_withholds_an_alert_as_a_rule(world):
    assert why(world.environment, ROOT) == ()
    assert why(world.environment, OTHER) == (), "values are not explained by a late load"


def test_a_symptom_of_what_fails_upstream_is_inhibited(world):
    (root,) = world.incidents().values()
    assert why(world.environment, SYMPTOM) == (f"inhibited: caused by {ROOT}, incident {root.id}",)
    with world.database.read() as connection:
        assert len(incidents.open_incidents(connection)) == 1, "asking changes nothing"


def test_a_silence_is_named_with_its_reason(world):
    match = Selector((Term("severity", ("error",)),))
    quiet = (Silence("S-1", match, T0, T0 + timedelta(hours=1), "backfill", "@bo"),)
    (said,) = why(replace(world.environment, quiet=quiet), ROOT)
    assert said.startswith("silenced S-1 until 09:00 UTC")
    assert '"backfill" @bo' in said


def test_an_acknowledged_incident_is_not_repeated(tmp_path):
    world = World(tmp_path, [check("main:raw_orders", "freshness")], {})
    world.run({ROOT: Verdict.FAIL}, T0)
    (root,) = world.incidents().values()
    acknowledge_incident(replace(world.environment, channels={}), root.id, "ana")
    assert why(world.environment, ROOT, DeliveryKind.REPEAT) == (f"acknowledged by ana, incident {root.id}: no repeats",)
    assert why(world.environment, ROOT, DeliveryKind.UPDATE) == ()
