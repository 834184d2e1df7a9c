"""What the providers' SDKs hand to a service as usage, captured from the SDKs themselves.

    python -m venv /tmp/sdks
    /tmp/sdks/bin/pip install openai anthropic google-genai mistralai cohere boto3 \\
        litellm langchain-openai langchain-anthropic
    /tmp/sdks/bin/python tests/usages/capture.py > tests/usages/captured.json

The SDKs talk to a server on loopback that answers as the providers document it, so nothing here
needs a key. What is written down is the usage as a service would publish it: the SDK's object as
JSON. Node's SDKs (tests/usages/capture.mjs) are run too when `NODE_PATH` names a directory that has
them. Nothing of Mirante is imported.
"""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    ],
}
MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "content": [{"type": "text", "text": "hi"}],
}

OPENAI_CHAT = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 192,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 10,
        "rejected_prediction_tokens": 20,
    },
}
OPENAI_AUDIO = {
    "prompt_tokens": 236,
    "completion_tokens": 450,
    "total_tokens": 686,
    "prompt_tokens_details": {
        "cached_tokens": 0,
        "audio_tokens": 200,
        "text_tokens": 36,
        "image_tokens": 0,
    },
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 400, "text_tokens": 50},
}
RESPONSES = {
    "input_tokens": 328,
    "output_tokens": 52,
    "total_tokens": 380,
    "input_tokens_details": {"cached_tokens": 128, "cache_write_tokens": 64},
    "output_tokens_details": {"reasoning_tokens": 30},
}
EMBEDDINGS = {"prompt_tokens": 8, "total_tokens": 8}
IMAGES = {
    "input_tokens": 50,
    "output_tokens": 4160,
    "total_tokens": 4210,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
TRANSCRIPTION = {
    "type": "tokens",
    "input_tokens": 14,
    "output_tokens": 45,
    "total_tokens": 59,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
}
DURATION = {"type": "duration", "seconds": 9}
REALTIME = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
ANTHROPIC = {
    "input_tokens": 12,
    "output_tokens": 500,
    "cache_creation_input_tokens": 2000,
    "cache_read_input_tokens": 50000,
    "cache_creation": {"ephemeral_5m_input_tokens": 1500, "ephemeral_1h_input_tokens": 500},
    "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
    "service_tier": "standard",
    "inference_geo": "global",
    "output_tokens_details": {"thinking_tokens": 120},
}
COMPACTION = {
    "input_tokens": 23000,
    "output_tokens": 1000,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "service_tier": "standard",
    "iterations": [
        {
            "type": "compaction",
            "input_tokens": 180000,
            "output_tokens": 3500,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
        {
            "type": "message",
            "input_tokens": 23000,
            "output_tokens": 1000,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    ],
}
GEMINI = {
    "promptTokenCount": 1300,
    "candidatesTokenCount": 200,
    "thoughtsTokenCount": 450,
    "toolUsePromptTokenCount": 40,
    "totalTokenCount": 1990,
    "cachedContentTokenCount": 1000,
    "trafficType": "ON_DEMAND",
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 1042},
        {"modality": "IMAGE", "tokenCount": 258},
    ],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 200}],
    "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
}
BEDROCK = {
    "inputTokens": 7,
    "outputTokens": 313,
    "totalTokens": 1805,
    "cacheReadInputTokens": 885,
    "cacheWriteInputTokens": 600,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 200}, {"ttl": "5m", "inputTokens": 400}],
}
BEDROCK_PLAIN = {"inputTokens": 30, "outputTokens": 628, "totalTokens": 658}
MISTRAL = {"prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 50, "num_cached_tokens": 8}
MISTRAL_AUDIO = {
    "prompt_audio_seconds": 203,
    "prompt_tokens": 4,
    "total_tokens": 3264,
    "completion_tokens": 635,
}
COHERE = {
    "billed_units": {"input_tokens": 17, "output_tokens": 12},
    "tokens": {"input_tokens": 215, "output_tokens": 12},
    "cached_tokens": 5,
}
COHERE_V1 = {
    "api_version": {"version": "1"},
    "billed_units": {"input_tokens": 5, "output_tokens": 418},
    "tokens": {"input_tokens": 71, "output_tokens": 418},
}
RERANK = {
    "api_version": {"version": "2", "is_experimental": False},
    "billed_units": {"search_units": 1},
}
DEEPSEEK = {
    "prompt_tokens": 1000,
    "completion_tokens": 240,
    "total_tokens": 1240,
    "prompt_cache_hit_tokens": 640,
    "prompt_cache_miss_tokens": 360,
    "prompt_tokens_details": {"cached_tokens": 640},
    "completion_tokens_details": {"reasoning_tokens": 200},
}
XAI = {
    "prompt_tokens": 32,
    "completion_tokens": 9,
    "total_tokens": 135,
    "num_sources_used": 0,
    "cost_in_usd_ticks": 500000,
    "prompt_tokens_details": {
        "text_tokens": 32,
        "audio_tokens": 0,
        "image_tokens": 0,
        "cached_tokens": 6,
    },
    "completion_tokens_details": {
        "reasoning_tokens": 94,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
GROQ = {
    "queue_time": 0.037493756,
    "prompt_tokens": 18,
    "prompt_time": 0.000680594,
    "completion_tokens": 556,
    "completion_time": 0.463333333,
    "total_tokens": 574,
    "total_time": 0.464013927,
}
OPENROUTER = {
    "prompt_tokens": 10339,
    "completion_tokens": 60,
    "total_tokens": 10399,
    "cost": 0.00014,
    "is_byok": False,
    "cost_details": {"upstream_inference_cost": None, "upstream_inference_prompt_cost": 0.0001},
    "prompt_tokens_details": {
        "cached_tokens": 10318,
        "cache_write_tokens": 0,
        "audio_tokens": 0,
        "video_tokens": 0,
    },
    "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
    "server_tool_use": {"web_search_requests": 2},
}
PERPLEXITY = {
    "prompt_tokens": 33,
    "completion_tokens": 7163,
    "total_tokens": 7196,
    "search_context_size": "low",
    "citation_tokens": 19028,
    "num_search_queries": 21,
    "reasoning_tokens": 0,
}

CHATS = {
    "openai": OPENAI_CHAT,
    "openai-audio": OPENAI_AUDIO,
    "deepseek": DEEPSEEK,
    "xai": XAI,
    "groq": GROQ,
    "openrouter": OPENROUTER,
    "perplexity": PERPLEXITY,
    "mistral": MISTRAL,
    "mistral-audio": MISTRAL_AUDIO,
}


def answer(path: str, body: dict) -> dict:
    model = str(body.get("model", ""))
    if path.endswith("/chat/completions"):
        return {**CHAT, "model": model, "service_tier": "default", "usage": CHATS[model]}
    if path.endswith("/responses"):
        return {
            "id": "r",
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": model,
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": RESPONSES,
        }
    if path.endswith("/embeddings"):
        item = {"object": "embedding", "index": 0, "embedding": [0.0]}
        return {"id": "e", "object": "list", "model": model, "data": [item], "usage": EMBEDDINGS}
    if path.endswith("/images/generations"):
        return {"created": 1, "data": [], "usage": IMAGES}
    if path.endswith("/audio/transcriptions"):
        return {"text": "hi", "usage": TRANSCRIPTION}
    if path.endswith("/messages"):
        return {**MESSAGE, "usage": COMPACTION if "compaction" in model else ANTHROPIC}
    if ":generateContent" in path:
        content = {"role": "model", "parts": [{"text": "hi"}]}
        return {
            "candidates": [{"content": content, "finishReason": "STOP"}],
            "usageMetadata": GEMINI,
        }
    if path.endswith("/converse"):
        usage = BEDROCK if "cache" in path else BEDROCK_PLAIN
        message = {"role": "assistant", "content": [{"text": "hi"}]}
        return {
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 1},
        }
    if path.endswith("/v2/chat"):
        message = {"role": "assistant", "content": [{"type": "text", "text": "hi"}]}
        return {"id": "c", "finish_reason": "COMPLETE", "message": message, "usage": COHERE}
    if path.endswith("/v1/chat"):
        return {"text": "hi", "generation_id": "g", "response_id": "r", "meta": COHERE_V1}
    if path.endswith("/rerank"):
        return {"id": "r", "results": [], "meta": RERANK}
    raise KeyError(path)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(raw) if raw[:1] == b"{" else {}
        content = json.dumps(answer(self.path.partition("?")[0], body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


CAPTURED: list[dict] = []


def captured(name: str, sdk: str, usage: object, how: str) -> None:
    CAPTURED.append({"name": name, "sdk": f"{sdk} {version(sdk)}", "how": how, "usage": usage})


def python_sdks(base: str) -> None:
    import io

    import anthropic
    import boto3
    import cohere
    import openai
    from google import genai
    from google.genai import types
    from mistralai.client import Mistral
    from openai.types.realtime import RealtimeResponseUsage

    hello = [{"role": "user", "content": "hello"}]
    client = openai.OpenAI(api_key="k", base_url=f"{base}/v1")
    for name in CHATS:
        if not name.startswith("mistral"):
            usage = client.chat.completions.create(model=name, messages=hello).usage
            captured(f"chat-{name}", "openai", usage.model_dump(), "model_dump()")
    usage = client.chat.completions.create(model="openai", messages=hello).usage
    captured("chat-openai-unset", "openai", usage.to_dict(), "to_dict()")
    captured(
        "responses",
        "openai",
        client.responses.create(model="m", input="hi").usage.model_dump(),
        "model_dump()",
    )
    usage = client.embeddings.create(model="m", input="hi", encoding_format="float").usage
    captured("embeddings", "openai", usage.model_dump(), "model_dump()")
    captured(
        "images",
        "openai",
        client.images.generate(model="m", prompt="x").usage.model_dump(),
        "model_dump()",
    )
    file = ("a.wav", io.BytesIO(b"RIFF"))
    usage = client.audio.transcriptions.create(model="m", file=file).usage
    captured("transcription", "openai", usage.model_dump(), "model_dump()")
    usage = openai.types.audio.transcription.UsageDuration.model_validate(DURATION)
    captured("transcription-duration", "openai", usage.model_dump(), "model_dump()")
    captured(
        "realtime",
        "openai",
        RealtimeResponseUsage.model_validate(REALTIME).model_dump(),
        "model_dump()",
    )

    claude = anthropic.Anthropic(api_key="k", base_url=base)
    for name in ("messages", "messages-compaction"):
        usage = claude.beta.messages.create(model=name, max_tokens=9, messages=hello).usage
        captured(
            name if "compaction" in name else "messages-beta",
            "anthropic",
            usage.model_dump(),
            "model_dump()",
        )
    usage = claude.messages.create(model="m", max_tokens=9, messages=hello).usage
    captured("messages", "anthropic", usage.model_dump(), "model_dump()")

    google = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=base))
    usage = google.models.generate_content(model="gemini-2.5-pro", contents="hi").usage_metadata
    captured("gemini", "google-genai", usage.model_dump(mode="json"), "model_dump(mode='json')")
    captured("gemini-json", "google-genai", usage.to_json_dict(), "to_json_dict()")

    mistral = Mistral(api_key="k", server_url=base)
    for name in ("mistral", "mistral-audio"):
        usage = mistral.chat.complete(model=name, messages=hello).usage
        captured(name, "mistralai", usage.model_dump(), "model_dump()")

    captured(
        "cohere-v2",
        "cohere",
        json.loads(
            cohere.ClientV2("k", base_url=base).chat(model="m", messages=hello).usage.json()
        ),
        "json()",
    )
    v1 = cohere.Client("k", base_url=base)
    captured(
        "cohere-v1",
        "cohere",
        json.loads(v1.chat(model="m", message="hi").meta.json()),
        "meta.json()",
    )
    meta = cohere.ClientV2("k", base_url=base).rerank(model="m", query="q", documents=["d"]).meta
    captured("cohere-rerank", "cohere", json.loads(meta.json()), "meta.json()")

    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "k", "region_name": "us-east-1"}
    bedrock = boto3.client("bedrock-runtime", endpoint_url=base, **keys)
    said = [{"role": "user", "content": [{"text": "hi"}]}]
    captured(
        "bedrock", "boto3", bedrock.converse(modelId="plain", messages=said)["usage"], "['usage']"
    )
    captured(
        "bedrock-cache",
        "boto3",
        bedrock.converse(modelId="cache", messages=said)["usage"],
        "['usage']",
    )


def frameworks(base: str) -> None:
    import litellm
    from langchain_anthropic import ChatAnthropic
    from langchain_openai import ChatOpenAI

    hello = [{"role": "user", "content": "hello"}]
    given = {"messages": hello, "api_key": "k"}
    usage = litellm.completion(model="openai/openai", api_base=f"{base}/v1", **given).usage
    captured("litellm-openai", "litellm", usage.model_dump(), "model_dump()")
    usage = litellm.completion(model="anthropic/claude-sonnet-4-5", api_base=base, **given).usage
    captured("litellm-anthropic", "litellm", usage.model_dump(), "model_dump()")
    said = ChatOpenAI(model="openai", api_key="k", base_url=f"{base}/v1").invoke("hi")
    captured("langchain-openai", "langchain-openai", said.usage_metadata, "usage_metadata")
    said = ChatAnthropic(model="claude-sonnet-4-5", api_key="k", base_url=base).invoke("hi")
    captured("langchain-anthropic", "langchain-anthropic", said.usage_metadata, "usage_metadata")


def main() -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network for prices
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    python_sdks(base)
    frameworks(base)
    if os.environ.get("NODE_PATH"):
        script = Path(__file__).with_name("capture.mjs")
        run = subprocess.run(
            ["node", script, base, os.environ["NODE_PATH"]],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        CAPTURED.extend(json.loads(run.stdout))
    server.shutdown()
    lines = ",\n".join(re.sub(r"\s+", " ", json.dumps(item)) for item in CAPTURED)
    sys.stdout.write(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
