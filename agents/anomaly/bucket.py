"""One span of one series, as the detectors want it."""

from __future__ import annotations

from collections.abc import Iterable

from agents.anomaly.breakdown import Amounts
from agents.detectors.costs import Logs, Spend
from agents.detectors.rates import Share
from agents.inspection import flags
from schemas.aggregates import OUTCOME_INDEX, UNANSWERED, Aggregate, Series
from schemas.rows import OUTCOMES, TOKEN_COLUMNS
from schemas.sketch import LOG_GAMMA, Bins

_FAILED = [OUTCOME_INDEX[name] for name in ("api_error", "timeout", "cancelled", "blocked", "unanswered")]
_COUNTED = [TOKEN_COLUMNS.index(name) for name in ("input_tokens", "output_tokens")]


_FLAGS = {
    "json_invalid": flags.INVALID, "injection": flags.INJECTION,
    "pii_question": flags.pii("question"), "pii_context": flags.pii("context"), "pii_answer": flags.pii("answer"),
}  # fmt: skip
_SHOWN_BY = {"latency": "slow", "ttft": "slow", "tpot": "slow", "lost": "timeout", **_FLAGS}
_MOST_EXAMPLES = 5


class Bucket:
    """Sums over the parts of one bucket. ``windows``: start of each 10 s -> [USD, tokens, answered requests with a price].

    ``paid``, ``paid_bins``, ``paid_squares``: answers that cost something, see :class:`~schemas.aggregates.Aggregate`.
    """

    __slots__ = (
        "examples", "flags", "latency", "outcomes", "paid", "paid_bins", "paid_squares", "tpot", "ttft", "values", "windows",
    )  # fmt: skip

    def __init__(self) -> None:
        self.outcomes = [0] * len(OUTCOME_INDEX)
        self.flags: dict[str, int] = {}
        """What the guards found (agents/inspection/flags.py) -> in how many answered requests."""
        self.latency: Bins = {}
        self.ttft: Bins = {}
        self.tpot: Bins = {}
        self.windows: dict[int, list[float]] = {}
        self.paid = self.paid_bins = self.paid_squares = 0
        self.values: dict[tuple[str, str], Amounts] = {}
        self.examples: dict[str, list[str]] = {}
        """Outcome, flag or ``slow`` -> responses that show it."""

    def add(self, window: int, series: Series, part: Aggregate, dimensions: Iterable[str]) -> None:
        """Add a part; ``dimensions`` are those that an anomaly may be explained by."""
        counts = part.outcomes
        if part.overdue or counts[UNANSWERED] < 0:
            counts = [*counts]
            counts[UNANSWERED] = max(0, counts[UNANSWERED] - part.overdue)
        for index, count in enumerate(counts):
            self.outcomes[index] += count
        requests = sum(counts)
        answered = requests - sum(counts[index] for index in _FAILED)
        usd = float(part.cost)
        tokens = float(sum(part.tokens[index] for index in _COUNTED))
        sums = self.windows.setdefault(window, [0.0, 0.0, 0.0])
        for at, value in enumerate((usd, tokens, answered)):
            sums[at] += value
        self.paid += part.paid
        self.paid_bins += part.paid_bins
        self.paid_squares += part.paid_squares
        for into, bins in ((self.latency, part.latency), (self.ttft, part.ttft), (self.tpot, part.tpot)):
            for index, count in bins.items():
                into[index] = into.get(index, 0) + count
        for flag, (count, response_id) in part.flags.items():
            self.flags[flag] = self.flags.get(flag, 0) + count
            self.examples.setdefault(flag, []).append(response_id)
        for outcome, response_id in part.examples.items():
            self.examples.setdefault(OUTCOMES[outcome], []).append(response_id)
        if part.slowest[1]:
            self.examples.setdefault("slow", []).append(part.slowest[1])
        amounts = Amounts(requests, usd, self._of(counts, "api_error"), self._of(counts, "refusal"), self._lost(counts))
        for dimension in dimensions:
            key = (dimension, getattr(series, dimension))
            old = self.values.get(key)
            self.values[key] = amounts if old is None else old.plus(amounts)

    @staticmethod
    def _of(counts: list[int], outcome: str) -> int:
        return counts[OUTCOME_INDEX[outcome]]

    @classmethod
    def _lost(cls, counts: list[int]) -> int:
        return cls._of(counts, "timeout") + cls._of(counts, "unanswered")

    @property
    def requests(self) -> int:
        """Calls, whatever their outcome."""
        return sum(self.outcomes)

    @property
    def usd(self) -> float:
        """What the priced calls cost."""
        return sum(usd for usd, _, _ in self.windows.values())

    @property
    def lost(self) -> int:
        """Timed out or unanswered."""
        return self._lost(self.outcomes)

    def count(self, outcome: str) -> int:
        """Calls that ended in ``outcome``."""
        return self._of(self.outcomes, outcome)

    def share(self, kind: str) -> Share:
        """How many requests show a condition of this kind, and of how many."""
        if kind == "lost":
            return Share(self.lost, self.requests)
        if (flag := _FLAGS.get(kind)) is not None:
            of = self.flags.get(flags.CHECKED, 0) if kind == "json_invalid" else self.requests - self.count("unanswered")
            return Share(self.flags.get(flag, 0), of)
        return Share(self.count(kind), self.requests)

    def spend(self, column: int) -> Spend:
        """What answered requests used: column 0 is USD, 1 is tokens."""
        used = [(sums[column], int(sums[2])) for sums in self.windows.values() if sums[2] > 0]
        if not used:
            return Spend(0.0, 0)
        top, top_requests = max(used)
        return Spend(sum(u for u, _ in used), sum(n for _, n in used), len(used), top, top_requests)

    @property
    def typical(self) -> Logs:
        """Of what answers cost in picodollars."""
        return Logs(self.paid, self.paid_bins * LOG_GAMMA, self.paid_squares * LOG_GAMMA**2)

    def shown_by(self, kind: str) -> list[str]:
        """A few responses that show a condition of this kind."""
        ids = self.examples.get(_SHOWN_BY.get(kind, kind)) or self.examples.get("ok", [])
        return sorted(set(ids))[-_MOST_EXAMPLES:]
