"""Whole numbers in the statement's text, so that they are no parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement


def integer(value: int) -> ColumnElement[int]:
    """A number of 32 bits."""
    return sa.literal_column(str(value), sa.Integer())


def big_integer(value: int) -> ColumnElement[int]:
    """A number of 64 bits, for sums and products that 32 do not hold."""
    return sa.literal_column(str(value), sa.BigInteger())
