"""Routes and the words of selectors."""

from __future__ import annotations

import pytest

from dqmon.config.report import Report
from dqmon.config.routes import read_routes, read_selector, vocabulary
from dqmon.config.yaml_lines import parse_yaml
from dqmon.core.route import Route
from dqmon.core.selector import Selector, Term

WORDS = vocabulary(("freshness", "row_count"), ("main", "shop"))
REST = "  - {name: rest, default: true, to: [team]}\n"


def read(text: str) -> tuple[tuple[Route, ...], Report]:
    report = Report("config/dqmon.yaml")
    data = parse_yaml(text, report)
    assert data is not None, report.errors
    return read_routes(data, ("oncall", "team"), WORDS, report), report


def test_routes_have_alertmanagers_times_unless_told() -> None:
    routes, report = read(
        'routes:\n  - {name: pages, match: "severity:critical tag:x", to: [oncall, team], group_wait: 10s, continue: true, group_by: [owner]}\n'
        + REST
    )
    assert report.errors == []
    assert routes == (
        Route(
            "pages", Selector((Term("severity", ("critical",)), Term("tag", ("x",)))), ("oncall", "team"), True, ("owner",), 10, 300, 14_400
        ),
        Route("rest", None, ("team",), False, ("incident",), 30, 300, 14_400),
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("routes: {}\n", None, None),
        ("routes: x\n", 1, "routes must be a list"),
        ("routes:\n  - rest\n", 2, "'rest' is no route"),
        ("routes:\n  - {name: rest, default: true}\n", 2, "'to' is missing"),
        ("routes:\n  - {name: rest, default: true, to: []}\n", 2, "to is []"),
        ("routes:\n  - {default: true, to: [team]}\n", 2, "'name' is missing"),
        ("routes:\n  - {name: rest, default: true, to: [taem]}\n", 2, "unknown channel 'taem'; did you mean 'team'?"),
        ("routes:\n  - name: rest\n    default: true\n    to:\n      - team\n      - oncal\n", 6, "did you mean 'oncall'?"),
        ('routes:\n  - {name: a, match: "severity:critical", to: [team]}\n', 2, "the last route is not the default"),
        (
            "routes:\n" + REST + '  - {name: a, match: "severity:critical", to: [team]}\n' + REST.replace("rest", "b"),
            2,
            "takes everything from those below",
        ),
        ("routes:\n  - {name: a, to: [team]}\n" + REST, 2, "has neither match nor default"),
        ('routes:\n  - {name: a, match: "kind:error", default: true, to: [team]}\n', 2, "has both match and default"),
        ('routes:\n  - {name: rest, match: "kind:error", to: [team]}\n' + REST, 3, "a route 'rest' stands in line 2 already"),
        (
            'routes:\n  - {name: a, match: "severity:critcal", to: [team]}\n' + REST,
            2,
            "unknown severity 'critcal'; did you mean 'critical'?",
        ),
        ('routes:\n  - {name: a, match: "sevrity:critical", to: [team]}\n' + REST, 2, "did you mean 'severity'?"),
        ('routes:\n  - {name: a, match: "severity:", to: [team]}\n' + REST, 2, "has no value"),
        ('routes:\n  - {name: a, match: "kind:error", to: [team], group_wait: 10}\n' + REST, 2, "10 is not a duration"),
        ('routes:\n  - {name: a, match: "kind:error", to: [team], group_by: [ownr]}\n' + REST, 2, "did you mean 'owner'?"),
        (
            'routes:\n  - {name: a, match: "kind:error", to: [team], contineu: true}\n' + REST,
            2,
            "unknown key 'contineu'; did you mean 'continue'?",
        ),
    ],
)
def test_a_mistake_in_a_route_is_said_at_its_line(text: str, line: int | None, words: str | None) -> None:
    _, report = read(text)
    if words is None:
        assert report.errors == []
    else:
        assert any(p.line == line and words in str(p) for p in report.errors), [str(p) for p in report.errors]


@pytest.mark.parametrize("text", ["a: 1\n", "routes:\n", "routes: []\n"])
def test_without_routes_it_is_said_that_nobody_is_told(text: str) -> None:
    routes, report = read(text)
    assert routes == ()
    assert "nobody is told" in str(report.warnings[0])


@pytest.mark.parametrize(
    "text",
    [
        "severity:critical,error",
        "not:kind:error",
        "type:freshness",
        "type:row_*",
        "state:failing",
        "warehouse:shop",
        "dimension:volume",
        "tag:anything",
        "owner:@who",
        "main.orders",
        "loader/x",
        "shop:public.orders",
    ],
)
def test_a_selector_may_be(text: str) -> None:
    assert read_selector([text], WORDS).terms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("type:freshnes", "did you mean 'freshness'?"),
        ("not:state:failng", "did you mean 'failing'?"),
        ("severity:error,warnin", "did you mean 'warning'?"),
        ("warehouse:mian", "did you mean 'main'?"),
        ("tpye:freshness", "did you mean 'type'?"),
        ("not:tpye:freshness", "did you mean 'type'?"),
        ("tag:", "has no value"),
    ],
)
def test_a_selector_may_not_be(text: str, words: str) -> None:
    with pytest.raises(ValueError) as e:
        read_selector(["main.*", text], WORDS)
    assert words in str(e.value)
