"""Why a request is refused: what every module here raises and the server answers."""

from __future__ import annotations


class HttpProblem(Exception):
    """A refusal. ``status``: of HTTP. ``retry_after``: seconds, where trying again makes sense."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class BadEvent(HttpProblem):
    """A body that is no list of events. ``place``: ``line 3`` or ``item 3``, counted from 1;
    ``field``: the path of what is wrong, as far as there is one."""

    def __init__(self, message: str, place: str = "", field: str = "") -> None:
        told = f"{field}: {message}" if field else message
        super().__init__(400, f"{place}: {told}" if place else told)
        self.place, self.field = place, field
