"""Fakes on loopback, and clients that publish to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mirante
import pytest

from tests.sdk.fakes import Ingest, Provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    ingest = Ingest()
    yield ingest
    ingest.close()


@pytest.fixture
def new_client(ingest: Ingest) -> Iterator[Callable[..., mirante.Client]]:
    """Makes clients that publish to `ingest`."""
    made: list[mirante.Client] = []

    def make(**options: Any) -> mirante.Client:
        client = mirante.Client(ingest.url, token="secret-token", **{"linger": 0.005, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(1)


@pytest.fixture
def new_async_client(ingest: Ingest) -> Iterator[Callable[..., mirante.AsyncClient]]:
    """Makes asynchronous clients that publish to `ingest`."""
    made: list[mirante.AsyncClient] = []

    def make(**options: Any) -> mirante.AsyncClient:
        client = mirante.AsyncClient(
            ingest.url, token="secret-token", **{"linger": 0.005, **options}
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client._finish(1)
