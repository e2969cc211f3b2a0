"""An alert that recovers while others of its message go on is named in the next message."""

from __future__ import annotations

from alert_world import MINUTE, T0, World, check

from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Verdict

ORDERS, SCHEMA = "orders.completeness", "orders.schema_drift"


def test_what_has_recovered_is_named_once_with_its_newest_result(tmp_path):
    world = World(tmp_path, [check("main:orders", "completeness"), check("main:orders", "schema_drift")], {})
    world.run({ORDERS: Verdict.FAIL, SCHEMA: Verdict.FAIL}, T0)
    world.run({ORDERS: Verdict.FAIL, SCHEMA: Verdict.PASS}, T0 + 5 * MINUTE)
    world.run({ORDERS: Verdict.FAIL, SCHEMA: Verdict.PASS}, T0 + 10 * MINUTE)
    world.run({ORDERS: Verdict.PASS, SCHEMA: Verdict.PASS}, T0 + 20 * MINUTE)
    world.until(T0 + 60 * MINUTE)
    told = [d.message for d in world.deliveries()]
    assert [message.kind for message in told] == [DeliveryKind.TRIGGER, DeliveryKind.UPDATE, DeliveryKind.RESOLVE]
    assert [[alert.check_id for alert in message.left] for message in told] == [[], [SCHEMA], []]
    (left,) = told[1].left
    assert (left.state, left.result["verdict"], left.result["warehouse"]) == ("resolved", "pass", "main")
    assert {alert.check_id for alert in told[2].alerts} == {ORDERS, SCHEMA}
