"""Pairs of an earlier and a later message, asking the same or not, source by source.

The constants of ``agents/labels/pairs.py`` were chosen with all of them in view
(`python -m tests.bench.labels_pairs` prints the table). The public sets are read from the folder of
``corpus.shared_data``, Portuguese from what
``training/embedding/corpus.py`` translated.
"""

from __future__ import annotations

import csv
import json
import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from agents.labels.lexicon import OPPOSITES
from agents.labels.wording import words_of
from training.labels import grammar
from training.labels.corpus import domains_of

Translations = dict[str, str]
"""English -> Portuguese."""


class Pair(NamedTuple):
    """Two messages. ``kind``: what sort of pair it is, for the tables."""

    source: str
    kind: str
    earlier: str
    later: str
    same: bool


OF_AN_INTENT = 4
"""Questions that pairs are made for."""
DISTURBED = 600
"""Questions of clinc_oos that are disturbed."""

ATTRIBUTES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("attributes.toml").read_text("utf-8")
)


def both(texts: tuple[str, ...], translated: Translations) -> Iterator[tuple[str, ...]]:
    """The texts in English and, where all of them are translated, in Portuguese."""
    yield texts
    if all(text in translated for text in texts):
        yield tuple(translated[text] for text in texts)


def cast(data: Path, translated: Translations) -> Iterator[Pair]:
    """Conversational questions as asked and written out, and the next ones."""
    for line in (data / "cast_2019_2020/conversations.jsonl").read_text().splitlines():
        turns = json.loads(line)["turns"]
        for turn, following in pairwise(turns):
            texts = turn["raw"], turn["resolved"], following["raw"], following["resolved"]
            for raw, full, raw_next, full_next in both(texts, translated):
                if raw.strip(" ?.").lower() != full.strip(" ?.").lower():
                    yield Pair("cast", "written out", raw, full, True)
                if raw_next != raw:
                    yield Pair("cast", "raw, next raw", raw, raw_next, False)
                    yield Pair("cast", "raw, next written out", raw, full_next, False)
                    yield Pair("cast", "written out, next written out", full, full_next, False)
                    if full != raw:
                        yield Pair("cast", "written out, next raw", full, raw_next, False)


def intents(data: Path, translated: Translations, chance: random.Random) -> Iterator[Pair]:
    """Questions of one intent, and of two; half of these of one domain."""
    domains = domains_of(data)
    clinc = json.loads((data / "clinc_oos/data_full.json").read_text())["train"]
    with (data / "banking77/test.csv").open(newline="") as file:
        banking = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    for source, rows in (("clinc", clinc), ("banking", banking)):
        by_intent: dict[str, list[str]] = defaultdict(list)
        for text, intent in rows:
            if text in translated:
                by_intent[intent].append(text)
        names = sorted(by_intent)
        for intent in names:
            near = [i for i in names if i != intent and domains.get(i) == domains.get(intent)]
            for text in by_intent[intent][:OF_AN_INTENT]:
                same = chance.choice(by_intent[intent])
                close = chance.choice(by_intent[chance.choice(near or names)])
                far = chance.choice(by_intent[chance.choice([i for i in names if i != intent])])
                others = [i for i in names if i != intent]
                like = _likest(text, [chance.choice(by_intent[i]) for i in others])
                for language, texts in zip(
                    ("en", "pt"), both((text, same, close, far, like), translated), strict=False
                ):
                    one, two, three, four, five = texts
                    if one != two and re.findall(r"\d+", one) == re.findall(r"\d+", two):
                        yield Pair(source, "same intent", one, two, True)
                    yield Pair(source, "other intent of the domain", one, three, False)
                    yield Pair(source, "other domain", one, four, False)
                    yield Pair(source, "other intent, like words", one, five, False)
                    leaning = grammar.lean(one, language, chance)
                    if leaning != one:
                        yield Pair(source, "written out", leaning, one, True)
                        yield Pair(source, "leaning, like words", leaning, five, False)


def _likest(text: str, others: list[str]) -> str:
    """The one that shares most words with the text."""
    words = _words(text)
    return max(others, key=lambda other: len(words & _words(other)) / len(words | _words(other)))


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(words_of(text)) or frozenset((text,))


def turns(data: Path) -> Iterator[Pair]:
    """What seekers of films and users of an airline say, and say next."""
    for dialogue in json.loads((data / "iard/umap2020_IARD_Cai.json").read_text()).values():
        utterances = dialogue["dialogue_info"].values()
        said = [u["utterance_text"] for u in utterances if u["role"] == "seeker"]
        plain = (re.sub(r"@\d+ <[^>]*>", "that movie", text) for text in said)
        yield from (Pair("iard", "next turn", a, b, False) for a, b in pairwise(plain) if a != b)
    for line in (data / "tau_bench_half/gpt-4o-airline.jsonl").read_text().splitlines():
        users = [turn for turn in json.loads(line)["turns"] if turn["role"] == "user"]
        said = [turn["content"] for turn in users if turn["content"]]
        following = (pair for pair in pairwise(said) if pair[0] != pair[1])
        yield from (Pair("tau_bench", "next turn", a, b, False) for a, b in following)


