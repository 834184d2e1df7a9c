"""Text inside permissively licensed packages: attacks, role prompts and documentation.

The packages are fetched once, by the ordinary client and without their dependencies, and are read
as archives: nothing of them is imported or run.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["PACKAGES", "fetch", "files", "string_literals"]

PACKAGES: Final = {
    "agentscope": "2.0.11",
    "aider-chat": "0.86.2",
    "camel-ai": "0.2.90",
    "chatarena": "0.1.18",
    "crewai": "1.15.30",
    "deepeval": "4.3.1",
    "deepteam": "1.0.10",
    "django": "5.2.19",
    "garak": "0.17.1",
    "gensim": "4.4.0",
    "gpt-researcher": "0.15.1",
    "graphrag": "3.3.0",
    "jupyterlab-language-pack-pt-BR": "4.5.post3",
    "langchain-classic": "1.0.8",
    "metagpt": "0.8.2",
    "pyrit": "1.1.0",
    "spikee": "0.9.2",
}
"""Name -> version. Licences are on the model card; gensim (LGPL) is only evaluated on."""


def fetch(folder: Path) -> None:
    """Fills ``folder`` with the wheels that are not there yet."""
    for name, version in PACKAGES.items():
        if _wheel(folder, name) is None:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*command, "--dest", str(folder), f"{name}=={version}"], check=True)


def _wheel(folder: Path, name: str) -> Path | None:
    start = f"{name.replace('-', '_')}-{PACKAGES[name]}-".lower()
    return next(
        (path for path in sorted(folder.glob("*.whl")) if path.name.lower().startswith(start)), None
    )


def files(folder: Path, package: str, pattern: str) -> Iterator[tuple[str, str]]:
    """Path and text of the files of a package whose path matches the regular expression, sorted.

    Raises FileNotFoundError if the package was not fetched.
    """
    wheel = _wheel(folder, package)
    if wheel is None:
        raise FileNotFoundError(f"{package} {PACKAGES[package]} is not in {folder}")
    wanted = re.compile(pattern)
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if wanted.search(name):
                yield name, archive.read(name).decode("utf-8", "replace")


def string_literals(source: str) -> Iterator[str]:
    """The string constants of a Python module, f-strings with ``{}`` for what is put in."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(map(id, node.values))
            yield "".join(
                value.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
                else "{}"
                for value in node.values
            )
        elif isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, str) and id(node) not in parts:
                yield value


if __name__ == "__main__":
    from training.attacks.sources import WHEELS

    WHEELS.mkdir(parents=True, exist_ok=True)
    fetch(WHEELS)
