"""Whole projects on disk: found, loaded, or refused with everything that is wrong at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from dqmon.config.project import Project, find_project, load_project
from dqmon.config.show import shown
from dqmon.core.load_record import PipelineInfo
from dqmon.core.table import TableRef
from dqmon.errors import ConfigError

SETTINGS = """\
version: 1
instance: test
store: {url: "sqlite:///.dqmon/dqmon.db"}
warehouses:
  main: {type: duckdb, path: data/warehouse.duckdb}
  shop:
    type: postgres
    url: "${env:SHOP_URL}"
ingestion:
  loader: {type: dlt, warehouse: main, dataset: main}
channels:
  oncall: {type: pagerduty, routing_key: "${env:PD_KEY}"}
  team: {type: slack, token: "${file:slack-token}", channel: "#data", dry_run: true}
routes:
  - {name: rest, default: true, to: [team]}
"""
CHECKS = """\
version: 1
defaults: {schedule: "*/30 * * * *"}
datasets:
  - dataset: orders
    checks:
      - completeness: {column: a}
"""
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text(SETTINGS)
    (tmp_path / "checks/orders.yaml").write_text(CHECKS)
    return tmp_path


def load(root: Path, **env: str) -> Project:
    return load_project(root / "config/dqmon.yaml", env)


def problems(root: Path, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as e:
        load(root, **env)
    return [str(problem) for problem in e.value.problems]


def change(root: Path, old: str, new: str, file: str = "config/dqmon.yaml") -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))


def test_a_project_loads_with_paths_made_absolute(root: Path) -> None:
    project = load(root)
    assert [check.id for check in project.checks] == ["main.orders.completeness.a"]
    assert project.settings.store_url == f"sqlite:///{root}/.dqmon/dqmon.db"
    assert project.settings.warehouses["main"].options.path == str(root / "data/warehouse.duckdb")
    assert project.settings.checks_path == root / "checks"
    assert (project.settings.instance, project.root) == ("test", root)
    assert [route.name for route in project.routes] == ["rest"]


def test_what_nothing_uses_may_lack_its_secrets_and_is_left_out(root: Path) -> None:
    project = load(root)
    assert list(project.settings.warehouses) == ["main"]
    assert list(project.settings.channels) == ["team"]
    assert [str(problem) for problem in project.warnings] == [
        "config/dqmon.yaml:8: warehouses.shop: url: the environment variable SHOP_URL is not set; nothing uses shop, so it is left out",
        "config/dqmon.yaml:12: channels.oncall: routing_key: the environment variable PD_KEY is not set; nothing uses oncall, so it is left out",
        "config/dqmon.yaml:13: channels.team: token: the file slack-token cannot be read: No such file or directory; fine while dry_run is true",
    ]


def test_what_is_in_use_may_not_lack_its_secrets(root: Path) -> None:
    change(root, "to: [team]", "to: [oncall, team]")
    change(root, "dataset: orders", "dataset: orders\n    warehouse: shop", "checks/orders.yaml")
    assert problems(root) == [
        "config/dqmon.yaml:8: warehouses.shop: url: the environment variable SHOP_URL is not set; set it",
        "config/dqmon.yaml:12: channels.oncall: routing_key: the environment variable PD_KEY is not set; set it, or add dry_run: true",
    ]
    project = load(root, SHOP_URL="postgresql+psycopg://user:geheim@host/db", PD_KEY=KEY)
    assert project.checks[0].id == "shop:public.orders.completeness.a"
    assert project.settings.channels["oncall"].options.routing_key.get_secret_value() == KEY


def test_secrets_are_never_shown(root: Path) -> None:
    change(root, "to: [team]", "to: [oncall, team]")
    change(
        root,
        'routing_key: "${env:PD_KEY}"',
        'routing_key: "${env:PD_KEY}", timeuot: 5s, verify: "${env:PD_KEY}", base_url: ["${env:PD_KEY}"]',
    )
    said = "\n".join(problems(root, PD_KEY=KEY))
    assert KEY not in said
    assert "unknown key 'timeuot'; did you mean 'timeout'?" in said
    change(root, "timeuot", "timeout")
    change(root, ', base_url: ["${env:PD_KEY}"]', "")
    change(root, "data/warehouse.duckdb", '"${env:DIR}/warehouse.duckdb"')
    change(root, '"${env:SHOP_URL}"', "postgresql+psycopg://user:geheim@host/db?password=heimlich")
    (root / "slack-token").write_text("xoxb-topsecret\n")
    (root / KEY).touch()
    project = load(root, PD_KEY=KEY, DIR="/hidden-folder")
    for text in (shown(project), shown(project, with_origin=True), repr(project.settings), repr(project.settings.channels)):
        for secret in (KEY, "xoxb-topsecret", "heimlich"):
            assert secret not in text
    text = shown(project, with_origin=True)
    for secret in ("hidden-folder", "geheim"):
        assert secret not in text
    assert project.settings.channels["team"].options.token.get_secret_value() == "xoxb-topsecret"


def test_the_environment_wins_over_the_file_and_its_origin_is_shown(root: Path, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("sqlite:////from/a/file.db\n")
    env = {"DQMON_INSTANCE": "0815", "DQMON_STORE__URL_FILE": str(tmp_path / "url"), "DQMON_WAREHOUSES__MAIN__STATEMENT_TIMEOUT": "5s"}
    env |= {
        "DQMON_CHANNELS__ONCALL__ROUTING_KEY": KEY,
        "DQMON_CHANNELS__TEAM__DRY_RUN": "true",
        "DQMON_WAREHOUSES__MAIN__MAX_CONNECTIONS": "2",
    }
    project = load(root, **env)
    assert project.settings.instance == "0815"
    assert project.settings.store_url == "sqlite:////from/a/file.db"
    assert project.settings.warehouses["main"].options.statement_timeout == 5
    assert project.settings.warehouses["main"].options.max_connections == 2
    assert project.settings.channels["oncall"].options.routing_key.get_secret_value() == KEY
    lines = dict(line.split(": ", 1) for line in shown(project, with_origin=True).splitlines())
    assert lines["instance"].split() == ["0815", "#", "DQMON_INSTANCE"]
    assert lines["store.url"].split()[1:] == ["#", "DQMON_STORE__URL_FILE"]
    assert lines["channels.oncall.routing_key"].split() == ["***", "#", "DQMON_CHANNELS__ONCALL__ROUTING_KEY"]
    assert lines["fuse_within"].split() == ["30s", "#", "default"]
    assert lines["warehouses.main.type"].split() == ["duckdb", "#", "config/dqmon.yaml:5"]


def test_what_the_environment_gives_is_taken_word_for_word(root: Path) -> None:
    change(root, "to: [team]", "to: [oncall, team]")
    odd = "${env:HOME}-" + KEY[:20]
    project = load(root, DQMON_CHANNELS__ONCALL__ROUTING_KEY=odd)
    assert project.settings.channels["oncall"].options.routing_key.get_secret_value() == odd
    assert KEY not in shown(project, with_origin=True)


def test_a_secrets_folder_is_the_weakest_of_the_surroundings(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "channels__oncall__routing_key").write_text(KEY + "\n")
    (folder / "dqmon_instance").write_text("from-folder")
    (folder / ".hidden").write_text("x")
    change(root, "to: [team]", "to: [oncall, team]")
    project = load(root, DQMON_SECRETS_DIR=str(folder))
    assert project.settings.channels["oncall"].options.routing_key.get_secret_value() == KEY
    assert project.settings.instance == "from-folder"
    (tmp_path / "instance").write_text("from-file")
    assert load(root, DQMON_SECRETS_DIR=str(folder), DQMON_INSTANCE_FILE=str(tmp_path / "instance")).settings.instance == "from-file"
    both = {"DQMON_SECRETS_DIR": str(folder), "DQMON_INSTANCE_FILE": str(tmp_path / "instance"), "DQMON_INSTANCE": "plain"}
    assert load(root, **both).settings.instance == "plain"


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"DQMON_SECRETS_DIR": "/not/there"}, "environment: DQMON_SECRETS_DIR is /not/there, which cannot be read"),
        ({"DQMON_STORE__URL_FILE": "/not/there"}, "environment: DQMON_STORE__URL_FILE: the file /not/there cannot be read"),
        ({"DQMON_STORE__URL": "mysql://user:geheim@host/x"}, "environment: DQMON_STORE__URL: url: this is no store"),
        (
            {"DQMON_CHANNELS__TEAM__TIMEOUT": "soon"},
            "environment: DQMON_CHANNELS__TEAM__TIMEOUT: channels.team: timeout: 'soon' is not a duration",
        ),
        (
            {"DQMON_CHANNELS__TEAM__TOKN": "x"},
            "environment: DQMON_CHANNELS__TEAM__TOKN: channels.team: unknown key 'tokn'; did you mean 'token'?",
        ),
        ({"DQMON_CHANNELS__NOBODY__TOKEN": "x"}, "channels.nobody: 'type' is missing"),
        (
            {"DQMON_STORE": "postgresql://user:geheim@host/x"},
            "environment: DQMON_STORE: store is 'postgresql://user:***@host/x'; a mapping",
        ),
        ({"DQMON_STORE": '{"url_file": 5}'}, "environment: DQMON_STORE: unknown key 'url_file'; there is 'url' only"),
        ({"DQMON_FUSE_WITHIN": "30"}, "environment: DQMON_FUSE_WITHIN: fuse_within: '30' is not a duration"),
        ({"DQMON_CHANNELS": "not json"}, "environment: DQMON_CHANNELS: channels must be a mapping"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(root: Path, env: dict[str, str], words: str) -> None:
    said = "\n".join(problems(root, **env))
    assert words in said
    assert "geheim" not in said


def test_an_unknown_variable_is_a_warning(root: Path) -> None:
    assert "environment: DQMON_STOER__URL is no setting of dqmon; did you mean 'store'?" in map(
        str, load(root, DQMON_STOER__URL="x").warnings
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version: 1", "version: 3", "config/dqmon.yaml:1: version is 3"),
        ("instance: test", "instanc: test", "config/dqmon.yaml:2: unknown key 'instanc'; did you mean 'instance'?"),
        ("instance: test", "instance: 5", "config/dqmon.yaml:2: instance is 5; text is expected"),
        ("instance: test", 'instance: "${env:X}"', "config/dqmon.yaml:2: instance: ${…} stands in options and the store's url only"),
        ("instance: test", "queue: {}", "config/dqmon.yaml:2: 'queue' is not supported by this version yet"),
        ("instance: test", "retention: {results: 5}", "config/dqmon.yaml:2: results: 5 is not a duration"),
        ("instance: test", "retention: {result: 5d}", "config/dqmon.yaml:2: unknown key 'result'; did you mean 'results'?"),
        ("instance: test", "require_runbook: criticl", "did you mean 'critical'?"),
        ("instance: test", "checks_path: nowhere", "config/dqmon.yaml:2: there is no folder nowhere/; make it and write a check file"),
        ("{type: duckdb,", "{type: dukdb,", "config/dqmon.yaml:5: warehouses.main: unknown type 'dukdb'; did you mean 'duckdb'?"),
        ("{type: duckdb,", "{", "config/dqmon.yaml:5: warehouses.main: 'type' is missing"),
        ("path: data/warehouse.duckdb", "path: 5", "config/dqmon.yaml:5: warehouses.main: path is 5; text is expected"),
        ("path: data/warehouse.duckdb", 'path: "${env.X}"', "config/dqmon.yaml:5: warehouses.main: path: '${env.X}' is not understood"),
        ("path: data/warehouse.duckdb", 'path: "${env:X"', "config/dqmon.yaml:5: warehouses.main: path: '${env:X' is not understood"),
        ("path: data/warehouse.duckdb", "path: x, pth: y", "config/dqmon.yaml:5: warehouses.main: unknown key 'pth'; did you mean 'path'?"),
        ("token: ", "tokn: ", "config/dqmon.yaml:13: channels.team: unknown key 'tokn'; did you mean 'token'?"),
        ("  main: {type: duckdb, path: data/warehouse.duckdb}", "  main: duckdb", "config/dqmon.yaml:5: warehouses.main must be a mapping"),
        ("  main:", "  ma in:", "config/dqmon.yaml:5: 'ma in' is no name"),
        ("warehouse: main", "warehouse: mian", "config/dqmon.yaml:10: ingestion.loader: unknown warehouse 'mian'; did you mean 'main'?"),
        ('url: "sqlite:///.dqmon/dqmon.db"', "url: dqmon.db", "config/dqmon.yaml:3: url: this is no store"),
        (
            'store: {url: "sqlite:///.dqmon/dqmon.db"}',
            "store: [x]",
            "config/dqmon.yaml:3: store is ['x']; a mapping of keys to values is expected",
        ),
        (
            'url: "sqlite:///.dqmon/dqmon.db"',
            'url: "${env:STORE}"',
            "config/dqmon.yaml:3: store: the environment variable STORE is not set",
        ),
    ],
)
def test_a_mistake_in_the_settings_is_said_at_its_line(root: Path, old: str, new: str, expected: str) -> None:
    change(root, old, new)
    said = problems(root)
    assert any(expected in text for text in said), said


def test_sections_that_are_no_mappings_are_said(root: Path) -> None:
    for section in ("warehouses", "ingestion", "channels"):
        (root / "config/dqmon.yaml").write_text(f"version: 1\n{section}: [x]\n")
        assert any(f"config/dqmon.yaml:2: {section} must be a mapping" in text for text in problems(root))


def test_all_files_are_read_before_anything_is_refused(root: Path) -> None:
    change(root, "instance: test", "instanc: test")
    change(root, "{column: a}", "{colum: a}", "checks/orders.yaml")
    (root / "checks/more.yml").write_text("version: 1\ndatasets:\n  - dataset: x\n    checks: [schema_drft]\n")
    (root / "checks/broken.yaml").write_text("version: 1\ndatasets: [\n")
    (root / "checks/empty.yaml").write_text("")
    said = problems(root)
    for words in (
        "config/dqmon.yaml:2:",
        "checks/orders.yaml:6:",
        "checks/more.yml:4:",
        "checks/broken.yaml:",
        "checks/empty.yaml: the file is empty",
    ):
        assert any(words in text for text in said), (words, said)


def test_which_files_are_check_files(root: Path) -> None:
    (root / "checks/sub").mkdir()
    (root / "checks/sub/more.yml").write_text(CHECKS.replace("orders", "more"))
    for path in ("checks/tests/rule.yaml", "checks/.hidden.yaml", "checks/..data/copy.yaml", "checks/notes.txt"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text("not: a check file")
    assert [check.source.path for check in load(root).checks] == ["checks/orders.yaml", "checks/sub/more.yml"]


def test_a_link_out_of_the_project_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.yaml"
    outside.write_text(CHECKS)
    (root / "checks/link.yaml").symlink_to(outside)
    assert problems(root) == ["checks/link.yaml: the file is a link that leads out of the project; copy it into the project"]


def test_a_project_without_check_files_says_what_to_write(root: Path) -> None:
    (root / "checks/orders.yaml").unlink()
    assert problems(root) == ["config/dqmon.yaml: there are no check files (*.yaml, *.yml) in checks/; write checks/first.yaml"]


def test_an_empty_settings_file_and_one_that_says_little(root: Path) -> None:
    (root / "config/dqmon.yaml").write_text("")
    assert problems(root) == ['config/dqmon.yaml: the file is empty; start it with "version: 1"']
    (root / "config/dqmon.yaml").write_text("version: 1\n")
    assert any("no warehouse is declared" in text for text in problems(root))


def test_where_the_project_is_looked_for(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = root / "config/dqmon.yaml"
    deep = root / "a/b"
    deep.mkdir(parents=True)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert find_project(None, {}, root) == path
    assert find_project(None, {}, deep) == path
    assert find_project(str(path), {}, elsewhere) == path
    assert find_project("config/dqmon.yaml", {"DQMON_CONFIG": "/not/there"}, root) == path
    assert find_project(None, {"DQMON_CONFIG": str(path)}, elsewhere) == path
    for named, env, words in (
        (None, {}, "not found in this folder or any above"),
        ("nope.yaml", {}, "nope.yaml: there is no such file"),
        (str(root), {}, "is a folder"),
        (None, {"DQMON_CONFIG": "/not/there"}, "/not/there: there is no such file"),
    ):
        with pytest.raises(ConfigError, match=words):
            find_project(named, env, elsewhere)


def test_a_settings_file_outside_a_config_folder_has_its_own_folder_as_project(root: Path) -> None:
    (root / "config/dqmon.yaml").rename(root / "dqmon.yaml")
    assert load_project(root / "dqmon.yaml", {}).root == root


def test_patterns_are_resolved_from_what_is_there(root: Path) -> None:
    (root / "checks/all.yaml").write_text(
        "version: 1\ndatasets: [{dataset: main.*, checks: [schema_drift]}]\ningestion: [{pipeline: loader/*, checks: [orphan_load]}]\n"
    )
    project = load(root)
    assert [check.id for check in project.checks] == ["main.orders.completeness.a", "main.orders.schema_drift"]
    assert len(project.patterns) == 2
    tables = [(TableRef("main", None, "main", name), name == "view") for name in ("orders", "other", "view")]
    found = project.resolve(tables, [PipelineInfo("loader", "p")])
    assert sorted(check.id for check in found.checks) == [
        "loader/p.orphan_load",
        "main.orders.completeness.a",
        "main.orders.schema_drift",
        "main.other.schema_drift",
    ]
    assert found.problems == ()
    nothing = project.resolve([], [])
    assert [check.id for check in nothing.checks] == [check.id for check in project.checks]
    assert [str(problem) for problem in nothing.problems] == [
        "checks/all.yaml:2: the pattern 'main.*' matches nothing",
        "checks/all.yaml:3: the pattern 'loader/*' matches nothing",
    ]
    assert all(problem.is_warning for problem in nothing.problems)
    assert project.resolve(tables, [PipelineInfo("loader", "p")]) == found, "resolving again gives the same"


def test_a_contradiction_that_only_the_tables_show_is_a_problem_of_resolving(root: Path) -> None:
    (root / "checks/all.yaml").write_text(
        "version: 1\ndatasets:\n  - {dataset: main.a*, checks: [row_count: {min: 1}]}\n  - {dataset: main.a*a, checks: [row_count: {min: 2}]}\n"
    )
    project = load(root)
    found = project.resolve([(TableRef("main", None, "main", "aa"), False)])
    assert [(problem.path, problem.line, problem.is_warning) for problem in found.problems] == [("checks/all.yaml", 4, False)]


def test_200_mangled_configurations_raise_nothing_but_a_config_error(root: Path) -> None:
    rng = random.Random("R24")
    signs = "[]{}:,-#&*!|>'\"%@`\\ \t\n\0\x07é0aZ~"
    files = ("config/dqmon.yaml", "checks/orders.yaml")
    texts = {file: (root / file).read_text() for file in files}
    refused = 0
    for number in range(200):
        file = files[number % 2]
        text = texts[file]
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            text = rng.choice(
                (text[:at] + rng.choice(signs) + text[at:], text[:at] + text[at + rng.randint(1, 9) :], text[:at] + text[at // 2 :])
            )
        (root / file).write_bytes(text.encode())
        try:
            load(root)
        except ConfigError as e:
            refused += bool(e.problems)
        (root / file).write_text(texts[file])
    assert refused > 100, f"found {refused} refusals of 200, expected most of them"


def test_pydantic_settings_is_imported_only_when_the_environment_has_settings(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dqmon.config.project import load_project;"
        f"load_project(Path({str(root / 'config/dqmon.yaml')!r}), {{}});"
        "print([m for m in ('pydantic_settings', 'numpy', 'httpx', 'sqlglot', 'duckdb', 'slack_sdk', 'pagerduty', 'alembic') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_source_owns_the_checks_of_its_pipelines_that_name_nobody(tmp_path: Path) -> None:
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text(
        "version: 1\nwarehouses:\n  main: {type: duckdb, path: w.duckdb}\n"
        "ingestion:\n  raw: {type: dlt, warehouse: main, dataset: raw, owner: loaders}\n"
    )
    (tmp_path / "checks/raw.yaml").write_text(
        "version: 1\ningestion:\n  - pipeline: raw/shop\n    checks:\n"
        "      - last_success: {fail_after: 4h}\n      - rows_loaded: {min: 1, owner: shop}\n"
    )
    owners = {check.type: check.owner for check in load_project(tmp_path / "config/dqmon.yaml", {}).checks}
    assert owners == {"last_success": "loaders", "rows_loaded": "shop"}
