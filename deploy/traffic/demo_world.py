"""Who calls which models in the demonstration traffic: tenants, features, models and how often things go wrong.

Model names are those of public price lists (genai-prices knows them all). Rates are chosen to look like a service in
good health with a few rough edges, not measured anywhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from deploy.traffic import demo_text as text


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its pace (milliseconds) and its provider's words."""

    provider: str
    name: str
    ttft_ms: float
    ms_per_token: float
    stop: str
    length: str
    filtered: str
    tool: str
    fingerprint: str | None = None
    caches: bool = True


def _openai(name: str, ttft_ms: float, ms_per_token: float, fingerprint: str) -> Model:
    return Model("openai", name, ttft_ms, ms_per_token, "stop", "length", "content_filter", "tool_calls", fingerprint)


def _anthropic(name: str, ttft_ms: float, ms_per_token: float) -> Model:
    return Model("anthropic", name, ttft_ms, ms_per_token, "end_turn", "max_tokens", "refusal", "tool_use")


def _google(name: str, ttft_ms: float, ms_per_token: float) -> Model:
    return Model("google", name, ttft_ms, ms_per_token, "STOP", "MAX_TOKENS", "SAFETY", "STOP")


GPT_4O_MINI = _openai("gpt-4o-mini", 320, 9, "fp_8bda4d3a2c")
GPT_41 = _openai("gpt-4.1", 480, 14, "fp_51e1070cf2")
GPT_41_MINI = _openai("gpt-4.1-mini", 350, 10, "fp_658b958c37")
SONNET = _anthropic("claude-sonnet-4-5", 800, 15)
HAIKU = _anthropic("claude-haiku-4-5", 400, 7)
GEMINI_PRO = _google("gemini-2.5-pro", 1500, 8)
GEMINI_FLASH = _google("gemini-2.5-flash", 380, 5)
MISTRAL = Model("mistral", "mistral-small-latest", 300, 8, "stop", "length", "stop", "tool_calls", caches=False)
EMBEDDING = Model("openai", "text-embedding-3-small", 60, 0, "stop", "length", "content_filter", "stop", caches=False)


@dataclass(frozen=True, slots=True)
class DemoFeature:
    """A feature of a product that calls models."""

    name: str
    kind: str
    """chat, search (retrieval), contract (long input, JSON output), code or agent (with tools)."""
    intents: dict[str, tuple[text.Intent, ...]]
    prompt: str
    system: dict[str, str]
    system_tokens: int
    max_turns: int
    good: float
    """Share of answers that help."""
    timeout_ms: int = 30_000
    max_tokens: int = 1024
    temperature: float = 0.3


SUPPORT = DemoFeature(
    "support_chat", "chat", text.SUPPORT, "support/answer",
    {"en": "You are the support assistant of an online shop. Be brief and precise.",
     "pt": "Você é o assistente de atendimento da empresa. Responda em português, de forma breve e precisa."},
    1450, 5, 0.84,
)  # fmt: skip
CODE = DemoFeature(
    "code_assistant", "code", text.CODE, "code/assist",
    {"en": "You are a careful programmer. Answer with working code.",
     "pt": "Você é um programador cuidadoso. Responda com código que funciona."},
    2100, 4, 0.86, timeout_ms=60_000, max_tokens=4096, temperature=0.1,
)  # fmt: skip
CONTRACT = DemoFeature(
    "contract_summary", "contract", text.CONTRACT, "contracts/summary",
    {"en": "Summarise the contract as JSON with the keys summary and risk.",
     "pt": "Resuma o contrato em JSON com as chaves summary e risk."},
    420, 2, 0.93, timeout_ms=90_000, max_tokens=2048, temperature=0.0,
)  # fmt: skip
SEARCH = DemoFeature(
    "product_search", "search", text.SEARCH, "search/answer",
    {"en": "Answer from the documents only and cite them as [n].",
     "pt": "Responda apenas com base nos documentos e cite-os como [n]."},
    380, 3, 0.88, max_tokens=512,
)  # fmt: skip
AGENT = DemoFeature(
    "order_agent", "agent", text.AGENT, "agents/orders",
    {"en": "You manage orders with the tools you have. Confirm what you did.",
     "pt": "Você gerencia pedidos com as ferramentas disponíveis. Confirme o que fez."},
    1800, 2, 0.9, timeout_ms=60_000,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer: its language, its share of the sessions, and its features with weight and models."""

    name: str
    lang: str
    weight: float
    users: int
    features: tuple[tuple[DemoFeature, float, tuple[Model, ...]], ...]


TENANTS = (
    Tenant("acme", "en", 0.34, 900, (
        (SUPPORT, 0.45, (GPT_4O_MINI, GPT_4O_MINI, HAIKU)), (CODE, 0.35, (SONNET, SONNET, GPT_41)),
        (SEARCH, 0.20, (GPT_41_MINI,)),
    )),
    Tenant("loja-azul", "pt", 0.30, 2500, (
        (SUPPORT, 0.50, (GPT_4O_MINI,)), (SEARCH, 0.38, (MISTRAL, GPT_41_MINI)), (AGENT, 0.12, (GPT_41,)),
    )),
    Tenant("banco-sol", "pt", 0.20, 1800, (
        (SUPPORT, 0.80, (HAIKU, GPT_4O_MINI)), (CONTRACT, 0.15, (GEMINI_PRO,)), (CODE, 0.05, (SONNET,)),
    )),
    Tenant("northwind", "en", 0.10, 120, (
        (CONTRACT, 0.70, (GEMINI_PRO, GEMINI_FLASH)), (SUPPORT, 0.30, (GEMINI_FLASH,)),
    )),
    Tenant("parcel-hub", "en", 0.06, 400, (
        (AGENT, 0.75, (GPT_41, SONNET)), (SUPPORT, 0.25, (GPT_4O_MINI,)),
    )),
)  # fmt: skip

OUTCOMES = (
    ("ok", 0.9585),
    ("refusal", 0.007),
    ("truncated", 0.008),
    ("content_filter", 0.004),
    ("rate_limit", 0.008),
    ("server_error", 0.003),
    ("timeout", 0.004),
    ("cancelled", 0.003),
    ("blocked", 0.003),
    ("unanswered", 0.003),
)
"""How a model call ends, with its probability; they add up to about 1 (the first takes the rest)."""

PROMPT_DAYS = 4
"""A prompt template gets a new version every so many days."""

INDEX_DAYS = 7
"""The product index is rebuilt every so many days."""


def prompt_sha(prompt: str, day: int) -> str:
    """The git SHA of a prompt's template on a day (days since the epoch): 40 hexadecimal digits."""
    return hashlib.sha1(f"{prompt}@{day // PROMPT_DAYS}".encode(), usedforsecurity=False).hexdigest()


def index_version(day: int) -> str:
    """The version of the product index on a day."""
    return f"products-{day // INDEX_DAYS}"
