"""The clients: publish what happens, and make guarded calls."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, TypeVar, cast

from mirante import _kafka
from mirante._drivers import adrive, drive
from mirante._guard import Answer, Call, Core, Request, timestamp
from mirante._http import HttpControls, HttpEndpoint, HttpSender
from mirante._publisher import Publisher, Stats
from mirante._running import DeadlinePassed, awithin, in_thread, within
from mirante._sending import Sender
from mirante._spool import Spool
from mirante._streams import (
    AsyncGuardedStream,
    AsyncTextStream,
    GuardedStream,
    TextStream,
    text_ending,
)
from mirante._switches import Switches, Unknown
from mirante.context import current
from mirante.rails import Rail

F = TypeVar("F", bound=Callable[..., Any])

log = logging.getLogger("mirante")

_UNSET: Any = object()
_MOST_SHADOWS = 16


class _Base:
    """What both clients share. See :class:`Client` for the parameters."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        token: str | None = None,
        kafka: str | None = None,
        kafka_options: Mapping[str, Any] | None = None,
        topic_prefix: str = "llm.",
        tenant: str | None = None,
        feature: str | None = None,
        environment: str | None = None,
        input_rails: Sequence[Rail] = (),
        output_rails: Sequence[Rail] = (),
        fallback: str | Mapping[str, str] | None = None,
        timeout: float | None = 60.0,
        controls_unknown: Unknown = "open",
        controls_wait: float = 1.0,
        controls_every: float = 0.5,
        capture_content: bool = True,
        spool: str | os.PathLike[str] | None = None,
        spool_bytes: int = 256 << 20,
        queue_events: int = 10_000,
        queue_bytes: int = 64 << 20,
        linger: float = 0.05,
        exit_timeout: float = 3.0,
    ) -> None:
        endpoint = endpoint or os.environ.get("MIRANTE_ENDPOINT") or None
        token = token or os.environ.get("MIRANTE_TOKEN") or None
        if endpoint is None:
            kafka = kafka or os.environ.get("MIRANTE_KAFKA_BOOTSTRAP") or None
        if timeout is not None and timeout <= 0:
            raise ValueError("timeout is in seconds, or None for no limit")
        options = dict(kafka_options or {})
        new_sender: Callable[[], Sender] | None = None
        new_source: Callable[[], HttpControls | _kafka.KafkaControls] | None = None
        if kafka is not None:
            _kafka.require()
            bootstrap = kafka
            new_sender = lambda: _kafka.KafkaSender(bootstrap, options, topic_prefix)  # noqa: E731
            controls_topic = topic_prefix + "controls"
            new_source = lambda: _kafka.KafkaControls(bootstrap, options, controls_topic)  # noqa: E731
        if endpoint is not None:
            url = endpoint
            HttpEndpoint(url, token, 1.0)  # a wrong address is told here and not in a thread
            if new_sender is None:
                new_sender = lambda: HttpSender(url, token)  # noqa: E731
            new_source = lambda: HttpControls(url, token)  # noqa: E731
        publisher = Publisher(
            new_sender, most_events=queue_events, most_bytes=queue_bytes, linger=linger,
            spool=None if spool is None else Spool(spool, spool_bytes), exit_timeout=exit_timeout,
        )  # fmt: skip
        switches = Switches(new_source, unknown=controls_unknown, every=controls_every)
        given = {"tenant": tenant, "feature": feature, "environment": environment}
        self._core = Core(
            publisher, switches, tuple(input_rails), tuple(output_rails), fallback, timeout,
            controls_wait, capture_content, {k: v for k, v in given.items() if v is not None},
        )  # fmt: skip
        self._waited = False
        self._shadows = threading.BoundedSemaphore(_MOST_SHADOWS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._name = "nowhere" if new_sender is None else (kafka or endpoint or "")
        if new_sender is None:
            log.warning("neither endpoint nor kafka is set: nothing is published")
        if spool is not None:
            publisher.start()
        switches.start()

    def __repr__(self) -> str:
        return f"<mirante.{type(self).__name__} to {self._name}>"

    @property
    def stats(self) -> Stats:
        """What became of the events so far.

        Example::

            if client.stats.dropped:
                log.warning("%s events were lost", client.stats.dropped)
        """
        return self._core.publisher.stats

    @property
    def controls_known(self) -> bool:
        """Whether the state of the switches has been read.

        Example::

            assert client.controls_known
        """
        return self._core.switches.known

    def _new_call(self, **options: Any) -> Call:
        timeout = options.pop("timeout", _UNSET)
        merged = {
            **current(),
            **{name: value for name, value in options.items() if value is not None},
        }
        if timeout is _UNSET:
            timeout = merged.pop("timeout", self._core.timeout)
        else:
            merged.pop("timeout", None)
        for name in ("input_rails", "output_rails"):
            if options.get(name) is not None:
                merged[name] = tuple(options[name])
        return Call(self._core, timeout=timeout, **merged)

    @property
    def _must_wait(self) -> float:
        """Seconds to wait for the first reading of the switches, once."""
        if self._waited or not self._core.switches.pending:
            return 0.0
        self._waited = True
        return self._core.controls_wait

    # --- events of other kinds

    def feedback(
        self,
        kind: str,
        *,
        response_id: str | None = None,
        request_id: str | None = None,
        session_id: str | None = None,
        value: float | None = None,
        comment: str | None = None,
        user_id: str | None = None,
        tenant: str | None = None,
    ) -> bool:
        """Say what a user thought, or did, with an answer: ``thumbs_up thumbs_down rating comment
        copy copy_code insert edit share regenerate tab_close abandon dwell escalate``. One of the
        ids says which answer; ``value`` is 0..1 for a rating, seconds for dwell. False where it is
        not taken.

        Example::

            client.feedback("thumbs_down", response_id=answer.response_id, comment="Wrong city.")
        """
        if not (response_id or request_id or session_id or current().get("session_id")):
            log.warning("feedback needs response_id, request_id or session_id; it is dropped")
            return False
        return self._publish(
            "feedback", kind=kind, response_id=response_id, request_id=request_id,
            session_id=session_id, value=value, user_id=user_id, tenant=tenant,
            comment=comment if self._core.capture_content else None,
        )  # fmt: skip

    def evaluation(
        self,
        response_id: str,
        name: str,
        score: float,
        *,
        label: str | None = None,
        explanation: str | None = None,
        source: str = "code",
        session_id: str | None = None,
        tenant: str | None = None,
    ) -> bool:
        """Score an answer, 0..1, by ``source``: judge, human or code. False where it is not taken.

        Example::

            client.evaluation(answer.response_id, "cites a source", 1.0)
        """
        return self._publish(
            "evaluations", response_id=response_id, name=name, score=score, label=label,
            explanation=explanation, source=source, session_id=session_id, tenant=tenant,
        )  # fmt: skip

    def _publish(self, topic: str, **fields: Any) -> bool:
        around = {name: current().get(name) for name in ("session_id", "user_id", "tenant")}
        if topic == "evaluations":
            around.pop("user_id")
        event = {**self._core.defaults, **{k: v for k, v in around.items() if v is not None}}
        event.pop("feature", None)
        event.pop("environment", None)
        event.update({name: value for name, value in fields.items() if value is not None})
        event.update(event_id=uuid.uuid4().hex, time=timestamp(time.time()))
        return self._core.publish(topic, event)

    def _finish(self, timeout: float | None) -> bool:
        self._core.switches.close()
        return self._core.publisher.close(timeout)


class Client(_Base):
    """Publishes to Mirante and makes guarded calls, for programs with threads. Make one for a
    process and share it; it survives ``fork``.

    Where to: ``endpoint``, the address of ``mirante ingest``, with ``token`` (or
    ``MIRANTE_ENDPOINT``, ``MIRANTE_TOKEN``); or ``kafka``, bootstrap servers, with
    ``kafka_options`` for aiokafka (or ``MIRANTE_KAFKA_BOOTSTRAP``). With neither nothing is
    published, rails hold all the same.

    For each call, and each can be given to a call: ``tenant feature environment``, ``input_rails``,
    ``output_rails``, ``fallback`` (a text instead of any refusal or timeout, or a mapping from
    ``kill_switch throttle controls_unknown timeout error``, a rail's name or ``*`` to one),
    ``timeout`` in seconds.

    ``controls_unknown``: whether calls are made (``open``) or refused (``closed``) while the state
    of the switches has never been read; the first call waits ``controls_wait`` seconds for it. What
    has been read holds on while Mirante is away. ``controls_every``: seconds between readings over
    HTTP.

    ``capture_content=False`` keeps messages and outputs out of the events. ``spool``: a folder that
    keeps events until they are stored, at most ``spool_bytes``. ``queue_events``, ``queue_bytes``:
    beyond these, events are dropped and counted. ``exit_timeout``: seconds for the rest at exit.

    Raises ValueError for arguments that mean nothing, ImportError for an extra that is missing.

    Example::

        client = mirante.Client("http://localhost:4319", token="...", feature="support",
                                input_rails=[mirante.PersonalData()], fallback="Please try later.")
        answer = client.call(
            lambda r: openai_client.chat.completions.create(model=r.model, messages=r.messages),
            model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], session_id="s1",
        )
        print(answer.text)
    """

    def call(
        self,
        function: Callable[[Request], Any],
        *,
        model: str,
        messages: Any = None,
        timeout: float | None = _UNSET,
        **options: Any,
    ) -> Answer:
        """Call a model through switches and rails. ``function`` is given a :class:`Request`, calls
        the model with *its* messages and returns what the provider's client gave. When it takes
        longer than ``timeout`` the caller goes on without it.

        ``options``: fields of the request event (``session_id user_id tenant feature environment
        prompt system params documents tools output_schema operation provider variant shadow_of``),
        rails and fallback of this call, and ``canary={"model": ..., "share": 0.05}``, which sends
        that share of the sessions to another model.

        Raises what the function raises, as it is; where there is no fallback text :class:`Refused`
        (by a switch or a rail) or :class:`CallTimeout`.

        Example::

            answer = client.call(ask, model="gpt-4o", messages=messages, timeout=10,
                                 canary={"model": "gpt-5", "share": 0.05})
        """
        call = self._new_call(model=model, messages=messages, timeout=timeout, **options)
        value, instead = self._ask(call, function)
        if instead is not None:
            return instead
        try:
            drive(call.closing(value))
        except BaseException:
            call.cancelled()
            raise
        return call.answer()

    def _ask(self, call: Call, function: Callable[[Request], Any]) -> tuple[Any, Answer | None]:
        """What the function returned, or the answer that takes its place."""
        self._open(call)
        if call.refusal is None:
            try:
                request = call.request
                return within(call.timeout, lambda: function(request)), None
            except DeadlinePassed:
                call.timed_out()
            except BaseException as error:
                text = call.failed(error)
                if text is None:
                    raise
                return None, call.substitute(text)
        return None, call.answer()

    def _open(self, call: Call) -> None:
        if wait := self._must_wait:
            self._core.switches.wait(wait)
        drive(call.opening())

    @contextmanager
    def stream(
        self,
        function: Callable[[Request], Any],
        *,
        model: str,
        messages: Any = None,
        timeout: float | None = _UNSET,
        **options: Any,
    ) -> Iterator[TextStream]:
        """A guarded call whose answer comes in pieces. ``function`` returns the provider's stream
        (or any iterable of chunks or texts). Iterate the stream for text; leaving the block early
        cancels.

        Output rails see text before it is given out: it lags behind by as much as they must see.

        Example::

            with client.stream(ask, model="gpt-4o", messages=messages) as stream:
                for text in stream:
                    print(text, end="")
            print(stream.answer.response_id)
        """
        call = self._new_call(model=model, messages=messages, timeout=timeout, **options)
        value, instead = self._ask(call, function)
        if instead is not None:
            yield TextStream(call, [instead.text])
            return
        with GuardedStream(call, value, ending=text_ending) as chunks:
            yield TextStream(call, chunks)

    def guard(self, model: str, **options: Any) -> Callable[[F], F]:
        """Decorator that guards a function from a text or messages (its first argument) to an
        answer. It is called with the input after the rails, and its answer passes the output rails;
        where a fallback takes the answer's place, the function returns that text.

        Example::

            @client.guard("in-house-7b", feature="summary")
            def summarise(text: str) -> str:
                return my_model.generate(text)
        """

        def decorate(function: F) -> F:
            if inspect.iscoroutinefunction(function):
                raise TypeError("a coroutine function is guarded by an AsyncClient")

            @functools.wraps(function)
            def guarded(first: Any, *arguments: Any, **keywords: Any) -> Any:
                answer = self.call(
                    lambda request: function(request.messages, *arguments, **keywords),
                    model=model, messages=first, **options,
                )  # fmt: skip
                return answer.text if answer.fallback else answer.value

            return cast(F, guarded)

        if not isinstance(model, str):
            raise TypeError('guard is used with the model\'s name: @client.guard("gpt-4o")')
        return decorate

    def shadow(
        self, live: Answer, function: Callable[[Request], Any], *, model: str, **options: Any
    ) -> bool:
        """Ask another model the same, in a thread: published as the shadow of ``live``, seen by
        nobody. False where too many shadows are under way.

        Example::

            client.shadow(answer, ask, model="gpt-5")
        """
        if not self._shadows.acquire(blocking=False):
            return False
        options = _shadow_options(live, options)

        def run() -> None:
            try:
                self.call(function, model=model, **options)
            except Exception as error:  # noqa: BLE001 - a shadow bothers nobody; its event tells of it
                log.debug("a shadow call failed: %s", type(error).__name__)
            finally:
                self._shadows.release()

        try:
            threading.Thread(target=run, name="mirante-shadow", daemon=True).start()
        except RuntimeError:
            self._shadows.release()
            return False
        return True

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all events so far are stored by Mirante or given up; False at the timeout.

        Example::

            client.flush(5)
        """
        return self._core.publisher.flush(timeout)

    def wait_for_controls(self, timeout: float = 5.0) -> bool:
        """Wait until the state of the switches has been read.

        Example::

            if not client.wait_for_controls(5):
                raise SystemExit("Mirante is not reached")
        """
        return self._core.switches.wait(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Flush and stop. Happens by itself at exit.

        Example::

            client.close()
        """
        return self._finish(timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(_Base):
    """As :class:`Client`, for asyncio: the function that calls the model is a coroutine function,
    and a timeout cancels it. Events are published by a thread, whatever the loop does.

    Example::

        async with mirante.AsyncClient("http://localhost:4319", feature="support") as client:
            answer = await client.call(
                lambda r: openai_client.chat.completions.create(model=r.model, messages=r.messages),
                model="gpt-4o", messages=messages,
            )
    """

    async def call(
        self,
        function: Callable[[Request], Awaitable[Any]],
        *,
        model: str,
        messages: Any = None,
        timeout: float | None = _UNSET,
        **options: Any,
    ) -> Answer:
        """See :meth:`Client.call`.

        Example::

            answer = await client.call(ask, model="gpt-4o", messages=messages, timeout=10)
        """
        call = self._new_call(model=model, messages=messages, timeout=timeout, **options)
        value, instead = await self._ask(call, function)
        if instead is not None:
            return instead
        try:
            await adrive(call.closing(value))
        except BaseException:
            call.cancelled()
            raise
        return call.answer()

    async def _ask(
        self, call: Call, function: Callable[[Request], Any]
    ) -> tuple[Any, Answer | None]:
        """What the function returned, or the answer that takes its place."""
        await self._open(call)
        if call.refusal is None:
            try:
                return await awithin(call.timeout, _awaited(function, call.request)), None
            except DeadlinePassed:
                call.timed_out()
            except BaseException as error:
                text = call.failed(error)
                if text is None:
                    raise
                return None, call.substitute(text)
        return None, call.answer()

    async def _open(self, call: Call) -> None:
        if wait := self._must_wait:
            await in_thread(lambda: self._core.switches.wait(wait))
        await adrive(call.opening())

    @asynccontextmanager
    async def stream(
        self,
        function: Callable[[Request], Any],
        *,
        model: str,
        messages: Any = None,
        timeout: float | None = _UNSET,
        **options: Any,
    ) -> AsyncIterator[AsyncTextStream]:
        """See :meth:`Client.stream`. ``function`` returns an async iterable, or a coroutine of one.

        Example::

            async with client.stream(ask, model="gpt-4o", messages=messages) as stream:
                async for text in stream:
                    print(text, end="")
        """
        call = self._new_call(model=model, messages=messages, timeout=timeout, **options)
        value, instead = await self._ask(call, function)
        if instead is not None:
            yield AsyncTextStream(call, [instead.text])
            return
        async with AsyncGuardedStream(call, value, ending=text_ending) as chunks:
            yield AsyncTextStream(call, chunks)

    def guard(self, model: str, **options: Any) -> Callable[[F], F]:
        """See :meth:`Client.guard`, for coroutine functions.

        Example::

            @client.guard("in-house-7b", feature="summary")
            async def summarise(text: str) -> str:
                return await my_model.generate(text)
        """
        if not isinstance(model, str):
            raise TypeError('guard is used with the model\'s name: @client.guard("gpt-4o")')

        def decorate(function: F) -> F:
            @functools.wraps(function)
            async def guarded(first: Any, *arguments: Any, **keywords: Any) -> Any:
                answer = await self.call(
                    lambda request: function(request.messages, *arguments, **keywords),
                    model=model, messages=first, **options,
                )  # fmt: skip
                return answer.text if answer.fallback else answer.value

            return cast(F, guarded)

        return decorate

    def shadow(
        self,
        live: Answer,
        function: Callable[[Request], Awaitable[Any]],
        *,
        model: str,
        **options: Any,
    ) -> bool:
        """See :meth:`Client.shadow`; runs as a task of the running loop.

        Example::

            client.shadow(answer, ask, model="gpt-5")
        """
        if len(self._tasks) >= _MOST_SHADOWS:
            return False
        options = _shadow_options(live, options)

        async def run() -> None:
            try:
                await self.call(function, model=model, **options)
            except Exception as error:  # noqa: BLE001 - a shadow bothers nobody; its event tells of it
                log.debug("a shadow call failed: %s", type(error).__name__)

        try:
            task = asyncio.get_running_loop().create_task(run())
        except RuntimeError:
            log.warning("shadow needs a running event loop; the call is left out")
            return False
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def flush(self, timeout: float = 10.0) -> bool:
        """See :meth:`Client.flush`.

        Example::

            await client.flush(5)
        """
        return await in_thread(lambda: self._core.publisher.flush(timeout))

    async def wait_for_controls(self, timeout: float = 5.0) -> bool:
        """See :meth:`Client.wait_for_controls`.

        Example::

            await client.wait_for_controls(5)
        """
        return await in_thread(lambda: self._core.switches.wait(timeout))

    async def close(self, timeout: float | None = None) -> bool:
        """See :meth:`Client.close`.

        Example::

            await client.close()
        """
        return await in_thread(lambda: self._finish(timeout))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _awaited(function: Callable[[Request], Any], request: Request) -> Any:
    value = function(request)
    return await value if inspect.isawaitable(value) else value


def _shadow_options(live: Answer, options: Mapping[str, Any]) -> dict[str, Any]:
    """The live call's fields, under the shadow's own."""
    call: Call = live.call
    fields = {
        k: v for k, v in call.fields.items() if k not in ("trace_id", "span_id", "parent_span_id")
    }
    shadow = {
        "messages": call.messages,
        "system": call.system,
        "variant": "shadow",
        "shadow_of": live.request_id,
    }
    return {**fields, **shadow, **options}
