"""The one MetaData of the store, and the column types that read the same on SQLite and PostgreSQL.

Every aggregate's file declares its tables on `metadata`. Tables are named `dq_<plural>`; columns are documented and only added.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine.interfaces import Dialect
    from sqlalchemy.types import TypeEngine

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, exact to the microsecond.

    PostgreSQL: timestamptz. SQLite: text `2026-11-20T23:57:00.000000Z`, whose order as text is the order in time.
    A naive datetime is refused with ValueError: it would be another instant on each host.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of the engine."""
        return dialect.type_descriptor(sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """Makes of a datetime what the driver is given."""
        return _utc if dialect.name == "postgresql" else _utc_text

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """What the caller sees."""
        del dialect
        if value is None:
            return None
        return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """JSON as text, equal after reading back; tuples come back as lists. None is SQL's NULL.

    Any str is kept exactly, with NUL and lone surrogates: JSON escapes them.
    """

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Makes of the value what the driver is given."""
        del dialect
        return _json_text

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """What the caller sees."""
        del dialect
        return None if value is None else json.loads(value)


class TextTuple(JsonText):
    """A tuple of texts, stored as a JSON list."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[tuple[str, ...] | None], str | None]:
        """Makes of the tuple what the driver is given."""
        del dialect
        return _tuple_text

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...] | None:
        """What the caller sees."""
        del dialect
        return None if value is None else tuple(json.loads(value))


class SafeText(TypeDecorator[str]):
    """Text that both engines take: NUL is kept as `␀`, a lone surrogate as `?`; everything else exactly.

    PostgreSQL refuses NUL in text, and neither engine's driver can encode a lone surrogate.
    """

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:
        """Makes of the text what the driver is given."""
        del dialect
        return _safe_or_none


Word = TypeVar("Word", bound=StrEnum)


class Choice(TypeDecorator[Word]):
    """A member of a StrEnum, stored as its word."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[Word]) -> None:
        super().__init__()
        self.words = words

    def bind_processor(self, dialect: Dialect) -> Callable[[Word | None], str | None]:
        """Makes of the member what the driver is given; a member's bare word is taken, too."""
        del dialect
        return lambda value: None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Word | None:
        """What the caller sees."""
        del dialect
        return None if value is None else self.words(value)


def safe_text(text: str) -> str:
    """`text` as SafeText keeps it; a StrEnum's member is its word."""
    if type(text) is str and text.isascii() and "\0" not in text:
        return text
    return str(text).replace("\0", "␀").encode("utf-8", "replace").decode()


def big_id() -> sa.Column[int]:
    """A primary key `id` that the database counts up."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _safe_or_none(value: str | None) -> str | None:
    # The first line spares a call for nearly every value of a batch of thousands.
    if value is None or (type(value) is str and value.isascii() and "\0" not in value):
        return value
    return safe_text(value)


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def _json_text(value: Any) -> str | None:
    if value is None:
        return None
    # A lone surrogate becomes \udXXX, which is its JSON escape.
    return _ENCODE(value).encode("utf-8", "backslashreplace").decode() if value else _ENCODE(value)


@lru_cache(4_096)  # the same columns, tags and statements are written again in every run
def _tuple_text(value: tuple[str, ...] | None) -> str | None:
    return _json_text(value)


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        msg = f"{value!r} has no time zone; the store takes aware datetimes only"
        raise ValueError(msg)
    return value.astimezone(UTC)


@lru_cache(4_096)  # the rows of a batch share their instants
def _utc_text(value: datetime | None) -> str | None:
    at = _utc(value)
    return None if at is None else at.isoformat(timespec="microseconds")[:-6] + "Z"
