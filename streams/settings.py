"""Settings of a worker and of the command line.

Read from environment variables with the prefix ``MIRANTE_`` (nested names joined by ``__``) and from ``mirante.toml`` in
the working directory (``MIRANTE_CONFIG`` names another file). The environment wins. An unknown key in the
file is an error that names it, so a typing mistake is found at start and not in an incident.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from streams.problems import Problem, nearest, of_pydantic, unknown

PREFIX = "MIRANTE_"

OTHER_VARIABLES = frozenset(
    f"{PREFIX}{name}"
    for name in ("CONFIG", "ENDPOINT", "TOKEN", "DASHBOARD_TOKEN", "CLICKHOUSE_TOKEN", "KAFKA_HOME")  # the SDK's, the commands' own
) | frozenset(
    f"{PREFIX}{name}" for name in ("SHARED", "SHARED_DATA", "SIMULATIONS", "REPLAYS", "SCREENSHOTS", "TEST_KAFKA", "TEST_BROKER")
)
"""Variables with our prefix that are no settings; the latter are the test suite's."""

_SERVICE_LINK = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
"""What Kubernetes gives every pod about a service that is called mirante."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names of this machine that nobody else reaches."""


class SettingsError(ValueError):
    """The settings are not usable; the message names each setting, what is wrong and where it came from."""


class KafkaSecurity(BaseModel):
    """How to reach an existing cluster. The names are those of the Kafka clients."""

    model_config = ConfigDict(extra="forbid")

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = Field(default=None, repr=False)
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None


class JoinSettings(BaseModel):
    """How long requests and responses wait for each other, in seconds of event time."""

    model_config = ConfigDict(extra="forbid")

    grace: float = Field(default=5.0, ge=0, description="added to a request's timeout_ms before it counts as unanswered")
    late_answer: float = Field(default=604_800.0, gt=0, description="an answer this late still completes its interaction")
    late_bytes: int = Field(default=33_554_432, ge=0, description="unanswered requests kept for that, compressed, per partition")
    orphan: float = Field(default=30.0, gt=0, description="a response waits this long for its request, then is a dead letter")
    max_open: int = Field(default=50_000, ge=100, description="open requests per partition; beyond it the oldest are settled")


class OtlpSettings(BaseModel):
    """OpenTelemetry as input. The names of attributes are looked for before those that instrumentations use."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=False, description="read the topics of the OpenTelemetry Collector; `mirante up` does")
    spans: str = Field(default="otlp_spans", min_length=1, description="topic of its spans, created if it does not exist")
    logs: str = Field(default="otlp_logs", min_length=1, description="topic of its log records, created if it does not exist")
    settle: float = Field(default=10.0, ge=0, le=600, description="seconds a span waits for those around it, by Kafka's times")
    remember: float = Field(default=600.0, ge=0, le=86_400, description="seconds a span is remembered, for those that come late")
    max_spans: int = Field(default=50_000, ge=100, description="spans remembered per partition; beyond it the oldest are forgotten")
    max_bytes: int = Field(default=67_108_864, ge=65_536, description="of spans that wait, per partition; beyond it they do not wait")
    session: list[str] = Field(default=[], description="attributes that name the session")
    user: list[str] = Field(default=[], description="attributes that name the user")
    tenant: list[str] = Field(default=[], description="attributes that name the tenant")
    feature: list[str] = Field(default=[], description="attributes that name the feature")
    environment: list[str] = Field(default=[], description="attributes that name the environment")
    prompt_name: list[str] = Field(default=[], description="attributes that name the prompt template")
    prompt_sha: list[str] = Field(default=[], description="attributes that hold the Git SHA of the prompt template")


class IngestSettings(BaseModel):
    """What `mirante ingest` listens on, whom it lets in, and how much it takes at once."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(default="127.0.0.1", description="beyond this machine a token is needed")
    port: int = Field(default=4319, ge=0, le=65535, description="0 takes a free one")
    token: str = Field(default="", repr=False, description="what services send as bearer token")
    origins: list[str] = Field(
        default_factory=list, description="whose pages may send feedback: https://app.example.com"
    )
    public_key: str = Field(
        default="", repr=False, description="what those pages send as bearer token; feedback only"
    )
    max_body: int = Field(
        default=33_554_432, ge=1024, description="bytes of one request, decompressed"
    )
    max_in_flight: int = Field(
        default=134_217_728, ge=1024, description="bytes of all requests at once; beyond it 429"
    )

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, values: list[str]) -> list[str]:
        for value in values:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or value != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{value!r} is no origin; write SCHEME://HOST[:PORT], no * and no path")
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> IngestSettings:
        if self.public_key and self.public_key == self.token:
            raise ValueError("public_key and token must differ: pages show the former to everybody")
        if self.max_in_flight < 2 * self.max_body:  # compressed and decompressed
            raise ValueError("max_in_flight must be twice max_body at least")
        return self


