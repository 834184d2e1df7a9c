"""``mirante topics``: what users talk about, and what that costs."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data

_RECENT = (
    "w.window_start >"
    " (SELECT max(window_start) FROM mirante.topic_windows_data) - toIntervalSecond({seconds:UInt32})"
)


def topics(
    data: Data = DEFAULT_DATA,
    feature: Annotated[str, typer.Option(help="Of this feature alone.")] = "",
    since: Annotated[
        float, typer.Option(min=0.1, help="What was asked in the last so many hours of traffic.")
    ] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Show what users talk about, by feature: how often, at what cost, and how well it goes.

    Questions that belong to no topic are in `__other__`. Example: mirante topics --feature support
    """
    from rich.table import Table

    from deploy.cli.output import cell, console, say_json
    from deploy.cli.trace import asking
    from deploy.dashboard.topics import topic_sums

    with asking(data, None) as ask:
        found = ask(topic_sums(_RECENT), {"seconds": int(since * 3600), "feature": feature})
    if as_json:
        say_json(found)
        return
    if not found:
        typer.echo("no topics yet: they come some minutes after the questions, if `[topics] enabled = true` (`mirante up` has it on)")
        return
    left = ("feature", "topic", "first seen")
    table = Table(*left, "requests", "cost", "refused", "failed", "satisfied", "p99", "example")
    for row in found:
        satisfied, p99 = row["satisfaction"], row["latency_p99_ms"]
        examples = row["example_response_ids"]
        table.add_row(
            cell(row["feature"]),
            cell(row["topic"] or row["topic_id"]),
            str(row["first_seen"])[:16].replace("T", " ") if row["topic"] else "",
            f"{row['requests']:,}",
            f"${row['cost_usd']:,.4f}",
            f"{row['refusals'] / max(row['requests'], 1):.0%}",
            f"{row['errors'] / max(row['requests'], 1):.0%}",
            "" if satisfied is None else f"{satisfied:.0%}",
            "" if p99 is None else f"{p99:,.0f} ms",
            cell(examples[-1] if examples else ""),
        )
    console().print(table)
