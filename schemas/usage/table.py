"""The adapters: one for each way in which usage is counted, with its source."""

from schemas.usage.shape import (
    COUNTS,
    INFORMATION,
    REGION,
    REQUESTS,
    SAME,
    SPEED,
    TIER,
    TOTAL,
    Shape,
    ambiguous,
    both,
    each,
    one_request,
)

_TOOLS = {
    "server_tool_use.web_search_requests": one_request("web_search"),
    "server_tool_use.code_execution_requests": one_request("code_execution"),
    # Free: docs.claude.com/en/docs/agents-and-tools/tool-use/web-fetch-tool ("no additional charges
    # beyond token costs")
    "server_tool_use.web_fetch_requests": INFORMATION,
    "server_tool_use.tool_search_requests": INFORMATION,
}
_WRITTEN_FOR = {
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
}
_SERVED = {"service_tier": TIER, "inference_geo": REGION, "speed": SPEED}

_ITERATIONS = {
    # "A compaction entry's tokens are not included in the top-level usage fields"; those of
    # messages are. An advisor and a
    # fallback are other models, whose tokens cannot be told at this model's price: not listed,
    # hence named.
    "iterations[type=message]": SAME,
    "iterations[type=compaction].input_tokens": each("compaction_input"),
    "iterations[type=compaction].output_tokens": each("compaction_output"),
    "iterations[type=compaction].cache_read_input_tokens": each("compaction_read"),
    "iterations[type=compaction].cache_creation_input_tokens": each("compaction_write"),
    "iterations[type=compaction].cache_creation.ephemeral_5m_input_tokens": SAME,
    "iterations[type=compaction].cache_creation.ephemeral_1h_input_tokens": each("cache_write_1h"),
}

_WRITTEN_IN = "prompt_tokens_details.cache_creation_token_details"

_CHAT = {
    "prompt_tokens": "input",
    "completion_tokens": "output",
    "total_tokens": TOTAL,
    "prompt_tokens_details.cached_tokens": "cache_read",
    "prompt_tokens_details.cache_write_tokens": "cache_write",
    "prompt_tokens_details.cache_creation_tokens": "cache_write",
    f"{_WRITTEN_IN}.ephemeral_5m_input_tokens": "cache_write_5m",
    f"{_WRITTEN_IN}.ephemeral_1h_input_tokens": "cache_write_1h",
    "prompt_tokens_details.audio_tokens": "input_audio",
    "prompt_tokens_details.image_tokens": "input_image",
    "prompt_tokens_details.text_tokens": SAME,
    "completion_tokens_details.reasoning_tokens": "reasoning",
    "completion_tokens_details.audio_tokens": "output_audio",
    "completion_tokens_details.image_tokens": "output_image",
    "completion_tokens_details.text_tokens": SAME,
    # "like reasoning tokens, these tokens are still counted in the total completion tokens"
    "completion_tokens_details.accepted_prediction_tokens": INFORMATION,
    "completion_tokens_details.rejected_prediction_tokens": INFORMATION,
    # DeepSeek
    "prompt_cache_hit_tokens": "cache_read",
    "prompt_cache_miss_tokens": SAME,
    # LiteLLM, Databricks: Anthropic's names, but inside prompt_tokens
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
    **_WRITTEN_FOR,
    **_ITERATIONS,
    # Moonshot; Mistral; Databricks
    "cached_tokens": "cache_read",
    "num_cached_tokens": "cache_read",
    "reasoning_tokens": "reasoning",
    # OpenRouter and Perplexity
    **_TOOLS,
    "connectors": REQUESTS,  # Mistral
    "num_search_queries": one_request("web_search"),
    "search_context_size": INFORMATION,
    # Groq
    "queue_time": INFORMATION,
    "prompt_time": INFORMATION,
    "completion_time": INFORMATION,
    "total_time": INFORMATION,
    # what gateways say it cost
    "cost": INFORMATION,
    "cost_details": INFORMATION,
    "cost_in_usd_ticks": INFORMATION,
    **_SERVED,
}

_MODALITIES = {"audio": "audio", "image": "image", "document": "image"}
"""Gemini's modalities -> ours. Video is not among them: where its price is not that of text, tokens
alone do not tell."""

_BY_MODALITY = (
    ("input", "input"),
    ("tool_use", "input"),
    ("output", "output"),
    ("cached", "cache_read"),
)

_GEMINI = {
    "prompt_token_count": "input",
    "candidates_token_count": "output",
    "response_token_count": "output",  # Live API
    "thoughts_token_count": "reasoning",
    "tool_use_prompt_token_count": "tool_use",
    "cached_content_token_count": "cache_read",
    "total_token_count": TOTAL,
    "traffic_type": TIER,
    "service_tier": TIER,
    **{
        f"{details}[modality={modality}].token_count": each(f"{part_of}_{ours}")
        for details, part_of in (
            ("prompt_tokens_details", "input"),
            ("tool_use_prompt_tokens_details", "input"),
            ("candidates_tokens_details", "output"),
            ("response_tokens_details", "output"),
            ("cache_tokens_details", "cache_read"),
        )
        for modality, ours in _MODALITIES.items()
    },
    **{
        f"{details}[modality=text].token_count": SAME
        for details in (
            "prompt_tokens_details",
            "tool_use_prompt_tokens_details",
            "candidates_tokens_details",
            "response_tokens_details",
        )
    },
    "cache_tokens_details[modality=text].token_count": each("cache_read_text"),
}

