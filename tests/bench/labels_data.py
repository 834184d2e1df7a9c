"""Sentences for the benchmark of labels, written by hand and without the grammars that the model was trained on; and simulated users."""

# ruff: noqa: E501 (a template is one line)

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import log
from typing import NamedTuple

from schemas.turns import FeedbackSignal, Turn

# question | the same asked again | a refinement or the next step
EN = """
how do I cancel my subscription | I want to stop my plan, how do I cancel the subscription? | and will I get a refund for the rest of the year?
write a function that reverses a string in python | i need python code to reverse a string | now add type hints and a docstring
what's the capital of Australia | which city is the capital of australia?? | how many people live there
my invoice from March is missing | i can't find the invoice of march | can you also send me the one from April to my accountant
summarize this contract in five bullet points | please give me a 5 bullet summary of the contract | translate the second bullet into German
how long does shipping to Canada take | what is the delivery time for canada | what about express shipping?
explain what a hash table is | what exactly is a hash table, explain | give me an example in Java
I can't log in to the mobile app | the mobile app doesnt let me login | it says error 403 since the update
recommend a hotel in Lisbon near the river | hotels close to the river in lisbon please | only ones with parking and under 100 euros
how to fix a leaking tap | my tap is leaking how do i repair it | which wrench size do I need for that
what are the side effects of ibuprofen | ibuprofen side effects | is it safe together with alcohol
plan a three day trip to Rome | make me a 3 day itinerary for rome | replace the second day with something for kids
why is my laptop so slow | whats making my laptop slow | how do I find out which program uses the memory
change the delivery address of my order | I need to change where my order is delivered | and the phone number too
convert 20 miles to kilometers | how many kilometres are 20 miles | and 35 miles?
write an email asking my boss for a raise | draft a mail to my boss to ask for a pay rise | make it sound less formal
what does error code E24 mean on my washing machine | washing machine shows E24 what is that | how much would a technician charge
how many vacation days do I have left | how much holiday do i still have | book the last week of August for me
compare the iPhone 15 and the Pixel 8 | iphone 15 vs pixel 8, differences | which one has the better camera for night shots
when does the store on Main Street open | opening hours main street store | do they have the red sneakers in size 42
find the bug in this SQL query | what's wrong with my sql query | rewrite it with a window function
how do I turn on two factor authentication | enable 2fa how | which authenticator app do you suggest
what is the interest rate of the savings account | savings account interest rate? | and if I put in more than ten thousand
block my credit card, it was stolen | my credit card got stolen, please block it | how fast can I get a new one
"""

PT = """
como cancelo minha assinatura | quero cancelar a assinatura, como eu faço? | e recebo de volta o resto do ano?
escreva uma função que inverte uma string em python | preciso de um código python pra inverter string | agora coloque type hints e docstring
qual é a capital da Austrália | que cidade é capital da australia?? | quantas pessoas moram lá
minha fatura de março sumiu | nao acho a fatura de março | manda também a de abril para o meu contador
resuma este contrato em cinco tópicos | faz um resumo do contrato em 5 topicos por favor | traduza o segundo tópico para alemão
quanto tempo demora a entrega para o Canadá | qual o prazo de entrega pro canada | e o envio expresso?
explique o que é uma tabela hash | o que é exatamente uma tabela hash, explica | me dá um exemplo em Java
não consigo entrar no aplicativo do celular | o app do celular nao me deixa entrar | aparece erro 403 desde a atualização
recomende um hotel em Lisboa perto do rio | hoteis proximos do rio em lisboa por favor | só os que têm estacionamento e custam menos de 100 euros
como consertar uma torneira pingando | minha torneira está pingando, como conserto | qual chave eu preciso para isso
quais são os efeitos colaterais do ibuprofeno | efeitos colaterais ibuprofeno | posso tomar junto com álcool
monte um roteiro de três dias em Roma | faz um itinerario de 3 dias pra roma | troque o segundo dia por algo para crianças
por que meu notebook está tão lento | o que deixa meu notebook lento | como descubro qual programa usa a memória
mudar o endereço de entrega do meu pedido | preciso trocar o endereço onde vai ser entregue meu pedido | e o telefone também
converta 20 milhas em quilômetros | 20 milhas são quantos quilometros | e 35 milhas?
escreva um e-mail pedindo aumento ao meu chefe | redija um email pro meu chefe pedindo aumento | deixe menos formal
o que significa o erro E24 da máquina de lavar | maquina de lavar mostra E24 o que é isso | quanto um técnico cobraria
quantos dias de férias eu ainda tenho | quantas férias me restam | marque a última semana de agosto para mim
compare o iPhone 15 com o Pixel 8 | iphone 15 ou pixel 8, diferenças | qual tem a melhor câmera para fotos à noite
que horas abre a loja da Avenida Central | horario de abertura loja avenida central | eles têm o tênis vermelho no 42
encontre o erro nesta consulta SQL | o que tem de errado na minha consulta sql | reescreva com window function
como ativo a verificação em duas etapas | ativar verificaçao em 2 etapas como | qual aplicativo autenticador você sugere
qual é o rendimento da conta poupança | rendimento da poupança? | e se eu colocar mais de dez mil
bloqueie meu cartão de crédito, foi roubado | roubaram meu cartão de credito, bloqueia por favor | em quanto tempo chega o novo
"""

