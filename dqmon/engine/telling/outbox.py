"""How the channels stand: what they took, what waits, what they refused; and a refused message tried again by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.delivery import DeliveryState
from dqmon.engine.telling.tell import tell_now
from dqmon.errors import NotifyError, UsageError
from dqmon.store import dead_letters as letters
from dqmon.store import deliveries, outages

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.delivery import Delivery
    from dqmon.core.protocols import Channel
    from dqmon.engine.environment import Environment
    from dqmon.store.outages import Outage

LISTED = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """One channel: its messages by what became of them, its outage if it takes nothing, who is told in its place."""

    channel: str
    totals: Mapping[DeliveryState, int]
    outage: Outage | None
    fallback: str | None


def standings(connection: Connection, channels: Mapping[str, Channel]) -> tuple[Standing, ...]:
    """The configured channels, then those that only messages name."""
    totals = deliveries.totals(connection)
    out = {outage.channel: outage for outage in outages.listed(connection)}
    names = dict.fromkeys((*channels, *sorted(totals)))
    return tuple(
        Standing(name, totals.get(name, {}), out.get(name), channels[name].options.fallback if name in channels else None) for name in names
    )


def dead_letters(connection: Connection) -> tuple[Delivery, ...]:
    """The newest LISTED messages that were given up, newest first."""
    return letters.dead(connection, LISTED)


def retry(environment: Environment, name: str) -> tuple[Delivery, ...]:
    """Puts a message that was given up (its id or the begin of it), or all of a channel, back into the queue, and sends at once.

    Those of groups that are over stay given up: a page that nobody resolves any more is worse than none. UsageError when there is
    nothing to retry; NotifyError when it was not taken again.
    """
    with environment.database.write() as connection:
        found = letters.requeue(connection, name, environment.clock())
    if not found:
        raise UsageError(
            f"{name!r} is no message that was given up and whose group is still open; `dqmon alert deliveries` names them, and channels"
        )
    if problem := tell_now(environment):
        raise NotifyError(problem)
    return found