_INTERACTIONS = {
    "total_input_tokens": "input",
    "total_output_tokens": "output",
    "total_thought_tokens": "reasoning",
    "total_tool_use_tokens": "tool_use",
    "total_cached_tokens": "cache_read",
    "total_tokens": TOTAL,
    "initial_input_tokens": INFORMATION,
    "grounding_tool_count[type=google_search].count": one_request("web_search"),
    **{
        f"{part_of}_tokens_by_modality[modality={modality}].tokens": each(f"{counted}_{ours}")
        for part_of, counted in _BY_MODALITY
        for modality, ours in _MODALITIES.items()
    },
    **{
        f"{part_of}_tokens_by_modality[modality=text].tokens": SAME
        for part_of in ("input", "tool_use", "output")
    },
    "cached_tokens_by_modality[modality=text].tokens": each("cache_read_text"),
}

_TOKENS = {"input_tokens": "input", "output_tokens": "output", "total_tokens": TOTAL}

_RESPONSES = {
    **_TOKENS,
    "input_tokens_details.cached_tokens": "cache_read",
    "input_tokens_details.cache_write_tokens": "cache_write",
    # Half an hour is the usual retention. 12 hours are not listed, hence named.
    "input_tokens_details.cache_write_tokens_details.ttl_30m_tokens": SAME,
    "input_tokens_details.audio_tokens": "input_audio",
    "input_tokens_details.image_tokens": "input_image",
    "input_tokens_details.text_tokens": SAME,
    "output_tokens_details.reasoning_tokens": "reasoning",
    "output_tokens_details.thinking_tokens": "reasoning",
    "output_tokens_details.audio_tokens": "output_audio",
    "output_tokens_details.image_tokens": "output_image",
    "output_tokens_details.text_tokens": SAME,
    "cost": INFORMATION,
    "cost_in_usd_ticks": INFORMATION,
    "request_usage_entries": SAME,  # OpenAI's Agents SDK
    **_SERVED,
}

