"""`upstream:` and `exposures:` of check files: which nodes they name, and every mistake at its line."""

from __future__ import annotations

import textwrap

import pytest
from jsonschema import Draft7Validator

from dqmon.config.build import build
from dqmon.config.check_file import declared
from dqmon.config.exposures import declared_exposures, exposed
from dqmon.config.json_schema import schemas
from dqmon.config.registries import Registries
from dqmon.config.report import Report
from dqmon.config.targets import Facts, WarehouseFacts, place
from dqmon.config.yaml_lines import parse_yaml
from dqmon.core.lineage import Exposure, Lineage
from dqmon.core.table import TableRef

REGISTRIES = Registries()
FACTS = Facts(
    {"main": WarehouseFacts("main", "main"), "shop_db": WarehouseFacts("shop_db", "public", "shop")},
    {"loader": frozenset({"success"}), "cron": frozenset({"success"})},
    "never",
    pipelines={"cron": ("backup",)},
)


def read(*texts: str, there: dict[TableRef, bool] | None = None) -> tuple[Lineage, list[str]]:
    """The graph of check files, and what is wrong with them."""
    report = Report("")
    entries, exposures = [], []
    for number, text in enumerate(texts, 1):
        own = report.of(f"checks/{number}.yaml")
        data = parse_yaml(textwrap.dedent(text), own)
        if data is not None:
            entries.extend(declared(data, own, REGISTRIES.checks))
            exposures.extend(declared_exposures(data, own))
    placed = [found for entry in entries if (found := place(entry, FACTS))]
    built = build(placed, FACTS, there)  # type: ignore[arg-type]  # tables only
    return built.lineage.beside(exposed(exposures, FACTS)), [str(problem) for problem in report.errors]


def upstream(*names: str, warehouse: str = "main") -> tuple[frozenset[str], list[str]]:
    """The parents of one table whose entry names these, and what is wrong with them."""
    lines = "".join(f"      - {name}\n" for name in names)
    text = f"version: 1\ndatasets:\n  - dataset: t\n    warehouse: {warehouse}\n    upstream:\n{lines}    checks: [schema_drift]\n"
    graph, problems = read(text)
    return frozenset().union(*graph.parents.values()), problems


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("raw.orders", "main:raw.orders"),
        ("orders", "main:main.orders"),
        ("other.raw.orders", "main:other.raw.orders"),
        ("loader/orders", "loader/orders"),
        ("loader/a/b:c", "loader/a/b:c"),
        ("shop_db:public.orders", "shop_db:public.orders"),
        ("shop_db:orders", "shop_db:public.orders"),
        ("shop_db:shop.public.orders", "shop_db:public.orders"),
        ("main:orders", "main:main.orders"),
        ("'\"a/b\".c'", 'main:"a/b".c'),
        ('\'shop_db:"a:b"."x/y"\'', 'shop_db:"a:b"."x/y"'),
        ("'\"main:x\"'", 'main:main."main:x"'),
    ],
)
def test_a_parent_is_a_node(name: str, node: str) -> None:
    assert upstream(name) == (frozenset({node}), [])


