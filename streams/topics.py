"""The names of the topics, and what each needs of the broker (the public ones: section 1 of the contract)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.settings import OtlpSettings, Settings

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""A poisoned value of 20 MB must reach the dead letters, base64 and all."""

_KEEP = {"cleanup.policy": "delete", "retention.ms": "-1"}


@dataclass(frozen=True)
class Topic:
    """A topic as it is created: ``config`` in the broker's own terms."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Topics:
    """All topics of one installation. ``inputs`` are co-partitioned: number p of each goes to the same worker."""

    prefix: str
    partitions: int
    run: str = ""
    """Tells the internal topics of a backfill from the live ones."""
    otlp: OtlpSettings = field(default_factory=OtlpSettings)

    @classmethod
    def of(cls, settings: Settings) -> Topics:
        """The topics of these settings; a backfill has internal topics of its own."""
        run = "" if settings.since is None else f"from-{settings.since:%Y%m%dT%H%M%SZ}."
        return cls(settings.topic_prefix, settings.partitions, run, settings.otlp)

    def _internal(self, name: str) -> str:
        return f"{self.prefix}internal.{self.run}{name}"

    def is_internal(self, topic: str) -> bool:
        """Whether agents alone read and write it."""
        return topic.startswith(f"{self.prefix}internal.")

    @property
    def requests(self) -> str:
        """Calls that have started."""
        return f"{self.prefix}requests"

    @property
    def responses(self) -> str:
        """Calls that have ended."""
        return f"{self.prefix}responses"

    @property
    def feedback(self) -> str:
        """Signals from users."""
        return f"{self.prefix}feedback"

    @property
    def evaluations(self) -> str:
        """Scores given to responses."""
        return f"{self.prefix}evaluations"

    @property
    def deadletter(self) -> str:
        """Records that could not be processed, with their bytes and the reason."""
        return f"{self.prefix}deadletter"

    @property
    def rekeyed(self) -> str:
        """Events on their way to their home partition."""
        return self._internal("rekeyed")

    @property
    def partials(self) -> str:
        """Absolute partial aggregates from ``interactions`` to ``cost``, by series."""
        return self._internal("partials")

    @property
    def usage(self) -> str:
        """Absolute partial sums by budget and limit from ``interactions`` to ``budgets``, by group."""
        return self._internal("usage")

    @property
    def calls(self) -> str:
        """Answered calls with what is compared of them, from ``interactions`` to ``behaviour``, by tenant and feature."""
        return self._internal("calls")

    @property
    def judge_tasks(self) -> str:
        """Sampled responses for a judge, masked."""
        return f"{self.prefix}judge.tasks"

    @property
    def guarded(self) -> str:
        """Attempts to take over the model and personal data, from ``interactions`` to ``guards``, by user, document and feature."""
        return self._internal("guarded")

    @property
    def turns(self) -> str:
        """Answered calls of users and their signals from ``interactions`` to ``labels``, by session."""
        return self._internal("turns")

    @property
    def satisfaction(self) -> str:
        """Sums of scores by window and series from ``labels`` to ``satisfaction``, by series."""
        return self._internal("satisfaction")

    @property
    def labels(self) -> str:
        """Labels of responses, by response."""
        return f"{self.prefix}labels"

    @property
    def findings(self) -> str:
        """Conditions seen by detectors, to ``alerts``. All in partition 0, where grouping and inhibition see everything."""
        return self._internal("findings")

    @property
    def samples(self) -> str:
        """Sampled answers and their scores from ``interactions`` to ``drift``, by feature."""
        return self._internal("samples")

    @property
    def followed(self) -> str:
        """Numbers that somebody named from ``interactions`` to ``watch``, by series; scores to all partitions."""
        return self._internal("followed")

    @property
    def accepts(self) -> str:
        """Drifts that operators accept (``mirante drift accept``), by feature."""
        return self._internal("accepts")

    @property
    def alerts(self) -> str:
        """The lives of alerts, by fingerprint."""
        return f"{self.prefix}alerts"

    @property
    def switches(self) -> str:
        """What rules propose, from the partition of an alert to that of the switch's scope."""
        return self._internal("switches")

    @property
    def controls(self) -> str:
        """Kill switches and throttles, by scope; compacted."""
        return f"{self.prefix}controls"

    @property
    def traces(self) -> str:
        """Spans and log records on their way to the home partition of their trace."""
        return self._internal("traces")

    @property
    def telemetry(self) -> tuple[str, ...]:
        """What is read of OpenTelemetry, as the Collector's Kafka exporter writes it; empty unless `[otlp]` is enabled."""
        return (self.otlp.spans, self.otlp.logs) if self.otlp.enabled and not self.run else ()

    def changelog(self, agent: str) -> str:
        """State of an agent, one partition for each of its input partitions."""
        return self._internal(f"{agent}.state")

    @property
    def events(self) -> tuple[str, ...]:
        """What services write."""
        return self.requests, self.responses, self.feedback, self.evaluations

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the agent ``interactions`` reads."""
        return *self.events, self.rekeyed

    def kind_of(self, topic: str) -> str:
        """The event kind a topic carries: ``llm.requests`` -> ``requests``."""
        return topic[len(self.prefix) :]

    def all(self) -> list[Topic]:
        """Every topic Mirante creates."""
        large = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        names = [*self.events, self.rekeyed, self.partials, self.deadletter]
        agents = ["interactions", "cost"]
        if not self.run:
            names += [self.usage, self.findings, self.switches, self.calls, self.judge_tasks, self.guarded]
            names += [self.turns, self.satisfaction, self.labels, self.samples, self.accepts, self.followed]
            agents += ["budgets", "anomaly", "guards", "behaviour", "labels", "satisfaction", "drift", "watch"]
            agents += ["alerts", "controls"]
        if self.telemetry:
            names += [*self.telemetry, self.traces]
            agents.append("otlp")
        return [
            *(Topic(name, self.partitions, large) for name in names),
            # `mirante forward` tells Alertmanager again and again of what fires: it reads back that far.
            Topic(self.alerts, self.partitions, {"retention.ms": str(30 * 86_400_000)}),
            # Read from its start it holds the state of every switch.
            Topic(self.controls, self.partitions, {"cleanup.policy": "compact"}),
            # Trimmed by their writer (streams/changelog.py), never by age: an idle partition's state must not expire.
            *(Topic(self.changelog(agent), self.partitions, _KEEP) for agent in agents),
        ]
