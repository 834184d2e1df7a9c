"""``mirante drift accept``: an operator's word that what has drifted is the new normal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack

if TYPE_CHECKING:
    from deploy.operator import Position
    from schemas.samples import Acceptance
    from streams.settings import Settings

app = typer.Typer(help="Drift of answers: the alerts named Drift, and the table `drift` with every test.", no_args_is_help=True)

@app.callback()
def drift() -> None:
    """Drift of answers: the alerts named Drift, and the table `drift` with every test."""


@app.command("accept")
def accept(
    feature: Annotated[str, typer.Option(help="Whose answers are accepted, as the alert's label says.")],
    reason: Annotated[str, typer.Option(help="Why they are as they should be.")],
    model: Annotated[str, typer.Option(help="As requested, as the alert's label says; without it all models of the feature.")] = "",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Accept how a feature answers now: what came since the drift becomes its reference, and its Drift and QualityDrop alerts end.

    Example: mirante drift accept --feature support --model gpt-4o-mini --reason "new prompt, evaluated on Tuesday"
    """
    from datetime import UTC, datetime

    import msgspec

    from deploy.cli.seen import warn_unseen
    from deploy.operator import author
    from schemas.samples import Acceptance

    if not reason.strip():
        raise typer.BadParameter("say why, others will ask", param_hint="--reason")
    word = Acceptance(feature=feature, model=model, reason=reason, author=author(), time=datetime.now(UTC).isoformat())
    partition, offset = asyncio.run(_send(settings_of_stack(data), word))
    if as_json:
        typer.echo(msgspec.json.encode({**msgspec.structs.asdict(word), "partition": partition, "offset": offset}))
    else:
        typer.echo(f"accepted: what feature {feature} answers now is its reference; its alerts end within two minutes of traffic")
    warn_unseen(data, {"feature": feature, **({"model": model} if model else {})})


async def _send(settings: Settings, word: Acceptance) -> Position:
    """Write the acceptance where the agent of this feature reads it."""
    import msgspec

    from deploy.operator import write
    from streams.partitioner import partition_of
    from streams.topics import Topics

    key = word.feature.encode()
    home = partition_of(key, settings.partitions)
    return await write(settings, Topics.of(settings).accepts, key, msgspec.json.encode(word), partition=home)
