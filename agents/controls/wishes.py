"""What rules want of each scope, as long as they want it: of several wishes the strictest is in force, and when it ends the next one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from agents.controls.fold import is_in_force, strictness
from schemas.outputs import Control

MAX_SCOPES = 10_000
MAX_WISHES = 100
"""Of one scope; beyond it the least go first, as do scopes that were wanted longest ago."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class Wish(msgspec.Struct, array_like=True, gc=False):
    """``alert_id``: of the alert on which a rule wants ``control``."""

    alert_id: str
    control: Control


def weight(control: Control) -> tuple[tuple[bool, float], datetime]:
    """Larger is more restrictive; of equals, what lasts longer."""
    return strictness(control), control.expires_at or _NEVER


class Wishes:
    """By scope. ``changed``: scopes whose wishes are to be saved."""

    def __init__(self) -> None:
        self._by_scope: dict[str, list[Wish]] = {}
        self.changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._by_scope)

    def of(self, scope: str) -> list[Wish]:
        """The heaviest first."""
        return self._by_scope.get(scope, [])

    def add(self, wish: Wish) -> None:
        """Remember what a rule wants of a scope, strictest first; beyond the bounds the oldest
        scopes are forgotten."""
        scope = wish.control.scope
        wishes = [*(known for known in self._by_scope.pop(scope, []) if known != wish), wish]
        self._set(scope, sorted(wishes, key=_weight, reverse=True)[:MAX_WISHES])
        while len(self._by_scope) > MAX_SCOPES:
            self._set(next(iter(self._by_scope)), [])

    def withdraw(self, scope: str, alert_id: str) -> None:
        """The alert is over."""
        self._set(scope, [wish for wish in self.of(scope) if wish.alert_id != alert_id])

    def forget(self, scope: str) -> None:
        """Nobody wants anything of this scope any more."""
        self._set(scope, [])

    def strictest(self, scope: str, now: datetime) -> Wish | None:
        """What is to be in force at ``now`` (which never goes back)."""
        wishes = self.of(scope)
        standing = [wish for wish in wishes if is_in_force(wish.control, now)]
        if len(standing) < len(wishes):
            self._set(scope, standing)
        return standing[0] if standing else None

    def _set(self, scope: str, wishes: list[Wish]) -> None:
        if wishes:
            self._by_scope[scope] = wishes
        elif self._by_scope.pop(scope, None) is None:
            return
        self.changed.add(scope)

    # Persistence

    def take_changes(self) -> list[tuple[str, list[Wish]]]:
        """(scope, wishes) of those that changed since the last call; an empty list stands for a
        forgotten one."""
        changed, self.changed = self.changed, set()
        return [(scope, self.of(scope)) for scope in sorted(changed)]

    def all(self) -> Iterator[tuple[str, list[Wish]]]:
        """(scope, wishes) of all scopes."""
        yield from self._by_scope.items()

    def load(self, saved: Iterable[tuple[str, list[Wish]]]) -> None:
        for scope, wishes in saved:
            self._set(scope, wishes)
        self.changed = set()


def _weight(wish: Wish) -> tuple[tuple[bool, float], datetime]:
    return weight(wish.control)
