"""Budgets, rate limits and the search for loops: what ``mirante.toml`` says of them, and which of them count a call.

::

    [[budgets]]
    name = "chat-month"
    scope = { feature = "chat", model = "gpt-4*" }  # optional; `*` matches any characters
    by = ["tenant"]                                 # optional: a budget for each tenant
    limit = 500
    unit = "usd"                                    # or tokens, requests
    window = "month"                                # hour, day, week, month (UTC), or the length of a rolling one: "24h"

    [[limits]]
    name = "per-user"
    by = "user"
    limit = 60
    unit = "requests"
    per = "1m"
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agents.budgets.burn import Pair, pairs_of
from agents.budgets.windows import BUCKET, BudgetWindow, Resolution, parse_duration, parse_window
from schemas.events import Request
from schemas.group_usage import Group
from schemas.outputs import Severity

Kind = Literal["budget", "limit", "runaway"]
Unit = Literal["usd", "tokens", "requests"]
Dimension = Literal["tenant", "feature", "model", "provider", "environment", "prompt", "user", "session", "trace"]

PERSONAL: Mapping[str, Callable[[Request], str | None]] = {
    "user": attrgetter("user_id"),
    "session": attrgetter("session_id"),
    "trace": attrgetter("trace_id"),
}
"""Dimensions with too many values to remember a decision for each. A call without one is nobody's and is not counted by it."""

RUNAWAY_SPAN = 600
"""Seconds within which a loop shows."""

_PLANS = 16_384
_PICODOLLARS = 10**12