class Settings(BaseSettings):
    """Everything a worker needs to know; see the field descriptions."""

    model_config = SettingsConfigDict(env_prefix="MIRANTE_", env_nested_delimiter="__", extra="ignore")

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="HOST:PORT[,HOST:PORT...]")
    kafka: KafkaSecurity = KafkaSecurity()
    clickhouse_url: str = Field(default="http://127.0.0.1:8123", description="http[s]://[USER:PASSWORD@]HOST:PORT")
    topic_prefix: str = "llm."
    group: str = Field(default="mirante", description="consumer group, and prefix of the internal topics' owners")
    partitions: int = Field(default=4, ge=1, le=1024, description="of every topic Mirante creates; all inputs must agree")
    replication: int = Field(default=1, ge=1)
    since: datetime | None = Field(default=None, description="reprocess what was written since then (mirante worker --from)")
    instance_id: str | None = Field(default=None, description="static group membership: a stable name of this worker")
    session_timeout: float = Field(default=10.0, ge=1, description="seconds until a silent worker loses its partitions")
    drain_timeout: float = Field(default=20.0, gt=0, description="seconds a revoke waits for the last checkpoint")
    web_host: str = "127.0.0.1"
    web_port: int = Field(default=6066, ge=0, le=65535, description="/health and /metrics")
    notes_dir: Path | None = Field(default=None, description="where workers note what they have in hand, for when it kills them")
    checkpoint_interval: float = Field(default=1.0, gt=0, description="seconds between checkpoints")
    max_pending_rows: int = Field(default=50_000, ge=1_000, description="rows held between checkpoints before reading pauses")
    dedup_window: int = Field(default=100_000, ge=1_000, description="events remembered per partition, to know repeats")
    segment_requests: int = Field(default=16_384, ge=16, le=1_000_000, description="requests per segment (docs/architecture.md)")
    series_cap: int = Field(default=2_000, ge=1, description="series per segment; more are counted under __other__")
    lateness: float = Field(default=60.0, ge=0, description="seconds an event may trail its partition before it counts as late")
    max_future: float = Field(default=172_800.0, gt=0, description="seconds an event's time may lead its Kafka timestamp")
    join: JoinSettings = JoinSettings()
    otlp: OtlpSettings = OtlpSettings()
    ingest: IngestSettings = IngestSettings()
    prices: list[dict[str, Any]] = Field(default_factory=list, description="price overrides, [[prices]]")
    models: list[dict[str, Any]] = Field(default_factory=list, description="ids that are other models, [[models]]")
    pii_secret: str = Field(default="", repr=False, description="makes the tags of masked data unguessable; the same for all workers")
    budgets: list[dict[str, Any]] = Field(default_factory=list, description="what may be spent, [[budgets]]")
    limits: list[dict[str, Any]] = Field(default_factory=list, description="rate limits, [[limits]]")
    runaway: dict[str, Any] = Field(default_factory=dict, description="when a session or trace is a runaway loop, [runaway]")
    slos: list[dict[str, Any]] = Field(default_factory=list, description="latency objectives, [[slos]]")
    anomaly: dict[str, Any] = Field(default_factory=dict, description="sensitivity of the anomaly alerts, [anomaly]")
    behaviour: dict[str, Any] = Field(default_factory=dict, description="prompt versions, shadows, questions, judge, [behaviour]")
    judge: dict[str, Any] = Field(default_factory=dict, description="the endpoint `mirante judge` asks, [judge]")
    guards: dict[str, Any] = Field(default_factory=dict, description="when attempts to take over the model are told of, [guards]")
    labels: dict[str, Any] = Field(default_factory=dict, description="sessions, and when satisfaction has fallen, [labels]")
    watch: list[dict[str, Any]] = Field(default_factory=list, description="numbers that are followed, [[watch]]")
    drift: dict[str, Any] = Field(default_factory=dict, description="sampling and sensitivity of the drift alerts, [drift]")
    alerts: dict[str, Any] = Field(default_factory=dict, description="life of an alert, [alerts]")
    switches: list[dict[str, Any]] = Field(default_factory=list, description="automatic kill switches and throttles, [[switches]]")
    receivers: list[dict[str, Any]] = Field(default_factory=list, description="where `mirante forward` posts, [[receivers]]")
    tiers: dict[str, float] = Field(default_factory=dict, description="price multipliers by service tier, [tiers]")

    @field_validator("since")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("needs a zone, as in 2026-01-31T00:00:00Z")
        return value.astimezone(UTC).replace(microsecond=0)

    @property
    def consumer_group(self) -> str:
        """The group that reads the inputs: a backfill is a run of its own."""
        return self.group if self.since is None else f"{self.group}.from-{self.since:%Y%m%dT%H%M%SZ}"

    @field_validator("topic_prefix")
    @classmethod
    def _topic_name(cls, value: str) -> str:
        if not all(c.isalnum() or c in "._-" for c in value):
            raise ValueError("may hold letters, digits, '.', '_' and '-' only")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments come first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())


