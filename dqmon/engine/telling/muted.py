"""Which alerts are muted now, as step 2 meets them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.route import attributes_of
from dqmon.alerts.silence import Mute, mute_of
from dqmon.store import results, silences

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import Alert, AlertKey
    from dqmon.core.result import ResultRecord
    from dqmon.engine.environment import Environment


class Mutes:
    """What mutes at one time, declared or made by hand; while nothing does, alerts are not looked at."""

    def __init__(self, environment: Environment, connection: Connection, now: datetime) -> None:
        every = (*environment.quiet, *silences.active(connection, now))
        self._quiet = tuple(one for one in every if one.until(now) is not None)
        self._connection = connection
        self._now = now
        self._kept: dict[str, tuple[ResultRecord, ...]] = {}

    def of(self, found: Iterable[Alert], incident_of: Mapping[AlertKey, str]) -> dict[AlertKey, Mute]:
        """The muted ones of the open alerts, with why; `incident_of` are the incidents that they are in."""
        if not self._quiet:
            return {}
        listed = tuple(found)
        if unknown := {alert.key.check_id for alert in listed} - self._kept.keys():
            self._kept |= dict.fromkeys(unknown, ()) | results.latest(self._connection, unknown)
        muted = {alert.key: self._mute(alert, incident_of.get(alert.key)) for alert in listed}
        return {key: mute for key, mute in muted.items() if mute is not None}

    def _mute(self, alert: Alert, incident_id: str | None) -> Mute | None:
        records = self._kept[alert.key.check_id]
        return mute_of(self._quiet, attributes_of(alert, records[0]), incident_id, self._now) if records else None
