"""Running the steps of a guarded call: the checks they ask for, in threads or in asyncio."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from mirante._guard import Check, Steps
from mirante._running import DeadlinePassed, awithin, in_thread, within
from mirante.rails import Rail, Verdict, verdict_of

T = TypeVar("T")


def _failure(rail: Rail, error: BaseException) -> Verdict:
    slow = isinstance(error, DeadlinePassed)
    detail = (
        f"the rail took longer than {rail.timeout:g} s"
        if slow
        else f"the rail failed: {type(error).__name__}"
    )
    return Verdict("block" if rail.on_failure == "fail_closed" else "flag", detail=detail)


def _checked(check: Check) -> Verdict:
    result = check.rail.check(check.text, check.facts)
    if asyncio.iscoroutine(result):
        result = asyncio.run(result)
    return verdict_of(result)


def judge(check: Check) -> Verdict:
    """A rail's verdict, whatever happens to the rail."""
    rail = check.rail
    try:
        if rail.is_async and rail.timeout is None:
            return within(3600.0, lambda: _checked(check))  # a loop may run in this thread
        return within(rail.timeout, lambda: _checked(check))
    except Exception as error:  # noqa: BLE001 - on_failure says what holds then
        return _failure(rail, error)


async def ajudge(check: Check) -> Verdict:
    """As ``judge``, without blocking the loop where the rail has a timeout."""
    rail = check.rail
    try:
        if rail.is_async:
            return verdict_of(await awithin(rail.timeout, rail.check(check.text, check.facts)))
        if rail.timeout is None:
            return _checked(check)
        return await awithin(rail.timeout, in_thread(lambda: _checked(check)))
    except Exception as error:  # noqa: BLE001 - on_failure says what holds then
        return _failure(rail, error)


def drive(steps: Steps[T]) -> T:
    """Run steps in this thread."""
    try:
        check = next(steps)
        while True:
            check = steps.send(judge(check))
    except StopIteration as end:
        value: T = end.value
        return value


async def adrive(steps: Steps[T]) -> T:
    """Run steps in asyncio."""
    try:
        check = next(steps)
        while True:
            check = steps.send(await ajudge(check))
    except StopIteration as end:
        value: T = end.value
        return value
