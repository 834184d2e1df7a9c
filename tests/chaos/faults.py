"""The faults, and their order from a seed. Each begins, lasts, and leaves everything running again."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.embedded.processes import ManagedProcess
from deploy.embedded.stack import Stack
from deploy.kafka.apache import ApacheKafka
from tests.chaos.proxy import Fault, Proxy

KILL, PAUSE, CHURN, CLICKHOUSE, DROP, STALL, RESET, BROKER = (
    "kill -9 a worker", "stop a worker beyond its session", "stop and start a worker", "kill -9 ClickHouse",
    "inserts applied, answers lost", "ClickHouse stalls", "connections reset", "kill -9 a broker",
)  # fmt: skip


@dataclass
class Faults:
    """Carries out faults on a stack."""

    stack: Stack
    proxy: Proxy
    rng: random.Random
    say: Callable[[str], None]

    def schedule(self, kills: int, others: int) -> list[str]:
        """``kills`` SIGKILLs of workers and ``others`` of the other faults, shuffled."""
        kinds = [PAUSE, CHURN, CLICKHOUSE, DROP, STALL, RESET]
        if isinstance(self.stack.broker, ApacheKafka):
            kinds.append(BROKER)
        rest = [kinds[n % len(kinds)] for n in range(others)]
        order = [KILL] * kills + rest
        self.rng.shuffle(order)
        return order

    async def strike(self, fault: str) -> None:
        """Carry out one fault; returns when what it broke runs again."""
        await self.supervise()
        self.say(f"fault: {fault}")
        actions: dict[str, Callable[[], Awaitable[None]]] = {
            KILL: self._kill,
            PAUSE: self._pause,
            CHURN: self._churn,
            CLICKHOUSE: self._clickhouse,
            DROP: lambda: self._proxy(Fault.DROP_ANSWERS),
            STALL: lambda: self._proxy(Fault.STALL),
            RESET: lambda: self._proxy(Fault.RESET),
            BROKER: self._broker,
        }
        await actions[fault]()

    async def supervise(self) -> None:
        """Start again what has ended by itself, as every supervisor does: a worker that was overtaken ends."""
        for worker in self.stack.workers:
            if not worker.alive:
                self.say(f"{worker.name} ended by itself ({worker.returncode}); starting it again")
                await worker.start()

    def _worker(self) -> ManagedProcess:
        return self.rng.choice(self.stack.workers)

    async def _kill(self) -> None:
        worker = self._worker()
        await worker.kill()
        await asyncio.sleep(self.rng.uniform(0, 1.5))
        await worker.start()

    async def _pause(self) -> None:
        worker = self._worker()
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(self.stack.settings.session_timeout + 3)
        worker.signal(signal.SIGCONT)

    async def _churn(self) -> None:
        worker = self._worker()
        await worker.stop()
        await asyncio.sleep(self.rng.uniform(0.5, 3))
        await worker.start()

    async def _clickhouse(self) -> None:
        assert self.stack.clickhouse is not None
        await self.stack.clickhouse.kill()
        await asyncio.sleep(self.rng.uniform(0, 3))
        await self.stack.clickhouse.start()

    async def _proxy(self, fault: Fault) -> None:
        self.proxy.fault = fault
        if fault is Fault.RESET:
            self.proxy.reset_all()
        await asyncio.sleep(self.rng.uniform(1, 4))
        self.proxy.fault = Fault.NONE

    async def _broker(self) -> None:
        broker = self.stack.broker
        assert isinstance(broker, ApacheKafka)
        number = self.rng.randint(1, broker.size)
        await broker.kill_node(number)
        await asyncio.sleep(self.rng.uniform(0, 3))
        await broker.start_node(number)
