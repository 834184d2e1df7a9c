"""How well repeated questions and shadows are judged, and what it costs: `python -m tests.bench.behaviour`.

Questions: (a) banking77's test questions (nothing was tuned on them; left out where the data is absent): each is asked again in
another wording made by rule (case, punctuation, politeness, a letter swapped, plural), which should join it (recall); a question that
joins a group of another intent is a wrong merge, and the warning about differing answers would not excuse it. (b) groups written by hand
in English and Portuguese, each with a question that differs in what matters, which must stay outside.

Shadows: how often two equal variants are ever called different, in any of four metrics, over 3,000 pairs looked at one by one (aim: at
most `shadow_alpha` = 5%), and how many pairs it takes to see differences of several sizes.

Cost: microseconds per call of the tap in stage 1 and of the agent, and bytes per call that travel and are stored.
"""

# ruff: noqa: E501

from __future__ import annotations

import argparse
import csv
import os
import random
import statistics
import time
from collections.abc import Iterator
from math import exp, log2
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from agents.behaviour.items import Items, Ran
from agents.behaviour.questions import Questions
from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.shadows import METRICS, OCTAVES, Metric, Shadows
from agents.behaviour.state import BehaviourState
from agents.behaviour.tap import BehaviourTap
from agents.common.taps import Call, Head
from agents.detectors.sequential import Mean
from agents.interactions.rows import series_of
from schemas.decoding import decode_request, decode_response
from streams.effects import Effects
from tests.bench import smoke
from tests.unit.builders import SOURCE, FakeBatch, Record, priced, request, response
from tests.unit.test_behaviour import ran

SHARED = Path(os.environ.get("MIRANTE_SHARED", Path(__file__).resolve().parents[3] / "shared"))

HAND = {
    "English": [
        (["How do I reset my password?", "how can i reset my password", "Hi, how could I reset the password please?"], "How do I reset my PIN?"),
        (["What's your refund policy?", "what is the refund policy", "Refund policy - what is it?"], "What is the privacy policy?"),
        (["Where is my invoice for March?", "where's my march invoice"], "Where is my invoice for April?"),
        (["Do you ship to Canada?", "do u ship to canada", "Can you ship to Canada please"], "Do you ship from Canada?"),
        (["How many days of holiday do I have left?", "how many holiday days do I have left"], "How many sick days do I have left?"),
        (["Can I cancel my subscription?", "could I please cancel the subscription"], "Can I upgrade my subscription?"),
        (["How do I enable dark mode?", "how can I enable the dark mode"], "How do I disable dark mode?"),
        (["Is the store open on Sunday?", "are the stores open on Sundays"], "Is the store open on Monday?"),
    ],
    "Portuguese": [
        (["Como faço para trocar a senha?", "como faço pra trocar minha senha", "Olá, como faço para trocar a minha senha?"], "Como faço para trocar o e-mail?"),
        (["Qual é o horário de funcionamento?", "qual o horario de funcionamento", "Quais são os horários de funcionamento?"], "Qual é o endereço da loja?"),
        (["Onde está o meu pedido?", "onde esta meu pedido", "Bom dia, onde está meu pedido?"], "Onde está o meu reembolso?"),
        (["Posso parcelar em 12 vezes?", "posso parcelar em 12 vezes por favor"], "Posso parcelar em 10 vezes?"),
        (["Vocês entregam em Salvador?", "voces entregam em salvador"], "Vocês entregam em Recife?"),
        (["Como cancelo a assinatura?", "como cancelo minha assinatura"], "Como renovo a assinatura?"),
        (["Quero a segunda via do boleto", "segunda via do boleto por favor", "gostaria da segunda via do boleto"], "Quero o comprovante do boleto"),
        (["O cartão funciona no exterior?", "meu cartao funciona no exterior"], "O cartão não funciona no exterior?"),
    ],
}  # fmt: skip


