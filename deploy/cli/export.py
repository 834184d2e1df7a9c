"""``mirante export``: test cases and training sets from what users thought of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data
from deploy.cli.query import row_stream
from deploy.cli.waiting import waiting


class ExportKind(StrEnum):
    regression = "regression"
    preference = "preference"
    sft = "sft"


class Style(StrEnum):
    promptfoo = "promptfoo"
    openai_evals = "openai-evals"


class Format(StrEnum):
    jsonl = "jsonl"
    parquet = "parquet"


def export(
    kind: Annotated[
        ExportKind,
        typer.Argument(help="regression: failed answers as tests; preference: pairs for DPO; sft: answers to imitate."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write: a file for each split, and a card.")],
    style: Annotated[Style, typer.Option(help="Of regression: which tool's test cases.")] = Style.promptfoo,
    form: Annotated[Format, typer.Option("--format", help="Of the files.")] = Format.jsonl,
    since: Annotated[str | None, typer.Option(help="Answers from this moment on, such as 2026-01-31 or 2026-01-31T12:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Answers before this moment. Name it to get the same again later.")] = None,
    tenant: Annotated[list[str] | None, typer.Option(help="Only of this tenant (may be repeated).")] = None,
    feature: Annotated[list[str] | None, typer.Option(help="Only of this feature (may be repeated).")] = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=1.0, help="Least probability that the label is right.")] = 0.7,
    explicit: Annotated[bool, typer.Option("--explicit", help="Only where users said so: thumbs, ratings, comments.")] = False,
    provisional: Annotated[bool, typer.Option("--provisional", help="Also of sessions that go on: the result may change.")] = False,
    splits: Annotated[str | None, typer.Option(help="Shares of sessions, such as train=0.8,test=0.2.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
    data: Data = DEFAULT_DATA,
    url: Annotated[str | None, typer.Option(help="Ask this server: http://[USER:PASSWORD@]HOST:PORT.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a data set from labelled answers: the same selection of the same data gives the same bytes.

    Text is as the tables have it, personal data masked. By default regression is one split, test; preference and sft are train (0.9) and
    test (0.1).

    Example: mirante export preference --feature support --since 2026-01-01 --until 2026-02-01 --out pairs
    """
    from deploy.export.build import build
    from deploy.export.exchange import Selection, read
    from deploy.export.files import write

    selection = Selection(
        confidence=confidence, since=_moment(since, "--since"), until=_moment(until, "--until"), tenants=tuple(tenant or ()),
        features=tuple(feature or ()), explicit=explicit, provisional=provisional,
    )  # fmt: skip
    shares = _shares(splits or ("test=1" if kind is ExportKind.regression else "train=0.9,test=0.1"))
    manner = cast(Any, style.value if kind is ExportKind.regression else "trl")
    exchanges = read(lambda sql: row_stream(sql, data, url), selection)
    with waiting(f"writing {out}"), closing(build(cast(Any, kind.value), manner, exchanges, selection, shares)) as built:
        counts = write(out, cast(Any, kind.value), manner, cast(Any, form.value), selection, built, force=force)
    if as_json:
        found = {"found": built.found, "provisional": built.provisional, "splits": counts}
        typer.echo(json.dumps({"out": str(out), "kind": kind.value, **found}))
    else:
        numbers = ", ".join(f"{name}: {count}" for name, count in counts.items())
        typer.echo(f"{numbers} examples in {out}; {out / 'README.md'} describes them")
    if advice := built.unfinished() if any(counts.values()) else built.nothing():
        typer.echo(advice, err=True)


def _moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a moment such as 2026-01-31T12:00:00Z", param_hint=option) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _shares(text: str) -> Mapping[str, float]:
    """``train=0.9,test=0.1`` as name -> share."""
    try:
        shares = {name.strip(): float(share) for name, _, share in (part.partition("=") for part in text.split(","))}
    except ValueError:
        shares = {}
    if not all(name.isidentifier() and share > 0 for name, share in shares.items()) or abs(sum(shares.values()) - 1) > 1e-9:
        raise typer.BadParameter(f"{text!r}: write names with shares that add up to 1, as in train=0.9,test=0.1", param_hint="--splits")
    return shares
