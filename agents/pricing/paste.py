"""The lines of `mirante.toml` that would price a model."""

from __future__ import annotations

import json


def price_lines(provider: str, model: str) -> str:
    """A `[[prices]]` table to fill in and paste.

    As long as the two prices are not filled in, Mirante refuses the file and names them: no call
    becomes free by it.
    """
    lines = ["[[prices]]", f"model = {_quoted(model)}"]
    if provider:
        lines.append(f"provider = {_quoted(provider)}")
    return "\n".join(
        [*lines, 'input_per_mtok = "?"   # USD per million tokens', 'output_per_mtok = "?"']
    )


def _quoted(text: str) -> str:
    """A TOML basic string: what JSON escapes, TOML reads."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