def disturbed(data: Path, translated: Translations, chance: random.Random) -> Iterator[Pair]:
    """Questions asked again with slips of the fingers and words around them; with another number,
    an opposite; and what comes next."""
    clinc = [t for t, _ in json.loads((data / "clinc_oos/data_full.json").read_text())["train"]]
    for text in chance.sample(clinc, DISTURBED):
        for language, texts in zip(("en", "pt"), both((text,), translated), strict=False):
            yield from _disturbed(texts[0], language, chance)


def _disturbed(text: str, language: str, chance: random.Random) -> Iterator[Pair]:
    again = grammar.expand(chance.choice(grammar.AGAIN[language]), text, chance)
    if chance.random() < 0.5:
        again = grammar.disturb(again, chance)
    if again != text:
        yield Pair("disturbed", "again", text, again, True)
    topic = grammar.topic_of(text, chance)
    following = grammar.expand(chance.choice(grammar.NEXT[language]), topic, chance)
    yield Pair("disturbed", "next step", text, following, False)
    words = text.split()
    for at, word in enumerate(words):
        others = sorted(b for a, b in OPPOSITES if a == word.lower())
        if others:
            opposite = [*words[:at], chance.choice(others), *words[at + 1 :]]
            yield Pair("disturbed", "opposite", text, " ".join(opposite), False)
    if any(map(str.isdigit, text)):
        changed = re.sub(r"\d+", lambda _: str(chance.randrange(2, 99)), text)
        if changed != text:
            yield Pair("disturbed", "another number", text, changed, False)


def attributes(chance: random.Random, each: int = 6) -> Iterator[Pair]:
    """What is asked of persons, countries, services and topics (``attributes.toml``), with names
    from Faker: the same attribute in other words, or written out; another; of another thing."""
    from faker import Faker  # only here: a worker does without

    for language, locale in (("en", "en_US"), ("pt", "pt_BR")):
        faker = Faker(locale)
        faker.seed_instance(chance.randrange(1 << 30))
        for about, family in ATTRIBUTES.items():
            asked: dict[str, list[str]] = family[language]
            for attribute, ways in asked.items():
                for _ in range(each):
                    thing, other = (_thing(about, language, faker, chance) for _ in range(2))
                    if thing == other:
                        continue
                    first, second = chance.sample(ways, 2)
                    elsewhere = chance.choice([a for a in asked if a != attribute])
                    question = chance.choice(asked[elsewhere])
                    mark = chance.choice(("?", "", ""))
                    short = first.replace("*", chance.choice(family["he"][language]))
                    name = f"attributes_{language}"
                    pairs = (
                        ("other words", first, thing, second, thing, True),
                        ("another attribute", first, thing, question, thing, False),
                        ("another thing", first, thing, first, other, False),
                        ("another thing", first, thing, second, other, False),
                        ("written out", short, "", first, thing, True),
                        ("written out", short, "", second, thing, True),
                        ("next", short, "", question, thing, False),
                        ("next", question, thing, short, "", False),
                    )
                    for kind, one, of, two, what, same in pairs:
                        yield Pair(
                            name,
                            kind,
                            one.replace("*", of) + mark,
                            two.replace("*", what) + mark,
                            same,
                        )


def _thing(about: str, language: str, faker: Any, chance: random.Random) -> str:
    match about:
        case "person":
            return f"{faker.first_name()} {faker.last_name()}"
        case "country":
            return str(faker.country())
        case _:
            things: list[str] = ATTRIBUTES[about]["things"][language]
            return chance.choice(things)


def second_turns(data: Path, translated: Translations) -> Iterator[Pair]:
    """The two turns of mt_bench: the second goes on."""
    for line in (data / "mt_bench/question.jsonl").read_text().splitlines():
        turns = tuple(text[:300] for text in json.loads(line)["turns"][:2])
        for first, second in both(turns, translated):
            yield Pair("mt_bench", "second turn", first, second, False)


def all_pairs(data: Path, translated: Translations, seed: int = 5) -> list[Pair]:
    """Every pair, each once; without translations, no intents."""
    chance = random.Random(seed)
    found = [
        *cast(data, translated),
        *intents(data, translated, chance),
        *disturbed(data, translated, chance),
        *(attributes(chance) if find_spec("faker") else ()),
        *second_turns(data, translated),
        *turns(data),
    ]
    return list(dict.fromkeys(found))


def chosen(pairs: Iterable[Pair], most: int) -> list[Pair]:
    """At most so many of each source, at random."""
    by_source: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_source[pair.source].append(pair)
    chance = random.Random(1)
    return [p for of in by_source.values() for p in chance.sample(of, min(most, len(of)))]
