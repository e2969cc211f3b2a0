"""Named formats of texts: a regular expression for the shape, and exact arithmetic where a shape cannot say all.

Each format is tested on the whole text. The regular expressions keep to what all engines read alike (see
`texts.fully_matches`) and to few counted repeats, since PostgreSQL pays for each state of its automaton on each row:
limits of length are tested beside the shape, and the long forms only where the short ones leave a doubt.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache, reduce
from operator import add
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.sql.codes import countries, currencies, iban_lengths
from dqmon.sql.integers import integer
from dqmon.sql.texts import code_point, fully_matches, length, matches_like

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

FormatName: TypeAlias = Literal[
    "country", "credit_card", "currency", "email", "iban", "ipv4", "ipv6", "iso_date", "iso_datetime", "phone", "url", "uuid"
]

_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
_GROUP = "[0-9A-Fa-f]{1,4}"
_IPV6_SHAPE = f"(?:(?:{_GROUP}:)*{_GROUP})?::(?:(?:{_GROUP}:)*(?:{_GROUP}|{_IPV4}))?|(?:{_GROUP}:)+(?:{_GROUP}|{_IPV4})"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = rf"{_ATOM}(?:\.{_ATOM})*@(?:[A-Za-z0-9](?:-*[A-Za-z0-9])*\.)+[A-Za-z](?:-*[A-Za-z0-9])+"
_EMAIL_PARTS = r"[^@]{1,64}@[^@.]{1,63}(?:\.[^@.]{1,63})+"
_IBAN = "[A-Z][A-Z](?:0[2-9]|[1-8][0-9]|9[0-8])[A-Z0-9]+"  # The check digits are 98 less a remainder, 02 to 98.

_PATTERNS: dict[str, Callable[[], str]] = {
    "country": lambda: _one_of(countries()),
    "credit_card": lambda: "[1-9][0-9]{11,18}",
    "currency": lambda: _one_of(currencies()),
    "ipv4": lambda: _IPV4,
    "iso_date": lambda: _DATE,
    "iso_datetime": lambda: f"{_DATE}[T ]{_TIME}",
    "phone": lambda: r"\+[1-9][0-9]{6,14}",
    "uuid": lambda: "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
}


def is_format(text: ColumnElement[str], name: FormatName) -> ColumnElement[bool]:
    """True when the text has the format; false or NULL otherwise."""
    match name:
        case "email":  # RFC 5321, section 4.5.3.1: 64 before the @, 256 with the angle brackets; RFC 1035: 63 in a label.
            limits = sa.and_(length(text) <= integer(254), fully_matches(text, _EMAIL_PARTS))
            return sa.and_(fully_matches(text, _EMAIL), sa.or_(length(text) <= integer(64), limits))
        case "ipv6":
            return sa.case((fully_matches(text, _IPV6_SHAPE), _has_eight_groups(text)), else_=sa.false())
        case "url":
            has_no_literal = sa.not_(matches_like(text, "%[%"))
            return sa.and_(fully_matches(text, _url("[0-9A-Fa-f:.]+")), sa.or_(has_no_literal, fully_matches(text, _url(_ipv6()))))
        case "credit_card":
            return sa.case((_has_pattern(text, name), _luhn(text)), else_=sa.false())
        case "iban":
            shape = sa.and_(fully_matches(text, _IBAN), _has_iban_length(text))
            return sa.case((shape, Remainder97(text) == integer(1)), else_=sa.false())
        case _:
            return _has_pattern(text, name)


def _has_pattern(text: ColumnElement[str], name: FormatName) -> ColumnElement[bool]:
    return fully_matches(text, _PATTERNS[name]())


def _one_of(codes: tuple[str, ...]) -> str:
    """Any of the codes, those with the same beginning together: `A[DE]|B[A]`."""
    last = defaultdict[str, str](str)
    for code in sorted(codes):
        last[code[:-1]] += code[-1]
    return "|".join(f"{start}[{ends}]" for start, ends in last.items())


def _url(literal: str) -> str:
    """RFC 3986's URI with an authority; `literal` is the pattern between the brackets of an address."""
    plain, escaped = "A-Za-z0-9._~!$&'()*+,;=", "%[0-9A-Fa-f][0-9A-Fa-f]"
    host = rf"(?:(?:[{plain}:-]|{escaped})*@)?(?:\[(?:{literal})\]|(?:[{plain}-]|{escaped})+)(?::[0-9]*)?"
    rest = f"(?:[{plain}:@/?-]|{escaped})*"
    return rf"[A-Za-z][A-Za-z0-9+.-]*://{host}(?:/(?:[{plain}:@/-]|{escaped})*)?(?:\?{rest})?(?:#{rest})?"