def reworded(text: str, dice: random.Random) -> str:
    """The same question as another person might type it."""
    words = text.rstrip("?!. ").split()
    change = dice.randrange(5)
    if change == 0:
        return " ".join(words).lower()
    if change == 1:
        return dice.choice(["Hi, ", "Hello! ", "Please tell me: "]) + " ".join(words) + "?"
    if change == 2:
        return " ".join(words).replace(",", "").replace("'", "") + " please"
    if change == 3:  # two letters of the longest word change places
        at = max(range(len(words)), key=lambda n: len(words[n]))
        word = words[at]
        if len(word) > 4:
            cut = dice.randrange(1, len(word) - 2)
            words[at] = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
        return " ".join(words) + "?"
    at = max(range(len(words)), key=lambda n: len(words[n]))
    words[at] = words[at].removesuffix("s") if words[at].endswith("s") else words[at] + "s"
    return " ".join(words) + "?"


def grouped(questions: list[str], settings: BehaviourSettings) -> list[str]:
    """The group that each question joins or begins."""
    agent, found = Questions(settings), []
    for n, question in enumerate(questions):
        agent.take(ran(n, n, question=question), float(n))
        last = [group for _, group in agent.groups][-1:]
        found.append(last[0].id if last and last[0].shown[-1] == f"a{n}" else f"none-{n}")
    return found


def banking(console: Console) -> None:
    path = SHARED / "data/banking77/test.csv"
    if not path.is_file():
        console.print(f"[yellow]no {path}: left out[/]")
        return
    with path.open(encoding="utf-8") as file:
        rows = [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]
    dice = random.Random(77)
    again = [(reworded(text, dice), intent) for text, intent in rows]
    asked = [*rows, *again]
    title = f"banking77: {len(rows):,} questions"
    table = Table("similarity", "reworded found again", "joined another intent", "groups of the first asked", title=title)
    for similarity in (0.6, 0.7, 0.8, 0.9):
        groups = grouped([text for text, _ in asked], BehaviourSettings(similarity=similarity, max_groups=20_000))
        intents: dict[str, str] = {}
        wrong = 0
        for group, (_, intent) in zip(groups, asked, strict=True):
            wrong += intents.setdefault(group, intent) != intent
        found = sum(groups[n] == groups[n + len(rows)] for n in range(len(rows)))
        distinct = len(set(groups[: len(rows)]))
        table.add_row(f"{similarity}", f"{found / len(rows):.1%}", f"{wrong / len(asked):.2%}", f"{distinct:,}")
    console.print(table)


def by_hand(console: Console) -> None:
    table = Table("language", "similarity", "same question found", "other question kept apart", title="written by hand")
    for language, cases in HAND.items():
        for similarity in (0.6, 0.7, 0.8, 0.9):
            same = pairs = apart = 0
            for texts, other in cases:
                groups = grouped([*texts, other], BehaviourSettings(similarity=similarity))
                same += sum(group == groups[0] for group in groups[1:-1])
                pairs += len(texts) - 1
                apart += groups[-1] not in groups[:-1]
            table.add_row(language, f"{similarity}", f"{same} of {pairs}", f"{apart} of {len(cases)}")
    console.print(table)


def differences(dice: random.Random, metric: Metric, effect: float) -> Iterator[float]:
    """Differences of pairs as they are seen: outcomes that fail in 5% of calls, scores of five steps, log-normal costs and latencies."""
    while True:
        if metric == "ok":
            yield float((dice.random() > 0.05 + effect) - (dice.random() > 0.05))
        elif metric == "score":
            yield round(4 * min(1, max(0, dice.gauss(0.7 - effect, 0.2)))) / 4 - round(4 * min(1, max(0, dice.gauss(0.7, 0.2)))) / 4
        else:
            spread = 0.2 if metric == "cost" else 0.5
            ratio = (1 + effect) * exp(dice.gauss(0, spread)) / exp(dice.gauss(0, spread))
            yield max(-1.0, min(1.0, log2(ratio) / OCTAVES))


