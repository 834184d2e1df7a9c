"""Ids of models and providers as people write them: prefixes of gateways and frameworks, paths of
clouds, ARNs, regions.

openai:gpt-4o                                      LangChain, pydantic-ai
openrouter/anthropic/claude-3.5-sonnet             LiteLLM bedrock/us-east-1/anthropic.claude-v2
LiteLLM publishers/anthropic/models/claude-sonnet-4@20250514
projects/P/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929
arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0
accounts/fireworks/models/deepseek-v3p2, @cf/meta/llama-3.1-8b-instruct,
ft:gpt-4.1-mini-2025-04-14:org::id
"""

from __future__ import annotations

import re
from typing import NamedTuple

from genai_prices.data import providers as _PROVIDERS


class Written(NamedTuple):
    """What an id says when its prefixes are read."""

    seller: str | None
    """The provider's id in the price data; None if neither the call nor the id names one."""
    names: tuple[str, ...]
    """Names the model may be listed under, in lower case, the likeliest first. Empty if nobody
    can tell the seller."""
    region: str | None
    """Where the call is served, if the id says so."""


def read(provider: str | None, model: str) -> Written:
    """What a call's provider and model say together.

    A gateway or framework as the provider says nothing of the seller; a provider that the price
    data does not know sells at prices nobody here knows.
    """
    seller = None
    if provider and not _is_gateway(provider):
        seller = provider_id(provider)
        if seller is None:
            return Written(None, (), None)
    return _read_model(seller, model.strip().lower())


def served_in(written: Written, region: str | None) -> Written:
    """The same, for a call that was served in a region: Bedrock lists its global profiles apart."""
    if written.seller != "aws" or region != "global":
        return written
    globally = [
        f"global.{name}" if match else f"global.anthropic.{name}"
        for name in written.names
        if (match := BEDROCK_ID.fullmatch(name)) is None or match["region"] is None
    ]
    return written._replace(names=(*globally, *written.names))


def provider_id(name: str) -> str | None:
    """The id in the price data of a provider's name, None if it is not known there.

    Strictly by table: `vllm-openai` is not OpenAI. The last part of `openai.chat`,
    `anthropic.messages`, which is how Vercel's AI SDK calls its providers, is an API and says
    nothing of the seller.
    """
    known = _PROVIDER_IDS.get(_collapse(name))
    if known is None and (api := _API.search(name.lower())) is not None:
        known = _PROVIDER_IDS.get(_collapse(name[: api.start()]))
    return known


def provider_names(name: str) -> set[str]:
    """All that a provider may be called in an override: its name as written, and its id."""
    collapsed = _collapse(name)
    return {collapsed, provider_id(name) or collapsed}


def _is_gateway(name: str) -> bool:
    return _collapse(name) in _GATEWAYS


def _read_model(seller: str | None, reference: str) -> Written:
    names: list[str] = []
    region = None
    while True:
        arn = _ARN.fullmatch(reference)
        if arn is not None:
            if seller not in (None, "aws"):
                break
            seller, region, reference = "aws", arn["region"] or region, arn["id"]
            continue
        path = _GOOGLE_PATH.fullmatch(reference)
        if path is not None:
            if seller not in (None, "google"):
                break
            seller, region, reference = "google", path["location"] or region, path["id"]
            continue
        split = _PREFIX.match(reference)
        if split is None:
            break
        prefix, rest = split["prefix"], split["rest"]
        if _is_gateway(prefix) or prefix in _ROUTES:
            reference = rest
            continue
        named = None if prefix in _NOT_SELLERS else provider_id(prefix)
        if named is None:
            if seller in _IN_REGIONS and (_REGION.fullmatch(prefix) or prefix in _AREAS):
                region, reference = prefix, rest
                continue
            break
        if seller is None or seller == named:
            if seller == named:
                names.append(
                    reference
                )  # as in perplexity/sonar, which Perplexity lists with its own name
            seller, reference = named, rest
            continue
        if seller in _CLOUDS and split["mark"] == "/":
            names.append(reference)
            reference = rest
        break
    names.append(reference)
    if seller is None and "/" in reference and not reference.startswith(_OWN_PATHS):
        return Written(
            None, (), region
        )  # somebody's name stands before the model's, and nobody here knows it
    return Written(seller, tuple(dict.fromkeys(_variants(seller, names))), region)


