"""Named formats on every engine: the same answer everywhere, and the one that an independent implementation gives."""

from __future__ import annotations

import ipaddress
import random
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import count
from typing import get_args

import pytest
import sqlalchemy as sa

from dqmon.core.table import TypeGroup
from dqmon.sql.codes import countries, currencies, iban_lengths
from dqmon.sql.columns import Stored
from dqmon.sql.formats import FormatName, is_format
from dqmon.sql.texts import exact_text
from dqmon.warehouses.base.sqlite_functions import Functions

RANDOM = random.Random(7)
LENGTHS = {entry[:2]: int(entry[2:]) for entry in iban_lengths()}
Ask = Callable[[FormatName, list[str]], list[bool]]


@pytest.fixture(scope="module", params=["duckdb", "sqlite", "postgres"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Which of some texts have a format, asked of one engine."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"{request.param}:///:memory:"
    engine = sa.create_engine(url, poolclass=sa.StaticPool)
    if request.param == "sqlite":
        sa.event.listen(engine, "connect", lambda driver, _: _register(driver))
    names = (f"texts{number}" for number in count())

    def answers(name: FormatName, texts: list[str]) -> list[bool]:
        table = sa.Table(next(names), sa.MetaData(), sa.Column("i", sa.Integer), sa.Column("x", sa.Text), prefixes=["TEMPORARY"])
        column: sa.ColumnClause[str] = sa.column("x", Stored(TypeGroup.TEXT))
        with engine.begin() as connection:
            table.create(connection)
            for start in range(0, len(texts), 500):
                rows = [{"i": i, "x": text} for i, text in enumerate(texts[start : start + 500], start)]
                connection.execute(table.insert().values(rows))
            found = sa.select(is_format(exact_text(column), name)).select_from(table).order_by(table.c.i)
            return [bool(value) for value in connection.execute(found).scalars()]

    yield answers
    engine.dispose()


def _register(driver: sqlite3.Connection) -> None:
    Functions().register(driver)


def _wrong(texts: list[str], found: list[bool], expected: list[bool]) -> list[tuple[str, bool]]:
    return [(text, is_valid) for text, is_valid, wanted in zip(texts, found, expected, strict=True) if is_valid is not wanted]


EXAMPLES: dict[FormatName, tuple[list[str], list[str]]] = {
    "email": (
        ["a@b.de", "first.last+tag@sub.example.co.uk", "o'neil@example.com", "a@xn--bcher-kva.example", "!#$%&'*+/=?^_`{|}~-@a.bc",
         "a" * 64 + "@b.de", "a@" + "b" * 63 + ".de", "1@1.a1", "A@B.DE"],
        ["", "a", "a@b", "@b.de", "a@", "a@.de", "a@b..de", "a..b@c.de", ".a@b.de", "a.@b.de", "a@-b.de", "a@b-.de", "a@b.d", "a@b.1e",
         "a b@c.de", '"a b"@c.de', "a@[1.2.3.4]", "a@b.de.", "ä@b.de", "a@ü.de", "a@@b.de", "a@b@c.de", "a@b.de\n", "\na@b.de", "x\na@b.de",
         "a" * 65 + "@b.de", "a@" + "b" * 64 + ".de", "a@" + "b." * 126 + "de", "a@b_c.de", "a,b@c.de", "<a@b.de>"],
    ),
    "uuid": (
        ["123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-ffffffffffff"],
        ["", "123e4567e89b12d3a456426614174000", "{123e4567-e89b-12d3-a456-426614174000}", "123e4567-e89b-12d3-a456-42661417400",
         "123e4567-e89b-12d3-a456-4266141740000", "g23e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000\n",
         "urn:uuid:123e4567-e89b-12d3-a456-426614174000", "１23e4567-e89b-12d3-a456-426614174000"],
    ),
    "url": (
        ["http://a", "https://example.com", "https://example.com/", "https://user:pw@example.com:8080/a/b;c?d=e&f=%20#g/h?", "ftp://1.2.3.4/x",
         "http://[::1]:80/", "http://[2001:db8::1]", "s3://bucket/key", "http://a?b", "http://a#b", "http://a:/", "http://xn--bcher-kva.de/%C3%BC",
         "http://@a", "HTTP://A//b", "postgresql+psycopg://u@h/db"],
        ["", "example.com", "http://", "http:///path", "//a.b", "mailto:a@b.de", "http:/a", "http://a b", "http://a/b c", "http://a/%2", "http://a/%GG",
         "1http://a", "http://[::1", "http://[1.2.3.4]", "http://[::g]", "http://a:8o", "http://a/ü", "http://ü.de", "http://a\n", "http://a/<b>",
         "http://a#b#c", "http://a/\\b", 'http://a/"b"', "http://a@b@c", " http://a", "http://a/{b}", "http://a/[b]"],
    ),
    "phone": (
        ["+4930123456", "+14155552671", "+1234567", "+123456789012345"],
        ["", "+123456", "+1234567890123456", "4930123456", "+0930123456", "+49 30 123456", "+49-30-123456", "0049301234567", "+49301234５6", "++4930123456",
         "+4930123456\n"],
    ),
    "iso_datetime": (
        ["2013-01-31T00:00", "2013-01-31 23:59:59", "2013-01-31T23:59:59.123456789Z", "2013-01-31T10:00:00,5+05:30", "2012-02-29T10:00-0500", "2013-01-31T10:00+00"],
        ["", "2013-01-31", "2013-01-31T", "2013-01-31T24:00", "2013-01-31T23:60", "2013-01-31T23:59:60", "2013-02-29T00:00", "2013-01-31t00:00", "2013-01-31  00:00",
         "2013-01-31T10:00:00.", "2013-01-31T10:00 Z", "2013-01-31T10:00+24:00", "2013-01-31T10:00+05:60", "2013-01-31T1:00", "20130131T100000Z", "2013-01-31T10:00\n",
         "2013-01-31T10:00:00.1234567890", "2013-01-31\n10:00"],
    ),
    "iban": (
        ["DE89370400440532013000", "GB29NWBK60161331926819", "NO9386011117947", "MT84MALT011000012345MTLCAST001S", "FR1420041010050500013M02606",
         "SC18SSCB11010000000000001497USD", "LC55HEMM000100010012001200023015", "RU0204452560040702810412345678901"],
        ["", "DE89370400440532013001", "DE98370400440532013000", "de89370400440532013000", "DE89 3704 0044 0532 0130 00", "DE8937040044053201300", "DE893704004405320130000",
         "XX89370400440532013000", "US89370400440532013000", "DE89370400440532O13000", "DE89370400440532013000\n", "NO0086011117947"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(ask: Ask, name: FormatName) -> None:
    right, bad = EXAMPLES[name]
    assert [text for text, found in zip(right, ask(name, right), strict=True) if not found] == [], f"these are in the format {name}"
    assert [text for text, found in zip(bad, ask(name, bad), strict=True) if found] == [], f"these are not in the format {name}"


def test_every_date_of_many_years_and_no_other(ask: Ask) -> None:
    years = ("0001", "1582", "1900", "1999", "2000", "2012", "2013", "2100", "2400", "9999")
    texts = [f"{year}-{month:02}-{day:02}" for year in years for month in range(15) for day in range(34)]
    assert not _wrong(texts, ask("iso_date", texts), [_is(date.fromisoformat, text) for text in texts])
    others = [
        "0000-02-29",
        "",
        "2013-1-31",
        "2013-01-1",
        "20130131",
        "2013/01/31",
        "13-01-31",
        "2013-01-31 ",
        "2013-01-31\n",
        "２013-01-31",
        "2013-W05-4",
        "+2013-01-31",
    ]
    assert ask("iso_date", others) == [True] + [False] * (len(others) - 1)


def test_times_are_those_that_python_reads(ask: Ask) -> None:
    texts = [f"2013-01-31T{h:02}:{m:02}:{s:02}" for h in range(26) for m in (0, 59, 60) for s in (0, 59, 60)]
    assert not _wrong(texts, ask("iso_datetime", texts), [_is(datetime.fromisoformat, text) for text in texts])


def test_ipv4_addresses_are_those_of_the_standard_library(ask: Ask) -> None:
    texts = [f"{a}.{a}.{b}.{b}" for a in range(300) for b in (0, 255, 256)]
    texts += [f"1.2.3.0{n}" for n in range(3)] + [
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        " 1.2.3.4",
        "1.2.3.4\n",
        "1.2.3.-4",
        "１.2.3.4",
        "a.b.c.d",
        "1,2,3,4",
    ]
    assert not _wrong(texts, ask("ipv4", texts), [_is(ipaddress.IPv4Address, text) for text in texts])


def test_ipv6_addresses_are_those_of_the_standard_library(ask: Ask) -> None:
    pieces = ["", "0", "1", "ab", "ABCD", "12345", "g", "1.2.3.4", "1.2.3.256"]
    texts = [":".join(RANDOM.choices(pieces, [8, 4, 4, 4, 4, 0.3, 0.3, 1, 0.3], k=RANDOM.randint(1, 9))) for _ in range(4000)]
    whole = [":".join(RANDOM.choices(pieces[1:5], k=size)) for size in range(1, 10) for _ in range(5)]
    texts += whole + [f"{text[:at]}::{text[at:]}" for text in whole for at in (0, len(text) // 2, len(text))]
    texts += [
        "::",
        ":::",
        "::1",
        "1::",
        "1::2::3",
        "::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "fe80::1\n",
        "[::1]",
        "::/0",
    ]
    expected = [_is(ipaddress.IPv6Address, text) for text in texts]
    assert sum(expected) > 100
    assert not _wrong(texts, ask("ipv6", texts), expected)


def test_card_numbers_have_their_check_digit(ask: Ask) -> None:
    known = [
        "4111111111111111",
        "5555555555554444",
        "378282246310005",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "4222222222222",
    ]
    assert ask("credit_card", known) == [True] * len(known)
    texts = ["".join(RANDOM.choices("0123456789", k=RANDOM.randint(10, 21))) for _ in range(1500)]
    texts += [str(RANDOM.randrange(10**11, 10**19) // 10 * 10 + digit) for _ in range(50) for digit in range(10)]
    texts += [
        "",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "0000000000000000",
        "4111111111111111\n",
        "４111111111111111",
        "411111111111111a",
    ]
    expected = [12 <= len(text) <= 19 and text.isascii() and text.isdigit() and text[0] != "0" and _luhn(text) == 0 for text in texts]
    assert sum(expected) > 50
    assert not _wrong(texts, ask("credit_card", texts), expected)


def test_account_numbers_are_right_modulo_97(ask: Ask) -> None:
    texts = []
    for country, length in LENGTHS.items():
        account = "".join(RANDOM.choices("0123456789ABCXYZ", k=length - 4))
        check = 98 - _remainder(f"{country}00{account}")
        texts += [f"{country}{check + wrong:02}{account}" for wrong in (-1, 0, 1) if 0 <= check + wrong < 100]
        texts += [f"{country}{(check + 97) % 100:02}{account}", f"{country}{check:02}{account[1:]}", f"{country}{check:02}{account}0"]
    expected = [len(t) == LENGTHS[t[:2]] and 2 <= int(t[2:4]) <= 98 and _remainder(t) == 1 for t in texts]
    assert sum(expected) == len(LENGTHS)
    assert not _wrong(texts, ask("iban", texts), expected)


@pytest.mark.parametrize(("name", "codes", "letters"), [("country", countries, 2), ("currency", currencies, 3)])
def test_codes_are_those_of_the_list(ask: Ask, name: FormatName, codes: Callable[[], tuple[str, ...]], letters: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    texts = (
        [a + b for a in alphabet for b in alphabet]
        if letters == 2
        else [a + b + c for a in alphabet for b in alphabet for c in alphabet[::3]]
    )
    texts += [*codes(), "", "de", "eur", "DE\n", "EUR ", "D", "DEU", "EU", "276"]
    assert not _wrong(texts, ask(name, texts), [text in codes() for text in texts])


def test_every_format_is_tried() -> None:
    assert {*EXAMPLES, "iso_date", "ipv4", "ipv6", "credit_card", "country", "currency"} == set(get_args(FormatName))


def test_the_lists_hold_what_they_should() -> None:
    assert len(countries()) == len(set(countries())) == 249
    assert {"EUR", "USD", "XCG", "ZWG", "XXX"} <= set(currencies())
    assert not {"BGN", "HRK", "DEM", "ANG"} & set(currencies())
    assert len(currencies()) == len(set(currencies()))
    assert set(LENGTHS) - {"XK"} <= set(countries())


def _is(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _luhn(digits: str) -> int:
    doubled = [int(d) if i % 2 == 0 else sum(map(int, str(2 * int(d)))) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10


def _remainder(iban: str) -> int:
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97
