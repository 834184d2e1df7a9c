"""The numbers and names of an alert's facts as text, by the names that sentences ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from shlex import quote
from typing import Any

from agents.alerts.wording.english import ENGLISH
from agents.alerts.wording.numbers import (
    Language,
    Unit,
    counted,
    moment,
    money,
    pair,
    plain,
    quantity,
    span,
)
from agents.alerts.wording.portuguese import PORTUGUESE
from agents.alerts.wording.words import Words
from schemas.outputs import Alert

WORDS: Mapping[Language, Words] = {"en": ENGLISH, "pt": PORTUGUESE}

UNITS: Mapping[str, Unit] = {
    "price": "usd", "tokens": "tokens", "creep": "usd", "cost_of_traffic": "usd",
    "traffic_up": "per_minute", "traffic_down": "per_minute",
    **dict.fromkeys(
        ("api_error", "content_filter", "truncated", "refusal", "lost", "json_invalid", "injection",
         "pii_question", "pii_context", "pii_answer", "unpriced", "partial", "unpriced_and_partial",
         "no_usage", "satisfaction", "labels", "no_sha", "never_sha", "text_differs"), "share"),
    "latency": "ms", "ttft": "ms", "tpot": "ms", "slo": "times", "budget_burn": "times",
    "scores": "score",
}  # fmt: skip
"""Unit of value and usual value by kind; ``plain`` for the others."""

_KILLABLE = ("session", "user", "feature", "model", "tenant")
"""Scopes of a kill switch, the narrowest first."""
_NAMED = 3

Facts = Mapping[str, Any]


def place(labels: Mapping[str, str], language: Language) -> str:
    """Where it is, such as ``Feature chat, model gpt-4o``; what has no name of its own is left out."""
    words = WORDS[language]
    named = [
        f"{word} {labels[label]}"
        for label, word in words.places.items()
        if labels.get(label) and not (label == "tenant" and labels[label] == "default")
    ]
    return begun(", ".join(named) or words.tails["nowhere"])


def begun(text: str) -> str:
    """As at the beginning of a sentence."""
    return text[:1].upper() + text[1:]


class Values:
    """Of one alert in one language."""

    def __init__(self, alert: Alert, facts: Facts, language: Language) -> None:
        self._alert = alert
        self._facts = facts
        self._language: Language = language
        self._words = WORDS[language]
        self._kind: str = facts["kind"]
        self._firing = alert.status == "firing"
        self._unit: Unit = UNITS.get(self._kind, "plain")

    def all(self) -> dict[str, str]:
        """All that a sentence may ask for, as text."""
        language, facts, alert = self._language, self._facts, self._alert
        value, usual, worst = alert.value or 0.0, alert.expected or 0.0, self.worst() or 0.0
        said, normal = pair(value, usual, self._unit, language)
        most, least = pair(worst, usual, self._unit, language)
        found = {
            "value": said, "usual": normal if self._firing else least, "worst": most,
            "kill": self._kill(), "fingerprint": alert.fingerprint, "count": plain(value, language),
            "moved": self.moved(), "latency": quantity(facts.get("latency_ms", 0.0), "ms", language),
            "share": quantity(facts.get("share", 0.0), "share", language),
            "usd": money(facts.get("usd", 0.0), language),
            "per_hour": plain(facts.get("per_hour", 0), language),
            "people": self.counted(facts.get("users") or 0, "users"),
            "faults": plain(facts.get("faults", 0), language),
            "repeated": plain(facts.get("repeated", 0), language),
            "before": plain(round(facts.get("before", 0)), language),
            "after": plain(round(facts.get("after", 0)), language),
            "least": self._words.terms["least"] if facts.get("least") else "",
            "same": self._words.terms["one_call" if facts.get("different", 1) == 1 else "two_calls"],
            "direction": self._words.terms.get(facts.get("direction", ""), ""),
            "what": self._words.terms.get(facts.get("metric", ""), ""),
            "judge": str(facts.get("judge", "")), "pii": str(facts.get("pii", "")),
            "objective": str(facts.get("objective", "")), "sha": str(facts.get("sha", "")),
            "paste": str(facts.get("paste", "")), "query": str(facts.get("query", "")),
            "watch": str(facts.get("watch", "")), "measure": self._measure(),
            "steps": self._steps(), "worst_of": self._worst_of(),
        }  # fmt: skip
        for name, noun in (("calls", "calls"), ("answers", "answers"), ("pairs", "pairs"), ("tokens", "tokens"),
                           ("unpriced", "calls"), ("partial", "calls")):  # fmt: skip
            found[name] = self.counted(facts.get(name) or 0, noun)
        for name in ("over", "long", "short", "minutes", "gone_in"):
            if name in facts:
                found[name] = span(facts[name], language)
        found |= self._budget() if "unit" in facts else {}
        if self._kind == "slo":
            found["gone"] = span(facts["lasts"], language)
        if self._kind == "shadow":
            form: Unit = "score" if facts["metric"] == "score" else "share"
            for name in ("value", "low", "high"):
                number = facts[name]
                found[name] = f"{'+' if number > 0 else ''}{quantity(number, form, language)}"
        return found

    def worst(self) -> float | None:
        """The value furthest from the usual one while it fired."""
        worst: float | None = (self._facts.get("course") or {}).get("worst")
        return self._alert.value if worst is None else worst

    def moved(self) -> str:
        """What moved together, and which way."""
        terms = self._words.terms
        return ", ".join(
            terms[way].format(what=terms.get(name, name))
            for name, way in self._facts.get("moved_together", ())
        )

    def counted(self, number: float, noun: str) -> str:
        """Such as ``1,204 requests``."""
        return counted(number, *self._words.nouns[noun], self._language)

    def moment(self, at: datetime | float) -> str:
        """Time of day."""
        return moment(at, self._alert.updated_at, self._language)

    def _budget(self) -> dict[str, str]:
        """Of a budget or limit, in its unit."""
        facts, unit, terms = self._facts, self._facts["unit"], self._words.terms
        window, found = facts.get("window", "rolling"), {}
        length = span(facts.get("seconds", 0), self._language)
        value, worst = self._alert.value or 0.0, self.worst() or 0.0
        # Beside each other only one of two numbers has its unit: of a limit the use, of a budget the limit.
        uses, limit = (unit, "") if self._kind == "rate_limit" else ("", unit)
        found["limit"] = self._amount(facts["limit"], unit, limit)
        if self._kind in ("budget_exhausted", "rate_limit"):
            found["value"], found["worst"] = (
                self._beside(value, unit, uses),
                self._beside(worst, unit, uses),
            )
        if "spent" in facts:
            found["spent"] = self._beside(facts["spent"], unit, uses)
            found["part"] = quantity(facts["spent"] / facts["limit"], "share", self._language)
        if "gone" in facts:
            found["gone"] = self.moment(facts["gone"])
        found["window"] = terms[window].format(span=length)
        found["within"] = terms[f"within_{window}"].format(
            span=length, end=self.moment(facts["ends"]) if facts.get("ends") is not None else ""
        )
        return found

    def _beside(self, amount: float, unit: str, noun: str) -> str:
        """An amount beside the limit, which it does not equal in writing if it is another."""
        return (
            pair(amount, self._facts["limit"], "usd", self._language)[0]
            if unit == "usd"
            else self._amount(amount, unit, noun)
        )

    def _amount(self, amount: float, unit: str, noun: str) -> str:
        if unit == "usd":
            return money(amount, self._language)
        return self.counted(amount, noun) if noun else plain(round(amount), self._language)

    def _steps(self) -> str:
        steps = [str(step) for step in self._facts.get("steps", ()) if step]
        return self._words.terms["steps"].format(steps=", ".join(steps)) if steps else ""

    def _measure(self) -> str:
        """What a watch follows, such as ``the mean of helpfulness``."""
        said = self._words.terms.get(f"watch_{self._facts.get('aggregate', '')}", "")
        return said.format(of=self._facts.get("of", ""))

    def _worst_of(self) -> str:
        return "; ".join(place(labels, self._language)[:1].lower() + place(labels, self._language)[1:]
                         for labels in self._facts.get("worst_labels", ())[:_NAMED])  # fmt: skip

    def _kill(self) -> str:
        labels = self._alert.labels
        scope = next(
            (
                f"{name}:{labels[name]}"
                for name in _KILLABLE
                if labels.get(name) and "*" not in labels[name]
            ),
            "global",
        )
        return f"mirante kill {quote(scope)} --reason {quote(f'{self._alert.name} {self._alert.alert_id}')}"