COMPLAINTS = {
    "en": """
this has nothing to do with my question | you got the dates mixed up | I was talking about the desktop version, not mobile | that answer doesn't address my problem
nah that's not it | you ignored half of what I wrote | how is that supposed to help me? | the function you gave me throws an exception
that isn't even a real library | you misunderstood me completely | read it again please, I never mentioned Canada | this makes zero sense
wrong country | didn't work, same problem as before | that can't be right | you're contradicting yourself | terrible answer | that page is a 404
why do you keep giving me the same useless link | not even close | I expected a number, not an essay | that's the opposite of what I need
""",
    "pt": """
isso não tem nada a ver com a minha dúvida | você trocou as datas | eu estava falando da versão desktop, não do celular | essa resposta não resolve o meu caso
não, não é por aí | você ignorou metade do que escrevi | em que isso deveria me ajudar? | a função que você passou lança exceção
essa biblioteca nem existe | você me entendeu completamente errado | lê de novo por favor, nunca falei de Canadá | não faz o menor sentido
país errado | não deu certo, mesmo problema de antes | isso não pode estar certo | você está se contradizendo | resposta horrível | essa página dá 404
por que você fica mandando o mesmo link inútil | passou longe | eu esperava um número, não uma redação | é o contrário do que preciso
""",
}

ACCEPTANCES = {
    "en": """
that did the trick, thank you! | wow, super helpful | yep, solved | you just saved me an hour | perfect, closing this | nice one, it runs now
okay that clears it up | brilliant, exactly the thing I had in mind | thanks a bunch | it compiles, thanks | appreciate it | great stuff
good, I'll go with that | that was quick, thanks | makes total sense now, cheers | yes! finally works | I'm happy with this version | sweet, thx
""",
    "pt": """
agora sim, muito obrigada! | nossa, ajudou demais | opa, resolvido | você me poupou uma hora | perfeito, pode encerrar | boa, agora rodou
beleza, esclareceu | excelente, exatamente o que eu tinha em mente | valeu demais | compilou, obrigado | agradecido | muito bom mesmo
certo, vou seguir assim | que rápido, obrigado | agora faz todo sentido, valeu | sim! finalmente funcionou | fiquei satisfeito com essa versão | show de bola, vlw
""",
}


FOLLOWING = {
    "en": (
        "explain the second step in more detail",
        "put that in a table",
        "what would that cost me per year",
        "give me the German version",
        "who should I contact",
        "are there exceptions",
    ),
    "pt": (
        "explique melhor a segunda etapa",
        "coloque isso numa tabela",
        "quanto isso me custaria por ano",
        "me dê a versão em alemão",
        "com quem devo falar",
        "existem exceções",
    ),
}
"""Next steps whatever came before."""


class Triple(NamedTuple):
    question: str
    again: str
    further: str


def triples(language: str) -> list[Triple]:
    lines = (EN if language == "en" else PT).strip().splitlines()
    return [Triple(*(part.strip() for part in line.split(" | "))) for line in lines]


def reactions(texts: dict[str, str], language: str) -> list[str]:
    return [part.strip() for line in texts[language].strip().splitlines() for part in line.split(" | ")]


class Habits(NamedTuple):
    """How often users do something, when satisfied and when not. Not what the model assumes at first."""

    satisfied: float
    copy: tuple[float, float]
    regenerate: tuple[float, float]
    slow: tuple[float, float]
    edit_small: tuple[float, float]
    thumbs: tuple[float, float]
    """Whether they give one at all: the angry do so more often."""
    next: dict[str, tuple[float, float]]


FEATURES = {
    "chat": Habits(
        0.72, (0.10, 0.08), (0.03, 0.15), (0.70, 0.45), (0.0, 0.0), (0.06, 0.14),
        {"again": (0.04, 0.34), "complaint": (0.01, 0.13), "acceptance": (0.17, 0.02), "further": (0.33, 0.18), "other": (0.2, 0.13)},
    ),
    "code": Habits(
        0.6, (0.55, 0.12), (0.02, 0.25), (0.55, 0.5), (0.25, 0.06), (0.05, 0.08),
        {"again": (0.05, 0.28), "complaint": (0.02, 0.22), "acceptance": (0.12, 0.01), "further": (0.4, 0.2), "other": (0.15, 0.1)},
    ),
}  # fmt: skip
RIGHT_THUMB = 0.92


