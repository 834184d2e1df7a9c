"""How well personal data are found, and what looking costs. Run it: `python -m tests.bench.pii`.

Texts are generated from templates the detectors were not tuned on, with distractors. A label is found if a span of its kind covers it; a
span that touches no label of its kind is a false one (a STREET belongs to its CEP).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from agents.inspection.pii import Tagger, find, has_candidates, mask_json
from tests.bench import smoke
from tests.bench.pii_text import CHECK_DIGIT_KINDS, HELD_OUT, TUNING, Labelled, generate

_PROSE = {
    "en": "Your package is on its way and is expected at 14:30 on the 3rd floor, thank you for that. Costs $ 1,234.50 as of 2026-05-01. ",
    "pt": "Olá, gostaria de saber quando chega a minha encomenda, comprei por R$ 1.234,56 no dia 12/05/2026 e até agora não recebi nada. ",
}


def _score(texts: Iterable[Labelled], verbose: bool) -> dict[tuple[str, str], Counter[str]]:
    scores: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for language, text, labels in texts:
        spans = find(text)
        for kind, start, end in labels:
            hit = any(span.kind == kind and span.start <= start and span.end >= end for span in spans)
            scores[kind, language]["found" if hit else "missed"] += 1
            if verbose and not hit:
                print("missed", kind, repr(text), [(span.kind, text[span.start : span.end]) for span in spans])
        for span in spans:
            if span.kind != "STREET" and not any(
                span.kind == kind and span.start < end and start < span.end for kind, start, end in labels
            ):
                scores[span.kind, language]["false"] += 1
                if verbose:
                    print("false", span.kind, repr(text[span.start : span.end]), repr(text))
    return scores


def _ratio(part: int, rest: int) -> str:
    return f"{part / (part + rest):.4f}" if part + rest else "-"


def _accuracy(scores: dict[tuple[str, str], Counter[str]], title: str) -> Table:
    table = Table(title=title)
    for column in ("kind", "language", "labels", "recall", "precision"):
        table.add_column(column, justify="left" if column in ("kind", "language") else "right")
    for kind, language in sorted(scores):
        count = scores[kind, language]
        table.add_row(
            kind,
            language,
            str(count["found"] + count["missed"]),
            _ratio(count["found"], count["missed"]),
            _ratio(count["found"], count["false"]),
        )
    for name, kinds in (("check digits", CHECK_DIGIT_KINDS), ("all", tuple({kind for kind, _ in scores}))):
        for language in ("en", "pt"):
            count = sum((scores[kind, language] for kind in kinds if (kind, language) in scores), Counter[str]())
            table.add_row(
                name,
                language,
                str(count["found"] + count["missed"]),
                _ratio(count["found"], count["missed"]),
                _ratio(count["found"], count["false"]),
            )
    return table


def _row(text: str, output: str) -> bytes:
    return msgspec.json.encode(
        {
            "time": "2026-05-01T12:34:56.789123Z",
            "request_id": "req-0001f3",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "prompt_sha": "9fceb02d0ae598e95dc970b74767f19372d61af8",
            "model": "gpt-4o-mini-2024-07-18",
            "messages": [{"role": "user", "content": text}],
            "output": output,
            "cost_usd": "0.001234567890",
            "latency_ms": 1234.5678,
            "input_tokens": 1200,
        }
    )


def _microseconds(action: Callable[[], object], repeats: int) -> float:
    """Microseconds per call, best of 5 rounds."""
    best = float("inf")
    for _ in range(5):
        begin = time.process_time()
        for _ in range(repeats):
            action()
        best = min(best, (time.process_time() - begin) / repeats)
    return best * 1e6


def _cost() -> Table:
    table = Table(title="cost per text")
    for column in ("text", "kB", "has_candidates µs/kB", "mask_json µs/kB", "find (text) µs/kB"):
        table.add_column(column, justify="left" if column == "text" else "right")
    tag = Tagger("session", b"secret")
    pii = " ".join(text.text for text in generate(11, 6, HELD_OUT))
    cases: Sequence[tuple[str, str, str]] = (
        ("clean en", _PROSE["en"] * 8, _PROSE["en"] * 12),
        ("clean pt", _PROSE["pt"] * 8, _PROSE["pt"] * 12),
        ("clean, 16 times as long", _PROSE["pt"] * 128, _PROSE["en"] * 192),
        ("one CPF", _PROSE["pt"] * 8 + "meu cpf é 529.982.247-25", _PROSE["en"] * 12),
        ("a number that is none", _PROSE["pt"] * 8 + "pedido 12345678901", _PROSE["en"] * 12),
        ("dense", pii, pii),
    )
    for name, text, output in cases:
        row = _row(text, output)
        size = len(row) / 1024

        def gate(row: bytes = row) -> object:
            return has_candidates(row)

        def masked(row: bytes = row) -> object:
            return mask_json(row, tag)

        def found(text: str = text) -> object:
            return find(text)

        table.add_row(
            name,
            f"{size:.1f}",
            f"{_microseconds(gate, 200) / size:.2f}",
            f"{_microseconds(masked, 30) / size:.2f}",
            f"{_microseconds(found, 30) / (len(text.encode()) / 1024):.2f}",
        )
    return table


def report(console: Console, count: int = 9000) -> None:
    """Both tables, on the templates kept aside."""
    console.print(_accuracy(_score(generate(20260701, count, HELD_OUT), False), f"{count} texts, held-out templates"))
    console.print(_cost())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=20260701)
    parser.add_argument("--tuning", action="store_true", help="the templates that may be looked at, with every error")
    options = smoke.parse(parser, arguments, count=60)
    templates = TUNING if options.tuning else HELD_OUT
    console = Console()
    scores = _score(generate(options.seed, options.count, templates), options.tuning)
    console.print(_accuracy(scores, f"{options.count} texts, {'tuning' if options.tuning else 'held-out'} templates"))
    console.print(_cost())


if __name__ == "__main__":
    main()
