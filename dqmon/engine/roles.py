"""Once a day it is said in the log which warehouse's role may do more than read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.errors import WarehouseError
from dqmon.store import meta
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment

log = Log(__name__)

_LOOKED_ON = "roles_looked_on"


def look_at_roles(environment: Environment) -> None:
    """Asks each server about its role, unless that was done today by any process; a file has no roles. Raises StoreError only."""
    servers = [warehouse for warehouse in environment.warehouses.values() if not warehouse.capabilities.is_file]
    if not servers:
        return
    today = f"{environment.clock():%Y-%m-%d}"
    with environment.database.read() as connection:
        if meta.get(connection, _LOOKED_ON) == today:
            return
    with environment.database.write() as connection:
        meta.put(connection, _LOOKED_ON, today)
    for warehouse in servers:
        try:
            with warehouse.open() as session:
                powers = session.powers()
        except WarehouseError as e:
            log.debug("the role could not be looked at", warehouse=warehouse.name, error=str(e))
            continue
        if powers:
            remedy = f"let dqmon sign in as a role that can only read: dqmon grants {warehouse.name}"
            log.warning("the role may do more than read", warehouse=warehouse.name, may="; ".join(powers), remedy=remedy)