class Known(NamedTuple):
    """What is true of an answer, and what the baselines may look at."""

    satisfied: bool
    language: str
    thumb: float | None
    following: str
    question: str
    feature: str
    step: str
    """What the user did next."""
    slow: bool | None
    """Whether they took their time to read; None if nothing says how long they did."""
    acts: dict[str, float]

    def odds(self) -> float:
        """Log-odds that the user was satisfied for someone who knows every habit and understands every text: nobody can do better."""
        habits = FEATURES[self.feature]
        rates = [(habits.satisfied, 1 - habits.satisfied)]
        rates.append(habits.next.get(self.step) or tuple(1 - sum(rate[y] for rate in habits.next.values()) for y in (0, 1)))  # type: ignore[arg-type]
        seen = (("copy", habits.copy), ("regenerate", habits.regenerate), ("edit", habits.edit_small))
        rates += [rate if kind in self.acts else (1 - rate[0], 1 - rate[1]) for kind, rate in seen]
        if self.slow is not None:
            rates.append(habits.slow if self.slow else (1 - habits.slow[0], 1 - habits.slow[1]))
        if self.thumb is None:
            rates.append((1 - habits.thumbs[0], 1 - habits.thumbs[1]))
        else:
            right, wrong = habits.thumbs[0] * RIGHT_THUMB, habits.thumbs[1] * (1 - RIGHT_THUMB)
            down, truly = habits.thumbs[0] * (1 - RIGHT_THUMB), habits.thumbs[1] * RIGHT_THUMB
            rates.append((right, wrong) if self.thumb else (down, truly))
        return sum(log(yes / no) for yes, no in rates if yes != no)


def retyped(text: str, chance: random.Random) -> str:
    """The text typed again, with a word left out and a letter wrong."""
    words = text.lower().split()
    if len(words) > 3:
        del words[chance.randrange(len(words))]
    at = chance.randrange(len(words))
    words[at] = words[at][:1] + words[at][2:]
    return " ".join(words)


Item = tuple[float, Turn | FeedbackSignal]


def users(count: int, seed: int, pools: dict[str, Sequence[Triple]]) -> Iterator[tuple[list[Item], dict[str, Known]]]:
    """Sessions of simulated users: the events with the times at which they become known, and the truth by response_id."""
    chance = random.Random(seed)
    sessions = 0
    answers = 0
    start = 0.0
    while answers < count:
        sessions += 1
        start += 30.0
        language, feature = chance.choice(("en", "pt")), chance.choice(("chat", "code"))
        habits, pool = FEATURES[feature], pools[language]
        items: list[Item] = []
        truth: dict[str, Known] = {}
        triple, text, at = chance.choice(pool), None, start
        for _ in range(8):
            question = text or triple.question
            answers += 1
            response, session = f"a{answers}", f"s{sessions}"
            satisfied = chance.random() < habits.satisfied
            which = 0 if satisfied else 1
            chars = chance.randint(200, 3_000)
            ended = at + chance.uniform(1, 8)
            items.append((ended, Turn(f"r{answers}", response, session, "t", feature, "m", at, ended, question, chars)))
            acts: dict[str, float] = {}
            for kind, rates in (("copy", habits.copy), ("regenerate", habits.regenerate)):
                if chance.random() < rates[which]:
                    acts[kind] = 1.0
            if chance.random() < habits.edit_small[which]:
                acts["edit"] = chance.uniform(0, 0.1)
            slow = None
            if chance.random() < 0.6:
                slow = chance.random() < habits.slow[which]
                acts["dwell"] = chars / 24 * (chance.uniform(0.3, 2.5) if slow else chance.uniform(0.02, 0.2))
            thumb = None
            if chance.random() < habits.thumbs[which]:
                thumb = float(satisfied == (chance.random() < RIGHT_THUMB))
                acts["thumbs_up" if thumb else "thumbs_down"] = 1.0
            for n, (kind, value) in enumerate(acts.items()):
                time = ended + 1 + n
                items.append((time, FeedbackSignal(f"f{answers}-{n}", time, kind, value=value, response_id=response, session_id=session)))
            at = ended + 10 + chance.expovariate(1 / 40)
            kinds = list(habits.next)
            step = chance.choices(
                [*kinds, "leave"], [*(habits.next[k][which] for k in kinds), 1 - sum(habits.next[k][which] for k in kinds)]
            )[0]
            if step == "again":
                text = {triple.question: triple.again, triple.again: triple.question}.get(question, retyped(question, chance))
            elif step == "further":
                text = triple.further if question != triple.further else chance.choice(FOLLOWING[language])
            elif step == "other":
                triple, text = chance.choice([other for other in pool if other is not triple]), None
            elif step != "leave":
                text = chance.choice(reactions(COMPLAINTS if step == "complaint" else ACCEPTANCES, language))
            following = "" if step == "leave" else text or triple.question
            truth[response] = Known(satisfied, language, thumb, following, question, feature, step, slow, acts)
            if step == "leave":
                break
        yield items, truth
