"""Streams of answers with a known change, for the evaluation of drift detection.

*Tuned on*: the MT-Bench answers (choice of features, their weights and the ridge, at disjoint halves of its questions), and the generated
assistants, CLINC and JailbreakBench (windows, weights, how causes are told), with other seeds than those reported. Why new topics were
missed was looked at on Banking77, where the kernel of questions was found; its width, ridge and number of buckets were chosen on CLINC's
intents within a domain. The features of layout were thought up once, 24 of them, and the twelve without which no less was found on MT-Bench
left out. How much each feature of style counts was learned from three of MT-Bench's models and chosen on swaps among the three others,
with seeds from 1000; nine swaps served neither. The stakes and the weight of flags were chosen on simulated flags (.79 to .95, .05 to .2,
.3 to .1). So sampling is fresh, but no set is wholly unseen except river's streams. The generated texts come from a grammar with ten topics
and five writers, because Portuguese answers of several models are not publicly at hand.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.samples import Sample

DATA = Path(os.environ.get("MIRANTE_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
START = 1_790_035_200.0

LEARNED = ("EXAONE-3.5-7.8B-Instruct", "Mistral-7B-Instruct-v0.3", "gemma-2-9b-it")
"""Models from which the weights of style were learned (tests/bench/drift_style.py)."""
STAYS = "gpt-4-0125-preview"
"""Model of JailbreakBench with most answers."""

Make = Callable[[int, random.Random], Sample]


class Case(NamedTuple):
    """``change``: position of the first answer that differs, None for none. ``causes``: those that are right."""

    name: str
    answers: list[Sample]
    change: int | None
    causes: frozenset[str]


def make(n: int, question: str, answer: str, spacing: float, **fields: Any) -> Sample:
    common = {
        "rank": n, "response_id": f"a{n}", "session": f"s{n}", "time": START + n * spacing, "tenant": "acme", "feature": "f", "model": "m",
        "served": "m", "fingerprint": "", "environment": "", "prompt_sha": "p1", "index_version": "i1", "finish_reason": "stop", "tool": "",
        "outcome": "ok", "question": question, "answer": answer,
    }  # fmt: skip
    return Sample(**{**common, **fields})


def two(name: str, before: Make, after: Make, rng: random.Random, causes: str, first: int = 200, second: int = 200) -> Case:
    stream = [before(n, rng) for n in range(first)] + [after(n, rng) for n in range(first, first + second)]
    return Case(name, stream, first, frozenset(causes.split("|")))


def one(name: str, always: Make, rng: random.Random, number: int) -> Case:
    return Case(name, [always(n, rng) for n in range(number)], None, frozenset())


# Real answers: MT-Bench, six models, 80 two-turn questions


class MtBench:
    """``swap``: answers of a model and then of another one, to disjoint prompts as long as there are, else to the same kind."""

    def __init__(self) -> None:
        folder = DATA / "mt_bench"
        lines = (folder / "question.jsonl").read_text("utf-8").splitlines()
        self.questions = {row["question_id"]: row["turns"] for row in map(json.loads, lines)}
        self.answers: dict[str, dict[int, list[str]]] = {}
        for file in sorted((folder / "answers").glob("*.jsonl")):
            rows = map(json.loads, file.read_text("utf-8").splitlines())
            self.answers[file.stem] = {row["question_id"]: [t.strip() for t in row["choices"][0]["turns"]] for row in rows}
        self.models = sorted(self.answers)

    def always(self, model: str, ids: list[int] | None = None, spacing: float = 30.0, **fields: Any) -> Make:
        pool = ids or sorted(self.questions)

        def draw(n: int, rng: random.Random) -> Sample:
            at, turn = rng.choice(pool), rng.randrange(2)
            return make(n, self.questions[at][turn], self.answers[model][at][turn], spacing, **fields)

        return draw

    def disjoint(self, before: str, after: str, rng: random.Random) -> Case:
        """80 answers of each, no question twice; both turns are one session."""
        ids = sorted(self.questions)
        rng.shuffle(ids)
        stream: list[Sample] = []
        for model, part in ((before, ids[:40]), (after, ids[40:])):
            for at in part:
                for turn in (0, 1):
                    n = len(stream)
                    stream.append(make(n, self.questions[at][turn], self.answers[model][at][turn], 60.0, session=f"s{at}"))
        return Case(f"{before} > {after}", stream, 80, frozenset({"silent_provider_change"}))

    def diluted(self, before: str, after: str, unchanged: int, rng: random.Random) -> Case:
        """The same among so many answers a side to attacks by a model that stays: no prompt twice, and most of the traffic is as before."""
        swapped = self.disjoint(before, after, rng).answers
        rest = [attacked(1_000 + k, said, 60.0) for k, said in enumerate(rng.sample(attacks(STAYS), 2 * unchanged))]
        stream: list[Sample] = []
        for part, others in ((swapped[:80], rest[:unchanged]), (swapped[80:], rest[unchanged:])):
            turns = [part[at : at + 2] for at in range(0, len(part), 2)]
            units = [*turns, *([answer] for answer in others)]
            rng.shuffle(units)
            for answer in itertools.chain.from_iterable(units):
                n = len(stream)
                stream.append(msgspec.structs.replace(answer, rank=n, response_id=f"a{n}", time=START + 60.0 * n))
        change = 80 + unchanged
        name = f"{change} a side, 80 of them swapped"
        return Case(name, stream, None if before == after else change, frozenset({"silent_provider_change"}))


Said = tuple[str, str, bool]
"""Question, answer, whether it is a refusal by the word of the guards' model."""