def _variants(seller: str | None, names: list[str]) -> list[str]:
    """Every name, and its other spellings."""
    found: list[str] = []
    for name in names:
        plain = _CONTEXT.sub("", name)
        found.append(plain)
        if "@" in plain[1:]:
            base, _, version = plain.rpartition("@")
            # Vertex AI writes the date of a Claude model after an @.
            found.append(base if version in ("default", "latest") else f"{base}-{version}")
        if seller == "aws":
            # Bedrock's regions share one price, except `global`, and not every region of every
            # model is listed.
            match = BEDROCK_ID.fullmatch(plain)
            if match is not None and match["region"] not in (None, "global"):
                found.append(plain.partition(".")[2])
        elif seller == "fireworks" and "/" not in plain:
            found.append(f"accounts/fireworks/models/{plain}")
        elif seller == "cloudflare" and not plain.startswith("@"):
            found.append(f"@cf/{plain}")
    return found


def _collapse(name: str) -> str:
    """`azure.ai.openai`, `Azure AI OpenAI` and `azure_ai_openai` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_PREFIX = re.compile(r"(?P<prefix>[^/:@]+)(?P<mark>[/:])(?P<rest>.+)", re.DOTALL)
_ARN = re.compile(
    r"arn:aws[a-z-]*:bedrock:(?P<region>[a-z0-9-]*):\d*:[a-z-]+/(?P<id>.+)", re.DOTALL
)
_GOOGLE_PATH = re.compile(
    r"(?:projects/[^/]+/locations/(?P<location>[^/]+)/)?(?:publishers/[^/]+/)?models/(?P<id>[^/]+)",
    re.DOTALL,
)
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-?\d+|[a-z]+[a-z0-9]*us\d?|global|globalstandard")
_AREAS = frozenset({"eu", "us", "global", "global-standard", "apac"})
_IN_REGIONS = frozenset({"aws", "azure", "google"})
_CLOUDS = frozenset({"aws", "azure", "google"})

# Claude Code marks the long context so.
_CONTEXT = re.compile(r"\[[^\]]*\]$")

# `us.anthropic.claude-...`, `amazon.nova-pro-v1:0`: Bedrock's ids, with or without a region.
BEDROCK_ID = re.compile(
    r"(?:(?P<region>us|us-gov|eu|apac|au|jp|ca|in|sa|global)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshotai|nvidia|openai|qwen|stability|writer|zai)"
    r"\.[a-z].*"
)

# Ids of the price data that have a slash of their own.
_OWN_PATHS = ("accounts/fireworks/", "@cf/")

# What LiteLLM puts between the provider and the model.
_ROUTES = frozenset({"converse", "converse_like", "invoke", "responses", "chat", "messages"})

# A colon after these is a part of the model's id.
_NOT_SELLERS = frozenset({"ft"})

_API = re.compile(
    r"[._-](?:chat|messages|responses|completions?|embeddings?|generative-ai|text|image|speech|transcription)$"
)

# Gateways and frameworks pass calls on: who sells the model is in its name.
_GATEWAYS = frozenset(
    {
        "litellm", "litellmproxy", "portkey", "helicone", "langchain", "llamaindex", "vercel", "vercelaigateway",
        "aigateway", "gateway", "langfuse", "bifrost",
    }
)  # fmt: skip

# Names of providers, collapsed, to ids of the price data. Values of `gen_ai.provider.name` and the
# older `gen_ai.system` (OpenTelemetry semantic conventions), of OpenInference and OpenLLMetry, and
# prefixes of LiteLLM, of LangChain's init_chat_model, of pydantic-ai and of Vercel's AI SDK.
_PROVIDER_IDS: dict[str, str] = {
    **{_collapse(provider.id): provider.id for provider in _PROVIDERS},
    "awsbedrock": "aws",
    "amazonbedrock": "aws",
    "bedrock": "aws",
    "bedrockconverse": "aws",
    "amazon": "aws",
    "azureaiopenai": "azure",
    "azureaiinference": "azure",
    "azaiopenai": "azure",
    "azaiinference": "azure",
    "azureopenai": "azure",
    "azureai": "azure",
    "azureaifoundry": "azure",
    "azuretext": "azure",
    "codestral": "mistral",
    "coherechat": "cohere",
    "fireworksai": "fireworks",
    "gcpgemini": "google",
    "gcpgenai": "google",
    "gcpvertexai": "google",
    "gemini": "google",
    "googleaistudio": "google",
    "googleanthropicvertex": "google",
    "googlegenai": "google",
    "googlegenerativeai": "google",
    "googlegla": "google",
    "googlevertex": "google",
    "googlevertexai": "google",
    "vertex": "google",
    "vertexai": "google",
    "vertexaibeta": "google",
    "vertexanthropic": "google",
    "grok": "x-ai",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "openaichat": "openai",
    "openairesponses": "openai",
    "perplexityai": "perplexity",
    "textcompletionopenai": "openai",
    "togetherai": "together",
    "voyage": "voyageai",
    "workersai": "cloudflare",
    "xai": "x-ai",
}
