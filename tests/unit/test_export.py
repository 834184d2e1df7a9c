"""Exports: what becomes a test case, a pair, an answer to imitate; duplicates, splits, and the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli.query import lines_of
from deploy.export.build import Built, Kind, Style, build, split_of
from deploy.export.exchange import ChatMessage, Exchange, Selection, read, sql_of
from deploy.export.files import BLOCK, ExportError, FileFormat, write

TEST = {"test": 1.0}
TRAIN_AND_TEST = {"train": 0.9, "test": 0.1}
EVERYTHING = Selection()


def exchange(n: int, label: str = "positive", *, question: str = "", **fields: Any) -> Exchange:
    values: dict[str, Any] = {
        "response_id": f"a{n}", "request_event_id": f"q{n}", "session": "s", "tenant": "acme", "feature": "chat", "model": "m",
        "prompt_sha": "", "time": f"2026-03-01 12:00:{n:02}.000", "label": label, "explicit": False, "signals": (), "asked_again": (),
        "score": {"positive": 0.9, "negative": 0.1, "neutral": 0.5}[label], "output": f"answer {n}", "outcome": "ok",
        "messages": (ChatMessage("system", "be kind"), ChatMessage("user", question or f"question {n}")),
    }  # fmt: skip
    return Exchange(**{**values, **fields})


def built(kind: Kind, *exchanges: Exchange, style: Style = "trl", selection: Selection = EVERYTHING) -> list[dict[str, Any]]:
    return examples(build(kind, style, exchanges, selection, TEST), "test")


def examples(of: Built, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in of.lines(split)]


# Regression


def test_negative_answers_become_promptfoo_cases() -> None:
    bad = exchange(1, "negative", question="onde está meu pedido?", signals=("complaint",))
    [case] = built("regression", bad, exchange(2), exchange(3, "neutral"), style="promptfoo")
    said = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "onde está meu pedido?"}]
    assert json.loads(case["vars"]["messages"]) == said, "a list would be several cases"
    assert {check["type"] for check in case["assert"]} == {"llm-rubric", "not-equals"}
    assert "answer 1" in case["assert"][0]["value"]
    assert case["metadata"]["response_id"] == "a1" and case["metadata"]["signals"] == "complaint"
    assert "onde está meu pedido?" in case["description"]


def test_what_users_wrote_is_no_template_of_promptfoo() -> None:
    tricky = exchange(1, "negative", question="what is {{ env.SECRET }} {% if x %}", output="{{7*7}}")
    [case] = built("regression", tricky, style="promptfoo")
    assert json.loads(case["vars"]["messages"])[1]["content"] == "what is {{ env.SECRET }} {% if x %}"
    texts = [case["vars"]["messages"], case["description"], *(check["value"] for check in case["assert"])]
    assert not any(opening in text for text in texts for opening in ("{{", "{%", "{#"))


def test_an_openai_evals_sample_has_the_answer_that_was_accepted_later_as_its_ideal() -> None:
    first = exchange(1, "negative", question="reset my password", asked_again=("q2",))
    again = exchange(2, question="how to reset passwords")
    [sample] = built("regression", first, again, style="openai-evals")
    assert [m["role"] for m in sample["input"]] == ["system", "user"]
    assert sample["ideal"] == "answer 2" and "answer 1" in sample["criteria"]
    [alone] = built("regression", exchange(1, "negative"), style="openai-evals")
    assert alone["ideal"] == ""


# Preference


def test_the_answer_before_a_repetition_is_rejected_for_the_one_that_was_accepted() -> None:
    turns = [
        exchange(1, "negative", asked_again=("q2",)), exchange(2, "negative", asked_again=("q3",)), exchange(3, "positive"),
        exchange(4, "positive"),
    ]  # fmt: skip
    pairs = built("preference", *turns)
    assert [(pair["rejected"][0]["content"], pair["chosen"][0]["content"]) for pair in pairs] == [
        ("answer 1", "answer 3"),
        ("answer 2", "answer 3"),
    ]
    assert pairs[0]["prompt"][-1] == {"role": "user", "content": "question 1"}
    assert pairs[0]["metadata"]["chosen_response_id"] == "a3"


def test_a_regenerated_answer_is_rejected_for_the_accepted_one_to_the_same_question() -> None:
    first = exchange(1, "negative", question="A poem,  please", signals=("regenerate",))
    assert len(built("preference", first, exchange(2, question="a poem, please"))) == 1
    assert built("preference", first, exchange(2, question="a story, please")) == []
    assert built("preference", first, exchange(2, question="a poem, please", session="another")) == []


def test_no_pair_without_an_accepted_answer_or_when_the_first_was_accepted_too() -> None:
    assert built("preference", exchange(1, "negative", asked_again=("q2",)), exchange(2, "neutral")) == []
    assert built("preference", exchange(1, "positive", asked_again=("q2",)), exchange(2)) == []
    assert built("preference", exchange(1, "negative", asked_again=("gone",)), exchange(2)) == []
    circle = [exchange(1, "negative", asked_again=("q2",)), exchange(2, "negative", asked_again=("q1",))]
    assert built("preference", *circle) == []


# Answers to imitate


def test_positive_answers_become_completions() -> None:
    [taught] = built("sft", exchange(1), exchange(2, "negative"), exchange(3, outcome="truncated"), exchange(4, output=""))
    assert [m["role"] for m in taught["prompt"]] == ["system", "user"]
    assert taught["completion"] == [{"role": "assistant", "content": "answer 1"}]


@given(st.lists(st.sampled_from(("positive", "negative", "neutral")), min_size=1, max_size=6))
def test_only_what_was_liked_is_taught(labels: list[str]) -> None:
    """given a talk in which each question is asked after all that was said, then no answer but a liked one is a completion, and what was
    disliked is read in prompts only."""
    said: tuple[ChatMessage, ...] = ()
    turns = []
    for n, label in enumerate(labels):
        asked = (*said, ChatMessage("user", f"question {n}"))
        turns.append(exchange(n, label, messages=asked))
        said = (*asked, ChatMessage("assistant", f"answer {n}"))
    taught = built("sft", *turns)
    liked = [[{"role": "assistant", "content": f"answer {n}"}] for n, label in enumerate(labels) if label == "positive"]
    assert [row["completion"] for row in taught] == liked
    assert all(row["prompt"][-1]["role"] == "user" for row in taught)


@pytest.mark.parametrize("roles", [("user", "tool"), ("user", "assistant"), ("tool", "user"), ()])
def test_what_cannot_be_asked_again_is_left_out(roles: tuple[str, ...]) -> None:
    messages = tuple(ChatMessage(role, "text") for role in roles)
    assert built("sft", exchange(1, messages=messages)) == []
    assert built("regression", exchange(1, "negative", messages=messages), style="promptfoo") == []


def test_confidence_and_evidence_select() -> None:
    sure, unsure, said = exchange(1, score=0.95), exchange(2, score=0.75), exchange(3, score=0.75, explicit=True)
    chats = built("sft", sure, unsure, said, selection=Selection(confidence=0.9))
    assert [chat["metadata"]["response_id"] for chat in chats] == ["a1"]
    chats = built("sft", sure, unsure, said, selection=Selection(explicit=True))
    assert [chat["metadata"]["response_id"] for chat in chats] == ["a3"]


@pytest.mark.parametrize(
    ("final", "says"), [(0, "All labels found are provisional (2)"), (1, "More labels are provisional (2)"), (2, "")]
)
def test_provisional_labels_are_told_of_and_taken_if_wanted(tmp_path: Path, final: int, says: str) -> None:
    turns = [exchange(n) for n in range(final)] + [exchange(n, final=final == 2) for n in (8, 9)]
    with closing(build("sft", "trl", turns, EVERYTHING, TEST)) as left_out:
        write(tmp_path / "out", "sft", "trl", "jsonl", EVERYTHING, left_out, force=False)
    told = left_out.unfinished()
    assert told.startswith(says) and bool(told) == bool(says) and ("--provisional" in told) == bool(says)
    assert told in (tmp_path / "out/README.md").read_text("utf-8")
    assert len(built("sft", *turns, selection=Selection(provisional=True))) == final + 2


# Duplicates and splits


def test_of_duplicates_the_surest_stays() -> None:
    one = exchange(1, question="My CPF is <CPF:17>,  help", score=0.8)
    other = exchange(2, question="my cpf is <CPF:4711>, help", score=0.95, session="other")
    result = build("sft", "trl", [one, other], EVERYTHING, TEST)
    assert result.found == 2
    assert [chat["metadata"]["response_id"] for chat in examples(result, "test")] == ["a2"]


def test_a_session_is_in_one_split_that_does_not_depend_on_the_rest() -> None:
    exchanges = [exchange(n % 60, question=f"question {n}", response_id=f"a{n}", session=f"s{n // 4}") for n in range(2_000)]
    result = build("sft", "trl", exchanges, EVERYTHING, TRAIN_AND_TEST)
    assert 120 <= result.counts()["test"] <= 280, "about a tenth"
    parts = {name: {row["metadata"]["response_id"] for row in examples(result, name)} for name in TRAIN_AND_TEST}
    sessions = {name: {f"s{int(i[1:]) // 4}" for i in part} for name, part in parts.items()}
    assert not sessions["train"] & sessions["test"]
    fewer = build("sft", "trl", exchanges[:400], EVERYTHING, TRAIN_AND_TEST)
    for name in TRAIN_AND_TEST:
        assert {row["metadata"]["response_id"] for row in examples(fewer, name)} <= parts[name]
    assert split_of(exchange(1, session="s"), TRAIN_AND_TEST) == split_of(exchange(9, session="s"), TRAIN_AND_TEST)


# Files


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_same_data_give_the_same_bytes_whatever_the_order(tmp_path: Path, form: FileFormat) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    exchanges = [exchange(n, question=f"questão {n}", session=f"s{n}") for n in range(30)]
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, order in zip(folders, (exchanges, exchanges[::-1]), strict=True):
        result = build("sft", "trl", order, EVERYTHING, TRAIN_AND_TEST)
        write(folder, "sft", "trl", form, EVERYTHING, result, force=False)
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one == two and set(one) == {f"train.{form}", f"test.{form}", "README.md"}
    if form == "parquet":
        import pyarrow.parquet as pq

        rows = pq.read_table(folders[0] / "train.parquet").to_pylist()
        assert rows == examples(result, "train")


def test_the_card_has_counts_filters_and_digests(tmp_path: Path) -> None:
    selection = Selection(features=("chat",), since=datetime(2026, 3, 1, tzinfo=UTC))
    result = build("sft", "trl", [exchange(1), exchange(2, question="question 1", session="t")], selection, TEST)
    write(tmp_path / "out", "sft", "trl", "jsonl", selection, result, force=False)
    card = (tmp_path / "out/README.md").read_text("utf-8")
    digest = hashlib.sha256((tmp_path / "out/test.jsonl").read_bytes()).hexdigest()
    for part in ("| found | 2 |", "| duplicates dropped | 1 |", "| features | chat |", "2026-03-01T00:00:00+00:00", digest, "masked"):
        assert part in card


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_nothing_found_is_an_empty_file_and_a_card_that_says_so(tmp_path: Path, form: FileFormat) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    assert write(tmp_path / "out", "regression", "promptfoo", form, EVERYTHING, Built(TEST), force=False) == {"test": 0}
    assert form == "parquet" or (tmp_path / "out/test.jsonl").read_bytes() == b""
    assert "widen the selection" in (tmp_path / "out/README.md").read_text("utf-8")


def test_a_folder_with_other_things_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ExportError, match="--force"):
        write(tmp_path, "sft", "trl", "jsonl", EVERYTHING, Built(TEST), force=False)
    write(tmp_path, "sft", "trl", "jsonl", EVERYTHING, Built(TEST), force=True)
    assert (tmp_path / "mine.txt").read_text() == "precious"


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_more_than_one_block_is_written_without_holding_it_in_memory(tmp_path: Path, form: FileFormat) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    count, size = 2 * BLOCK + 500, 4_000
    texts = (exchange(n % 60, question=f"{n} " + "x" * size, session=f"s{n}", response_id=f"a{n:05}") for n in range(count))
    tracemalloc.start()
    try:
        result = build("sft", "trl", texts, EVERYTHING, TEST)
        held = tracemalloc.get_traced_memory()[1]
        written = write(tmp_path / "out", "sft", "trl", form, EVERYTHING, result, force=False)
    finally:
        tracemalloc.stop()
    assert written == {"test": count} and held < count * size / 10
    if form == "parquet":
        import pyarrow.parquet as pq

        assert pq.ParquetFile(tmp_path / "out/test.parquet").metadata.num_row_groups == 3
        rows = pq.read_table(tmp_path / "out/test.parquet").to_pylist()
    else:
        rows = [json.loads(line) for line in (tmp_path / "out/test.jsonl").read_text("utf-8").splitlines()]
    order = [(row["metadata"]["time"], row["metadata"]["response_id"]) for row in rows]
    assert order == sorted(order) and len(set(order)) == count


# Reading


@given(st.lists(st.text("ab", max_size=5)), st.lists(st.integers(0, 30)))
def test_rows_are_the_same_however_the_answer_is_cut_into_blocks(texts: list[str], cuts: list[int]) -> None:
    answer = "".join(json.dumps(text) + "\n" for text in texts).encode()
    ends = sorted({min(cut, len(answer)) for cut in cuts} | {0, len(answer)})
    assert [json.loads(line) for line in lines_of(answer[a:b] for a, b in pairwise(ends))] == texts


def test_the_rows_of_a_folder_come_one_by_one(tmp_path: Path) -> None:
    """given no running stack, when more is asked for than a block of the engine holds, then it comes in order, and numbers are numbers."""
    pytest.importorskip("chdb")
    asked = """
        import sys
        from pathlib import Path
        from deploy.embedded.clickhouse import open_engine
        from deploy.embedded.directory import DataDirectory
        from deploy.cli.query import row_stream
        folder = DataDirectory(Path(sys.argv[1])).clickhouse
        folder.mkdir(parents=True)
        with open_engine(folder) as engine:
            engine.handle().run("CREATE DATABASE mirante")
        rows = row_stream("SELECT number AS n FROM numbers(200000) ORDER BY n", Path(sys.argv[1]))
        assert all(row == {"n": n} for n, row in zip(range(200_000), rows, strict=True))
    """
    subprocess.run([sys.executable, "-c", dedent(asked), str(tmp_path)], check=True, timeout=60)


def test_values_in_the_query_are_literals() -> None:
    sql = sql_of(Selection(features=("it's", "back\\slash"), tenants=("a",), until=datetime(2026, 3, 1, tzinfo=UTC)))
    assert r"feature IN ('it\'s', 'back\\slash')" in sql and "time < parse" in sql


def test_rows_become_exchanges() -> None:
    row = {
        "response_id": "a", "request_event_id": "q", "tenant": "acme", "session": "s", "feature": "chat", "model": "m", "prompt_sha": "",
        "moment": "2026-03-01 12:00:00.000", "label": "negative", "score": 0.2, "explicit": False, "final": True,
        "system_instructions": "be kind",
        "signals": '[{"kind":"reformulation","weight":-1.5,"event_id":"q2"},{"kind":"session_end","weight":0.1,"event_id":null}]',
        "messages": '[{"role":"user","content":[{"type":"text","text":"olá"},{"type":"image_url","image_url":"x"}]}]',
        "output": "oi", "outcome": "ok",
    }  # fmt: skip
    found, going_on = read(lambda sql: [row, {**row, "final": False}], EVERYTHING)
    assert not going_on.final
    assert found.messages == (ChatMessage("system", "be kind"), ChatMessage("user", "olá"))
    assert found.asked_again == ("q2",) and found.signals == ("reformulation", "session_end")
    assert found.final