@cache
def attacks(model: str = "") -> list[Said]:
    """JailbreakBench: answers to attacks, of one ``model`` or of all."""
    from agents.inspection.text.refusal import REFUSAL_THRESHOLD, refusal_probability

    rows = [json.loads(line) for line in (DATA / "jailbreakbench" / "attacks.jsonl").read_text("utf-8").splitlines()]
    texts = [
        (str(row.get("prompt") or row.get("goal") or ""), str(row["response"]))
        for row in rows
        if row.get("response") and model in ("", row["model"])
    ]
    return [(question, answer, refusal_probability(answer) >= REFUSAL_THRESHOLD) for question, answer in texts]


def attacked(n: int, said: Said, spacing: float) -> Sample:
    question, answer, refused = said
    return make(n, question, answer, spacing, outcome="refusal" if refused else "ok")


def swap_of_attacked(before: str, after: str, side: int, rng: random.Random) -> Case:
    """So many answers of each of two of JailbreakBench's models, no prompt twice."""
    old = rng.sample(attacks(before), side)
    asked = {question for question, _, _ in old}
    new = rng.sample([said for said in attacks(after) if said[0] not in asked], side)
    stream = [attacked(n, said, 60.0) for n, said in enumerate([*old, *new])]
    return Case(f"JailbreakBench alone: {side} a side", stream, side, frozenset({"silent_provider_change"}))


def refusals(share: float, spacing: float = 30.0, model: str = "") -> Make:
    """JailbreakBench, so many refused."""
    said = attacks(model)
    groups = {refused: [item for item in said if item[2] is refused] for refused in (True, False)}

    def draw(n: int, rng: random.Random) -> Sample:
        return attacked(n, rng.choice(groups[rng.random() < share]), spacing)

    return draw


def clinc() -> dict[str, list[str]]:
    """Domain -> questions."""
    folder = DATA / "clinc_oos"
    domains = json.loads((folder / "domains.json").read_text("utf-8"))
    of = {intent: domain for domain, intents in domains.items() for intent in intents}
    found: dict[str, list[str]] = {}
    for question, intent in json.loads((folder / "data_full.json").read_text("utf-8"))["train"]:
        found.setdefault(of[intent], []).append(question)
    return found


def banking() -> dict[str, list[str]]:
    """Intent -> questions."""
    found: dict[str, list[str]] = {}
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["category"], []).append(row["text"])
    return found


# Generated assistants

