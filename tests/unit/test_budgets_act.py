"""From usage to what services read: a budget's alert stops or throttles its user, and lets go when the period is over or usage has gone.

Three agents in a row without Kafka, in event time: ``budgets``, ``alerts``, ``controls``.
"""

from __future__ import annotations

from typing import Any

import pytest

from agents.budgets.rules import read_rules
from tests.unit.test_alerts import Desk
from tests.unit.test_budgets import QUIET, Stage2, part, usage
from tests.unit.test_controls import NOON, World

HOUR = 3_600
BEGIN = int(NOON.timestamp())
WHILE_IT_FIRES = {"action": "kill", "scope": "user:{user}", "expires": "resolved"}
STOP = {**WHILE_IT_FIRES, "on": "BudgetExhausted"}
SLOW = {**WHILE_IT_FIRES, "on": "BudgetBurn", "action": "throttle", "limit": 6.0}


class Leash:
    """Seconds count from noon, when an hour begins."""

    def __init__(self, budgets: list[dict[str, Any]], *rules: dict[str, Any], limits: list[dict[str, Any]] | None = None) -> None:
        self.budgets = Stage2(read_rules(budgets, limits or [], runaway=QUIET))
        self.alerts = Desk()
        self.switches = World(*rules)
        self.clock = 0.0

    def spend(self, at: int, usd: float, user: str = "ana", rule: str = "b", requests: int = 1) -> None:
        """A user's calls at a moment. Of one moment once."""
        self.wait_until(at)
        self._hear(part(self.budgets.id(rule), BEGIN + at, usage(requests, usd), user))

    def wait_until(self, time: int) -> None:
        self.switches.pass_time(time - self.clock)
        self.clock = time
        self._hear()

    def _hear(self, *parts: Any) -> None:
        self.budgets.now = BEGIN + self.clock
        self.budgets.send(*parts, clock=BEGIN + self.clock)
        for message in self.budgets.effects.messages:
            self.alerts.record(message.value)
        for alert in self.alerts.published():
            self.switches.alert(alert)

    def decision(self, user: str = "ana") -> str:
        return self.switches.decision(user=user)


def by_user(**fields: Any) -> dict[str, Any]:
    return {"name": "b", "by": "user", "limit": 5, "window": "hour", **fields}


def test_given_a_user_over_the_budget_of_the_hour_then_only_that_user_is_stopped_until_the_hour_is_over() -> None:
    leash = Leash([by_user()], STOP)
    leash.spend(600, 4.9, "ben")
    leash.spend(610, 4.0)
    assert leash.decision() == "allow"
    leash.spend(620, 1.0)
    assert leash.decision() == "kill"
    assert leash.decision("ben") == "allow"
    (switch,) = leash.switches.written()
    assert switch.expires_at is not None
    assert switch.expires_at.timestamp() == BEGIN + HOUR
    assert switch.source == "BudgetExhausted"
    leash.wait_until(HOUR - 1)
    assert leash.decision() == "kill"
    leash.wait_until(HOUR)
    assert leash.decision() == "allow"


@pytest.mark.parametrize("after", [1, 30, 90])
def test_given_a_user_over_the_budget_of_the_next_hour_too_then_they_are_stopped_again_however_soon(after: int) -> None:
    leash = Leash([by_user()], STOP)
    leash.spend(3_590, 6.0)
    leash.spend(HOUR + after, 6.0)
    assert leash.decision() == "kill"
    assert [switch.action for switch in leash.switches.written()].count("kill") == 2
    leash.wait_until(2 * HOUR)
    assert leash.decision() == "allow"


def test_given_a_rolling_budget_then_its_user_is_stopped_until_enough_of_the_usage_has_gone() -> None:
    leash = Leash([by_user(window="rolling 1h")], STOP)
    leash.spend(600, 3.0)
    leash.spend(1_200, 3.0)
    assert leash.decision() == "kill"
    assert leash.switches.written()[0].expires_at is None
    leash.wait_until(600 + HOUR - 60)
    assert leash.decision() == "kill"
    leash.wait_until(600 + HOUR + 180)  # one step of the window, and a minute in which it must not come back
    assert leash.decision() == "allow"


def test_given_a_limit_then_its_user_is_throttled_until_they_have_slowed_down() -> None:
    limit = {"name": "b", "by": "user", "limit": 60, "per": "1m"}
    leash = Leash([], {**STOP, "on": "RateLimitExceeded", "action": "throttle", "limit": 10.0}, limits=[limit])
    leash.spend(600, 0.0, requests=61)
    assert leash.decision() == "throttle"
    leash.wait_until(780)
    assert leash.decision() == "allow"


def test_given_a_budget_that_burns_then_its_user_is_throttled_and_stopped_once_it_is_exhausted() -> None:
    leash = Leash([by_user(limit=60, burn=True)], SLOW, STOP)
    seen = []
    for n in range(40):
        leash.spend(600 + 10 * n, 3.0)
        seen.append(leash.decision())
    assert list(dict.fromkeys(seen)) == ["allow", "throttle", "kill"]
    assert leash.switches.written()[0].limit == 6.0
    leash.wait_until(HOUR)
    assert leash.decision() == "allow"
    leash.wait_until(2 * HOUR)
    assert leash.decision() == "allow"


def test_given_budgets_of_hour_and_day_then_the_end_of_the_hour_does_not_let_go_of_who_is_over_the_days() -> None:
    leash = Leash([by_user(), by_user(name="day", limit=8, window="day")], STOP)
    leash.spend(600, 6.0, rule="day")
    leash.spend(600, 6.0)
    assert leash.decision() == "kill"
    leash.spend(HOUR + 600, 3.0, rule="day")
    leash.spend(HOUR + 600, 6.0)
    assert leash.decision() == "kill"
    leash.wait_until(2 * HOUR + 600)
    assert leash.decision() == "kill"
    leash.wait_until(12 * HOUR)
    assert leash.decision() == "allow"


def test_given_an_operator_lets_a_user_go_on_then_the_same_alert_does_not_stop_them_again() -> None:
    leash = Leash([by_user()], STOP)
    leash.spend(600, 6.0)
    restore = leash.switches.written()[0]
    restore.action, restore.source, restore.expires_at = "restore", "operator", None
    leash.switches.operator(restore)
    leash.spend(700, 6.0)
    assert leash.decision() == "allow"
