"""``mirante kill`` and ``mirante restore``: an operator's word on a scope, written to ``llm.controls``.

Little is imported here and in the functions: when a feature must stop, the command must not take its time to start.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack
from deploy.cli.output import say, say_json

if TYPE_CHECKING:
    from schemas.outputs import Control

_T = TypeVar("_T")

Scope = Annotated[str, typer.Argument(help="global, tenant:NAME, feature:NAME, model:NAME, user:NAME or session:NAME.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


def kill(
    scope: Scope,
    reason: Reason,
    expires: Annotated[str | None, typer.Option(help="End by itself after this time: 90s, 30m, 1h30m, 2d.")] = None,
    throttle: Annotated[float | None, typer.Option(min=0, help="Instead of stopping, allow so many requests per minute.")] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Stop the model calls of a scope, or slow them down, in every service that reads llm.controls.

    Example: mirante kill feature:search --reason "cost x40 since the release" --expires 30m
    """
    from datetime import UTC, datetime

    from agents.controls.durations import duration
    from schemas.outputs import Control

    now = datetime.now(UTC)
    control = Control(
        scope=_checked(scope),
        action="kill" if throttle is None else "throttle",
        time=now,
        limit=throttle,
        reason=_given(reason),
        expires_at=None if expires is None else now + _usage(duration, expires),
    )
    until = f"until {control.expires_at:%Y-%m-%d %H:%M:%S} UTC" if control.expires_at else "until it is restored"
    what = "killed" if throttle is None else f"throttled to {throttle:g} requests per minute"
    _write(data, control, f"{scope} is {what} {until}", as_json)
    kind, _, name = scope.partition(":")
    if name:
        from deploy.cli.seen import warn_unseen

        warn_unseen(data, {kind: name})


def restore(scope: Scope, reason: Reason, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """End a kill or throttle of a scope. What holds for other scopes is left as it is."""
    from datetime import UTC, datetime

    from agents.controls.fold import is_in_force
    from deploy.cli.controls import read_controls
    from schemas.outputs import Control

    control = Control(scope=_checked(scope), action="restore", time=datetime.now(UTC), reason=_given(reason))
    settings = settings_of_stack(data)
    state, _ = asyncio.run(read_controls(settings))
    held = any(other.scope == scope and is_in_force(other, control.time) for other in state)
    _write(data, control, f"{scope} is restored" if held else f"nothing was in force for {scope}; recorded all the same", as_json)


def _write(data: Data, control: Control, said: str, as_json: bool) -> None:
    begun = time.perf_counter()
    from deploy.operator import author, write_control

    partition, offset = asyncio.run(write_control(settings_of_stack(data), control, author()))
    milliseconds = round((time.perf_counter() - begun) * 1000)
    if as_json:
        import msgspec

        position = {"partition": partition, "offset": offset, "milliseconds": milliseconds}
        say_json(msgspec.to_builtins({**msgspec.structs.asdict(control), **position}))
    else:
        say(f"{said} (written in {milliseconds} ms)")


def _checked(scope: str) -> str:
    from agents.controls.fold import checked_scope

    return _usage(checked_scope, scope)


def _given(reason: str) -> str:
    if not reason.strip():
        raise typer.BadParameter("say why, others will ask", param_hint="--reason")
    return reason


def _usage(parse: Callable[[str], _T], text: str) -> _T:
    """``parse(text)``; what it cannot read is wrong usage."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
