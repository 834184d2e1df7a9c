"""``mirante ingest`` over HTTP, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mirante._sending import Event, Outcome


class Unreachable(Exception):
    """No usable answer; the text names the endpoint and what happened, never the token."""


class HttpEndpoint:
    """One kept connection to an ingest. Not for several threads."""

    def __init__(self, endpoint: str, token: str | None, timeout: float) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("endpoint is a URL such as http://localhost:4319")
        if url.username or url.password:
            raise ValueError("endpoint holds a password; give it as token=")
        self._secure, self._host, self._port = url.scheme == "https", url.hostname, url.port
        self._path = url.path.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self.name = f"{url.scheme}://{url.netloc}{self._path}"

    def request(
        self, method: str, path: str, body: bytes | None = None, *,
        headers: Mapping[str, str] | None = None, timeout: float | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:  # fmt: skip
        """Status, headers (names in lower case) and body. Raises Unreachable."""
        sent = dict(headers or {})
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        fresh = self._connection is None
        try:
            try:
                return self._once(method, path, body, sent, timeout)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                if fresh:
                    raise
                return self._once(method, path, body, sent, timeout)  # it had hung up meanwhile
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unreachable(f"{self.name}: {type(error).__name__}: {error}") from None

    def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            connection = self._connection or self._connect()
            self._connection = connection
            if connection.sock is None:
                connection.timeout = timeout or self._timeout
                connection.connect()
                sock: Any = connection.sock
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock.settimeout(timeout or self._timeout)
            connection.request(method, self._path + path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, context=context)
        return http.client.HTTPConnection(self._host, self._port)

    def close(self) -> None:
        """Hang up; the next request connects anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class HttpSender:
    """Posts events. See :class:`mirante._sending.Sender`."""

    def __init__(self, endpoint: str, token: str | None, timeout: float = 10.0) -> None:
        self._endpoint = HttpEndpoint(endpoint, token, timeout)
        self.name = self._endpoint.name

    def send(self, events: Sequence[Event]) -> Outcome:
        body = b"\n".join(
            b'{"topic":"%s","value":%s}' % (e.topic.encode(), e.value) for e in events
        )
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            status, answer, content = self._endpoint.request(
                "POST", "/v1/events", body, headers=headers
            )
        except Unreachable as error:
            return Outcome.later(str(error))
        if status in (200, 202, 204):
            return Outcome.stored()
        why = f"{self.name}: {status}"
        if status in (400, 413, 415, 422):
            return Outcome.refused(f"{why} {content[:200].decode(errors='replace')}")
        return Outcome.later(why, _retry_after(answer.get("retry-after")))

    def close(self) -> None:
        self._endpoint.close()


class HttpControls:
    """Reads ``GET /v1/controls`` again and again; a server that can wait answers when one
    changes."""

    WAIT = 20

    def __init__(self, endpoint: str, token: str | None) -> None:
        self._endpoint = HttpEndpoint(endpoint, token, timeout=10.0)
        self._etag: str | None = None
        self.name = self._endpoint.name

    def read(self) -> list[Mapping[str, Any]] | None:
        """The state of every switch, or None where nothing has changed. Raises Unreachable."""
        headers = {"If-None-Match": self._etag} if self._etag else {}
        path = f"/v1/controls?wait={self.WAIT}" if self._etag else "/v1/controls"
        try:
            status, answer, content = self._endpoint.request(
                "GET", path, headers=headers, timeout=self.WAIT + 10 if self._etag else 5
            )
            if status == 304:
                return None
            if status != 200:
                raise Unreachable(f"{self.name}/v1/controls: {status}")
            document = json.loads(content)
            found = document.get("controls") if isinstance(document, dict) else document
            if not isinstance(found, list):
                raise Unreachable(f"{self.name}/v1/controls: no list of controls in the answer")
        except (ValueError, Unreachable) as error:
            self._etag = None
            if isinstance(error, Unreachable):
                raise
            raise Unreachable(f"{self.name}/v1/controls: the answer is not JSON") from None
        self._etag = answer.get("etag")
        return [control for control in found if isinstance(control, dict)]

    def close(self) -> None:
        self._endpoint.close()


def _retry_after(value: str | None) -> float | None:
    try:
        return min(max(float(value), 0.0), 300.0) if value else None
    except ValueError:
        return None
