"""What the documents name exists, and what they must name is there."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from deploy.ingest.metrics import IngestMetrics
from schemas.rows import InteractionRow
from streams.counters import COUNTERS
from streams.metrics import Metrics
from streams.settings import IngestSettings, JoinSettings, KafkaSecurity, Settings

ROOT = Path(__file__).resolve().parents[2]
TOP_FOLDERS = ("schemas", "streams", "agents", "deploy", "training", "sdk", "tests", "docs")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
CARDS = sorted((ROOT / "agents").glob("**/*.md"))
"""What is said of the models that ship."""
README = (ROOT / "README.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs/operations.md").read_text("utf-8")
METRICS = {family.name for one in (Metrics(), IngestMetrics()) for family in one.registry.collect()}
DATA = (ROOT / "docs/data.md").read_text("utf-8")


def section(text: str, title: str) -> str:
    return re.split(r"(?m)^## ", text[text.index(f"\n## {title}\n") + 4 :])[0]


def first_column(text: str) -> set[str]:
    """The code spans in the first column of a section's tables."""
    cells = re.findall(r"(?m)^\| ([^|]*`[^|]*) \|", text)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def anchor(heading: str) -> str:
    """The anchor that renderers give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def view_columns(file: str, view: str) -> set[str]:
    """The columns a view selects: one to a line, indented by four."""
    text = (ROOT / "schemas/clickhouse" / file).read_text("utf-8")
    selected = text[text.index(f"VIEW mirante.{view} AS") :].split("FROM mirante.")[0]
    return {line.rstrip(",").rsplit(" AS ", 1)[-1].strip() for line in re.findall(r"(?m)^ {4}\S.*$", selected)}


class TestOperations:
    def test_metrics_are_those_of_the_code(self) -> None:
        exist = {name for name in METRICS if name.startswith("mirante_")}
        assert first_column(section(OPERATIONS, "Metrics")) == exist

    def test_counters_have_the_labels_of_the_code(self) -> None:
        rows = dict(re.findall(r"(?m)^\| `(mirante_\w+)` \| ([^|]*?) ?\|", section(OPERATIONS, "Metrics")))
        for declared in COUNTERS.values():
            assert rows[declared.metric].strip() == declared.label, declared

    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
    def test_a_metric_named_anywhere_exists(self, document: Path) -> None:
        named = set(re.findall(r"\bmirante_[a-z_]+\b", document.read_text("utf-8"))) - {"mirante_quantile"}
        assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in named} <= METRICS

    def test_settings_are_those_of_the_code(self) -> None:
        tables = {"join": JoinSettings, "ingest": IngestSettings}
        exist = set(Settings.model_fields) - {*tables, "kafka"} | {"kafka.*"}
        exist |= {f"{table}.{key}" for table, of in tables.items() for key in of.model_fields}
        assert first_column(section(OPERATIONS, "Settings")) == exist

    def test_it_names_the_keys_of_a_secured_kafka(self) -> None:
        assert set(KafkaSecurity.model_fields) <= set(re.findall(r"`(\w+)`", OPERATIONS))


class TestData:
    def test_columns_of_interactions(self) -> None:
        named = {name for cell in first_column(section(DATA, "interactions")) for name in cell.split()}
        assert named == set(InteractionRow.__struct_fields__) - {"version"}

    def test_columns_of_cost_windows(self) -> None:
        assert first_column(section(DATA, "cost_windows")) == view_columns("0012_usage.sql", "cost_windows")


class TestReadme:
    def test_make_targets_exist(self) -> None:
        targets = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8")))
        assert {"run", "test"} <= set(re.findall(r"`?make ([a-z][a-z-]*)", README)) <= targets

    def test_commands_exist(self) -> None:
        from deploy.cli.app import app

        commands = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
        for document in DOCUMENTS:
            assert set(re.findall(r"(?:`|\$ |^)mirante ([a-z]+)", document.read_text("utf-8"), re.MULTILINE)) <= commands


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?s)```.*?```", "", text)):
        if "://" in link:
            continue
        path, _, fragment = unquote(link).partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if fragment:
            headings = re.findall(r"(?m)^#+ (.*)$", target.read_text("utf-8"))
            assert fragment in map(anchor, headings), link


FILES = {path.relative_to(ROOT).as_posix() for top in TOP_FOLDERS for path in (ROOT / top).rglob("*") if path.is_file()}
FOLDERS = {str(parent) for file in FILES for parent in Path(file).parents} - {"."}


def paths_in(text: str) -> set[str]:
    """Files and folders of the project that code spans name: by their way from the root, or a Python file by its name alone."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"(?s)```.*?```", "", text))
    words = {word.rstrip("/") for span in spans for word in re.findall(r"(?<![\w/.*\-:])[\w.\-]+(?:/[\w.\-]+)*/?(?![\w/*])", span)}
    return {word for word in words if ("/" in word and word.split("/")[0] in TOP_FOLDERS) or word.endswith((".py", ".js"))}


def paragraphs(text: str) -> list[str]:
    return re.split(r"\n\s*\n|\n(?=[-#|*])", text)


@pytest.mark.parametrize("document", [*DOCUMENTS, *CARDS], ids=lambda path: path.name)
def test_files_and_folders_exist_and_a_name_alone_is_beside_one_that_its_paragraph_names(document: Path) -> None:
    text = document.read_text("utf-8")
    made = set(re.findall(r"(?m)^ *`([\w./-]+)`:$", text))  # by the reader: the content follows
    for paragraph in paragraphs(text):
        named = paths_in(paragraph) - made
        whole = {name for name in named if name in FILES or name in FOLDERS}
        beside = {parent for name in whole for parent in [Path(name), Path(name).parent]}
        lost = {name for name in named - whole if not any((folder / name).as_posix() in FILES for folder in beside)}
        assert lost == set(), f"in the paragraph {paragraph[:80]!r}"


def test_paths_are_told_from_other_code_spans() -> None:
    text = "`streams/gone.py`, `schemas/usage/`, see `clock.py`, `llm.requests`, `a/b` and `agents.guards`"
    assert paths_in(text) == {"streams/gone.py", "schemas/usage", "clock.py"}
