"""Small words that decide what a question asks, in English and Portuguese, lower case and without
accents."""

from __future__ import annotations


def _each(words: str) -> frozenset[str]:
    return frozenset(words.split())


LEANING = _each(
    "it its this that these those they them their theirs there he him his she her hers one ones "
    "such same isso isto esse essa esses essas este esta estes estas ele ela eles elas dele dela "
    "deles delas nele nela nisso disso la ali aquilo aquele aquela mesmo mesma"
)
"""Words that stand for something said before."""

FRAMING = _each(
    "hi hello hey ok please pls i me my am im want need would like could can help just again asked "
    "said how do does to oi ola por favor eu me meu minha quero queria gostaria preciso pode "
    "poderia posso consigo ajuda ajudar de novo como faco faz fazer"
)
"""Words around any request: they say that something is asked, and hardly what."""

ORDINALS = {
    "1st": "first", "2nd": "second", "3rd": "third",
    "1a": "primeira", "2a": "segunda", "3a": "terceira",
    "1o": "primeiro", "2o": "segundo", "3o": "terceiro",
}  # fmt: skip
"""A number as a word -> the word; "2ª" is "2a" without accents."""

ONWARDS = _each("and also now then next besides e agora tambem depois entao")
"""Words with which a next step begins."""

_ASKING = """
who whom whose quem
when quando
where onde cade aonde
why porque
which qual quais
what whats que oque
how como
many much quanto quanta quantos quantas
"""
ASKING = {
    word: 1 << kind
    for kind, words in enumerate(_ASKING.strip().splitlines())
    for word in words.split()
}
"""A word that asks -> a bit for its kind."""

_OPPOSITE = """
on/off open/close start/stop start/end begin/end buy/sell increase/decrease raise/lower add/remove
lock/unlock enable/disable activate/deactivate send/receive upload/download import/export
deposit/withdraw before/after up/down first/last minimum/maximum push/pull win/lose arrive/depart
arrival/departure income/expense credit/debit old/new cheap/expensive cheapest/expensive
larger/smaller largest/smallest best/worst advantages/disadvantages pros/cons accept/reject
accept/decline create/delete born/die born/died open/closed
abrir/fechar comprar/vender ligar/desligar aumentar/diminuir aumentar/reduzir adicionar/remover
incluir/excluir ativar/cancelar criar/apagar criar/excluir enviar/receber depositar/sacar
antes/depois entrada/saida ida/volta chegada/partida abre/fecha comeca/termina nasceu/morreu
vantagens/desvantagens maior/menor melhor/pior primeiro/ultimo credito/debito barato/caro
contratar/cancelar ganhar/perder novo/velho subir/descer receita/despesa minimo/maximo
"""
OPPOSITES = frozenset(
    pair
    for one, other in (item.split("/") for item in _OPPOSITE.split())
    for pair in ((one, other), (other, one))
)

OPPOSED = {word: frozenset(b for a, b in OPPOSITES if a == word) for word, _ in OPPOSITES}
"""A word -> its listed opposites."""

UNDOING = ("un", "dis", "de", "des", "in", "im", "non")
"""Beginnings that make a word its opposite."""


def opposite(one: str, other: str) -> bool:
    """Whether two words are opposites: listed, or one is the other with such a beginning."""
    if (one, other) in OPPOSITES:
        return True
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return len(shorter) > 3 and longer.endswith(shorter) and longer[: -len(shorter)] in UNDOING
