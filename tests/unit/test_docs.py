"""The documentation says what the code does: every command, option, check, table and variable is in it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
HAND_PAGES = ("index", "writing-checks", "configuration", "cost", "daemon", "extending")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def all_text() -> str:
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{done.stderr}\nrun: make docs"


def test_every_command_and_option_is_documented(all_text: str) -> None:
    from typer.main import get_command

    from dqmon.cli.program import program

    def words(name: str, command: object) -> list[str]:
        own = [name, *(option for param in command.params for option in param.opts if option.startswith("--"))]
        return own + [word for child, inner in getattr(command, "commands", {}).items() for word in words(f"{name} {child}", inner)]

    missing = [word for word in words("dqmon", get_command(program())) if word not in all_text]
    assert missing == [], f"not in docs/: {missing}; run: make docs"


@pytest.mark.parametrize("kind", ["checks", "warehouses", "ingestion", "channels"])
def test_every_extension_has_a_page_that_the_index_names(kind: str) -> None:
    from dqmon.core.registry import Registry

    folder = ROOT / "docs" / kind
    index = (folder / "index.md").read_text()
    for name in Registry(kind).names():
        assert f"({name}.md)" in index, f"docs/{kind}/index.md does not name {name}; run: make docs"
        assert (folder / f"{name}.md").exists(), f"docs/{kind}/{name}.md is missing; run: make docs"


def test_every_variable_of_the_environment_is_documented(all_text: str) -> None:
    found = {name for path in (ROOT / "dqmon").rglob("*.py") for name in re.findall(r"\bDQMON_[A-Z_]*[A-Z]\b", path.read_text())}
    # Settings are named by their path, as DQMON_STORE__URL; the page explains that once.
    missing = sorted(name for name in found if "__" not in name and name not in all_text)
    assert missing == [], f"not in docs/configuration.md: {missing}"


def test_every_table_of_the_store_is_documented() -> None:
    import pkgutil

    import dqmon.store
    from dqmon.store.schema import metadata

    for module in pkgutil.iter_modules(dqmon.store.__path__):
        if not module.ispkg:
            importlib.import_module(f"dqmon.store.{module.name}")
    page = (ROOT / "docs" / "store.md").read_text()
    for table in metadata.tables.values():
        part = page.partition(f"## {table.name}\n")[2].partition("\n## ")[0]
        missing = [column.name for column in table.columns if f"| {column.name} |" not in part]
        assert missing == [], f"docs/store.md lacks columns of {table.name}: {missing}; run: make docs"


def test_links_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} links to {target}, which is not there"


GOOD = "Says it.\n\n" + "\n".join(f"    {title}:\n        Text of it.\n" for title in (
    "What it measures", "Why it matters", "Parameters", "NULLs and empty tables", "SQL it runs", "Example", "Known limits", "References",
))  # fmt: skip


@pytest.mark.parametrize(
    ("docstring", "said"),
    [
        (None, "lacks the section 'What it measures'"),
        ("Says it.", "lacks the section 'What it measures'"),
        (GOOD.replace("    Known limits:\n", ""), "lacks the section 'Known limits'"),
        (GOOD.replace("Text of it", "", 1).replace("        .\n", "", 1), "lacks the section 'What it measures'"),
        (GOOD.replace("Example", "X").replace("References", "Example").replace("X", "References"), "stand in another order"),
    ],
    ids=["no docstring", "no sections", "one missing", "one empty", "other order"],
)
def test_a_check_without_its_sections_is_refused(generate: ModuleType, docstring: str | None, said: str) -> None:
    with pytest.raises(generate.DocstringError, match="check mine") as caught:
        generate.sections("mine", docstring)
    assert said in str(caught.value)


def test_the_sections_of_a_good_docstring(generate: ModuleType) -> None:
    summary, bodies = generate.sections("mine", GOOD)
    assert (summary, tuple(bodies), set(bodies.values())) == ("Says it.", generate.SECTIONS, {"Text of it."})


def test_a_page_that_is_stale_missing_or_left_over_is_named(generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    for name in ("same", "old", "gone"):
        (tmp_path / "docs" / f"{name}.md").write_text(generate.MARK + name)
    (tmp_path / "docs" / "hand.md").write_text("by hand")
    wanted = {Path("docs/same.md"): generate.MARK + "same", Path("docs/old.md"): "new", Path("docs/new.md"): "new"}
    assert generate.stale(wanted) == [
        "docs/old.md is out of date; run: make docs",
        "docs/new.md is missing; run: make docs",
        "docs/gone.md describes something that has gone; run: make docs",
    ]
