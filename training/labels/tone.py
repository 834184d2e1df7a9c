"""Makes ``agents/labels/tone/*.npz``. Run: `python -m training.labels.tone [--translations FILE]`.

Logistic regressions on n-grams (:mod:`agents.common.ngram_model`) of what people write after an
answer:

* iard (MIT): recommendations that are accepted, and those that are rejected or criticised
(*declined*), beside the seekers' questions;
* clinc_oos (CC-BY-3.0), banking77 (CC-BY-4.0): first questions, which are none of the three,
though bank customers tell of trouble;
* cast (MIT), second turns of mt_bench (Apache-2.0): follow-up questions, which are none of the
three either;
* ``tone.toml`` and ``sentences.toml``: written for this project, in English and Portuguese.

FILE, by `python -m training.labels.tone_translations FILE`, has Portuguese translations of the
public sets. ``without`` leaves sources out, for measuring on them. Deterministic; about half a
minute on one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from agents.common.ngram_batch import view_slots
from agents.common.ngram_model import NgramModel
from agents.labels.tone import FOLDER, SHAPE, TONES
from training.labels import grammar
from training.labels.corpus import shared_data

SEED = 6
EACH = 60
"""Sentences of a template, at most."""
QUESTIONS = {"clinc": 3_000, "banking": 2_000}
PENALTY = 1.0
KEPT = 30_000
IMPORTANCE = {"cast": 2.0, "mt_bench": 3.0}
"""What a sentence counts; one of any other source counts 1."""
_FILM = re.compile(r"@\d+ <([^>(]*)(\(\d+\)\s*)?>")
_TURNED_DOWN = frozenset(("REJ", "CRI-A", "CRI-F", "CRI-C", "REF"))
_ASKS = frozenset(("IQU", "INQ", "PRO", "ASK", "ANS"))
_SENTENCES = tomllib.loads(Path(__file__).with_name("tone.toml").read_text("utf-8"))


class Sentence(NamedTuple):
    """``tone``: one of ``TONES``, or empty for none of them; ``source``: the set it is from."""

    text: str
    tone: str
    source: str


def public(data: Path) -> Iterator[Sentence]:
    """What the public sets have, in English."""
    for dialogue in json.loads((data / "iard/umap2020_IARD_Cai.json").read_text()).values():
        for utterance in dialogue["dialogue_info"].values():
            acts = set(utterance["sub-intent/action"])
            down, taken = bool(acts & _TURNED_DOWN), "ACC" in acts
            if (
                utterance["role"] == "seeker"
                and down + taken + bool(acts & _ASKS)
                and not (down and taken)
            ):
                text = _FILM.sub(lambda found: found[1].strip(), utterance["utterance_text"])[:300]
                yield Sentence(text, "declined" if down else "acceptance" if taken else "", "iard")
    chance = random.Random(SEED)
    clinc = [
        text for text, _ in json.loads((data / "clinc_oos/data_full.json").read_text())["train"]
    ]
    with (data / "banking77/train.csv").open(newline="") as file:
        banking = [row["text"].strip()[:300] for row in csv.DictReader(file)]
    for name, texts in (("clinc", clinc), ("banking", banking)):
        for text in chance.sample(texts, QUESTIONS[name]):
            yield Sentence(text, "", name)
    for line in (data / "cast_2019_2020/conversations.jsonl").read_text().splitlines():
        for turn in json.loads(line)["turns"]:
            yield Sentence(turn["raw"], "", "cast")
    for line in (data / "mt_bench/question.jsonl").read_text().splitlines():
        yield Sentence(json.loads(line)["turns"][1][:300], "", "mt_bench")


def written(topics: dict[str, list[str]], each: int = EACH) -> Iterator[Sentence]:
    """Sentences of the templates, each once, some as typed in haste. ``topics``: questions by
    language, of which they take words."""
    chance = random.Random(SEED)
    sections = (
        (grammar.COMPLAINTS, "complaint"), (_SENTENCES["complaints"], "complaint"),
        (grammar.ACCEPTANCES, "acceptance"), (_SENTENCES["acceptances"], "acceptance"),
        (_SENTENCES["declined"], "declined"), (_SENTENCES["neither"], ""), (grammar.NEXT, ""),
    )  # fmt: skip
    for templates, tone in sections:
        for language, patterns in templates.items():
            found: dict[str, None] = {}
            for pattern in patterns:
                for _ in range(each):
                    topic = grammar.topic_of(chance.choice(topics[language]), chance)
                    sentence = grammar.expand(pattern, topic, chance)
                    found[
                        grammar.disturb(sentence, chance) if chance.random() < 0.25 else sentence
                    ] = None
            yield from (Sentence(text, tone, "written") for text in found)


def sentences(
    data: Path, translations: Path | None, without: Collection[str] = (), each: int = EACH
) -> list[Sentence]:
    """All that is trained on, but for the sources ``without``."""
    found = list(public(data))
    english = [sentence.text for sentence in found if sentence.source in ("clinc", "banking")]
    portuguese = list(TOPICS)
    if translations is not None:
        of = read_translations(translations)
        translated = [item._replace(text=of[item.text]) for item in found if item.text in of]
        portuguese += [item.text for item in translated if item.source in ("clinc", "banking")]
        found += translated
    if "written" not in without:
        found += written({"en": english, "pt": portuguese}, each)
    return [sentence for sentence in found if sentence.source not in without]


def read_translations(path: Path) -> dict[str, str]:
    """English sentences and their translations, as ``tone_translations.py`` wrote them. A last line
    that was cut off is passed over."""
    lines = path.read_text("utf-8").split("\n")[:-1]
    return dict(json.loads(line) for line in lines)


TOPICS = (
    "como pago a fatura do cartão",
    "qual o limite da minha conta",
    "quero trocar a senha do aplicativo",
    "onde fica a agência mais próxima",
    "quanto custa a passagem para recife",
    "me dá uma receita de bolo de cenoura",
    "qual a previsão do tempo amanhã",
    "como cancelo o plano da academia",
    "o que é inflação",
    "quem descobriu o brasil",
    "preciso de um código em python",
    "traduzir para o inglês",
    "melhor restaurante de curitiba",
    "segunda via do boleto",
    "horário de funcionamento do banco",
)
"""Questions whose last words stand in templates."""


def matrix(texts: list[str]) -> csr_matrix:
    """A row for each text: what ``TextShape.features`` sees of it."""
    places: list[NDArray[np.intp]] = []
    values: list[NDArray[np.float64]] = []
    for slots, owners in view_slots(SHAPE, texts):
        shares = 1.0 / np.sqrt(np.bincount(owners, minlength=len(texts)).clip(min=1))
        distinct = np.unique(owners << SHAPE.bits | slots.astype(np.intp))
        places.append(distinct)
        values.append(shares[distinct >> SHAPE.bits])
    every = np.concatenate(places)
    cells = every >> SHAPE.bits, every & (1 << SHAPE.bits) - 1
    return csr_matrix((np.concatenate(values), cells), shape=(len(texts), 1 << SHAPE.bits))


def fit(found: list[Sentence], rows: csr_matrix) -> list[NgramModel]:
    """The models of ``TONES``. ``rows``: ``matrix`` of the sentences. Who declines has not
    complained, nor not: it is left out there."""
    models = []
    for tone in TONES:
        kept = np.array([tone != "complaint" or sentence.tone != "declined" for sentence in found])
        of = np.array([sentence.tone == tone for sentence in found])[kept]
        weights = np.array([IMPORTANCE.get(sentence.source, 1.0) for sentence in found])[kept]
        # The rare tone shall weigh as much as all else, nearly: a hit is worth more than it costs
        # to be wrong on a question.
        weights *= np.where(of, 0.7 * weights[~of].sum() / weights[of].sum(), 1.0)
        fitted = LogisticRegression(
            C=PENALTY, tol=1e-3, max_iter=100, solver="liblinear", dual=True, random_state=SEED
        ).fit(rows[kept], of, weights)
        models.append(NgramModel.fitted(SHAPE, float(fitted.intercept_[0]), fitted.coef_[0], KEPT))
    return models


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes agents/labels/tone/*.npz.")
    parser.add_argument(
        "--translations", type=Path, help="by `python -m training.labels.tone_translations`"
    )
    given = parser.parse_args()
    data = shared_data()
    if data is None:
        raise SystemExit(
            "The development data are not there; set MIRANTE_SHARED to the folder with `data`."
        )
    found = sentences(data, given.translations)
    FOLDER.mkdir(exist_ok=True)
    for name, model in zip(
        TONES, fit(found, matrix([sentence.text for sentence in found])), strict=True
    ):
        model.save(FOLDER / f"{name}.npz")
    counted = {
        tone or "none": sum(sentence.tone == tone for sentence in found) for tone in (*TONES, "")
    }
    print(
        f"{len(found)} sentences: {counted}; "
        f"{sum(file.stat().st_size for file in FOLDER.glob('*.npz')) / 1e3:.0f} kB"
    )


if __name__ == "__main__":
    main()
