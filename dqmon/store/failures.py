"""What went wrong with the store, in one line that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_SQLITE = (
    ("readonly", "it is read-only; give this user the right to write the file and its folder"),
    ("is full", "the disk is full, or the file has reached its size limit; free some space"),
    ("is locked", "another process has been writing for too long; stop it or try again"),
    ("unable to open", "the file cannot be opened; check the path and its rights"),
    ("not a database", "the file is no SQLite database; name another file"),
    ("malformed", "the file is damaged; restore it from a backup"),
    ("no such table", "a table is missing; run `dqmon migrate`"),
    ("disk i/o", "the disk does not answer; check it"),
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html; the longest matching beginning counts.
_POSTGRES = (
    ("25006", "it is read-only; connect to the primary, with a role that may write"),
    ("42501", "the role may not do this; grant it the rights on the schema"),
    ("53100", "its disk is full; free some space"),
    ("53300", "it has no connection left; raise max_connections or stop other clients"),
    ("42P01", "a table is missing; run `dqmon migrate`"),
    ("40", "two writers were in each other's way; try again"),
    ("55P03", "another writer holds a lock; try again"),
    ("57", "the server is shutting down or cancelled the statement; try again"),
    ("28", "the sign-in was refused; check user and password"),
    ("3D000", "the database does not exist; create it"),
)


def masked(url: URL) -> str:
    """The URL without any password."""
    hidden = {key: "***" for key in url.query if "password" in key}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def store_error(url: URL, error: sa.exc.SQLAlchemyError) -> StoreError:
    """The StoreError of a driver's or SQLAlchemy's exception; the driver's own words are kept, their first line."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    words = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return StoreError(f"store {masked(url)}: {_advice(url, cause, words)} ({words})")


def _advice(url: URL, cause: BaseException, words: str) -> str:
    if isinstance(cause, sa.exc.TimeoutError):
        return "all of this process's connections are busy; try again"
    if url.get_backend_name() == "sqlite":
        return next((advice for mark, advice in _SQLITE if mark in words.lower()), "the statement was refused")
    code = getattr(cause, "sqlstate", None)
    if code is None:
        return "it cannot be reached; check host, port and that the server runs"
    return next((advice for mark, advice in _POSTGRES if code.startswith(mark)), "the statement was refused")
