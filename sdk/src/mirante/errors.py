"""What a guarded call raises when there is no answer and no fallback text.

Only these come from Mirante. What the provider's client raises reaches the caller as it was.
"""

from __future__ import annotations


class MiranteError(Exception):
    """Base of what the guarded call raises on purpose."""


class Refused(MiranteError):
    """The call was not made, or its answer is withheld.

    ``by``: what refused it: ``kill_switch``, ``throttle``, ``controls_unknown`` or a rail's name.
    ``detail``: the scope and reason of the switch, or what the rail found (never the text itself).

    Example::

        try:
            answer = client.call(ask, model="gpt-4o", messages=messages)
        except mirante.Refused as refused:
            show(f"Not available now ({refused.by}).")
    """

    def __init__(self, by: str, detail: str = "") -> None:
        super().__init__(f"{by}: {detail}" if detail else by)
        self.by = by
        self.detail = detail

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        return type(self), (self.by, self.detail)


class Killed(Refused):
    """A kill switch is on for the call, or the state of the switches is unknown and the client is
    told to treat that as closed."""


class Throttled(Refused):
    """A throttle is in force and its requests of this minute are used up."""


class Blocked(Refused):
    """A rail blocked the input or the output."""


class CallTimeout(MiranteError, TimeoutError):
    """The call took longer than its timeout and was cancelled. A TimeoutError.

    Example::

        try:
            client.call(ask, model="gpt-4o", messages=messages, timeout=5)
        except TimeoutError:
            ...
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no complete answer within {seconds:g} s")
        self.seconds = seconds

    def __reduce__(self) -> tuple[type[CallTimeout], tuple[float]]:
        return type(self), (self.seconds,)