SHAPES: tuple[Shape, ...] = (
    Shape(
        "mirante",
        "docs/data.md; OpenTelemetry semantic conventions, gen_ai.usage.*",
        frozenset(COUNTS[2:]) - {"reasoning_tokens"},
        {
            **{name: name.removesuffix("_tokens") for name in COUNTS},
            "total_tokens": TOTAL,
            # pydantic-ai
            "cache_audio_read_tokens": "cache_read_audio",
            "details.reasoning_tokens": "reasoning",
            **_WRITTEN_FOR,
            **_TOOLS,
            **_SERVED,
            "region": REGION,
        },
    ),
    Shape(
        "gemini",
        "ai.google.dev/api/generate-content#UsageMetadata; "
        "google.genai.types.GenerateContentResponseUsageMetadata",
        both(
            "prompt_token_count",
            "candidates_token_count",
            "total_token_count",
            "response_token_count",
        ),
        _GEMINI,
        input_adds=("tool_use",),
        output_adds=("reasoning",),
    ),
    Shape(
        "gemini_interactions",
        "ai.google.dev/gemini-api/docs/interactions; google.genai's Usage of an interaction",
        both("total_input_tokens", "total_output_tokens", "total_thought_tokens"),
        _INTERACTIONS,
        input_adds=("tool_use",),
        output_adds=("reasoning",),
    ),
    Shape(
        "perplexity",
        "docs.perplexity.ai/api-reference (usage); genai-prices, extractor of perplexity",
        frozenset({"num_search_queries", "citation_tokens", "search_context_size"}),
        _CHAT,
        output_adds=("reasoning",),
        total="without",
    ),
    Shape(
        "openai_chat",
        "platform.openai.com/docs/api-reference/chat/object; openai.types.CompletionUsage and "
        "CreateEmbeddingResponse; "
        "mistralai UsageInfo; and what speaks its protocol: DeepSeek, Groq, OpenRouter, Azure, "
        "LiteLLM's Usage",
        both("prompt_tokens", "completion_tokens"),
        _CHAT,
    ),
    Shape(
        "xai_chat",
        "docs.x.ai/docs/api-reference#chat-completions: the total includes reasoning, "
        "completion_tokens do not",
        frozenset({"prompt_tokens"}),
        _CHAT,
        output_adds=("reasoning",),
    ),
    Shape(
        "cohere",
        "docs.cohere.com/reference/chat (usage) and /v1/reference/chat (meta); "
        "cohere.types.Usage and ApiMeta",
        both("billed_units", "tokens"),
        {
            "billed_units.input_tokens": "input",
            "billed_units.output_tokens": "output",
            "billed_units.search_units": one_request("search_units"),
            "billed_units.classifications": one_request("classifications"),
            # Before discounts: what was processed, with what Cohere adds to the prompt. Counts
            # where nothing is said of billing.
            "tokens.input_tokens": "unbilled_input",
            "tokens.output_tokens": "unbilled_output",
            "cached_tokens": INFORMATION,
            "api_version": INFORMATION,
        },
    ),
    Shape(
        "bedrock",
        "docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html: cached "
        "tokens are outside the input",
        both(
            "cache_write_input_tokens",
            "cache_write_input_token_count",
            "cache_read_input_token_count",
            "cache_details",
        )
        | {"cacheReadInputTokens"},
        {
            **_TOKENS,
            "cache_read_input_tokens": "cache_read",
            "cache_read_input_token_count": "cache_read",
            "cache_write_input_tokens": "cache_write",
            "cache_write_input_token_count": "cache_write",
            "cache_details[ttl=5m].input_tokens": each("cache_write_5m"),
            "cache_details[ttl=1h].input_tokens": each("cache_write_1h"),
        },
        input_adds=("cache_read", "cache_write"),
        total="either",
    ),
    Shape(
        "anthropic",
        "docs.anthropic.com/en/api/messages (usage): total input is input_tokens + "
        "cache_creation_input_tokens + "
        "cache_read_input_tokens; anthropic.types.Usage and beta.BetaUsage",
        frozenset(
            {
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
                "cache_creation",
                "server_tool_use",
                "iterations",
                "inference_geo",
            }
        ),
        {
            **_TOKENS,
            "cache_read_input_tokens": "cache_read",
            "cache_creation_input_tokens": "cache_write",
            **_WRITTEN_FOR,
            "output_tokens_details.thinking_tokens": "reasoning",
            **_TOOLS,
            **_ITERATIONS,
            **_SERVED,
        },
        input_adds=("cache_read", "cache_write"),
        total="either",
    ),
    Shape(
        "openai_responses",
        "platform.openai.com/docs/api-reference/responses/object; "
        "openai.types.responses.ResponseUsage",
        both("input_tokens_details", "output_tokens_details"),
        _RESPONSES,
    ),
    Shape(
        "openai_images",
        "platform.openai.com/docs/api-reference/images/object; openai.types.ImagesResponse: of "
        "most models without details of the output",
        frozenset(),
        _RESPONSES,
        output_is="output_image",
    ),
    Shape(
        "token_details",
        "openai.types.realtime.RealtimeResponseUsage and audio.Transcription; LangChain's "
        "UsageMetadata; "
        "LanguageModelUsage of Vercel's AI SDK from 6 on",
        both("input_token_details", "output_token_details"),
        {
            **_TOKENS,
            "input_token_details.cached_tokens": "cache_read",
            "input_token_details.cached_tokens_details.text_tokens": "cache_read_text",
            "input_token_details.cached_tokens_details.audio_tokens": "cache_read_audio",
            "input_token_details.cached_tokens_details.image_tokens": "cache_read_image",
            "input_token_details.audio_tokens": "input_audio",
            "input_token_details.image_tokens": "input_image",
            "input_token_details.text_tokens": SAME,
            "output_token_details.audio_tokens": "output_audio",
            "output_token_details.image_tokens": "output_image",
            "output_token_details.text_tokens": SAME,
            "output_token_details.reasoning_tokens": "reasoning",
            # LangChain
            "input_token_details.cache_read": "cache_read",
            "input_token_details.cache_creation": "cache_write",
            "input_token_details.ephemeral_5m_input_tokens": "cache_write_5m",
            "input_token_details.ephemeral_1h_input_tokens": "cache_write_1h",
            "input_token_details.audio": "input_audio",
            "input_token_details.image": "input_image",
            "input_token_details.text": SAME,
            "output_token_details.audio": "output_audio",
            "output_token_details.image": "output_image",
            "output_token_details.text": SAME,
            "output_token_details.reasoning": "reasoning",
            # AI SDK
            "input_token_details.no_cache_tokens": SAME,
            "input_token_details.cache_read_tokens": "cache_read",
            "input_token_details.cache_write_tokens": "cache_write",
            "cached_input_tokens": "cache_read",
            "reasoning_tokens": "reasoning",
        },
    ),
    Shape(
        "ai_sdk_5",
        "LanguageModelUsage of Vercel's AI SDK 5: cached tokens are inside the input for OpenAI, "
        "outside for Anthropic",
        frozenset({"cachedInputTokens"}),
        {
            **_TOKENS,
            "cached_input_tokens": ambiguous("cache_read"),
            "reasoning_tokens": "reasoning",
        },
    ),
)
"""The adapters, in the order in which they are recognised. Without any mark it is the first."""

ALIKE = {"openai_chat": "xai_chat"}
"""Shapes that only the total tells apart -> what it is if the total is not the first one's."""