def test_a_parent_without_a_warehouse_is_of_the_entrys_own() -> None:
    assert upstream("orders", "orders", warehouse="shop_db") == (frozenset({"shop_db:public.orders"}), [])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shopdb:orders", "upstream 'shopdb:orders': unknown warehouse 'shopdb'; did you mean 'shop_db'?"),
        ("lake:orders", "upstream 'lake:orders': unknown warehouse 'lake'; there are main, shop_db"),
        ("'shop_db:'", "'' is not a dataset; write [catalog.][schema.]table"),
        ("shop_db:a..b", "'a..b' is not a dataset"),
        ("a.b.c.d", "'a.b.c.d' has 4 parts"),
        ("cron/bakcup", "cron has no pipeline 'bakcup'; did you mean 'backup'?"),
        ("cron/other", "cron has no pipeline 'other'; there is 'backup' only"),
        ("lodaer/x", "unknown ingestion source 'lodaer'; did you mean 'loader'?"),
        ("loader/", "upstream 'loader/' is not a pipeline; write source/pipeline"),
        ("/x", "upstream '/x' is not a pipeline; write source/pipeline"),
        ("raw.*", "upstream 'raw.*' is a pattern; write each name"),
        ("loader/*", "upstream 'loader/*' is a pattern; write each name"),
        ("exposure:/cfo_board", "unknown ingestion source 'exposure:'"),
        ("shop_db:a/b", "unknown ingestion source 'shop_db:a'"),
        ("'\"open'", "open quote"),
    ],
)
def test_what_names_no_parent_is_said_at_its_own_line(name: str, words: str) -> None:
    parents, problems = upstream("raw.fine", name)
    assert parents == {"main:raw.fine"}
    assert len(problems) == 1, problems
    assert problems[0].startswith("checks/1.yaml:7: "), problems
    assert words in problems[0]


def test_a_circle_through_two_warehouses_and_two_files_is_refused_at_its_line() -> None:
    first = "version: 1\ndatasets:\n  - dataset: a\n    upstream: ['shop_db:b']\n"
    second = "version: 1\ndatasets:\n  - dataset: b\n    warehouse: shop_db\n    upstream: ['main:c']\n  - {dataset: c, upstream: [a]}\n"
    _, problems = read(first, second)
    assert problems == ["checks/1.yaml:4: upstream goes in a circle: main.a <- shop_db:public.b <- main.c <- main.a; remove one of them"]


def test_tables_of_one_name_in_two_warehouses_are_two() -> None:
    text = """\
    version: 1
    datasets:
      - {dataset: public.orders, upstream: ["shop_db:public.orders"]}
    """
    assert read(text) == (Lineage({"main:public.orders": frozenset({"shop_db:public.orders"})}), [])


def test_a_pattern_makes_no_table_a_parent_of_itself() -> None:
    text = "version: 1\ndatasets:\n  - dataset: main.*\n    upstream: [a]\n    checks: [schema_drift]\n"
    tables = {TableRef("main", None, "main", name): False for name in "ab"}
    assert read(text, there=tables) == (Lineage({"main:main.b": frozenset({"main:main.a"})}), [])


def test_a_circle_through_a_pattern_is_refused_at_the_patterns_line() -> None:
    text = "version: 1\ndatasets:\n  - {dataset: raw.x, upstream: [a]}\n  - dataset: main.*\n    upstream: [raw.x]\n    checks: [schema_drift]\n"
    _, problems = read(text, there={TableRef("main", None, "main", "a"): False})
    assert problems == ["checks/1.yaml:5: upstream goes in a circle: main.a <- raw.x <- main.a; remove one of them"]


BOARD = """\
version: 1
defaults: {owner: data-platform, warehouse: shop_db}
exposures:
  - exposure: cfo_board
    type: notebook
    owner: cfo@example.com
    url: https://bi.example.com/cfo?tab=1#x
    description: what the CFO reads
    upstream: [orders, "main:orders", loader/orders]
  - {exposure: forecast, type: ml, owner: null, warehouse: main, upstream: [orders]}
  - {exposure: churn, upstream: [orders]}
"""


