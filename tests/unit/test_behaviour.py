"""The agent ``behaviour``: given calls, when they are taken in event time, then findings, pairs, groups and tasks for judges."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.behaviour.items import Disliked, Item, Items, Ran, Scored
from agents.behaviour.prompts import template_of
from agents.behaviour.questions import Meaning, said, same_answer
from agents.behaviour.settings import BehaviourSettings, behaviour_settings
from agents.behaviour.state import BehaviourState
from agents.behaviour.table import Table
from agents.behaviour.tap import BehaviourTap, draw_of
from agents.behaviour.text import likeness
from agents.common.taps import Head
from agents.detectors.sequential import Mean
from schemas.behaviour_rows import CacheCandidateRow, ShadowPairRow, ShadowVerdictRow
from schemas.decoding import decode_evaluation
from schemas.findings import Finding, Findings
from schemas.outputs import JudgeTask
from streams.effects import Effects
from tests.unit.builders import SOURCE, FakeBatch, Record, World, context, moment, request, response

START = 1_772_366_400.0
KEPT = (ShadowPairRow, ShadowVerdictRow, CacheCandidateRow)
TASK = msgspec.json.encode(
    JudgeTask(task_id="t", response_id="x", request_id="x", time="2026-03-01T12:00:00Z", criteria=["helpfulness"], output="yes")  # type: ignore[arg-type]
)


def ran(n: int | str, at: float = 0.0, **fields: Any) -> Ran:
    base = {
        "id": f"r{n}", "time": START + at + 1, "asked": START + at, "response_id": f"a{n}", "tenant": "acme", "feature": "chat",
        "model": "m1", "variant": "live", "shadow_of": "", "prompt_name": "support", "prompt_sha": "abc", "template": 7, "user": f"u{n}",
        "outcome": "ok", "output_chars": 10, "latency_ms": 900.0, "cost": 10**9, "question": "", "answer": "", "draw": 0.5,
    }  # fmt: skip
    return Ran(**{**base, **fields})


class Agent:
    """One partition with its effects: rows by table (the largest version of each identity), findings and tasks."""

    def __init__(self, state: BehaviourState | None = None, **settings: Any) -> None:
        self.settings = behaviour_settings(settings)
        self.state = state or self.new()
        self.rows: dict[tuple[Any, ...], Any] = {}
        self.findings: list[Finding] = []
        self.tasks: list[JudgeTask] = []
        self.changelog: list[bytes] = []

    def new(self) -> BehaviourState:
        return BehaviourState(0, SOURCE, findings="findings", tasks="tasks", partitions=1, settings=self.settings)

    def read(self, items: Iterable[Item], clock: float, *, partition: int = 0) -> None:
        """One message and a checkpoint. ``clock``: seconds after START."""
        value = msgspec.msgpack.encode(Items(SOURCE, partition, START + clock, False, list(items)))
        effects = Effects()
        self.state.apply(FakeBatch("calls", 0, [Record("calls", 0, 0, 0, None, value, ())], 1), effects)
        self.state.close_interval(effects)
        if (changes := self.state.changes()) is not None:
            self.changelog.append(changes)
        assert not effects.letters
        for message in effects.messages:
            if message.topic == "findings":
                self.findings += msgspec.msgpack.decode(message.value, type=Findings).findings
            else:
                self.tasks.append(msgspec.json.decode(message.value, type=JudgeTask))
        for kind in KEPT:
            for line in effects.rows.get(kind.TABLE, ()):
                row = msgspec.json.decode(line, type=kind)
                identity = (kind.TABLE, *(getattr(row, name) for name in IDENTITY[kind.TABLE]))
                if identity not in self.rows or self.rows[identity].version <= row.version:
                    self.rows[identity] = row

    def restart(self, *, snapshot: bool = False) -> None:
        """Another worker takes over: state comes back from what was stored."""
        if snapshot:
            self.changelog = list(self.state.snapshot())
        self.state = self.new()
        for piece in self.changelog:
            self.state.load(piece)

    def of(self, kind: type[Any]) -> list[Any]:
        return [row for key, row in sorted(self.rows.items()) if key[0] == kind.TABLE]


IDENTITY: Mapping[str, tuple[str, ...]] = {
    ShadowPairRow.TABLE: ("tenant", "feature", "time", "request_id"),
    ShadowVerdictRow.TABLE: (
        "tenant", "feature", "variant", "model", "live_model", "prompt_sha", "live_prompt_sha", "metric",
    ),
    CacheCandidateRow.TABLE: ("tenant", "feature", "group_id"),
    "prompt_files_data": ("repository", "path", "commit_sha"),
}  # fmt: skip


def test_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[behaviour\].*similarty"):
        behaviour_settings({"similarty": 0.9})


# Order, repeats, restarts


def mixed(seed: int) -> list[Item]:
    """Traffic with everything in it: prompts without SHA, shadows before and after their live calls, questions, signals, scores."""
    dice = random.Random(seed)
    questions = ["Where is my invoice for March?", "where is my invoice, for march", "Como troco minha senha?", "como trocar a senha"]
    items: list[Item] = []
    for n in range(120):
        at = n * 20.0
        fields: dict[str, Any] = {"question": dice.choice(questions), "answer": dice.choice(["On the page Bills.", "Nowhere at all."])}
        fields |= {"prompt_sha": dice.choice(["abc", ""]), "draw": dice.random(), "task": TASK, "doubts": dice.choice([[], ["refusal"]])}
        items.append(ran(n, at, **fields))
        if n % 2:
            late = dice.uniform(-0.9, 15)
            shadow = {"variant": "shadow", "shadow_of": f"r{n}", "model": "m2", "cost": 4 * 10**9}
            items.append(ran(f"s{n}", at + late, **{**fields, **shadow, "task": None, "doubts": []}))
        if n % 3 == 0:
            items.append(Disliked(f"d{n}", START + at + 3, "acme", f"a{n}", "", "thumbs_down"))
            items.append(Scored(f"e{n}", START + at + 12, "acme", f"a{n}", "help", dice.random()))
    return items


def outcome(agent: Agent) -> tuple[Any, ...]:
    tasks = sorted((task.task_id, tuple(task.reasons)) for task in agent.tasks)
    findings = sorted({(f.name, f.time, f.active, tuple(sorted(f.labels.items())), f.value) for f in agent.findings}, key=repr)
    return {key: msgspec.to_builtins(row) for key, row in agent.rows.items()}, tasks, findings


SETTINGS: dict[str, Any] = {"judge": ["helpfulness"], "judge_per_hour": 5, "unversioned_requests": 5}


@pytest.mark.parametrize("seed", range(6))
def test_the_result_does_not_depend_on_batches_order_repeats_or_restarts(seed: int) -> None:
    items = mixed(seed)
    plain = Agent(**SETTINGS)
    plain.read(items, 3_000)
    plain.read([], 10_000)
    assert plain.of(ShadowPairRow) and plain.of(CacheCandidateRow) and plain.findings and plain.tasks
    # When the same comes in pieces, out of order within the time that is waited, with repeats, and workers die in between
    dice = random.Random(seed)
    pieces = Agent(**SETTINGS)
    shaken = sorted(items, key=lambda item: item.time + dice.uniform(0, 25))
    at = 0
    while at < len(shaken):
        size = dice.randrange(1, 30)
        some = shaken[max(0, at - dice.randrange(3)) : at + size]
        at += size
        clock = min((item.time for item in shaken[at:]), default=START + 3_000) - START
        pieces.read(some, clock)
        if dice.random() < 0.3:
            pieces.restart(snapshot=dice.random() < 0.5)
    pieces.read([], 3_000)
    pieces.read([], 10_000)
    # Then the rows, tasks and findings are the same
    assert outcome(pieces) == outcome(plain)


def test_memory_is_bounded_whatever_comes() -> None:
    agent = Agent(max_waiting=100, max_live=50, max_groups=10, max_prompts=10, max_candidates=5, judge=["help"])
    for n in range(0, 2_000, 100):
        words = [f"what about the {k}th thing called {k * 7919}" for k in range(n, n + 100)]
        agent.read([ran(k, 0, question=words[k - n], prompt_sha=str(k), task=TASK) for k in range(n, n + 100)], 0)
    assert all(size <= 100 or name == "calls_taken_early" for name, size in agent.state.gauges().items())
    assert agent.state.gauges()["question_groups"] == 10


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=40), st.integers(1, 5))
def test_a_table_comes_back_as_it_was(puts: list[tuple[str, int]], most: int) -> None:
    table: Table[str, int] = Table(most)
    copy: Table[str, int] = Table(most)
    for key, value in puts:
        table.put(key, value)
        if value % 3 == 0:
            copy.load(table.take_changes())
    copy.load(table.take_changes())
    assert list(copy) == list(table)


# Prompt versions


def told(agent: Agent) -> list[tuple[str, bool]]:
    return [(f.labels["reason"], f.active) for f in agent.findings if f.name == "UnversionedPrompt"]


def test_one_call_without_a_sha_says_nothing_and_many_do() -> None:
    agent = Agent()
    agent.read([ran(n, n, prompt_sha="" if n < 5 else "abc") for n in range(300)], 1_000)
    assert not told(agent)
    agent.read([ran(n, 1_000 + n, prompt_sha="" if n % 4 == 0 else "abc") for n in range(300, 500)], 2_000)
    assert told(agent)[0] == ("no_sha", True)
    finding = agent.findings[0]
    assert finding.severity == "ticket"
    assert finding.response_ids
    # And it ends when the calls without one are over
    agent.read([], 9_000)
    assert told(agent)[-1] == ("no_sha", False)


def test_what_is_told_does_not_come_and_go_with_the_number_of_calls() -> None:
    """At the threshold of so many calls without a SHA an hour: it is told once, and ends when the hour has hardly any of them."""
    agent = Agent(unversioned_requests=5)
    for hour in range(12):  # now 6 an hour, now 4, of 10 calls
        few = range(6 if hour % 2 else 4)
        begun = hour * 3_600
        agent.read([ran(f"{hour}-{n}", begun + n * 300, prompt_sha="" if n in few else "abc") for n in range(10)], begun + 3_500)
    assert told(agent) == [("no_sha", True)] * len(told(agent)) and told(agent)
    agent.read([ran(f"late-{n}", 50_000 + n, prompt_sha="abc") for n in range(40)], 60_000)
    assert told(agent)[-1] == ("no_sha", False)


def test_a_feature_that_never_had_versions_is_told_as_information() -> None:
    agent = Agent()
    agent.read([ran(n, n, prompt_sha="") for n in range(50)], 1_000)
    assert {f.severity for f in agent.findings} == {"info"}


def test_a_text_that_is_not_the_shas_is_told() -> None:
    agent = Agent()
    agent.read([ran(n, n) for n in range(100)], 200)
    # A fifth of the calls: a variant that was not among the first
    agent.read([ran(n, n, template=8 if n % 5 == 0 else 7) for n in range(200, 400)], 600)
    assert not told(agent)
    agent.read([ran(n, n, template=8) for n in range(600, 1_200)], 1_400)
    assert told(agent)[0] == ("text_differs", True)
    assert agent.findings[0].labels["prompt_sha"] == "abc"


def test_a_version_whose_text_always_changes_is_not_compared() -> None:
    agent = Agent()
    agent.read([ran(n, n, template=n) for n in range(300)], 1_000)
    assert not told(agent)


@pytest.mark.parametrize(
    ("text", "variables", "other", "others"),
    [
        ("You help Ana at Acme.", {"user": "Ana"}, "You help Bruno at Acme.", {"user": "Bruno"}),
        ("Você atende <CPF:12> hoje, 01/03/2026.", {}, "Você atende <CPF:977> hoje, 02/03/2026.", None),
        ("Answer  in\nEnglish.", None, "Answer in English.", None),
        ("Adapt to pt.", {"lang": "pt"}, "Adapt to en.", {"lang": "en"}),
        ("x" * 20_000 + " Ana", {"user": "Ana"}, "x" * 20_000 + " Bruno", {"user": "Bruno"}),
    ],
)
def test_variables_numbers_and_masked_data_are_no_part_of_a_template(text: str, variables: Any, other: str, others: Any) -> None:
    assert template_of(text, variables) == template_of(other, others)


def test_another_text_is_another_template() -> None:
    assert template_of("Be brief.", None) != template_of("Be thorough.", None)
    assert template_of("", None) is None


# Shadows


def pairs(count: int, **shadow: Any) -> list[Item]:
    live: list[Item] = [ran(n, n * 5.0, answer="The invoice is on page Bills.") for n in range(count)]
    fields = {"variant": "shadow", "model": "m2", "answer": "The invoice is on the page Bills.", **shadow}
    return live + [ran(f"s{n}", n * 5.0 + 1, shadow_of=f"r{n}", **fields) for n in range(count)]


def test_a_shadow_meets_its_live_call_whichever_comes_first() -> None:
    agent = Agent()
    early = ran("s1", -5, variant="shadow", shadow_of="r1", model="m2", cost=2 * 10**9, outcome="refusal")
    canary, alone = ran("s2", 3, variant="canary", shadow_of="r2"), ran("s9", 0, variant="shadow", shadow_of="r9")
    agent.read([early, ran(1, 0), ran(2, 0), canary, alone], 90)
    first, second = sorted(agent.of(ShadowPairRow), key=lambda row: row.request_id)
    assert (first.live_request_id, first.live_outcome, first.outcome, first.cost_usd) == ("r1", "ok", "refusal", "0.002000000000")
    assert (second.variant, second.live_response_id) == ("canary", "a2")


def test_scores_join_a_pair_before_and_after_it_is_one() -> None:
    agent = Agent()
    agent.read([ran(1, 0), Scored("e1", START + 2, "acme", "a1", "help", 0.9), ran("s1", 5, variant="shadow", shadow_of="r1")], 90)
    agent.read([Scored("e2", START + 100, "acme", "as1", "help", 0.4), Scored("e3", START + 110, "acme", "as1", "help", 0.6)], 200)
    [pair] = agent.of(ShadowPairRow)
    assert (pair.live_score, pair.score) == (0.9, 0.5)
    assert [row.pairs for row in agent.of(ShadowVerdictRow) if row.metric == "score"] == [1]


def test_equal_answers_are_no_difference_yet() -> None:
    agent = Agent()
    agent.read(pairs(300), 2_000)
    assert {row.verdict for row in agent.of(ShadowVerdictRow)} == {"no difference yet"}
    assert not agent.findings
    assert all(row.similarity > 0.6 for row in agent.of(ShadowPairRow))


def test_a_dearer_shadow_is_worse_and_a_faster_one_better() -> None:
    agent = Agent()
    agent.read(pairs(300, cost=2 * 10**9, latency_ms=300.0), 2_000)
    verdicts = {row.metric: row for row in agent.of(ShadowVerdictRow)}
    assert (verdicts["cost"].verdict, verdicts["latency"].verdict, verdicts["ok"].verdict) == ("worse", "better", "no difference yet")
    assert verdicts["cost"].low <= 1.0 <= verdicts["cost"].high  # twice as dear: +100%
    assert {f.labels["metric"] for f in agent.findings if f.name == "ShadowRegression"} == {"cost"}
    # And what is told ends when no pairs come any more
    agent.read([], 9_000)
    assert not agent.findings[-1].active


def test_two_pairs_prove_nothing() -> None:
    agent = Agent()
    agent.read(pairs(2, cost=10**11, outcome="refusal"), 100)
    assert {row.verdict for row in agent.of(ShadowVerdictRow)} == {"no difference yet"}


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=200))
def test_bounds_hold_the_mean_in_between_and_never_widen(differences: list[float]) -> None:
    mean, low, high = Mean(), -1.0, 1.0
    for difference in differences:
        mean.update(0.0, difference, alpha=0.05)
        assert low <= mean.low
        assert mean.high <= high
        low, high = mean.low, mean.high


def test_the_bounds_rarely_ever_exclude_the_truth() -> None:
    dice, missed = random.Random(1), 0
    for _ in range(200):
        mean = Mean()
        for _ in range(300):
            mean.update(0.0, dice.choice([-1.0, 0.0, 0.0, 1.0]), alpha=0.05)
            if not mean.low <= 0.0 <= mean.high:
                missed += 1
                break
    assert missed <= 16  # 5% of 200 and three standard deviations of that are 19


# Questions

SAME = [
    ("Where is my invoice for March?", "where's my march invoice, please"),
    ("Qual é o horário de funcionamento?", "qual o horario de funcionamento"),
    ("Olá! Como faço para trocar a senha?", "como faço para trocar minha senha"),
]
OTHER = [
    ("How do I enable two-factor login?", "How do I disable two-factor login?"),
    ("Where is order 4711?", "Where is order 4712?"),
    ("Posso viajar com o cartão?", "Não posso viajar com o cartão?"),
    ("Quando abre a loja do centro?", "Onde fica a loja do centro?"),
]


@pytest.mark.parametrize(("first", "second"), [*SAME, *((b, a) for a, b in SAME)])
def test_the_same_question_in_other_words_is_one_group(first: str, second: str) -> None:
    agent = Agent(similarity=0.6)
    agent.read([ran(1, 0, question=first, user="u1"), ran(2, 5, question=second, user="u2", cost=3 * 10**9)], 90)
    [row] = agent.of(CacheCandidateRow)
    assert (row.requests, row.users, row.cost_usd, row.answers_differ) == (2, 2, "0.003000000000", False)
    assert row.question == first


@pytest.mark.parametrize(("first", "second"), OTHER)
def test_a_question_turned_round_is_another(first: str, second: str) -> None:
    agent = Agent(similarity=0.6)
    agent.read([ran(1, 0, question=first), ran(2, 5, question=second)], 90)
    assert agent.of(CacheCandidateRow) == []


def test_features_and_tenants_share_no_questions() -> None:
    agent = Agent()
    question = SAME[0][0]
    agent.read([ran(1, 0, question=question), ran(2, 1, question=question, feature="x"), ran(3, 2, question=question, tenant="y")], 90)
    assert agent.of(CacheCandidateRow) == []


def test_answers_that_differ_are_a_warning() -> None:
    agent = Agent()
    answers = ["You can return it within 30 days.", "You can return it within 30 days!", "You can return it within 15 days."]
    agent.read([ran(n, n, question="How long can I return shoes?", answer=answer) for n, answer in enumerate(answers)], 90)
    [row] = agent.of(CacheCandidateRow)
    assert (row.requests, row.answers, row.answers_differ) == (3, 2, True)


def test_answers_in_other_words_are_the_same() -> None:
    assert same_answer("O prazo é de 30 dias úteis.", "O prazo é 30 dias úteis")
    assert not same_answer("Sim.", "Não, isso não é possível.")


@given(st.text(max_size=200), st.text(max_size=200))
def test_likeness_is_symmetric_and_between_0_and_1(a: str, b: str) -> None:
    found = likeness(a, b)
    assert found == likeness(b, a)
    assert found is None or 0 <= found <= 1
    if said(a) and said(b):
        first, second = Meaning.of(said(a)), Meaning.of(said(b))
        assert first.likeness(second) == second.likeness(first) <= 1


# Judge


def test_each_feature_and_model_has_its_share_of_an_hour_and_the_doubtful_as_much_again() -> None:
    agent = Agent(judge=["helpfulness"], judge_per_hour=10)
    dice = random.Random(3)
    calls = []
    for n in range(3_000):
        doubts = ["refusal"] if n % 20 == 0 else []
        feature = "rare" if n % 100 == 0 else "busy"
        calls.append(ran(n, n * 2.4, feature=feature, draw=dice.random(), doubts=doubts, task=TASK.replace(b'"x"', b'"a%d"' % n)))
    agent.read(calls, 8_000)
    agent.read([], 20_000)
    reasons = Counter(reason for task in agent.tasks for reason in task.reasons)
    assert 10 <= reasons["sample"] <= 40
    assert reasons["refusal"] >= 10
    assert len({task.response_id for task in agent.tasks}) == len(agent.tasks)


def test_what_a_user_dislikes_is_judged_if_it_is_remembered() -> None:
    agent = Agent(judge=["helpfulness"])
    agent.read([ran(1, 0, draw=0.1, task=TASK), ran(2, 1, draw=1.1, task=TASK), ran(3, 2, draw=1.1)], 60)
    signals = [Disliked(f"d{n}", START + 50, "acme", f"a{n}", "", "thumbs_down") for n in (1, 2, 3)]
    agent.read(signals, 100)
    assert [task.reasons for task in agent.tasks] == [["sample"], ["thumbs_down"]]


def test_no_criteria_no_tasks() -> None:
    agent = Agent()
    agent.read([ran(1, 0, draw=0.0, task=TASK)], 60)
    assert agent.tasks == []


def test_draws_are_uniform_and_a_calls_own() -> None:
    draws = sorted(draw_of(f"r{n}") for n in range(1_000))
    assert max(abs(draw - n / 1_000) for n, draw in enumerate(draws)) < 0.06
    assert draw_of("r1") == draw_of("r1")


# The tap


def tapped(world: World, settings: BehaviourSettings) -> list[Item]:
    """What stage 1 sends of the world's events."""
    tap = BehaviourTap("calls", 1, settings)
    for state in world.interactions:
        state._partition.taps[:] = [tap]
    world.run()
    effects = Effects()
    tap.close(Head(SOURCE, 0, 0.0, False), True, effects)
    return [item for message in effects.messages for item in msgspec.msgpack.decode(message.value, type=Items).items]


