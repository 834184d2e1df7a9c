"""A model provider and an ingest on loopback, for the providers' real clients and for the SDK.

Both are plain HTTP servers in a thread; nothing of the SDK is used. The provider serves what OpenAI
and Anthropic document, and what goes wrong with them, chosen by the model's name: `slow` (answers
after a second), `hang` (never), `drip` (a stream that never ends), `break` (hangs up in the middle
of a stream), `flaky` (fails twice with 500, then answers), `denied` (401), `limited` (429),
`garbage` (no JSON).
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CHAT_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
}
RESPONSES_USAGE = {
    "input_tokens": 20,
    "output_tokens": 7,
    "total_tokens": 27,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 2},
}
ANTHROPIC_USAGE = {
    "input_tokens": 16,
    "output_tokens": 7,
    "cache_read_input_tokens": 4,
    "cache_creation_input_tokens": 3,
}
USAGE: dict[str, dict[str, Any]] = {
    "chat": CHAT_USAGE,
    "responses": RESPONSES_USAGE,
    "messages": ANTHROPIC_USAGE,
    "embeddings": {"prompt_tokens": 9, "total_tokens": 9},
}
TOOL_ARGUMENTS = '{"city":"Recife"}'


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""


class _Fake:
    """A server that is started at once; `close` ends it."""

    def __init__(self, port: int = 0) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                fake.get(self)

            def do_POST(self) -> None:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.post(self, body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self.closing = threading.Event()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        raise NotImplementedError

    def post(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        raise NotImplementedError


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Provider(_Fake):
    """`reply`: the text of every answer, `version`: of the model that gave it, `chat_usage`: what
    it took, `seconds`: how long. `requests`: the bodies that came, by path."""

    def __init__(self) -> None:
        self.reply = "It is sunny in Recife."
        self.version = "2026"
        self.chat_usage: dict[str, Any] = CHAT_USAGE
        self.seconds = 0.0
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._failures: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._number = 0
        super().__init__()

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, body in self.requests]

    def answered_by(self, document: dict[str, Any]) -> str:
        return f"{document['model']}-{self.version}"

    def usage(self, interface: str, number: int) -> dict[str, Any]:
        """What answer `number` took: of `chat`, `responses`, `messages` or `embeddings`."""
        return {**USAGE, "chat": self.chat_usage}[interface]

    def wants_tool(self, document: dict[str, Any]) -> bool:
        """Whether the model calls the tool that it is offered."""
        return bool(document.get("tools"))

    def post(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        path = urlsplit(handler.path).path
        document = json.loads(body)
        with self._lock:
            self.requests.append((path, document))
            self._number += 1
            number = self._number
        model = str(document.get("model"))
        self.closing.wait(1.0 if "slow" in model else self.seconds)
        if "hang" in model:
            self.closing.wait(30)
            return
        if "denied" in model:
            self._error(
                handler, 401, "Incorrect API key provided: sk-proj-abcdefghijklmnopqrstuvwx"
            )
            return
        if "limited" in model:
            self._error(handler, 429, "Rate limit reached")
            return
        if "flaky" in model:
            with self._lock:
                self._failures[model] += 1
                if self._failures[model] <= 2:
                    self._error(handler, 500, "try again")
                    return
        if "garbage" in model:
            _answer(handler, 200, b"<html>", Content_Type="application/json")
            return
        if path.endswith("/chat/completions"):
            self._serve(
                handler,
                document,
                self._chat(document, number),
                self._chat_chunks(document, number),
                done=b"data: [DONE]\n\n",
            )
        elif path.endswith("/responses"):
            self._serve(
                handler,
                document,
                self._response(document, number),
                self._response_events(document, number),
            )
        elif path.endswith("/messages"):
            self._serve(
                handler,
                document,
                self._message(document, number),
                self._message_events(document, number),
            )
        elif path.endswith("/embeddings"):
            self._serve(handler, document, self._embeddings(document, number), iter(()))
        else:
            self._error(handler, 404, "no such path")

    def _error(self, handler: BaseHTTPRequestHandler, status: int, message: str) -> None:
        body = {
            "type": "error",
            "error": {"type": "some_error", "message": message, "code": None, "param": None},
        }
        _answer(
            handler,
            status,
            json.dumps(body).encode(),
            Content_Type="application/json",
            **{"retry-after-ms": "1"},
        )

    def _serve(
        self,
        handler: BaseHTTPRequestHandler,
        document: dict[str, Any],
        whole: dict[str, Any],
        events: Iterator[tuple[str | None, Any]],
        done: bytes = b"",
    ) -> None:
        if not document.get("stream"):
            _answer(handler, 200, json.dumps(whole).encode(), Content_Type="application/json")
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()

        def write(data: bytes) -> None:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            handler.wfile.flush()

        model = str(document.get("model"))
        for number, (name, event) in enumerate(events):
            if "break" in model and number == 4:
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            if "drip" in model and number >= 3 and self.closing.wait(30):
                return
            write(
                (f"event: {name}\n" if name else "").encode()
                + b"data: "
                + json.dumps(event).encode()
                + b"\n\n"
            )
            if "steady" in model:
                time.sleep(0.01)
        if done:
            write(done)
        handler.wfile.write(b"0\r\n\r\n")

    def _pieces(self) -> list[str]:
        return [self.reply[start : start + 7] for start in range(0, len(self.reply), 7)]

    # --- Chat Completions

    def _chat(self, document: dict[str, Any], number: int) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.reply, "refusal": None}
        reason = "stop"
        if self.wants_tool(document):
            call = {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": TOOL_ARGUMENTS},
            }
            message, reason = (
                {"role": "assistant", "content": None, "tool_calls": [call]},
                "tool_calls",
            )
        choices = [
            {"index": n, "message": message, "finish_reason": reason, "logprobs": None}
            for n in range(document.get("n") or 1)
        ]
        return {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": self.answered_by(document),
            "choices": choices,
            "usage": self.usage("chat", number),
            "system_fingerprint": "fp_1",
            "service_tier": "default",
        }

    def _chat_chunks(
        self, document: dict[str, Any], number: int
    ) -> Iterator[tuple[str | None, Any]]:
        def chunk(
            delta: dict[str, Any] | None, reason: str | None = None, usage: Any = None
        ) -> tuple[None, dict[str, Any]]:
            choices = (
                []
                if delta is None
                else [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}]
            )
            made = {
                "id": f"chatcmpl-{number}",
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": self.answered_by(document),
                "system_fingerprint": "fp_1",
                "choices": choices,
            }
            if (document.get("stream_options") or {}).get("include_usage"):
                made["usage"] = usage
            return None, made

        yield chunk({"role": "assistant", "content": ""})
        if self.wants_tool(document):
            yield chunk(
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": ""},
                        }
                    ]
                }
            )
            for piece in (TOOL_ARGUMENTS[:6], TOOL_ARGUMENTS[6:]):
                yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            yield chunk({}, "tool_calls")
        else:
            for piece in self._pieces():
                yield chunk({"content": piece})
            yield chunk({}, "stop")
        if (document.get("stream_options") or {}).get("include_usage"):
            yield chunk(None, usage=self.usage("chat", number))

    # --- Responses

    def _response(
        self, document: dict[str, Any], number: int, status: str = "completed"
    ) -> dict[str, Any]:
        part = {"type": "output_text", "text": self.reply, "annotations": [], "logprobs": []}
        output: list[dict[str, Any]] = [
            {
                "type": "message",
                "id": f"msg_{number}",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        ]
        if self.wants_tool(document):
            output = [
                {
                    "type": "function_call",
                    "id": "fc_1",
                    "call_id": "call_1",
                    "name": "weather",
                    "arguments": TOOL_ARGUMENTS,
                    "status": "completed",
                }
            ]
        return {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": 1_700_000_000,
            "status": status,
            "model": self.answered_by(document),
            "output": output if status == "completed" else [],
            "usage": self.usage("responses", number) if status == "completed" else None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "temperature": 1.0,
            "top_p": 1.0,
        }

    def _response_events(self, document: dict[str, Any], number: int) -> Iterator[tuple[str, Any]]:
        sequence = iter(range(1000))

        def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
            return kind, {"type": kind, "sequence_number": next(sequence), **fields}

        place = {"item_id": f"msg_{number}", "output_index": 0, "content_index": 0}
        whole = self._response(document, number)
        yield event("response.created", response=self._response(document, number, "in_progress"))
        if self.wants_tool(document):
            yield event(
                "response.output_item.added",
                output_index=0,
                item={**whole["output"][0], "arguments": "", "status": "in_progress"},
            )
            yield event(
                "response.function_call_arguments.delta",
                item_id="fc_1",
                output_index=0,
                delta=TOOL_ARGUMENTS,
            )
            yield event(
                "response.function_call_arguments.done",
                item_id="fc_1",
                output_index=0,
                arguments=TOOL_ARGUMENTS,
                name="weather",
            )
        else:
            item = {
                "type": "message",
                "id": f"msg_{number}",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            yield event("response.output_item.added", output_index=0, item=item)
            yield event("response.content_part.added", **place, part=empty)
            for piece in self._pieces():
                yield event("response.output_text.delta", **place, delta=piece, logprobs=[])
            yield event("response.output_text.done", **place, text=self.reply, logprobs=[])
            yield event("response.content_part.done", **place, part={**empty, "text": self.reply})
        yield event("response.output_item.done", output_index=0, item=whole["output"][0])
        yield event("response.completed", response=whole)

    # --- Anthropic Messages

    def _message(self, document: dict[str, Any], number: int) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": self.reply}]
        if self.wants_tool(document):
            content = [
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "weather",
                    "input": json.loads(TOOL_ARGUMENTS),
                }
            ]
        return {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": self.answered_by(document),
            "content": content,
            "stop_reason": "tool_use" if self.wants_tool(document) else "end_turn",
            "stop_sequence": None,
            "usage": self.usage("messages", number),
        }

    def _message_events(self, document: dict[str, Any], number: int) -> Iterator[tuple[str, Any]]:
        def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
            return kind, {"type": kind, **fields}

        whole = self._message(document, number)
        start = {
            **whole,
            "content": [],
            "stop_reason": None,
            "usage": {**whole["usage"], "output_tokens": 1},
        }
        yield event("message_start", message=start)
        if self.wants_tool(document):
            block = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
            yield event("content_block_start", index=0, content_block=block)
            yield event(
                "content_block_delta",
                index=0,
                delta={"type": "input_json_delta", "partial_json": TOOL_ARGUMENTS[:6]},
            )
            yield event(
                "content_block_delta",
                index=0,
                delta={"type": "input_json_delta", "partial_json": TOOL_ARGUMENTS[6:]},
            )
        else:
            yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for piece in self._pieces():
                yield event(
                    "content_block_delta", index=0, delta={"type": "text_delta", "text": piece}
                )
        yield event("content_block_stop", index=0)
        delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield event("message_delta", delta=delta, usage={"output_tokens": whole["usage"]["output_tokens"]})
        yield event("message_stop")

    # --- Embeddings

    def _embeddings(self, document: dict[str, Any], number: int) -> dict[str, Any]:
        inputs = document["input"] if isinstance(document["input"], list) else [document["input"]]
        data = [
            {"object": "embedding", "index": n, "embedding": [0.1, 0.2]} for n in range(len(inputs))
        ]
        return {
            "object": "list",
            "data": data,
            "model": self.answered_by(document),
            "usage": self.usage("embeddings", number),
        }

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        self._error(handler, 404, "no such path")


class Ingest(_Fake):
    """What `mirante ingest` answers by contract. `events`: what it has stored, as (topic, value).
    `status`: what it answers to events."""

    def __init__(
        self, token: str | None = "secret-token", port: int = 0, *, waits: bool = True
    ) -> None:
        self.token = token
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.posts = 0
        self.status = 202
        self.retry_after: str | None = None
        self.refuses: str | None = None
        """A batch that holds this text is answered 400."""
        self.controls: list[dict[str, Any]] = []
        self.controls_status = 200
        self._waits = waits
        self._version = 1
        self._changed = threading.Condition()
        super().__init__(port)

    def of(self, topic: str) -> list[dict[str, Any]]:
        return [value for name, value in list(self.events) if name == topic]

    @property
    def request(self) -> dict[str, Any]:
        """The one request event."""
        (found,) = self.of("requests")
        return found

    @property
    def response(self) -> dict[str, Any]:
        """The one response event."""
        (found,) = self.of("responses")
        return found

    def control(self, scope: str, action: str, **fields: Any) -> None:
        """Write a switch, as an operator does."""
        with self._changed:
            self.controls = [c for c in self.controls if c["scope"] != scope]
            self.controls.append(
                {
                    "scope": scope,
                    "action": action,
                    "time": "2026-01-01T00:00:00Z",
                    "reason": "",
                    "source": "operator",
                    **fields,
                }
            )
            self._version += 1
            self._changed.notify_all()

    def _allowed(self, handler: BaseHTTPRequestHandler) -> bool:
        if self.token is None or handler.headers.get("Authorization") == f"Bearer {self.token}":
            return True
        _answer(handler, 401, b"{}")
        return False

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        if not self._allowed(handler):
            return
        if url.path != "/v1/controls":
            _answer(handler, 404, b"{}")
            return
        if self.controls_status != 200:
            _answer(handler, self.controls_status, b"{}", Retry_After="1")
            return
        wait = float(parse_qs(url.query).get("wait", ["0"])[0])
        with self._changed:
            if self._waits and handler.headers.get("If-None-Match") == f'"{self._version}"':
                deadline, version = time.monotonic() + wait, self._version
                while (
                    self._version == version
                    and time.monotonic() < deadline
                    and not self.closing.is_set()
                ):
                    self._changed.wait(0.05)
                if self._version == version:
                    _answer(handler, 304, b"", ETag=f'"{self._version}"')
                    return
            body = json.dumps({"controls": self.controls}).encode()
            headers = {"ETag": f'"{self._version}"'} if self._waits else {}
        _answer(handler, 200, body, Content_Type="application/json", **headers)
        return

    def post(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.posts += 1
        if not self._allowed(handler):
            return
        if self.status not in (200, 202):
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            _answer(handler, self.status, b"{}", **headers)
            return
        if self.refuses is not None and self.refuses.encode() in body:
            _answer(handler, 400, b'{"error": "line 1: value.model: wrong"}')
            return
        entries = [json.loads(line) for line in body.splitlines() if line.strip()]
        if not all(
            set(e) == {"topic", "value"}
            and e["topic"] in ("requests", "responses", "feedback", "evaluations")
            for e in entries
        ):
            _answer(handler, 400, b'{"error": "topic"}')
            return
        self.events += [(entry["topic"], entry["value"]) for entry in entries]
        _answer(handler, self.status, b"{}")
        return
