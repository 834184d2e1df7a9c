"""An alert's facts as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from agents.alerts.wording.english import ENGLISH
from agents.alerts.wording.numbers import Language, Unit, money, pair, quantity, span
from agents.alerts.wording.values import UNITS, WORDS, Facts, Values, begun, place
from schemas.outputs import Alert

KINDS = ENGLISH.clauses.keys() | {"drift"}

_AT_ONCE = frozenset({"pii_first"})
"""Kinds of what happens at a moment: it is shown for a time, and does not last."""
_EXTRA = frozenset({"price", "creep", "cost_of_traffic"})
"""Kinds whose ``usd_per_hour`` comes on top of what is usual."""
_UNTOUCHED = frozenset({"unpriced", "partial", "unpriced_and_partial", "no_usage", "satisfaction", "labels"})
"""Kinds of shares whose clause says how many."""
_LEAST_LASTED = 20.0
"""Seconds from which it is worth saying how long."""
_MOST_EXAMPLES = 3
_DETECTORS = {"adwin": "ADWIN", "page_hinkley": "Page-Hinkley", "hddm_a": "HDDM-A"}
_MONEY_DRIFTS = frozenset({"cost_usd"})


def texts(alert: Alert, language: Language) -> dict[str, str]:
    """The annotations that are sentences: summary, description, action, cause and impact, those that
    are not empty. Empty for an alert without facts, which says it in words of its own."""
    facts = alert.evidence.get("facts")
    if not isinstance(facts, Mapping) or facts.get("kind") not in KINDS:
        return {}
    told = _Telling(alert, facts, language)
    found = {
        "summary": told.summary(),
        "description": told.description(),
        "action": told.action(),
        "cause": told.cause(),
        "impact": told.impact(),
    }
    return {name: text for name, text in found.items() if text}


class _Telling:
    """One alert in one language."""

    def __init__(self, alert: Alert, facts: Facts, language: Language) -> None:
        self._alert = alert
        self._facts = facts
        self._language: Language = language
        self._words = WORDS[language]
        self._kind: str = facts["kind"]
        self._course: Facts = facts.get("course") or {}
        self._firing = alert.status == "firing"
        self._unit: Unit = UNITS.get(self._kind, "plain")
        self._values = Values(alert, facts, language)

    # Sentences

    def summary(self) -> str:
        """What is so, where, how long and how much: one or two sentences."""
        alert, tails = self._alert, self._words.tails
        end = alert.updated_at if alert.ends_at is None else alert.ends_at
        seconds = (end - alert.starts_at).total_seconds()
        form = (
            "firing"
            if self._firing
            else "unheard"
            if alert.annotations.get("no_data")
            else "resolved"
        )
        form = "moment" if self._kind in _AT_ONCE else form
        lasted = tails["lasted" if self._firing else "lasted_in_all"].format(
            lasted=span(seconds, self._language)
        )
        clause = self._clause()
        return tails[form].format(
            place=place(alert.labels, self._language),
            clause=clause if form in ("firing", "moment") else begun(clause),
            told=self._told(),
            lasted=lasted if seconds >= _LEAST_LASTED else "",
            touched=self._touched(),
            since=self._values.moment(alert.starts_at),
            until=self._values.moment(end),
        )

    def description(self) -> str:
        """What shows it, and where there is more."""
        alert, details, kind = self._alert, self._words.details, self._kind
        lines = []
        if kind in ("unpriced", "partial", "unpriced_and_partial", "no_usage"):
            lines.append(
                details["unpriced"].format(features=", ".join(self._facts.get("features", ())))
            )
        elif kind == "drift":
            lines += self._drift_details()
        elif kind in details:
            lines.append(details[kind].format(**self._values.all()))
        if self._facts.get("cause") == "traffic":
            lines.append(details["explained_by_traffic"])
        if by := self._facts.get("explained_by"):
            lines.append(
                details["explained_by"].format(name=by["name"], place=self._whose(by["labels"]))
            )
        if alert.annotations.get("no_data"):
            lines.append(details["no_data"])
        shown = [str(one) for one in alert.evidence.get("response_ids") or () if one]
        if shown:
            lines.append(
                details["examples"].format(
                    examples=", ".join(shown[:_MOST_EXAMPLES]), first=quote(shown[0])
                )
            )
        lines.append(details["more"].format(alert_id=alert.alert_id))
        return " ".join(lines)

    def action(self) -> str:
        """What to do."""
        kind, values = self._kind, self._values.all()
        if kind == "drift":
            labels = self._alert.labels
            accept = f"mirante drift accept --feature {labels.get('feature', '')!r} --model {labels.get('model', '')!r} --reason ..."
            return self._words.remedies[self._facts["cause"]].format(accept=accept)
        if kind.startswith("loop_"):
            kind = "loop" if self._alert.labels.get("session") else "loop_trace"
        elif kind == "pii_first":
            kind = f"pii_first_{self._facts['direction']}"
        elif kind in ("partial", "unpriced_and_partial"):
            kind = "unpriced"
        elif kind == "never_sha":
            kind = "no_sha"
        return self._words.actions[kind].format(**values)

    def cause(self) -> str:
        """What probably explains it; empty if nothing is known."""
        found = self._facts.get("cause")
        tails = self._words.tails
        if self._kind == "joint":
            return self._values.moved()
        if found == "traffic":
            return tails["traffic"]
        if isinstance(found, Mapping):
            name = found["dimension"]
            return tails["increase" if found["rises"] else "decrease"].format(
                dimension=self._words.places.get(name, name),
                value=found["value"] or tails["unnamed"],
                new=tails["new"] if found["new"] else "",
                share=quantity(found["share"], "share", self._language),
            )
        if isinstance(found, str) and found in self._words.whys:
            candidates = self._facts.get("candidates") or ()
            what = self._candidate(candidates[0]) if candidates else ""
            why = self._words.whys[found]
            return tails["why"].format(clause=why, why=what) if what else why
        return ""

    def impact(self) -> str:
        """What it costs and whom it touches, such as ``$12.40/h, 35 users, 1,204 requests``."""
        facts, course, parts = self._facts, self._course, []
        if not self._firing and course.get("usd"):
            parts.append(
                self._words.tails["spent_in_all"].format(usd=money(course["usd"], self._language))
            )
        elif facts.get("usd_per_hour") is not None:
            parts.append(
                self._words.tails["per_hour"].format(
                    usd=money(facts["usd_per_hour"], self._language)
                )
            )
        for name in ("users", "requests"):
            if facts.get(name) is not None:
                parts.append(self._values.counted(facts[name], name))
        return ", ".join(parts)

    # Parts of them

    def _clause(self) -> str:
        if self._kind == "drift":
            return self._drift()
        kind, worst = self._kind, self._values.worst()
        if kind == "traffic_down" and (self._alert.value if self._firing else worst) == 0:
            kind = "traffic_gone"
        clause = self._words.clauses[kind]
        return (clause.firing if self._firing else clause.resolved).format(**self._values.all())

    def _told(self) -> str:
        told, value = self._course.get("told"), self._alert.value
        if (
            not self._firing
            or told is None
            or value is None
            or told == value
            or self._kind == "drift"
        ):
            return ""
        if self._unit == "plain" and self._kind not in ("rate_limit", "digest"):
            return ""
        return self._words.tails["told"].format(
            told=pair(told, value, self._unit, self._language)[0]
        )

    def _touched(self) -> str:
        """What it costs more, and how many are touched, unless the clause says so."""
        facts, tails, parts = self._facts, self._words.tails, []
        if self._kind in _EXTRA and self._kind != "cost_of_traffic":
            usd, name = (
                (facts.get("usd_per_hour"), "extra")
                if self._firing
                else (self._course.get("usd"), "spent")
            )
            if usd:
                parts.append(tails[name].format(usd=money(usd, self._language)))
        if self._unit in ("share", "ms") and self._kind not in _UNTOUCHED and "calls" not in facts:
            for name in ("users", "requests"):
                if facts.get(name):
                    parts.append(
                        tails["so_far" if self._firing else "in_all"].format(
                            number=self._values.counted(facts[name], name)
                        )
                    )
        return "".join(parts)

    def _drift(self) -> str:
        metric, was, now = self._facts["metric"], self._facts.get("was"), self._facts.get("now")
        words, form = self._words, "firing" if self._firing else "resolved"
        why = words.whys[self._facts["cause"]]
        if was is None or now is None:
            clause = words.drifts.get(metric, words.drifts["answer_text"])
            return words.tails["why"].format(clause=getattr(clause, form), why=why)
        binary = metric in _BINARIES
        unit: Unit = (
            "share"
            if binary
            else "usd"
            if metric in _MONEY_DRIFTS
            else "ms"
            if metric.endswith("_ms")
            else "plain"
        )
        said, usual = pair(now, was, unit, self._language)
        clause = words.drifts["share" if binary else "number"]
        said = getattr(clause, form).format(
            what=words.terms.get(f"drift_{metric}", metric), value=said, usual=usual
        )
        return words.tails["why"].format(clause=said, why=why)

    def _drift_details(self) -> list[str]:
        facts, details = self._facts, self._words.details
        lines = [
            details["candidate"].format(what=begun(what))
            for one in facts.get("candidates", ())
            if (what := self._candidate(one))
        ]
        others = [
            self._words.terms.get(f"drift_{metric}", metric)
            for metric in facts.get("moved", ())
            if metric != facts["metric"]
        ]
        if others:
            lines.append(details["moved"].format(moved=", ".join(others)))
        if witnesses := self._witnesses():
            lines.append(details["witnesses"].format(witnesses=witnesses))
        elif facts.get("audible"):
            lines.append(details["no_witness"])
        if facts.get("terms"):
            lines.append(details["terms"].format(terms=", ".join(facts["terms"])))
        return lines

    def _witnesses(self) -> str:
        """Such as ``latency (ADWIN, Page-Hinkley), cost (ADWIN)``."""
        said: dict[str, list[str]] = {}
        for metric, detector in self._facts.get("witnesses", ()):
            name = self._words.terms.get(f"drift_{metric}", metric)
            said.setdefault(name, []).append(_DETECTORS.get(detector, detector))
        return ", ".join(f"{name} ({', '.join(detectors)})" for name, detectors in said.items())

    def _candidate(self, one: Facts) -> str:
        """What speaks for a cause."""
        terms = self._words.terms
        if one["covariate"] == "question":
            named = terms["other_languages" if one["change"] else "other_questions"]
            return f"{named}: {one['change']}" if one["change"] else named
        silent = one["cause"] == "silent_provider_change"
        named = (
            terms["fingerprint"]
            if silent
            else self._words.places.get(one["covariate"], one["covariate"])
        )
        return f"{named}: {one['change']}" if one["change"] else ""

    def _whose(self, labels: Mapping[str, str]) -> str:
        where = place(labels, self._language)
        return f" ({where[:1].lower()}{where[1:]})"


_BINARIES = frozenset({"refusal", "failed", "truncated", "rail_blocked", "output_invalid"})
