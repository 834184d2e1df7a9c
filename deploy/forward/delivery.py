"""One POST and what its answer means, and how long to wait before the next try."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

import aiohttp

from deploy.forward.payloads import HttpPost

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
LONGEST_RETRY_AFTER = 3_600.0
"""Seconds. A receiver may ask for patience, but not for ever."""

MAX_DETAIL = 300


class ReceiverAnswer(NamedTuple):
    """``retry_after``: seconds the receiver asks to wait for, if it does."""

    result: Literal["delivered", "refused", "failed"]
    detail: str = ""
    retry_after: float | None = None


async def post(session: aiohttp.ClientSession, request: HttpPost) -> ReceiverAnswer:
    """Post once. Failed means that it may be tried again: no answer, too many requests, or an error of the server's own."""
    try:
        async with session.post(request.url, data=request.body, headers=request.headers, allow_redirects=False) as response:
            text = (await response.content.read(MAX_DETAIL)).decode(errors="replace")
            return judge(response.status, text, response.headers.get("Retry-After"), datetime.now(UTC))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return ReceiverAnswer("failed", f"{type(error).__name__}: {error}"[:MAX_DETAIL])


def judge(status: int, text: str, retry_after: str | None, now: datetime) -> ReceiverAnswer:
    """What an HTTP answer means."""
    if 200 <= status < 300:
        return ReceiverAnswer("delivered")
    detail = f"HTTP {status} {text.strip()}".strip()
    if status in (408, 425, 429) or status >= 500:
        return ReceiverAnswer("failed", detail, _seconds(retry_after, now))
    return ReceiverAnswer("refused", detail)


def delay(attempt: int, answer: ReceiverAnswer, chance: random.Random) -> float:
    """Seconds before the next try, after ``attempt`` (from 1) tries: growing, and random so that many do not come back at once.

    "Full jitter" of https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, over what the receiver asked for.
    """
    jitter = chance.uniform(FIRST_DELAY / 2, min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempt, 16)))
    return (answer.retry_after or 0.0) + jitter


def new_session() -> aiohttp.ClientSession:
    """One POST takes at most 10 s; a receiver that is slower is tried again."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """``Retry-After``: seconds or a date (RFC 9110, 10.2.3); None for neither."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return min(float(retry_after), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
