"""What the buttons under a message do: the same as the commands, for whoever pressed them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from dqmon.core.feedback import Label
from dqmon.core.incident import IncidentState
from dqmon.core.press import Wish
from dqmon.engine.incidents.by_hand import acknowledge_incident, give_feedback, resolve_incident
from dqmon.engine.incidents.silences import snooze
from dqmon.errors import NotifyError, StoreError, UsageError
from dqmon.store import groups, incidents
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.incident import Incident
    from dqmon.core.press import Press
    from dqmon.engine.environment import Environment

log = Log("dqmon.pressed")

SNOOZE_FOR = timedelta(hours=2)


def pressed(environment: Environment, press: Press) -> str:
    """Does what was pressed, and says what was done, or why not. Raises nothing that a press can cause.

    A press counts only under a message that this store knows as one of the incident's, in that channel.
    """
    try:
        found = _incident(environment, press)
        if found is None:
            return "Not done: this message is of no incident that dqmon knows here; `dqmon incidents list` names them."
        done = _do(environment, found, press)
    except UsageError as e:
        return f"Not done: {e}."
    except NotifyError as e:
        done = f"Done; {e}."
    except StoreError as e:
        log.error("a press was lost", channel=press.channel, incident=press.incident_id, wish=press.wish, error=str(e))
        return "Not done: dqmon's store does not answer; press again in a minute."
    log.info("pressed", channel=press.channel, incident=press.incident_id, wish=press.wish, by=press.by)
    return done


def _incident(environment: Environment, press: Press) -> Incident | None:
    """The incident, if the message that the button stands under is one of its messages in the channel."""
    with environment.database.read() as connection:
        for group in groups.of_incident(connection, press.incident_id):
            receipt = groups.receipt(connection, group.id) if group.channel == press.channel else None
            if receipt is not None and press.reference.items() <= receipt.reference.items():
                return incidents.get(connection, press.incident_id)
    return None


def _do(environment: Environment, found: Incident, press: Press) -> str:
    match press.wish:
        case Wish.ACKNOWLEDGE:
            if found.state is IncidentState.ACKNOWLEDGED:
                return f"Already acknowledged by {found.acknowledged_by}."
            acknowledge_incident(environment, found.id, press.by)
            return f"Acknowledged by {press.by}: nothing is repeated, changes and the end are still told."
        case Wish.SNOOZE:
            made = snooze(environment, found.id, SNOOZE_FOR, "", press.by)
            return f"Snoozed until {made.end:%H:%M} UTC ({made.id}), unless it gets more severe; `dqmon silence expire {made.id}` ends it."
        case Wish.FEEDBACK:
            return f"Kept: {_say(environment, found, press)}."
        case Wish.RESOLVE:
            if found.state is IncidentState.RESOLVED:
                return f"It is resolved already; kept: {_say(environment, found, press)}."
            resolve_incident(environment, found.id, press.by, still_failing=False, label=Label(press.feedback) if press.feedback else None)
            return f"Resolved by {press.by}: {_what(press)}."
        case _:
            assert_never(press.wish)


def _say(environment: Environment, found: Incident, press: Press) -> str:
    if press.feedback is not None:
        give_feedback(environment, found.id, press.feedback, press.by)
    return _what(press)


def _what(press: Press) -> str:
    return f"it was {press.feedback.value.replace('_', ' ')}" if press.feedback else "nothing was said of what it was"