def shadows(console: Console, runs: int) -> None:
    settings = BehaviourSettings()
    judge, alpha, most = Shadows(settings), settings.shadow_alpha / len(METRICS), 3_000
    title = f"shadows: {runs} runs of {most:,} pairs"
    table = Table("metric", "shadow is worse by", "seen", "pairs until seen, median", "called better", title=title)
    effects: dict[Metric, tuple[float, ...]] = {
        "ok": (0, 0.03, 0.1, 0.3), "score": (0, 0.05, 0.1), "cost": (0, 0.1, 0.5), "latency": (0, 0.1, 0.5),
    }  # fmt: skip
    for metric, sizes in effects.items():
        for effect in sizes:
            dice, seen, better = random.Random(f"{metric}{effect}"), [], 0
            for _ in range(runs):
                mean, source = Mean(), differences(dice, metric, effect)
                for n in range(1, most + 1):
                    mean.update(0.0, next(source), alpha=alpha)
                    verdict = judge.verdict(metric, mean)
                    if verdict != "no difference yet":
                        better += verdict == "better"
                        seen += [n] if verdict == "worse" else []
                        break
            median = f"{statistics.median(seen):,.0f}" if seen else "-"
            table.add_row(metric, f"{effect:.0%}", f"{len(seen) / runs:.0%}", median, f"{better / runs:.0%}")
    console.print(table)


def cost(console: Console, calls: int) -> None:
    dice = random.Random(5)
    words = ["".join(dice.choices("aeioubcdlmnprst", k=dice.randrange(3, 10))) for _ in range(3_000)]
    made = []
    for n in range(calls):
        text = " ".join(dice.choices(words, k=12))
        messages = [{"role": "user", "content": text}]
        asked = decode_request(msgspec.json.encode(request(n, n * 0.002, messages=messages, system_instructions="You help. " * 40)))
        said = decode_response(msgspec.json.encode(response(n, n * 0.002 + 1, output=" ".join(dice.choices(words, k=60)))))
        row, item, _ = priced(asked, None, said, None)
        made.append(Call(asked, said, asked.time.timestamp(), row, msgspec.json.encode(row), series_of(asked, said), item, False, said.time.timestamp()))
    settings = BehaviourSettings(judge=["helpfulness"])
    tap, effects = BehaviourTap("calls", 1, settings), Effects()
    begun = time.process_time()
    for call in made:
        tap.answered(call)
    tap.close(Head(SOURCE, 0, made[-1].time, False), True, effects)
    tapped = time.process_time() - begun
    items = [item for message in effects.messages for item in msgspec.msgpack.decode(message.value, type=Items).items]
    state = BehaviourState(0, SOURCE, findings="f", tasks="t", partitions=1, settings=settings)
    stored, begun = 0, time.process_time()
    for at in range(0, calls, 500):
        some = items[at : at + 500]
        clock = some[-1].time + (3_600 if at + 500 >= calls else 0)
        value = msgspec.msgpack.encode(Items(SOURCE, 0, clock, False, some))
        done = Effects()
        state.apply(FakeBatch("calls", 0, [Record("calls", 0, 0, 0, None, value, ())], 1), done)
        state.close_interval(done)
        stored += len(state.changes() or b"")
    taken = time.process_time() - begun
    candidates = sum(isinstance(item, Ran) and item.task is not None for item in items)
    table = Table("", "per call", title=f"cost: {calls:,} calls, {candidates:,} candidates for a judge, 500 calls per second")
    table.add_row("tap in stage 1", f"{tapped / calls * 1e6:.0f} us")
    table.add_row("agent behaviour", f"{taken / calls * 1e6:.0f} us")
    table.add_row("message", f"{sum(len(m.value) for m in effects.messages) / calls:,.0f} bytes")
    table.add_row("changelog", f"{stored / calls:,.0f} bytes")
    console.print(table)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=200, help="of each shadow")
    options.add_argument("--calls", type=int, default=10_000, help="for the cost")
    given = smoke.parse(options, runs=2, calls=200)
    console = Console(width=120)
    by_hand(console)
    banking(console)
    shadows(console, given.runs)
    cost(console, given.calls)


if __name__ == "__main__":
    main()
