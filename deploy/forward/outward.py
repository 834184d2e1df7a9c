"""An alert as it leaves the house: without user ids, unless the receiver may have them, and its texts are nothing but text.

Inside, the alert stays whole: `mirante trace RESPONSE_ID`, with a response of its evidence, says who the user is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from shlex import quote
from typing import Any

import msgspec

from deploy.forward.receivers import Receiver
from deploy.plain import for_chat
from schemas.outputs import Alert

_ADDRESSES = frozenset({"runbook_url", "dashboard_url"})
"""Annotations that are a link, and our own."""
_PLAINLY_AN_ID = 5
"""Characters of an id that is one wherever it stands; a shorter one may be a number or a word, and counts behind the word user only."""
_BEHIND = "|".join(f"(?<={word})" for word in ("user[ :']", "User ", "usuário ", "Usuário "))
"""That word, as agents/alerts/wording and commands write it."""


def outward(alert: Alert, receiver: Receiver, secret: bytes) -> Alert:
    """What of ``alert`` this receiver may have. ``secret``: makes the tags of users unguessable."""
    users = [] if receiver.user_ids else sorted(_users(alert), key=len, reverse=True)
    tagged = [_tagging(user, user_tag(user, secret)) for user in users]

    def text(of: str) -> str:
        for put in tagged:
            of = put(of)
        return for_chat(of)

    def tag(user: str) -> str:
        return user if receiver.user_ids else user_tag(user, secret)

    labels = {name: tag(value) if name == "user" else value for name, value in alert.labels.items()}
    return msgspec.structs.replace(
        alert,
        labels={name: text(value) for name, value in labels.items()},
        annotations={name: value if name in _ADDRESSES else text(value) for name, value in alert.annotations.items()},
        evidence=_every_text(alert.evidence, text, tag),
    )


def user_tag(user: str, secret: bytes) -> str:
    """The same for one user always, and nobody's name; empty for no user."""
    return f"user-{hashlib.blake2b(user.encode('utf-8', 'surrogatepass'), key=secret[:64], digest_size=5).hexdigest()}" if user else user


def _users(alert: Alert) -> set[str]:
    """Of the alert, and of those that a digest counts."""
    return {alert.labels.get("user", ""), *_named(alert.evidence)} - {""}


def _named(value: Any) -> Iterator[str]:
    """Values under the name ``user``, however deep."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _named(one)
    elif isinstance(value, dict):
        if isinstance(user := value.get("user"), str):
            yield user
        for one in value.values():
            yield from _named(one)


def _tagging(user: str, tag: str) -> Callable[[str], str]:
    """Puts a tag for a user in the texts that agents write: `user ID`, `user:ID`, the latter also quoted for a shell."""
    inner = quote(user)[1:-1] if quote(user) != user else user
    either = "|".join(re.escape(written) for written in dict.fromkeys((user, inner)))
    where = r"(?<!\w)" if len(user) >= _PLAINLY_AN_ID else f"(?:{_BEHIND})"
    pattern = re.compile(rf"{where}(?:{either})(?!\w)")
    return lambda text: pattern.sub(tag, text)


def _every_text(value: Any, text: Callable[[str], str], tag: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list | tuple):
        return [_every_text(one, text, tag) for one in value]
    if isinstance(value, dict):
        return {
            text(str(name)): text(tag(one)) if name == "user" and isinstance(one, str) else _every_text(one, text, tag)
            for name, one in value.items()
        }
    return value
