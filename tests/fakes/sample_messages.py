"""Messages and deliveries built by hand, for the tests of channels and of the outbox."""

from datetime import UTC, datetime, timedelta

from dqmon.core.delivery import Delivery
from dqmon.core.incident import Group
from dqmon.core.message import AlertFacts, DeliveryKind, Message, Reading
from dqmon.core.verdict import Severity

AT = datetime(2026, 11, 20, 6, 14, tzinfo=UTC)
KINDS = tuple(kind for kind in DeliveryKind if kind is not DeliveryKind.DIGEST)
"""What messages do to a group; a digest speaks of none."""


SERIES = tuple(
    Reading(AT - timedelta(days=13 - n), value, 9_800.0, 12_400.0, is_bad=value < 9_800)
    for n, value in enumerate((10_911.0, 10_950.0, 10_800.0, 11_200.0, 10_400.0, 1_204.0))
)
RESULT = {
    "check_id": "analytics.orders.volume_anomaly",
    "name": None,
    "type": "volume_anomaly",
    "dimension": "volume",
    "warehouse": "shop",
    "dataset": "analytics.orders",
    "pipeline": None,
    "columns": [],
    "tags": ["finance"],
    "partition": {"column": "day", "start": "2026-11-19T00:00:00Z", "end": "2026-11-20T00:00:00Z"},
    "segment": None,
    "verdict": "fail",
    "severity": "critical",
    "observed": {"value": 1204, "unit": "rows", "ratio": None, "rows_tested": None},
    "expected": {"low": 9800.0, "high": 12400.0, "text": "9,800 to 12,400"},
    "reason": "1,204 is 88 % below the expected 10,950",
    "owner": "@orders-team",
    "runbook": "https://wiki.example.com/rb/orders?team=a&level=2#first",
    "caused_by": None,
    "reused": None,
    "as_of": None,
    "source": {"path": "checks/orders.yml", "line": 12},
    "sql": ["SELECT count(*)\nFROM analytics.orders\nWHERE is_test = false AND amount < 9"],
    "scheduled_at": "2026-11-20T05:44:00Z",
    "measured_at": "2026-11-20T05:44:01Z",
    "duration_s": 0.21,
}
"""As `core.result_json` has it; a test compares the keys."""


def facts(**changes) -> AlertFacts:
    values = {
        "check_id": "analytics.orders.volume_anomaly",
        "kind": "data",
        "state": "firing",
        "severity": Severity.CRITICAL,
        "subject": "analytics.orders",
        "type": "volume_anomaly",
        "headline": "analytics.orders volume_anomaly: 1,204 rows, 9,800 to 12,400 expected",
        "observed": "1,204 rows",
        "expected": "9,800 to 12,400",
        "reason": "1,204 is 88 % below the expected 10,950",
        "since": AT - timedelta(minutes=30),
        "outcomes_in_a_row": 2,
        "owner": "@orders-team",
        "runbook": "https://wiki.example.com/rb/orders?team=a&level=2#first",
        "description": "Orders per load.",
        "declared_at": "checks/orders.yml:12",
        "sql": "SELECT count(*)\nFROM analytics.orders\nWHERE is_test = false AND amount < 9",
        "last_good": "10,911 rows, 2026-11-19 06:12 UTC",
        "members": ("2026-11-19",),
        "run_id": "r1",
        "first_step": "dqmon explain analytics.orders.volume_anomaly",
        "series": SERIES,
    }
    values |= changes
    shared = {name: values.get(name) for name in ("check_id", "type", "reason", "owner", "runbook", "caused_by")}
    sql = [values["sql"]] if values["sql"] else []
    return AlertFacts(**{"result": RESULT | shared | {"sql": sql, "dataset": values["subject"]}} | values)


def message(kind: DeliveryKind = DeliveryKind.TRIGGER, *, root: AlertFacts | None = None, **changes) -> Message:
    root = root or facts()
    values = {
        "kind": kind,
        "instance": "prod",
        "incident_id": "inc1",
        "group_id": "g1",
        "dedup_key": "dqmon:" + "a" * 64,
        "severity": root.severity,
        "title": f"[{root.severity.upper()}] {root.headline}",
        "opened_at": AT,
        "at": AT + (timedelta(0) if kind is DeliveryKind.TRIGGER else timedelta(hours=2, minutes=11)),
        "alerts": (root,),
        "resolved_after_s": 7_860.0 if kind is DeliveryKind.RESOLVE else None,
        "acknowledged_by": "ana" if kind is DeliveryKind.ACKNOWLEDGE else None,
        "links": {"runbook": root.runbook} if root.runbook else {},
    }
    return Message(**values | changes)


def delivery(key: str = "d1", *, told: Message | None = None, **changes) -> Delivery:
    told = told or message()
    values = {
        "id": key,
        "sequence": 0,
        "group_id": told.group_id,
        "channel": "team",
        "dedup_key": told.dedup_key,
        "kind": told.kind,
        "part": "post",
        "message": told,
        "created_at": told.at,
    }
    return Delivery(**values | changes)


def group(key: str, channel: str) -> Group:
    return Group(
        id=key,
        key=key,
        route="rest",
        channel=channel,
        dedup_key="dqmon:" + "a" * 64,
        opened_at=AT,
        incident_ids=("inc1",),
        alert_keys=(),
        due_at=None,
    )
