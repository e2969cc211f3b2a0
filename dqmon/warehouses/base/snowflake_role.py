"""What a Snowflake role may do besides reading, and what the settings of its warehouse should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MIGHTY = ("ACCOUNTADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN", "ORGADMIN", "GLOBALORGADMIN")
"""Roles that Snowflake has from the start (https://docs.snowflake.com/en/user-guide/security-access-control-overview)."""

_READING = ("SELECT", "USAGE", "REFERENCES", "READ")

# A role is enabled when the session uses it, or when it was granted to one that it uses.
# https://docs.snowflake.com/en/sql-reference/info-schema/enabled_roles, …/object_privileges
POWERS = f"""
    select 'ROLE', null, role_name, 1 from information_schema.enabled_roles where role_name in {MIGHTY}
    union all
    select privilege_type, object_type, min(coalesce(object_catalog || '.', '') || coalesce(object_schema || '.', '') || object_name),
        count(*)
    from information_schema.object_privileges where grantee in (select role_name from information_schema.enabled_roles)
    and privilege_type not in {_READING} and privilege_type not like 'MONITOR%' group by 1, 2 order by 1, 2
"""  # noqa: S608 - of constants

LONGEST_SUSPEND_S = 60
"""Idle seconds that are paid for after each burst of checks; a start bills 60 s anyway."""

LONGEST_STATEMENT_S = 3_600
"""Snowflake's default is two days (https://docs.snowflake.com/en/sql-reference/parameters#statement-timeout-in-seconds)."""

_SIZES = ("X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large", "6X-Large")
CREDITS_PER_HOUR = {size: 2**power for power, size in enumerate(_SIZES)}
"""By size, as SHOW WAREHOUSES writes it (https://docs.snowflake.com/en/user-guide/cost-understanding-compute)."""


def in_words(rows: Iterable[tuple[str, str | None, str, int]]) -> tuple[str, ...]:
    """The rows of `POWERS`, each as a sentence's end: "the role may …"."""
    return tuple(_power(*row) for row in rows)


def _power(privilege: str, kind: str | None, name: str, count: int) -> str:
    if kind is None:
        return f"do all that {name} may"
    return f"{privilege} on {kind} {name}" + (f" and {count - 1} more" if count > 1 else "")


def settings_advice(shown: Mapping[str, Any], credits_per_hour: float | None) -> Iterator[str]:
    """What a row of SHOW WAREHOUSES should say otherwise, for monitoring."""
    name, size, suspend_s = shown["name"], str(shown["size"]), int(shown["auto_suspend"] or 0)
    if not 0 < suspend_s <= LONGEST_SUSPEND_S:
        idle = f"{suspend_s} s of idle time" if suspend_s else "all idle time"
        yield f"warehouse {name} bills {idle}: ALTER WAREHOUSE {name} SET AUTO_SUSPEND = {LONGEST_SUSPEND_S}"
    if size != "X-Small":
        yield f"warehouse {name} is {size}; monitoring needs no more than X-Small, and one of its own"
    price = CREDITS_PER_HOUR.get(size)
    if price is not None and credits_per_hour is not None and price != credits_per_hour:
        yield f"warehouse {name} costs {price} credits an hour, credits_per_hour says {credits_per_hour:g}; correct it"


def limit_advice(name: str, seconds: int) -> Iterator[str]:
    """What STATEMENT_TIMEOUT_IN_SECONDS of the warehouse should be: dqmon sets its own, which nobody else's statements have."""
    if not 0 < seconds <= LONGEST_STATEMENT_S:
        yield f"statements may run for {seconds} s: ALTER WAREHOUSE {name} SET STATEMENT_TIMEOUT_IN_SECONDS = {LONGEST_STATEMENT_S}"


def zone_advice(account_zone: str, naive_timezone: str) -> Iterator[str]:
    """What the account's TIMEZONE has to do with columns without zone: a default or a loader's `current_timestamp()` writes them in it."""
    if account_zone != naive_timezone:
        yield (
            f"the account's TIMEZONE is {account_zone}, and timestamps without zone are read in {naive_timezone}; "
            f"where loaders write them in the account's zone, set naive_timezone: {account_zone}"
        )
