"""What the documentation site has besides docs/: the settings, as a page made of mirante.example.toml.

mkdocs calls these functions by their names (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

SETTINGS = "settings.md"
EXAMPLE = "mirante.example.toml"


def on_files(files: Any, *, config: Any) -> Any:
    """Add the page of settings. ``files``: all of the site; ``config``: mkdocs.yml, as read."""
    example = Path(config.config_file_path).with_name(EXAMPLE).read_text(encoding="utf-8")
    page = f'# Settings\n\n```toml title="{EXAMPLE}"\n{example.rstrip()}\n```\n'
    files.append(File.generated(config, SETTINGS, content=page))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Links to the file in the repository lead to its page."""
    up = "../" * page.file.src_uri.count("/")
    return markdown.replace(f"](../{up}{EXAMPLE})", f"]({up}{SETTINGS})")
