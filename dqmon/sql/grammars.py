"""Grammars for the gate of `dqmon.sql.raw` that sqlglot has no name for; read only when one is asked for."""

from __future__ import annotations

from functools import cache
from typing import Any

STANDARD_MYSQL = "standard_mysql"
"""MySQL's SQL as its modes ANSI_QUOTES and NO_BACKSLASH_ESCAPES read it: names between double quotes or backquotes, texts between
single ones, and no escapes in them. What reads a text before the server does has to see the same ends of texts as the server."""


def reading(grammar: str) -> Any:
    """What sqlglot takes for a grammar of `Capabilities.grammar`; None is its neutral one."""
    return _standard_mysql() if grammar == STANDARD_MYSQL else grammar or None


@cache
def has_texts_in_double_quotes(grammar: str) -> bool:
    """True when "x" is a text there, which is a name in the standard, and so in what reads `raw.quoted_names`."""
    from sqlglot.dialects.dialect import Dialect

    tokenizer = Dialect.get_or_raise(reading(grammar)).tokenizer_class
    return '"' in tokenizer.QUOTES and '"' not in tokenizer.IDENTIFIERS


@cache
def _standard_mysql() -> Any:
    from sqlglot.dialects.mysql import MySQL

    class StandardMysql(MySQL):
        class Tokenizer(MySQL.Tokenizer):
            QUOTES = ["'"]  # noqa: RUF012 - as sqlglot declares it
            IDENTIFIERS = ["`", '"']  # noqa: RUF012 - as above
            STRING_ESCAPES = ["'"]  # noqa: RUF012 - as above

    return StandardMysql
