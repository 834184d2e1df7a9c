"""Documents of other countries, by outside truth: `python -m tests.bench.pii_abroad`.

Values come from Faker's locales (left out, and said so, without it). What is found where nothing should be: documentation of the
machine and of installed packages, and a table of random numbers with and without the name of a kind on top.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import random
import site
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.inspection.pii import find
from tests.bench import smoke

KINDS = frozenset((
    "DNI", "NIE", "CODICE_FISCALE", "AADHAAR", "PAN", "TFN", "ABN", "NRIC", "SIN", "PESEL", "STEUER_ID", "NHS", "NINO", "ROUTING", "ITIN",
    "PASSPORT", "LICENCE", "ACCOUNT", "BIRTH", "BITCOIN", "MAC",
))  # fmt: skip
CALLED: Sequence[tuple[str, str, str, str]] = (
    ("DNI", "es_ES", "nif", "mi DNI es {}"), ("NIE", "es_ES", "nie", "NIE: {}"), ("CODICE_FISCALE", "it_IT", "ssn", "codice {}"),
    ("SIN", "en_CA", "ssn", "my SIN is {}"), ("PESEL", "pl_PL", "pesel", "PESEL {}"), ("BIRTH", "en_US", "date", "date of birth: {}"),
    ("ITIN", "en_US", "itin", "ITIN {}"), ("ROUTING", "en_US", "aba", "routing number {}"),
    ("PASSPORT", "en_US", "passport_number", "passport no. {}"), ("LICENCE", "en_US", "bban", "driver's license {}"),
    ("MAC", "en_US", "mac_address", "from {}"),
)  # fmt: skip
"""A kind, Faker's locale and provider, and a sentence with it. Not its Aadhaar and British numbers, which are invalid on purpose."""
PIECE = 2_000


def recall(console: Console, count: int) -> None:
    """A row for each kind, of how many values that Faker makes are found whole."""
    if importlib.util.find_spec("faker") is None:
        console.print("faker is not installed: what it makes is left out")
        return
    from faker import Faker

    table = Table("kind", "Faker", "found", title="called what they are")
    for kind, locale, method, sentence in CALLED:
        fake = Faker(locale)
        fake.seed_instance(7)
        if not hasattr(fake, method):
            table.add_row(kind, f"{locale} {method}", "not in this version")
            continue
        texts = [sentence.format(getattr(fake, method)()) for _ in range(count)]
        table.add_row(kind, f"{locale} {method}", f"{sum(kind in {s.kind for s in find(text)} for text in texts) / count:.1%}")
    console.print(table)


def documents(folders: Sequence[Path], suffixes: frozenset[str], most: int) -> Iterator[str]:
    """The beginnings of so many files drawn at random."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes and path.is_file())
    random.Random(1).shuffle(paths)
    for path in islice(paths, most):
        with gzip.open(path, "rt", errors="replace") if path.suffix == ".gz" else path.open(errors="replace") as file:
            yield file.read(60_000)


def tables(count: int) -> Iterator[str]:
    """Columns of random numbers, under a word that names a kind and under one that names none."""
    rng = random.Random(3)
    for head in ("id amount total", "NHS SIN TFN", "passport account birth", "PESEL routing PAN"):
        for _ in range(count):
            rows = (" ".join(str(rng.randrange(10 ** rng.choice((8, 9, 10, 11, 12)))) for _ in range(3)) for _ in range(20))
            yield "\n".join((head, *rows))


def false(console: Console, name: str, texts: Iterator[str]) -> None:
    """How many are found of which kinds."""
    found: Counter[str] = Counter()
    read = 0
    for text in texts:
        read += len(text)
        for at in range(0, len(text), PIECE):
            found.update(span.kind for span in find(text[at : at + PIECE]) if span.kind in KINDS)
    console.print(f"{name}: {read / 1e6:.1f} million characters, {sum(found.values())} found {dict(found) or ''}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="values of each kind")
    parser.add_argument("--files", type=int, default=1_500, help="of each source of documents")
    options = smoke.parse(parser, arguments, count=5, files=20)
    console = Console(width=120)
    recall(console, options.count)
    packages = [Path(folder) for folder in site.getsitepackages()]
    false(console, "/usr/share/doc", documents([Path("/usr/share/doc")], frozenset((".gz", ".md", ".html", ".txt", "")), options.files))
    false(console, "installed packages", documents(packages, frozenset((".md", ".rst", ".txt", ".py")), options.files))
    false(console, "tables of random numbers", tables(options.count))


if __name__ == "__main__":
    main()
