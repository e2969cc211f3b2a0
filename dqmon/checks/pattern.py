"""Check type pattern: how many texts are not written as they should be."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from dqmon.checks.base.fields import pattern_problems
from dqmon.checks.base.invalid import ValueRule
from dqmon.core.check import Check
from dqmon.sql.formats import FormatName
from dqmon.sql.metrics import ColumnCount, InvalidFormatCount, InvalidPatternCount
from dqmon.sql.metrics.texts import PatternRule

Regex = Annotated[str, Field(min_length=1)]


class Pattern(ValueRule):
    r"""Texts are written as a regular expression, a LIKE pattern or a named format says.

    What it measures:
        Rows whose text does not match (for `not_regex` and `not_like`: matches), and their share of the rows that have a value.

    Why it matters:
        Addresses, numbers and codes that are not well-formed are refused by whoever has to use them, long after they came in.

    Parameters:
        column: the column to look at: texts, integers (their digits and sign), or types such as UUID and JSON as the engine
          writes them.
        regex: a regular expression that is found anywhere in the text; `^` and `$` bind it to the ends.
        like: a pattern of the whole text, case-sensitive: `%` is any characters, `_` one, `\` takes the next one as it is.
        not_regex, not_like: the same, where a match is bad.
        format: the whole text has a named format, one of these:
          - `email` (RFC 5321 and 5322): a dot-atom of at most 64 characters, @, and a domain of two labels or more, the last of
            which begins with a letter; at most 254 in all; no quoted names, comments, address literals, letters outside of ASCII.
          - `uuid` (RFC 4122 and 9562): 8-4-4-4-12 hexadecimal digits of either case, any version.
          - `url` (RFC 3986): scheme, ://, host, and optionally user, port, path, query, fragment; any scheme; letters outside of
            ASCII percent-encoded only.
          - `ipv4` (RFC 3986): four numbers from 0 to 255 without zeros in front.
          - `ipv6` (RFC 4291): with one `::` at most, an IPv4 address may stand at its end; no zone, no prefix length.
          - `phone` (E.164): +, then 7 to 15 digits, the first not 0; no blanks.
          - `iso_date` (ISO 8601, extended): YYYY-MM-DD, a day that the calendar has, years 0000 to 9999.
          - `iso_datetime`: such a date, T or one blank, HH:MM, optionally :SS with up to 9 decimals, optionally Z, +HH, +HHMM or
            +HH:MM; no hour 24, no second 60.
          - `country` (ISO 3166-1 alpha-2): upper case, officially assigned.
          - `currency` (ISO 4217, alphabetic): upper case, in use now.
          - `credit_card` (ISO/IEC 7812-1): 12 to 19 digits, the first not 0, with Luhn's check digit; no blanks.
          - `iban` (ISO 13616, electronic form): upper case, no blanks, a country of the registry with that country's length, and
            check digits that are right modulo 97; the parts within a country's account number are not tested.
        missing_values, missing_pattern: what is missing, as for completeness; missing values are not tested.
        nan: as for completeness; texts and integers have no NaN.
        warn_if, fail_if: number of invalid rows, or with % their share of the rows with a value; default `fail_if: "> 0"`.
        One of regex, like, not_regex, not_like and format is required.

    NULLs and empty tables:
        NULL is missing and not tested. The empty text is tested, unless `missing_values: [""]` says that it is missing. When no
        row has a value the result is SKIPPED.

    SQL it runs:
        Two conditional counts, part of the table's fused statement. Check digits are computed by the engine, on the texts that
        have the right form.

    Example:
        ```yaml
        - pattern: {column: email, format: email, missing_values: [""], fail_if: "> 2%"}
        - pattern: {column: sku, regex: "^[A-Z]{3}-[0-9]{4}$"}
        - pattern: {column: note, not_like: "%test%", warn_if: "> 0"}
        ```

    Known limits:
        `regex` and `not_regex` are the engine's own, so that rare constructs differ: in a text of several lines PostgreSQL's `.`
        also takes the line's end, and SQLite's `$` also stands before the last one. SQLite refuses texts of more than 4,000
        characters and repeats within repeats there. Formats and LIKE mean the same everywhere. A format says that a text is
        well-formed, not that the address, account or country is in use. Numbers with a fraction, dates and booleans are an
        ERROR, since each engine writes them in its own way.

    References:
        - Email: https://www.rfc-editor.org/rfc/rfc5321, https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1
        - UUID, URL, IP: https://www.rfc-editor.org/rfc/rfc9562, https://www.rfc-editor.org/rfc/rfc3986,
          https://www.rfc-editor.org/rfc/rfc4291
        - E.164: https://www.itu.int/rec/T-REC-E.164; ISO 8601: https://www.iso.org/iso-8601-date-and-time-format.html
        - Countries: ISO 3166-1, as IANA's time zone data has it: https://www.iana.org/time-zones; currencies: ISO 4217 list one:
          https://www.six-group.com/en/products-services/financial-information/market-reference-data/data-standards.html
        - Luhn: ISO/IEC 7812-1, annex B: https://www.iso.org/standard/70484.html; IBAN registry: https://www.swift.com/node/11971
        - Schelter et al., VLDB 2018, table 1 (matches): https://www.vldb.org/pvldb/vol11/p1781-schelter.pdf
    """

    type: ClassVar[str] = "pattern"

    regex: Regex | None = None
    like: str | None = None
    not_regex: Regex | None = None
    not_like: str | None = None
    format: FormatName | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """None or several of the rules, patterns that are none."""
        found = list(super().problems(check))
        given = [name for name in ("regex", "like", "not_regex", "not_like", "format") if getattr(self, name) is not None]
        if not given:
            found.append("pattern has no rule; write regex:, like:, not_regex:, not_like: or format:")
        elif len(given) > 1:
            found.append(f"{' and '.join(given)} are given together; write a check for each")
        for pattern in (self.regex, self.not_regex):
            found += pattern_problems(pattern)
        for pattern in (self.like, self.not_like):
            if pattern is not None and pattern.replace("\\\\", "").endswith("\\"):
                found.append(rf"{pattern!r} ends in a \ that has nothing to take as it is; write \\ for a backslash")
        return tuple(found)

    @property
    def invalid(self) -> ColumnCount:
        """Texts that break the rule."""
        if self.format is not None:
            return InvalidFormatCount(*self.missing, format=self.format)
        rule, pattern = self._pattern
        return InvalidPatternCount(*self.missing, rule=rule, pattern=pattern)

    @property
    def broken(self) -> str:
        """The rule."""
        if self.format is not None:
            return f"not in the format {self.format}"
        rule, pattern = self._pattern
        words: dict[PatternRule, str] = {"regex": "not matching", "like": "not like", "not_regex": "matching", "not_like": "like"}
        return f"{words[rule]} {pattern!r}"

    @property
    def _pattern(self) -> tuple[PatternRule, str]:
        rules: tuple[PatternRule, ...] = ("regex", "like", "not_regex", "not_like")
        return next((rule, text) for rule in rules if (text := getattr(self, rule)) is not None)