def test_many_calls_travel_in_several_messages_of_which_the_last_says_how_far_the_sender_is() -> None:
    tap, effects = BehaviourTap("calls", 2, BehaviourSettings()), Effects()
    for n in range(450):
        score = {"event_id": f"e{n}", "time": moment(n), "response_id": "a", "name": "x", "score": 0.5}
        tap.evaluation(decode_evaluation(msgspec.json.encode(score)), b"")
    tap.close(Head(SOURCE, 0, 99.0, True, 77.0), False, effects)
    for home in range(2):
        sent = [msgspec.msgpack.decode(m.value, type=Items) for m in effects.messages if m.partition == home]
        assert [item.id for message in sent for item in message.items] == [f"e{n}" for n in range(450)]
        assert [(message.clock, message.rests) for message in sent] == [(0.0, False), (0.0, False), (77.0, True)]


def test_stage_1_sends_masked_texts_and_only_the_first_question_of_a_conversation() -> None:
    world = World(context().settings)
    system, user = {"role": "system", "content": "You help."}, {"role": "user", "content": "Meu CPF é 529.982.247-25, cadê meu pedido?"}
    later = [system, user, {"role": "assistant", "content": "Qual?"}, {"role": "user", "content": "O de ontem"}]
    world.publish("requests", request(1, messages=[system, user], prompt={"name": "p", "sha": "abc"}, variant="shadow", shadow_of="r0"))
    world.publish("responses", response(1, output="Ligo para o CPF 529.982.247-25."))
    world.publish("requests", request(2, messages=later))
    world.publish("responses", response(2))
    world.publish("requests", request(3, operation="execute_tool"))
    world.publish("responses", response(3))
    for kind in ("thumbs_down", "copy"):
        signal = {"event_id": kind, "time": "2026-03-01T12:00:09Z", "kind": kind, "response_id": "a1", "session_id": "s1"}
        world.publish("feedback", signal)
    items = tapped(world, BehaviourSettings(judge=["helpfulness"], judge_candidates=1.0))
    calls = {item.id: item for item in items if isinstance(item, Ran)}
    assert set(calls) == {"r1", "r2"}
    first = calls["r1"]
    assert (first.prompt_sha, first.variant, first.shadow_of) == ("abc", "shadow", "r0")
    assert "pedido" in first.question
    assert calls["r2"].question == ""
    assert first.doubts == ["pii"]
    assert b"529.982" not in msgspec.msgpack.encode(items)
    task = msgspec.json.decode(first.task or b"", type=JudgeTask)
    assert (task.criteria, [message.role for message in task.messages]) == (["helpfulness"], ["system", "user"])
    assert [item.kind for item in items if isinstance(item, Disliked)] == ["thumbs_down"]


def test_beyond_the_pace_new_questions_are_left_out_and_known_ones_are_still_counted() -> None:
    agent = Agent(questions_per_second=2)
    new = [ran(n, 0.001 * n, question=f"what about subject {word}") for n, word in enumerate(["apples", "pears", "plums", "grapes"])]
    again = [ran(10 + n, 5 + n, question=f"what about subject {word}") for n, word in enumerate(["apples", "pears", "plums", "grapes"])]
    agent.read([*new, *again, ran(20, 0.5, question="what about subject pears?")], 90)
    assert {row.question.split()[-1]: row.requests for row in agent.of(CacheCandidateRow)} == {"apples": 2, "pears": 3}
    assert agent.state.gauges()["question_groups"] == 4
