"""docs/runbooks.md as a page of the dashboard, so that an alert's link leads somewhere."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "docs" / "runbooks.md"

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Runbooks · Mirante</title>
  <link rel="icon" href="/static/icon.svg">
  <link rel="stylesheet" href="/static/style.css">
</head>
<body>
  <header><div class="top"><a href="/now"><span class="brand">Mirante</span></a></div></header>
  <main class="document">
{body}  </main>
</body>
</html>
"""


def page() -> str:
    """The page. Written by ``python -m deploy.monitoring``, which needs the extra ``dev``."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(SOURCE.read_text("utf-8"))
    body = re.sub(r"<h([23])>(.*?)</h\1>", _with_anchor, body)
    # Other documents are not served here; their names stay.
    body = re.sub(r'<a href="(?!#|https?:)[^"]*">(.*?)</a>', r"\1", body)
    return _PAGE.replace("{body}", body)


def _with_anchor(match: re.Match[str]) -> str:
    level, title = match[1], match[2]
    anchor = re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]*>", "", title).lower()).replace(" ", "-")
    return f'<h{level} id="{escape(anchor)}">{title}</h{level}>'