def test_exposures_are_the_end_of_the_graph() -> None:
    graph, problems = read(BOARD)
    assert problems == []
    assert graph.parents == {
        "exposure:/cfo_board": {"shop_db:public.orders", "main:main.orders", "loader/orders"},
        "exposure:/forecast": {"main:main.orders"},
        "exposure:/churn": {"shop_db:public.orders"},
    }
    assert graph.exposures == {
        "exposure:/cfo_board": Exposure(
            "cfo_board", "notebook", "cfo@example.com", "https://bi.example.com/cfo?tab=1#x", "what the CFO reads"
        ),
        "exposure:/forecast": Exposure("forecast", "ml", None),
        "exposure:/churn": Exposure("churn", "dashboard", "data-platform"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exposures: {exposure: a}", "2: exposures must be a list; write - exposure: …"),
        ("exposures:\n  - cfo_board", "3: 'cfo_board' is no exposure; write - exposure: … and upstream: […]"),
        ("exposures:\n  - upstream: [orders]", "3: 'exposure' is missing"),
        ("exposures:\n  - exposure: a", "3: 'upstream' is missing; add upstream:"),
        ("exposures:\n  - exposure: a\n    upstream: []", "4: upstream is []; "),
        ("exposures:\n  - exposure: a\n    upstream: orders", "4: upstream is 'orders'; a list is expected"),
        ("exposures:\n  - exposure: a\n    upstream: [1]", "4: upstream is 1; text is expected"),
        ("exposures:\n  - exposure: a b\n    upstream: [orders]", "3: exposure: 'a b' is no name; write letters, digits, _ . and -"),
        ("exposures:\n  - exposure: a\n    ownr: me\n    upstream: [orders]", "4: unknown key 'ownr'; did you mean 'owner'?"),
        (
            "exposures:\n  - exposure: a\n    type: dashbord\n    upstream: [orders]",
            "4: type is 'dashbord', which is not one of its values; ",
        ),
        ("exposures:\n  - exposure: a\n    url: http://bi/x\n    upstream: [orders]", "4: url 'http://bi/x' must start with https://"),
        ("exposures:\n  - exposure: a\n    url: https://me:pw@bi/x\n    upstream: [orders]", "4: url: a url link must not hold a user"),
        (
            "exposures:\n  - exposure: a\n    url: https://bi/{check}\n    upstream: [orders]",
            "4: url 'https://bi/{check}' holds a char",
        ),
        (
            "exposures:\n  - exposure: a\n    url: https://10.0.0.1/\n    upstream: [orders]",
            "4: url 'https://10.0.0.1/' must name its host",
        ),
        ("exposures:\n  - exposure: a\n    checks: [schema_drift]\n    upstream: [orders]", "4: unknown key 'checks'"),
        ("exposures:\n  - exposure: a\n    warehouse: man\n    upstream: [orders]", "4: unknown warehouse 'man'; did you mean 'main'?"),
        ("exposures:\n  - exposure: a\n    upstream:\n      - orders\n      - lake:x", "6: upstream 'lake:x': unknown warehouse 'lake'"),
        ("exposurs:\n  - exposure: a", "2: unknown key 'exposurs'; did you mean 'exposures'?"),
    ],
)
def test_a_mistake_in_an_exposure_is_said_at_its_line(text: str, words: str) -> None:
    _, problems = read(f"version: 1\n{text}\n")
    assert any(f"checks/1.yaml:{words}" in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "is_valid"),
    [
        ({}, True),
        ({"type": "ml", "owner": None, "warehouse": "shop_db"}, True),
        ({"upstream": []}, False),
        ({"upstream": None}, False),
        ({"type": "report"}, False),
        ({"ownr": "me"}, False),
        ({"checks": []}, False),
    ],
)
def test_the_schema_for_editors_knows_exposures(change: dict[str, object], is_valid: bool) -> None:
    schema = Draft7Validator(schemas()["checks.schema.json"])
    file = {"version": 1, "exposures": [{"exposure": "a", "upstream": ["orders"], **change}]}
    assert schema.is_valid(file) == is_valid, list(schema.iter_errors(file))


def test_two_exposures_of_one_name_are_refused_with_both_places() -> None:
    text = "version: 1\nexposures:\n  - {exposure: a, upstream: [orders]}\n"
    _, problems = read(text, f"{text}  - {{exposure: b, upstream: [orders]}}\n  - {{exposure: b, upstream: [orders]}}\n")
    assert problems == [
        "checks/2.yaml:3: the exposure 'a' is already declared at checks/1.yaml:3; rename one",
        "checks/2.yaml:5: the exposure 'b' is already declared at checks/2.yaml:4; rename one",
    ]