@cache
def _ipv6() -> str:
    """RFC 3986, section 3.2.2: one form for each number of groups after the `::`, and the one without."""
    last = f"(?:{_GROUP}:{_GROUP}|{_IPV4})"
    after = [f"(?:{_GROUP}:){{{count}}}{last}" for count in (5, 4, 3, 2, 1, 0)] + [_GROUP, ""]
    before = ["", f"(?:{_GROUP})?"] + [f"(?:(?:{_GROUP}:){{0,{count}}}{_GROUP})?" for count in range(1, 7)]
    return "|".join([f"(?:{_GROUP}:){{6}}{last}", *(f"{left}::{right}" for left, right in zip(before, after, strict=True))])


def _has_eight_groups(address: ColumnElement[str]) -> ColumnElement[bool]:
    """RFC 4291, section 2.2: eight groups, of which `::` stands for one or more and an IPv4 address for two."""

    def one_if(pattern: str) -> ColumnElement[int]:
        return sa.case((matches_like(address, pattern), integer(1)), else_=integer(0))

    colons = length(address) - length(sa.func.replace(address, sa.literal_column("':'"), sa.literal_column("''")))
    # A colon after each group but the last; the double one adds one, and where it stands at an end one more.
    written = colons + one_if("%.%")
    return sa.case(
        (matches_like(address, "%::%"), written - one_if("::%") - one_if("%::") <= integer(7)),
        else_=written == integer(7),
    )


_CARD_DIGITS = 19


def _luhn(digits: ColumnElement[str]) -> ColumnElement[bool]:
    """Luhn's sum of up to 19 digits is a multiple of 10 (ISO/IEC 7812-1, annex B).

    Of a digit's code point c, c mod 48 is the digit, and 22·c mod 229 ends in the digit sum of twice the digit; both are 0
    for the 0 that stands past the end. A test goes through all digits.
    """
    codes = [code_point(digits, position) for position in range(1, _CARD_DIGITS + 1)]

    def total(doubled: int) -> ColumnElement[int]:
        return reduce(add, (integer(22) * c % integer(229) if index % 2 == doubled else c % integer(48) for index, c in enumerate(codes)))

    # The last digit is never doubled, so that the first one is when their number is even.
    is_even = length(digits) % integer(2) == integer(0)
    return sa.case((is_even, total(0)), else_=total(1)) % integer(10) == integer(0)


_IBAN_CHARACTERS = 34


def _has_iban_length(iban: ColumnElement[str]) -> ColumnElement[bool]:
    """Country and number of characters, such as DE22, stand in the registry; `iban` has the shape of one."""
    entry = sa.func.substr(iban, integer(1), integer(2), type_=sa.Text()) + sa.cast(length(iban), sa.Text())
    return sa.literal(" ".join(iban_lengths()), sa.String()).like(
        sa.literal_column("'%'", sa.Text()) + entry + sa.literal_column("'%'", sa.Text())
    )


class Remainder97(FunctionElement[int]):
    """An IBAN modulo 97, its first four characters moved to the end and letters read as 10 to 35 (ISO/IEC 7064)."""

    type = sa.Integer()
    inherit_cache = True
    name = "remainder_97"


@compiles(Remainder97)
def _by_character(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """So that no number grows: a digit makes the remainder 10 × as large, a letter 100 ×, and the 0 past the end leaves it."""
    (iban,) = element.clauses
    # Written out, since SQLite's parser has no room for the parentheses that expressions of expressions get.
    modulo = compiler.process(integer(0) % integer(97), **kw)[1:]
    remainder = "0"
    for position in (*range(5, _IBAN_CHARACTERS + 1), 1, 2, 3, 4):
        c = compiler.process(code_point(iban, position), **kw)
        factor = f"case when {c} >= 65 then 100 when {c} >= 48 then 10 else 1 end"
        value = f"case when {c} >= 65 then {c} - 55 when {c} >= 48 then {c} - 48 else 0 end"
        remainder = f"({remainder} * {factor} + {value}){modulo}"
    return remainder


@compiles(Remainder97, "postgresql")
def _as_number(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """Its exact numbers of any size take a tenth of the time."""
    iban = compiler.process(element.clauses, **kw)
    digits = f"substr({iban}, 5) || substr({iban}, 1, 4)"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"replace({digits}, '{letter}', '{value}')"
    return f"mod(cast({digits} as numeric), 97)"
