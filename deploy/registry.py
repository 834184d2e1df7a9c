"""Which agents a worker runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agents.alerts.agent import alert_settings, alerts
from agents.anomaly.agent import anomaly
from agents.anomaly.settings import anomaly_settings, objectives
from agents.behaviour.agent import behaviour, behaviour_tap
from agents.behaviour.settings import behaviour_settings
from agents.budgets.agent import budgets
from agents.budgets.rules import Rules, read_rules
from agents.common.label_settings import label_settings
from agents.common.taps import Tap
from agents.controls.agent import controls
from agents.controls.rules import read_rules as read_switches
from agents.cost.agent import cost
from agents.drift.agent import drift
from agents.drift.settings import drift_settings
from agents.drift.tap import SamplesTap
from agents.guards.agent import guards
from agents.guards.settings import guard_settings
from agents.guards.tap import GuardTap
from agents.inspection.masking import Masking
from agents.interactions.agent import interactions
from agents.interactions.context import Context
from agents.interactions.previews import Previews
from agents.labels.agent import labels
from agents.labels.tap import LabelsTap
from agents.otlp.agent import otlp
from agents.pricing import PriceBook, read_models, read_overrides
from agents.satisfaction.agent import satisfaction
from agents.watch.agent import watch
from agents.watch.settings import read_watches
from agents.watch.tap import WatchTap
from streams.agent import Agent
from streams.backfill import Backfill
from streams.settings import Settings, SettingsError
from streams.topics import Topics

T = TypeVar("T")


def agents(settings: Settings, source: str, backfill: Backfill | None = None) -> list[Agent]:
    """All agents, for input whose offsets belong to the Kafka cluster ``source``; for a backfill, those that write tables only.

    Raises SettingsError naming the table and the field that is wrong.
    """
    topics = Topics.of(settings)
    prices = _checked(lambda: price_book(settings))
    masking = Masking(_secret(settings, source))
    if backfill is not None:
        context = Context(settings, topics, prices, source, Rules([]), masking, backfill.counted_from)
        return [interactions(context), cost(topics, source)]
    rules = _checked(lambda: read_rules(settings.budgets, settings.limits, settings.runaway))
    watched = _checked(lambda: behaviour_settings(settings.behaviour))
    labelling = _checked(lambda: label_settings(settings.labels))
    drifts = _checked(lambda: drift_settings(settings.drift))
    taps: list[Callable[[], Tap]] = [
        lambda: GuardTap(topics.guarded, topics.partitions),
        lambda: SamplesTap(topics.samples, topics.partitions, drifts.per_period),
    ]
    listening: list[Agent] = []  # to every call, which costs: on request
    if labelling.enabled:
        taps.append(lambda: LabelsTap(topics.turns, topics.partitions))
        listening += [labels(topics, labelling, source), satisfaction(topics, labelling, source)]
    if watched.enabled:
        taps.append(lambda: behaviour_tap(topics, watched))
        listening.append(behaviour(topics, watched, source))
    if watches := _checked(lambda: read_watches(settings.watch)):
        taps.append(lambda: WatchTap(topics.followed, topics.partitions, watches))
        listening.append(watch(topics, watches, source))
    anomalies = _checked(lambda: anomaly_settings(settings.anomaly))
    found_by = ["anomaly", "guards", "drift", *(["budgets"] if rules else []), *(a.name for a in listening if a.name != "labels")]
    incoming = [otlp(settings, masking, source)] if settings.otlp.enabled else []
    return [
        *incoming,
        interactions(Context(settings, topics, prices, source, rules, masking, taps=tuple(taps), settle=anomalies.settle)),
        cost(topics, source),
        budgets(topics, rules, source, anomalies.settle),
        anomaly(topics, anomalies, _checked(lambda: objectives(settings.slos)), source),
        guards(topics, _checked(lambda: guard_settings(settings.guards)), source),
        _checked(lambda: drift(topics, drifts, source)),
        *listening,
        alerts(topics, alert_settings(settings.alerts), source, found_by),
        controls(topics, _checked(lambda: read_switches(settings.switches)), source),
    ]


def previews(settings: Settings, source: str) -> Previews:
    """What of dead letters their table shows, for input of the Kafka cluster ``source``."""
    return Previews(_secret(settings, source))


def _secret(settings: Settings, source: str) -> bytes:
    return (settings.pii_secret or source).encode()


def price_book(settings: Settings) -> PriceBook:
    """The price book with what `mirante.toml` says of prices. Raises ValueError naming the table and the field."""
    return PriceBook(read_overrides(settings.prices), settings.tiers, read_models(settings.models))


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise SettingsError(str(error)) from error