_SUBJECTS = {
    "en": ["order", "invoice", "delivery", "refund", "account", "password", "subscription", "warranty", "coupon", "appointment"],
    "pt": ["pedido", "boleto", "entrega", "reembolso", "cadastro", "senha", "assinatura", "garantia", "cupom", "agendamento"],
}
_ASK = {
    "en": "where is my {s}|what happened to the {s} from {d}|please explain the {s} to me|I have a problem with the {s}, can you help|"
    "how do I change my {s}|why was the {s} cancelled on {d}|is it possible to get another {s}|my {s} does not work",
    "pt": "onde está o meu {s}|o que aconteceu com o {s} de {d}|me explique o {s}, por favor|tenho um problema com o {s}, pode ajudar|"
    "como eu troco o meu {s}|por que o {s} foi cancelado {d}|é possível receber outro {s}|meu {s} não funciona",
}
_DAYS = {"en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"], "pt": ["segunda", "terça", "quarta", "quinta", "sexta"]}
_SAY = {
    "en": "the {s} was registered on {d}|you can see the {s} in the app|our team checks every {s} by hand|"
    "the {s} usually takes {k} days|a copy of the {s} is in your mail|we found the {s} in the system|the {s} is waiting for the bank|"
    "nothing is missing in the {s}|the number of the {s} is {k}{k}7|the shop has confirmed the {s}|you may cancel the {s} until {d}|"
    "the {s} was updated {k} times",
    "pt": "o {s} foi registrado na {d}|você pode ver o {s} no aplicativo|nossa equipe confere cada {s} com cuidado|"
    "o {s} costuma levar {k} dias|uma cópia do {s} está no seu e-mail|encontramos o {s} no sistema|o {s} espera pelo banco|"
    "não falta nada no {s}|o número do {s} é {k}{k}7|a loja confirmou o {s}|você pode cancelar o {s} até {d}|"
    "o {s} foi atualizado {k} vezes",
}
_OPEN = {
    "en": ["Thanks for asking.", "Sure, happy to help!", "Let me look at that."],
    "pt": ["Obrigado por perguntar.", "Claro, feliz em ajudar!", "Deixe-me ver isso."],
}
_HEDGE = {"en": "It may be that ", "pt": "Pode ser que "}
WRITERS = ("plain", "chatty", "hedging", "lists", "terse")


def assistant(
    writer: str = "plain", lang: str = "en", subjects: tuple[int, int] = (0, 5), spacing: float = 30.0, quality: float = 0.0, **fields: Any
) -> Make:
    """``writer``: how the model writes; ``subjects``: which of the ten are asked about; ``quality``: share by the next writer."""

    def draw(n: int, rng: random.Random) -> Sample:
        subject = rng.choice(_SUBJECTS[lang][subjects[0] : subjects[1]])
        fill = {"s": subject, "d": rng.choice(_DAYS[lang]), "k": rng.randint(2, 9)}
        style = writer if rng.random() >= quality else WRITERS[(WRITERS.index(writer) + 1) % len(WRITERS)]
        facts = [fact.format(**fill) for fact in rng.sample(_SAY[lang].split("|"), rng.randint(2, 5))]
        sentences = " ".join(fact.capitalize() + "." for fact in facts)
        text = {
            "plain": sentences,
            "chatty": f"{rng.choice(_OPEN[lang])} {sentences}",
            "hedging": " ".join(f"{_HEDGE[lang]}{fact}." for fact in facts),
            "lists": "\n".join(f"- {fact}" for fact in facts),
            "terse": facts[0].capitalize() + ".",
        }[style]
        asked = rng.choice(_ASK[lang].split("|")).format(**fill)
        return make(n, asked, text, spacing, output_tokens=len(text) // 4, latency_ms=rng.lognormvariate(6, 0.5), **fields)

    return draw


def mixture(parts: list[tuple[float, Make]]) -> Make:
    """Each answer by one of several, with these weights."""

    def draw(n: int, rng: random.Random) -> Sample:
        return rng.choices([part for _, part in parts], [weight for weight, _ in parts])[0](n, rng)

    return draw


def slow(before: Make, after: Make, begin: int, length: int) -> Make:
    """From ``begin`` on, the share of the second grows from 0 to 1 over ``length`` answers."""

    def draw(n: int, rng: random.Random) -> Sample:
        return (after if rng.random() < (n - begin) / length else before)(n, rng)

    return draw


def daily(day: Make, night: Make, spacing: float, swing: float = 0.3) -> Make:
    """Two kinds of traffic whose shares swing through the day."""
    from math import cos, pi

    def draw(n: int, rng: random.Random) -> Sample:
        return (night if rng.random() < 0.5 + swing * cos(2 * pi * n * spacing / 86_400) else day)(n, rng)

    return draw


def weekly(work: Make, weekend: Make, spacing: float) -> Make:
    """Two kinds of traffic; the second is a fifth of it on working days, four fifths at weekends."""

    def draw(n: int, rng: random.Random) -> Sample:
        day = (START + n * spacing) // 86_400 % 7  # 0 is a Thursday
        return (weekend if rng.random() < (0.8 if day in (2, 3) else 0.2) else work)(n, rng)

    return draw
