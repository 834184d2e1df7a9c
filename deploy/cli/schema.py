"""``mirante schema``: the published shape of every event."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def schema(
    kind: Annotated[str | None, typer.Argument(help="requests, responses, feedback, ...; all topics when not given.")] = None,
    prefix: Annotated[str, typer.Option(help="Prefix of the topics.")] = "llm.",
    strict: Annotated[bool, typer.Option("--strict", help="Optional fields must have their right shape: for tests of a producer.")] = False,
) -> None:
    """Print the JSON Schema of one kind of event, or the AsyncAPI 3 document of all topics."""
    from schemas.documents import TOPICS, asyncapi, json_schema

    if kind is None:
        document = asyncapi(prefix, strict)
    elif kind in TOPICS:
        document = json_schema(kind, strict)
    else:
        raise typer.BadParameter(f"{kind!r} is not one of {', '.join(TOPICS)}")
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
