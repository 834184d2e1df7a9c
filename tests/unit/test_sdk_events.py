"""What the SDK publishes is what the worker reads: the events of its calls, by the worker's own
decoders. The SDK runs here as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from mirante import Answer, Client, PersonalData, Request, context
from mirante._sending import Event, Outcome

from agents.inspection.pii.masking import mask
from schemas.decoding import decode_with_unknown


@dataclass
class Recorder:
    """Takes events in place of a network."""

    name: str = "recorder"
    events: list[Event] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, events: Sequence[Event]) -> Outcome:
        with self.lock:
            self.events += events
        return Outcome.stored()

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def client(recorder: Recorder) -> Iterator[Client]:
    client = Client(
        "http://127.0.0.1:9",
        controls_wait=0,
        tenant="acme",
        feature="f",
        environment="prod",
        input_rails=[PersonalData()],
    )
    client._core.publisher._new_sender = lambda: recorder
    yield client
    client.close(1)


CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2026",
    "system_fingerprint": "fp",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "Hello",
                "tool_calls": [
                    {
                        "id": "c",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Recife"}'},
                    }
                ],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 20,
        "completion_tokens": 7,
        "total_tokens": 27,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}


def ask(client: Client) -> Answer:
    return client.call(
        lambda request: CHAT,
        model="gpt-4o",
        messages=[{"role": "user", "content": "CPF 529.982.247-25"}],
        system="Be brief.",
        session_id="s",
        user_id="u",
        provider="openai",
        params={"temperature": 0.5},
        prompt={"name": "p", "sha": "abc1234"},
        output_schema={"type": "object"},
        documents=[{"id": "d", "text": "t"}],
        tools=[{"type": "function"}],
        trace_id="t" * 32,
        timeout=5,
    )


def decoded(recorder: Recorder, client: Client) -> dict[str, Any]:
    """The events by topic. None has a field that makes no sense."""
    assert client.flush(10)
    found = {}
    for event in recorder.events:
        read, extra = decode_with_unknown(event.topic, event.value)
        assert extra is None or extra.odd_fields == [], extra
        assert event.key == (read.session_id or getattr(read, "request_id", ""))
        found[event.topic] = read
    return found


def test_a_calls_events_are_read_field_by_field(client: Client, recorder: Recorder) -> None:
    answer = ask(client)
    client.feedback("rating", response_id=answer.response_id, value=1.0, session_id="s")
    with context(session_id="s"):
        client.evaluation(answer.response_id, "good", 0.5)
    events = decoded(recorder, client)
    request, response = events["requests"], events["responses"]
    assert (request.tenant, request.feature, request.environment, request.timeout_ms) == (
        "acme",
        "f",
        "prod",
        5000,
    )
    assert (
        request.prompt.sha == "abc1234"
        and request.params == {"temperature": 0.5}
        and request.output_schema == {"type": "object"}
    )
    assert (
        response.response_id == "chatcmpl-1"
        and response.output == "Hello"
        and response.tool_calls[0].name == "weather"
    )
    assert response.status == "ok" and response.finish_reason == "stop" and response.latency_ms >= 0
    assert response.rails[0].verdict == "flag" and response.rails[0].stage == "input"
    assert events["feedback"].value == 1.0 and events["evaluations"].score == 0.5


@pytest.mark.parametrize("status", ["error", "timeout", "blocked", "cancelled"])
def test_calls_that_end_badly_are_read_too(status: str, client: Client, recorder: Recorder) -> None:
    ends = {"error": ValueError("no"), "timeout": TimeoutError(), "cancelled": KeyboardInterrupt()}

    def model(request: Request) -> Any:
        raise ends[status]

    if status == "blocked":
        client._core.switches.set([{"scope": "global", "action": "kill"}])
    with pytest.raises(BaseException):  # noqa: B017 - whichever it is
        client.call(model, model="m", messages="Hello")
    assert decoded(recorder, client)["responses"].status == status


TEXTS = [
    ("CPF 529.982.247-25 e 52998224725", "CPF"),
    ("CNPJ 11.222.333/0001-81", "CNPJ"),
    ("card 4111 1111 1111 1111", "CARD"),
    ("write to ana.souza@example.com.br", "EMAIL"),
    ("ligue (11) 98765-4321", "PHONE"),
    ("call +55 11 98765-4321", "PHONE"),
    ("key sk-proj-abcdefghijklmnop1234", "SECRET"),
    ("IBAN DE89 3704 0044 0532 0130 00", "IBAN"),
    ("meu CPF é 529.982.247-26 ok", "CPF"),
    ("cpf: 529,982,247,25", "CPF"),
    ("CNPJ nº 11 222 333 0001 82", "CNPJ"),
    ("my card number is 4111 1111 1111 1112", "CARD"),
    ("cartão 4222222222222", "CARD"),
]
HARMLESS = [
    "order 12345678901 of 2026-01-15",
    "version 1.2.3.4 and 10.20.30.40.50",
    "pi is 3.14159265358979",
    "IMEI-like 1234 5678 9012 3456",
    "at 10:30 on 12/12/2025",
    "the code is 123-456",
    "R$ 1.234.567,89",
    "model gpt-4o-2024-08-06",
    "id 00000000000",
    "sk-ip this",
]


@pytest.mark.parametrize(("text", "kind"), TEXTS, ids=lambda value: value)
def test_the_sdk_and_the_server_tag_the_same(text: str, kind: str) -> None:
    from mirante._pii import mask as small

    masked, counts = small(text)
    assert set(counts) == {kind}
    assert masked == mask(text, lambda span: f"<{span.kind}>")[0]


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_numbers_stay(text: str) -> None:
    from mirante._pii import mask as small

    assert small(text) == (text, {})