def config_file() -> Path:
    """The settings file: ``MIRANTE_CONFIG``, else ``mirante.toml`` in the working directory."""
    return Path(os.environ.get("MIRANTE_CONFIG", "mirante.toml"))


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and the file; ``overrides`` (from the command line) win.

    Raises :class:`SettingsError` with one line per problem.
    """
    return read_settings(Settings, (), overrides)


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S], problems: Iterable[Problem], overrides: Mapping[str, Any]) -> S:
    """The same for settings that look closer. ``problems``: what was found before; all are told at once."""
    path = config_file()
    found = list(problems)
    try:
        found += _unknown_keys(path)
        settings = kind(**overrides)
    except ValidationError as error:
        found += (_with_source(problem) for problem in of_pydantic(error, kind))
    except UnreadableVariable as error:
        found.append(_unreadable(error))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    if found:
        raise SettingsError("settings are not usable:\n" + "\n".join(f"  {problem}" for problem in found))
    return settings


def unknown_variables(environment: Mapping[str, str]) -> list[Problem]:
    """Variables of the environment with our prefix that no setting has."""
    known = set(_variables())
    found = []
    for name in sorted(environment):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or upper in OTHER_VARIABLES:
            continue
        if _SERVICE_LINK.search(upper) or environment[name].startswith(("tcp://", "udp://")):
            continue
        table, _, key = upper.removeprefix(PREFIX).lower().partition("__")
        field = Settings.model_fields.get(table)
        if key and field is not None and not isinstance(field.default, (str, int, float, type(None))):
            continue  # a key of a table: found where the table is read
        meant = nearest(upper.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in known], PREFIX)
        wrong = f"there is no such setting{meant or '; unset it'}"
        found.append(Problem(name, wrong, environment[name]))
    return found


def _variables() -> Iterator[str]:
    """The variables that settings have."""
    for name, field in Settings.model_fields.items():
        yield f"{PREFIX}{name.upper()}"
        for inner in getattr(field.annotation, "model_fields", {}):
            yield f"{PREFIX}{name.upper()}__{inner.upper()}"


def _with_source(problem: Problem) -> Problem:
    """Of a problem the environment variable it came from, if it did."""
    parts = re.split(r"\W", problem.key.upper())
    for count in range(len(parts), 0, -1):
        if (name := PREFIX + "__".join(parts[:count])) in os.environ:
            return problem._replace(source=name)
    return problem


def _unreadable(error: Exception) -> Problem:
    """A variable that should hold JSON."""
    named = re.search(r'field "(\w+)"', str(error))
    name = named[1] if named else "a table"
    return Problem(name, f"must be JSON, as in {PREFIX}TIERS='{{\"batch\": 0.5}}'", source=f"{PREFIX}{name.upper()}")


def _unknown_keys(path: Path) -> list[Problem]:
    """Of the file's top level; those within tables are found where the tables are read."""
    import tomllib

    if not path.exists():
        if "MIRANTE_CONFIG" in os.environ:
            raise ValueError("there is no such file; correct MIRANTE_CONFIG or unset it")
        return []
    with path.open("rb") as file:
        table = tomllib.load(file)
    return [unknown(name, name, Settings.model_fields, table[name]) for name in sorted(table.keys() - Settings.model_fields.keys())]
