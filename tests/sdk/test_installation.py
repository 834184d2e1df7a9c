"""What `pip install ./sdk` brings: few packages, types, and work without Kafka."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import mirante
import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "sdk/src/mirante"
MOST_PACKAGES = 6


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment into which only the SDK was installed."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin/python"
    source = folder / "source"  # a build leaves files behind, and takes them for its own next time
    shutil.copytree(ROOT / "sdk", source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", source], check=True)
    return python


def test_it_brings_few_packages(fresh: Path) -> None:
    listed = subprocess.run(
        [fresh, "-m", "pip", "--disable-pip-version-check", "list", "--format=json"],
        capture_output=True,
        check=True,
    )
    names = {entry["name"] for entry in json.loads(listed.stdout)} - {"pip", "setuptools", "wheel"}
    assert "mirante-sdk" in names and len(names) <= MOST_PACKAGES, names


def test_it_works_alone(fresh: Path) -> None:
    program = """
import sys, importlib.resources, mirante
client = mirante.Client(input_rails=[mirante.PersonalData(), mirante.Injection()])
print(client.call(lambda request: request.messages, model="m", messages="CPF 529.982.247-25").text)
assert (importlib.resources.files("mirante") / "py.typed").is_file()
heavy = {"numpy", "scipy", "hyperscan", "faust", "aiokafka", "openai", "anthropic", "litellm"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
for broken in (lambda: mirante.JsonSchema({}), lambda: mirante.Client(kafka="localhost:9092")):
    try:
        broken()
    except ImportError as error:
        print(error)
"""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MIRANTE_")}
    done = subprocess.run(
        [fresh, "-c", program], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "CPF <CPF>",
        "JsonSchema needs: pip install 'mirante-sdk[schema]'",
        "Kafka needs: pip install 'mirante-sdk[kafka]'",
    ]


def test_every_requirement_is_light() -> None:
    always = [r for r in requires("mirante-sdk") or [] if "extra ==" not in r]
    assert len(always) <= 2, always


def public_definitions() -> list[tuple[str, ast.AST]]:
    found: list[tuple[str, ast.AST]] = []
    for file in sorted(SOURCE.glob("*.py")):
        if file.name.startswith("_") and file.name != "__init__.py":
            continue
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                found.append((f"{file.stem}.{node.name}", node))
    return found


EXAMPLES = {name.rpartition(".")[2]: node for name, node in public_definitions()}
INDIRECT = {"MiranteError", "Killed", "Throttled", "Blocked"}
"""Kinds of Refused, whose example serves them all."""


@pytest.mark.parametrize(
    "name", sorted({*mirante.__all__, "wrap"} - {"openai", "anthropic", "litellm", *INDIRECT})
)
def test_what_is_public_has_a_docstring_with_an_example(name: str) -> None:
    node = EXAMPLES.get(name)
    text = (ast.get_docstring(node) if node else getattr(mirante, name).__doc__) or ""  # type: ignore[arg-type]
    assert "Example::" in text, f"{name} has no example"
    if isinstance(node, ast.ClassDef) and name.endswith("Client"):
        for method in node.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.name[0] != "_":
                assert "Example::" in (ast.get_docstring(method) or ""), f"{name}.{method.name}"


def test_examples_are_python() -> None:
    for name, node in public_definitions():
        text = ast.get_docstring(node) or ""  # type: ignore[arg-type]
        _, _, example = text.partition("Example::")
        lines = [line for line in example.splitlines() if line.strip()]
        if lines:
            indent = min(len(line) - len(line.lstrip()) for line in lines)
            code = "\n".join(line[indent:] for line in example.splitlines())
            compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_prompts_have_the_sha_that_git_gives_them(tmp_path: Path) -> None:
    file = tmp_path / "support.pt.md"
    file.write_text("Be kind.\n")
    assert mirante.prompt(file).committed is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD:support.pt.md"], capture_output=True, text=True, check=True
    )
    found = mirante.prompt(file)
    assert (found.sha, found.committed, found.name, found.text) == (
        head.stdout.strip(),
        True,
        "support.pt",
        "Be kind.\n",
    )
    assert found.fields(city="Recife") == {
        "name": "support.pt",
        "sha": found.sha,
        "variables": {"city": "Recife"},
    }
    file.write_text("Be brief.\n")
    changed = mirante.prompt(file)
    assert changed.committed is False and changed.sha != found.sha
    new = tmp_path / "new.txt"
    new.write_text("x")
    assert mirante.prompt(new).committed is False
