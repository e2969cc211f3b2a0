"""The figures of digests, read from the store once for all owners."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import TYPE_CHECKING

from dqmon.alerts.digest import BLIND_DAYS, QUIET_DAYS, WEEK, Figures, Spending
from dqmon.core.alert import AlertKind
from dqmon.core.feedback import Feedback
from dqmon.core.silence import Silence
from dqmon.engine.select import attributes
from dqmon.store import alerts, feedback, silences, slots, spells, statements

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.check import Check
    from dqmon.engine.environment import Environment
    from dqmon.store.spells import Spell

_QUIET, _BLIND = timedelta(days=QUIET_DAYS), timedelta(days=BLIND_DAYS)


class Looked:
    """What the store has of all checks from `since` to `until`, and of the time before as far as it is compared with."""

    def __init__(self, environment: Environment, connection: Connection, since: datetime, until: datetime) -> None:
        self._connection = connection
        self._since, self._until = since, until
        self._spells: dict[str, list[Spell]] = defaultdict(list)
        for spell in spells.spells(connection, min(since, until - _QUIET), until):
            self._spells[spell.check_id].append(spell)
        paging = [name for name, channel in environment.channels.items() if channel.pages]
        self._pages = spells.pages(connection, paging, since, until)
        self._said = feedback.of_incidents(connection, {id_ for page in self._pages for id_ in page.incident_ids})
        blind = (alert for alert in alerts.open_alerts(connection) if alert.key.kind is AlertKind.ERROR)
        self._errors = {alert.key.check_id for alert in blind if alert.since is not None and alert.since <= until - _BLIND}
        self._overdue = slots.overdue(connection, until - _BLIND)
        declared = (one for one in environment.quiet if isinstance(one, Silence) and one.end > until)
        made = (one for one in silences.not_over(connection, until) if one.incident_id is None)
        self._ending = tuple(one for one in (*declared, *made) if one.end <= until + WEEK)
        self._statements = statements.groups(connection, (since - (until - since)).astimezone(UTC).date())

    def at(self, owner: str, checks: Sequence[Check]) -> Figures:
        """The figures of an owner with these checks."""
        ids = {check.id for check in checks}
        found = [spell for check_id in ids for spell in self._spells.get(check_id, ())]
        told = [spell for spell in found if spell.caused_by is None and self._is_in(spell.joined_at)]
        fired = Counter(spell.check_id for spell in told)
        of_incident = {spell.incident_id: spell for spell in found if spell.caused_by is None}.values()
        bad = {spell.check_id for spell in found}
        pages = [page for page in self._pages if ids & _checks(page.alert_keys)]
        words = [self._word(page.incident_ids) for page in pages]
        wrong = [page.alert_keys for page, word in zip(pages, words, strict=True) if word is Feedback.BAD_THRESHOLD]
        return Figures(
            owner,
            self._since,
            self._until,
            checks=len(ids),
            healthy=len(ids - {spell.check_id for spell in found if spell.covers(self._until)}),
            healthy_before=len(ids - {spell.check_id for spell in found if spell.covers(self._since)}),
            incidents=sum(self._is_in(spell.opened_at) for spell in of_incident),
            mtta_s=self._mean((spell.opened_at, spell.acknowledged_at) for spell in of_incident),
            mttr_s=self._mean((spell.opened_at, spell.resolved_at) for spell in of_incident),
            pages=len(pages),
            said=dict(Counter(word for word in words if word is not None)),
            to_tune=tuple(sorted(ids & set[str]().union(*map(_checks, wrong)))),
            noisiest=tuple(sorted(fired.items(), key=lambda item: (-item[1], item[0]))),
            never_failed=len(spells.measured_before(self._connection, ids - bad, self._until - _QUIET)),
            errors=len(ids & self._errors),
            overdue=len(ids & self._overdue),
            ending=sum(any(one.mutes(attributes(check), None) for check in checks) for one in self._ending),
            spent=self._spent(ids),
        )

    def _is_in(self, at: datetime | None) -> bool:
        return at is not None and self._since < at <= self._until

    def _mean(self, pairs: Iterable[tuple[datetime, datetime | None]]) -> float | None:
        """The mean time from the first to the second of each pair, of those whose second is in the time; None without any."""
        lengths = [(end - start).total_seconds() for start, end in pairs if end is not None and self._is_in(end)]
        return fmean(lengths) if lengths else None

    def _word(self, incident_ids: Iterable[str]) -> Feedback | None:
        """What was said of a page: of the first of its incidents of which something was."""
        return next((self._said[id_].feedback for id_ in incident_ids if id_ in self._said), None)

    def _spent(self, ids: Collection[str]) -> dict[str, Spending]:
        """By whole days of UTC; of warehouses whose statements have a price."""
        since, until = self._since.astimezone(UTC).date(), self._until.astimezone(UTC).date()
        spent: dict[str, dict[str, float]] = {}
        before: dict[str, float] = {}
        for group in self._statements:
            for check_id, part in group.shares.items():
                if check_id not in ids or group.spent.credits is None:
                    continue
                if since <= group.day < until:
                    of_checks = spent.setdefault(group.warehouse, {})
                    of_checks[check_id] = of_checks.get(check_id, 0.0) + part * group.spent.credits
                elif group.day < since:
                    before[group.warehouse] = before.get(group.warehouse, 0.0) + part * group.spent.credits
        tops = {name: max(found.items(), key=lambda item: (item[1], item[0])) for name, found in spent.items()}
        return {name: Spending(sum(found.values()), before.get(name), tops[name]) for name, found in spent.items()}


def _checks(alert_keys: Iterable[str]) -> set[str]:
    return {key.removesuffix("#error") for key in alert_keys}
