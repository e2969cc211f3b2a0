"""Reading YAML: values with lines, and everything that is refused (R35)."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.config.report import Report, suggest
from dqmon.config.yaml_lines import MAX_BYTES, YamlList, YamlMap, line_of, parse_yaml, read_yaml
from dqmon.config.yaml_scalar import scalar

EXAMPLE = Path(__file__).parents[2] / "checks/flights.yaml"


def parsed(text: str) -> YamlMap:
    report = Report("x.yaml")
    found = parse_yaml(text, report)
    assert found is not None, report.errors
    return found


def refused(text: str) -> list[tuple[int | None, str]]:
    report = Report("x.yaml")
    assert parse_yaml(text, report) is None, "expected this to be refused"
    return [(problem.line, str(problem)) for problem in report.errors]


TEXT = """\
version: 1
a: {b: 2, c: [x, "y"]}
list:
  - one
  - key: value
    other:
      - deep
"""


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        (("version",), 1),
        (("a", "c", 1), 2),
        (("list",), 3),
        (("list", 0), 4),
        (("list", 1), 5),
        (("list", 1, "other"), 6),
        (("list", 1, "other", 0), 7),
        (("list", 1, "not there", "at all"), 5),
        ((), 1),
    ],
)
def test_every_key_and_item_knows_its_line(loc: tuple[int | str, ...], line: int) -> None:
    assert line_of(parsed(TEXT), loc) == line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("07:00", "07:00"),
        ("2013-02-08", "2013-02-08"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        ("9" * 500, "9" * 500),
    ],
)
def test_plain_words_are_read_by_the_core_schema(text: str, value: object) -> None:
    assert scalar(text) == value
    assert parsed(f"k: {text}")["k"] == value
    assert parsed(f'k: "{text}"')["k"] == text, "quoted, everything is text"


def test_an_alias_stands_for_its_anchor() -> None:
    assert parsed("a: &x {b: 1}\nc: *x\n")["c"] == {"b": 1}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "the file is empty"),
        ("# nothing but a comment\n", None, "the file is empty"),
        ("- a\n- b\n", 1, "must be a mapping"),
        ("just words\n", 1, "must be a mapping"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is given twice, first in line 1"),
        ("a: {x: 1, x: 2}\n", 1, "'x' is given twice, first in line 1"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tags such as"),
        ("a: 1\nb: !secret x\n", 2, "tags such as"),
        ("a:\n\tb: 1\n", 2, "a tab is used"),
        ("a: [1, 2\nb: 3\n", 2, "not YAML"),
        ("a: 'open\n", 2, "not YAML"),
        ("a: 1\n  b: 2\n", 2, "not YAML"),
        ("a: *nobody\n", 1, "has no anchor"),
        ("a: &x {b: *x}\n", 1, "has no anchor"),
        ("1: x\n", 1, "a key must be text"),
        ("[a, b]: x\n", 1, "a key must be text"),
        ("a: 1\nb: \x01\n", 2, "not YAML"),
        ('a: 1\nb: "x\\0y"\n', 2, "'x\\x00y' holds NUL"),
        ('a: 1\n"b\\ud800": 2\n', 2, "half a character"),
    ],
)
def test_what_is_refused_has_a_line_and_a_reason(text: str, line: int | None, words: str) -> None:
    problems = refused(text)
    assert [found for found, _ in problems] == [line], problems
    assert words in problems[0][1]


def bombs() -> dict[str, str]:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    few = "a0: &a0 [x, x, x, x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 5)}]\n" for i in range(1, 10))
    nested_maps = "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}, z: *a{i - 1}}}\n" for i in range(1, 16))
    found = {
        "billion laughs": laughs,
        "within 50 aliases": few,
        "maps": nested_maps,
        "deep lists": "a: " + "[" * 5_000 + "]" * 5_000,
        "deep maps": "a: " + "{a: " * 5_000 + "1" + "}" * 5_000,
        "deep blocks": "".join(" " * i + "a:\n" for i in range(300)),
        "deep dashes": "a:\n" + "- " * 400 + "x",
        "many aliases": "a: &a 1\nb: [" + ", ".join(["*a"] * 10_000) + "]",
    }
    for width in range(2, 44):
        found[f"{width} wide"] = f"a0: &a0 [{', '.join(['x'] * 100)}]\n" + "".join(
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]\n" for i in range(1, 8)
        )
    return found


def cpu_s(name: str, text: str) -> float:
    """The CPU that it takes to refuse a bomb, without collecting the garbage of the tests before."""
    gc.freeze()
    started = time.thread_time()
    assert refused(text), name
    took_s = time.thread_time() - started
    gc.unfreeze()
    return took_s


def test_50_bombs_are_refused_at_once_and_in_little_memory() -> None:
    tried = bombs()
    assert len(tried) >= 50
    slowest_s, slowest = max((cpu_s(name, text), name) for name, text in tried.items())
    tracemalloc.start()
    for text in tried.values():
        refused(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert slowest_s < 0.1, f"{slowest!r} took {slowest_s * 1000:.0f} ms of CPU, expected < 100 ms"
    assert peak < 50_000_000, f"found a peak of {peak:,} bytes, expected < 50 MB"


def test_a_file_is_refused_for_its_size_its_encoding_and_its_absence(tmp_path: Path) -> None:
    cases = {"large": b"a: " + b"x" * MAX_BYTES, "latin": b"a: 1\nb: \xe4\n", "utf16": "a: 1".encode("utf-16")}
    words = {"large": "are allowed", "latin": "not UTF-8", "utf16": "not UTF-8"}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        report = Report(name)
        assert read_yaml(tmp_path / name, report) is None
        assert words[name] in str(report.errors[0])
    report = Report("absent")
    assert read_yaml(tmp_path / "absent", report) is None
    assert str(report.errors[0]) == "absent: cannot be read: No such file or directory"


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(tmp_path / "bom.yaml", Report("bom.yaml")) == {"a": 1}


def as_read(value: object, shift: int = 0) -> object:
    """The value with all its lines."""
    match value:
        case YamlMap():
            return value.line - shift, [(key, value.lines[key] - shift, as_read(item, shift)) for key, item in value.items()]
        case YamlList():
            return value.line - shift, [(line - shift, as_read(item, shift)) for item, line in zip(value, value.lines, strict=True)]
        case _:
            return repr(value)


WORDS = ': - # { } [ ] , " > &a *a ! ? % @ --- ... \\ é 😀 ~ | << {} [] \'\' "a":1 "\\/" "\\x41"'
SIGNS = (*WORDS.split(), " ", "- ", ": ", "? ", " #", "\n", "\n  ", "\n- \n", "\n---\n", "|+\n", "\r\n", "\xa0")


@pytest.mark.parametrize("seed", range(40))
def test_libyaml_and_the_pure_parser_read_the_same(seed: int) -> None:
    """A comment with a tab before it sends a text to the pure parser; all else may be read by libyaml."""
    rng = random.Random(seed)
    lines = EXAMPLE.read_text().splitlines(keepends=True)
    for _ in range(15):
        start = rng.randrange(len(lines))
        text = "".join(lines[start : start + rng.randint(1, 6)])
        for _ in range(rng.randint(0, 2)):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(SIGNS) + text[at + rng.randint(0, 1) :]
        found, expected = parse_yaml(text, Report("x.yaml")), parse_yaml(f"#\t\n{text}", Report("x.yaml"))
        assert as_read(found) == as_read(expected, 1), f"libyaml reads this otherwise:\n{text}"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    report = Report("x.yaml")
    found = parse_yaml(text, report)
    assert (found is None) is bool(report.errors)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "a: 1",
                "- x",
                "  b: [",
                "]",
                "}",
                "{",
                ": ",
                "&a",
                "*a",
                "\t",
                "!!str",
                "'",
                '"',
                "\n",
                "---",
                "...",
                "%TAG",
                "? ",
                "|",
                ">",
                "\0",
                "#",
            ]
        ),
        max_size=25,
    )
)
def test_any_heap_of_yaml_signs_is_read_or_refused(pieces: list[str]) -> None:
    report = Report("x.yaml")
    found = parse_yaml("\n".join(pieces), report)
    assert (found is None) is bool(report.errors)
    parse_yaml("".join(pieces), report)


@pytest.mark.parametrize(
    ("word", "words", "hint"),
    [
        ("colum", ("column", "columns"), "did you mean 'column'?"),
        ("columsn", ("column", "columns"), "did you mean 'columns'?"),
        ("EROR", ("error", "info"), "did you mean 'error'?"),
        ("zzz", ("one", "two"), "there are one, two"),
        ("zzz", ("one",), "there is 'one' only"),
        ("zzz", (), None),
        ("zzz", tuple(f"word{i}" for i in range(20)), None),
        (5, ("one", "two"), "there are one, two"),
    ],
)
def test_suggestions(word: object, words: tuple[str, ...], hint: str | None) -> None:
    assert suggest(word, words) == hint
