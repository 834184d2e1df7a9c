"""Why something failed, in words for people: without the innards of the libraries that say it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

LONGEST = 400

_OF_CLICKHOUSE = re.compile(r"DB::Exception: (.*)", re.DOTALL)
_APPENDIX = re.compile(
    r"\s*\((version [\d.]+[^)]*|for url [^)]*|official build|query_id[^)]*)\)|\.? ?Stack trace:.*",
    re.DOTALL,
)


def reason(error: BaseException) -> str:
    """What is at the root of an error, in one line."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror and cause.errno is not None:
            return re.sub(r"^Connect call failed.*", "connection refused", cause.strerror)
        if isinstance(cause, TimeoutError):
            return "it did not answer in time"
    if isinstance(error, KafkaTimeoutError):
        return "it did not answer in time"
    if isinstance(error, KafkaConnectionError):
        return "it cannot be reached"
    text = str(error)
    if found := _OF_CLICKHOUSE.search(text):
        text = found[1]
    text = " ".join(_APPENDIX.sub("", text).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, also as urllib3 keeps that."""
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        cause = todo.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        todo += [getattr(cause, "reason", None), cause.__cause__, cause.__context__]
