"""Named formats of texts: one regular expression each, and exact arithmetic where a check digit needs it.

Each format is tested on the whole text, case-sensitive where letters of one case are said. The regular expressions keep
to what all engines read alike (see `texts.fully_matches`).
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache, reduce
from operator import add
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.sql.codes import countries, currencies, iban_lengths
from dqmon.sql.texts import code_point, fully_matches, length, matches_like

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

FormatName: TypeAlias = Literal[
    "country", "credit_card", "currency", "email", "iban", "ipv4", "ipv6", "iso_date", "iso_datetime", "phone", "url", "uuid"
]
FORMAT_NAMES: tuple[FormatName, ...] = get_args(FormatName)


def is_format(text: ColumnElement[str], name: FormatName) -> ColumnElement[bool]:
    """True when the text has the format; false or NULL otherwise."""
    shape = fully_matches(text, pattern(name))
    match name:
        case "email":  # RFC 5321, section 4.5.3.1: a path has 256 octets with its angle brackets.
            return sa.and_(shape, length(text) <= _int(254), sa.not_(matches_like(text, "%..%")))
        case "credit_card":
            return sa.case((shape, _luhn(text)), else_=sa.false())
        case "iban":
            # ISO/IEC 7064, MOD 97-10: the first four characters stand at the end.
            spelled = (code_point(text, position) for position in (*range(5, _IBAN_CHARACTERS + 1), 1, 2, 3, 4))
            return sa.case((shape, _Remainder97(*spelled) == _int(1)), else_=sa.false())
        case _:
            return shape


@cache
def pattern(name: FormatName) -> str:
    """The regular expression of a format, for a whole text."""
    match name:
        case "country":
            return _one_of(countries())
        case "currency":
            return _one_of(currencies())
        case "iban":
            return _iban()
        case _:
            return _PATTERNS[name]


_YEAR, _LEAP = "[0-9]{4}", "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP}-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"


def _ipv6() -> str:
    """The nine forms of RFC 3986, section 3.2.2, by how many groups stand before the `::`."""
    group, last = "[0-9A-Fa-f]{1,4}", f"(?:[0-9A-Fa-f]{{1,4}}:[0-9A-Fa-f]{{1,4}}|{_IPV4})"
    after = [f"(?:{group}:){{{count}}}{last}" for count in (6, 5, 4, 3, 2, 1, 0)] + [group, ""]
    before = ["", "", f"(?:{group})?", *(f"(?:(?:{group}:){{0,{count}}}{group})?" for count in range(1, 7))]
    return (
        "(?:"
        + "|".join(left + ("::" if index else "") + right for index, (left, right) in enumerate(zip(before, after, strict=True)))
        + ")"
    )


_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ESCAPED = "%[0-9A-Fa-f][0-9A-Fa-f]"
_PLAIN = "A-Za-z0-9._~!$&'()*+,;="

_PATTERNS: dict[str, str] = {
    "credit_card": "[1-9][0-9]{11,18}",
    # The atoms' dots are any here; two in a row are refused beside.
    "email": rf"{_ATOM}(?:[.A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]{{0,62}}{_ATOM})?@(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])",
    "ipv4": _IPV4,
    "ipv6": _ipv6(),
    "iso_date": _DATE,
    "iso_datetime": f"{_DATE}[T ]{_TIME}",
    "phone": r"\+[1-9][0-9]{6,14}",
    "url": (
        rf"[A-Za-z][A-Za-z0-9+.-]*://(?:(?:[{_PLAIN}:-]|{_ESCAPED})*@)?(?:\[{_ipv6()}\]|(?:[{_PLAIN}-]|{_ESCAPED})+)(?::[0-9]*)?"
        rf"(?:/(?:[{_PLAIN}:@/-]|{_ESCAPED})*)?(?:\?(?:[{_PLAIN}:@/?-]|{_ESCAPED})*)?(?:#(?:[{_PLAIN}:@/?-]|{_ESCAPED})*)?"
    ),
    "uuid": "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
}


def _one_of(codes: Iterable[str]) -> str:
    """Any of the codes, those with the same beginning together: `A[DE]|B[A]`."""
    last = defaultdict[str, str](str)
    for code in sorted(codes):
        last[code[:-1]] += code[-1]
    return "|".join(f"{start}[{ends}]" for start, ends in last.items())


def _iban() -> str:
    """By length, the countries that have it; check digits are 02 to 98 (ISO 13616-1, annex on check digits)."""
    of_length = defaultdict[int, list[str]](list)
    for country, characters in iban_lengths().items():
        of_length[characters].append(country)
    digits = "(?:0[2-9]|[1-8][0-9]|9[0-8])"
    return "|".join(f"(?:{_one_of(names)}){digits}[A-Z0-9]{{{characters - 4}}}" for characters, names in sorted(of_length.items()))


_CARD_DIGITS = 19
_IBAN_CHARACTERS = 34


def _luhn(digits: ColumnElement[str]) -> ColumnElement[bool]:
    """Luhn's sum of up to 19 digits is a multiple of 10 (ISO/IEC 7812-1, annex B).

    Of a digit's code point c, c mod 48 is the digit, and 22·c mod 229 ends in the digit sum of twice the digit; both are 0
    for the 0 that stands past the end. A test goes through all digits.
    """
    codes = [code_point(digits, position) for position in range(1, _CARD_DIGITS + 1)]

    def total(doubled: int) -> ColumnElement[int]:
        return reduce(add, (_int(22) * c % _int(229) if index % 2 == doubled else c % _int(48) for index, c in enumerate(codes)))

    # The last digit is never doubled, so that the first one is when their number is even.
    is_even = length(digits) % _int(2) == _int(0)
    return sa.case((is_even, total(0)), else_=total(1)) % _int(10) == _int(0)


class _Remainder97(FunctionElement[int]):
    """The number that the characters of the given code points spell, modulo 97: digits as they are, letters as 10 to 35.

    One character after the other, so that no number grows: a digit makes the remainder 10 × as large, a letter 100 ×,
    and the 0 past the end leaves it.
    """

    type = sa.Integer()
    inherit_cache = True
    name = "remainder_97"


@compiles(_Remainder97)
def _horner(element: _Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    # Written out, since SQLite's parser has no room for the parentheses that expressions of expressions get.
    modulo = compiler.process(_int(0) % _int(97), **kw)[1:]
    remainder = "0"
    for c in (compiler.process(code, **kw) for code in element.clauses):
        factor = f"case when {c} >= 65 then 100 when {c} >= 48 then 10 else 1 end"
        value = f"case when {c} >= 65 then {c} - 55 when {c} >= 48 then {c} - 48 else 0 end"
        remainder = f"({remainder} * {factor} + {value}){modulo}"
    return remainder


def _int(value: int) -> ColumnElement[int]:
    """A number in the statement's text, so that it is no parameter."""
    return sa.literal_column(str(value), sa.Integer())