def _names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Scope = Mapping[Dimension, str]
By = Annotated[tuple[Dimension, ...], BeforeValidator(_names)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Amount = Annotated[Decimal, Field(gt=0, le=10**15, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class BudgetTable(_Table):
    """One ``[[budgets]]``. ``burn``: whether to tell of burn rates too; by default unless it is per user, session or trace."""

    name: Name
    scope: Scope = {}
    by: By = ()
    limit: Amount
    unit: Unit = "usd"
    window: Annotated[BudgetWindow, BeforeValidator(parse_window)]
    severity: Severity = "ticket"
    burn: bool | None = None


def _per(value: object) -> int:
    seconds = parse_duration(value)
    if not BUCKET <= seconds <= 3_600 or seconds % BUCKET:
        raise ValueError(f"a multiple of {BUCKET} s from {BUCKET} s to 1 hour, not {value!r}; for longer ones use [[budgets]]")
    return seconds


class LimitTable(_Table):
    """One ``[[limits]]``."""

    name: Name
    scope: Scope = {}
    by: By
    limit: Amount
    unit: Unit = "requests"
    per: Annotated[int, BeforeValidator(_per)]
    severity: Severity = "ticket"


class RunawayTable(_Table):
    """``[runaway]``: what no ordinary session or trace does in ten minutes."""

    enabled: bool = True
    usd: Amount = Decimal(5)
    calls: int = Field(default=200, ge=10)
    repeats: int = Field(default=20, ge=3)
    severity: Severity = "page"


@dataclass(frozen=True, eq=False)
class Rule:
    """``limit``: in picodollars, tokens or requests. ``by`` and ``scope``: dimensions."""

    kind: Kind
    name: str
    scope: Mapping[str, str]
    by: tuple[str, ...]
    unit: Unit
    limit: int
    window: BudgetWindow
    severity: Severity
    burn: bool = False
    runaway: RunawayTable | None = None

    @cached_property
    def id(self) -> str:
        """Names what is counted: another limit keeps the sums, another scope, window or unit begins anew."""
        counted = repr((self.kind, sorted(self.scope.items()), self.by, self.unit))[:-1]
        # spelled out: it is in states that were written, so it must not follow the name of a class
        counted += f", Window(kind={self.window.kind!r}, seconds={self.window.seconds!r}))"
        return f"{self.name}#{zlib.crc32(counted.encode()):08x}"

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs of windows in which its burn rate is looked at; none if it has none."""
        return pairs_of(self.window) if self.burn else ()

    @cached_property
    def resolution(self) -> Resolution:
        """The window its sums are kept by, and for how many seconds of history."""
        keep = self.window.seconds if self.window.rolling else max((pair.long for pair in self.pairs), default=0)
        return Resolution(self.window, keep)

    def labels(self, values: tuple[str, ...]) -> dict[str, str]:
        """Of the findings: the rule, its scope and whom it counts."""
        own: dict[str, str] = {} if self.kind == "runaway" else {self.kind: self.name}
        return {**own, **self.scope, **dict(zip(self.by, values, strict=True))}


_T = TypeVar("_T", bound=_Table)


def read_rules(budgets: Iterable[Any] = (), limits: Iterable[Any] = (), runaway: Any = None) -> Rules:
    """The rules of ``mirante.toml``, as parsed from TOML. Raises ValueError naming table, entry and field."""
    rules = [
        Rule("budget", table.name, _plain(table.scope), table.by, table.unit, _whole(table.limit, table.unit, f"[[budgets]] {table.name}"),
             table.window, table.severity, not any(d in PERSONAL for d in table.by) if table.burn is None else table.burn)
        for table in _read(BudgetTable, "[[budgets]]", budgets)
    ]  # fmt: skip
    for table in _read(LimitTable, "[[limits]]", limits):
        if not table.by:
            raise ValueError(f"[[limits]] {table.name}: by: name whom the limit holds for, such as by = 'user'")
        limit = _whole(table.limit, table.unit, f"[[limits]] {table.name}")
        rules.append(
            Rule("limit", table.name, _plain(table.scope), table.by, table.unit, limit, BudgetWindow("rolling", table.per), table.severity)
        )
    loops = _convert(RunawayTable, "[runaway]", runaway or {})
    if loops.enabled:
        limit, window = _whole(loops.usd, "usd", "[runaway]"), BudgetWindow("rolling", RUNAWAY_SPAN)
        for dimension in ("session", "trace"):
            rules.append(Rule("runaway", dimension, {}, (dimension,), "usd", limit, window, loops.severity, runaway=loops))
    return Rules(rules)


def _read(kind: type[_T], where: str, rows: Iterable[Any]) -> list[_T]:
    tables: list[_T] = []
    names: set[str] = set()
    for number, row in enumerate(rows, 1):
        named = row.get("name") if isinstance(row, dict) else None
        table = _convert(kind, f"{where} {named or f'entry {number}'}", row)
        name: str = table.name  # type: ignore[attr-defined]
        if name in names:
            raise ValueError(f"{where} {name}: name: is used twice; alerts are known by it")
        names.add(name)
        tables.append(table)
    return tables


def _convert(kind: type[_T], where: str, row: Any) -> _T:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        problems = "; ".join(f"{_field(e['loc'])}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{where}: {problems}") from error


def _plain(scope: Scope) -> dict[str, str]:
    return {str(dimension): pattern for dimension, pattern in scope.items()}


def _field(place: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in place if part != "[key]") or "entry"


def _whole(limit: Decimal, unit: Unit, where: str) -> int:
    amount = limit * _PICODOLLARS if unit == "usd" else limit
    if amount != int(amount):
        raise ValueError(f"{where}: limit: {limit} is not a whole number of {'picodollars' if unit == 'usd' else unit}")
    return int(amount)


_Facts = tuple[str | None, ...]
"""Of a call: tenant, feature, model, provider, environment, name and SHA of the prompt."""

_FACTS = ("tenant", "feature", "model", "provider", "environment", "prompt")
_group = partial(tuple.__new__, Group)
"""Of its fields, for every call: a third of the time that the constructor takes."""

_Find = Callable[[Request], Group | None]
_Plan = tuple[list[Group], list[_Find]]


class Rules:
    """All rules. ``groups`` is called for every interaction: what does not depend on user, session or trace is decided once."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_id = {rule.id: rule for rule in rules}
        self.loops = frozenset(rule.id for rule in self.by_id.values() if rule.kind == "runaway")
        """Rules whose usage needs signatures."""
        self.limits = frozenset(rule.id for rule in self.by_id.values() if rule.kind == "limit")
        self._plans: dict[_Facts, _Plan] = {}

    def __bool__(self) -> bool:
        return bool(self.by_id)

    def groups(self, request: Request, model: str | None = None) -> list[Group]:
        """Where a call counts, in the order of the rules' kinds. ``model``: the one that answered. Not to be changed by the caller."""
        prompt = request.prompt
        facts = (
            request.tenant, request.feature, model or request.model, request.provider, request.environment,
            None if prompt is None else prompt.name, None if prompt is None else prompt.sha,
        )  # fmt: skip
        plan = self._plans.get(facts)
        if plan is None:
            plan = self._plan(facts)
        fixed, personal = plan
        if not personal:
            return fixed
        groups = fixed.copy()
        for find in personal:
            if (group := find(request)) is not None:
                groups.append(group)
        return groups

    def _plan(self, facts: _Facts) -> _Plan:
        *plain, name, sha = facts
        values = {**dict(zip(_FACTS, plain, strict=False)), "prompt": name or sha}
        fixed: list[Group] = []
        personal: list[_Find] = []
        for rule in self.by_id.values():
            scope = {d: _matcher(pattern) for d, pattern in rule.scope.items()}
            outside = [d for d, matches in scope.items() if d not in PERSONAL and not matches(values[d] or "")]
            if outside == ["prompt"] and scope["prompt"](sha or ""):
                outside = []
            if outside:
                continue
            checks = [(PERSONAL[d], matches) for d, matches in scope.items() if d in PERSONAL]
            if checks or any(d in PERSONAL for d in rule.by):
                personal.append(_finder(rule, values, checks))
            else:
                fixed.append(Group(rule.id, tuple(values[d] or "" for d in rule.by)))
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        self._plans[facts] = fixed, personal
        return fixed, personal


def _finder(
    rule: Rule, values: Mapping[str, str | None], checks: list[tuple[Callable[[Request], str | None], Callable[[str], bool]]]
) -> _Find:
    identity = rule.id
    if not checks and len(rule.by) == 1:  # by far the most frequent
        get = PERSONAL[rule.by[0]]

        def find_one(request: Request) -> Group | None:
            value = get(request)
            return _group((identity, (value,))) if value else None

        return find_one
    getters = [PERSONAL.get(d) for d in rule.by]
    known = [values.get(d) or "" for d in rule.by]

    def find(request: Request) -> Group | None:
        for get, matches in checks:
            value = get(request)
            if not value or not matches(value):
                return None
        found: list[str] = []
        for getter, fixed in zip(getters, known, strict=True):
            value = fixed if getter is None else getter(request)
            if getter is not None and not value:
                return None
            found.append(value or "")
        return Group(identity, tuple(found))

    return find


def _matcher(pattern: str) -> Callable[[str], bool]:
    if "*" not in pattern:
        return pattern.__eq__
    compiled = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None
