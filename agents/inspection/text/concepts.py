"""Words of one meaning, in English and Portuguese: by them a classifier knows an order in other words than those it was trained on.

`disregard your brief` and `esqueça suas regras` are both `ign>your>ins`. Only the order of meanings within a sentence counts, not what stands between.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

__all__ = ["MEANING", "concept_grams"]

MEANING: Final = ">"
"""Joins meanings; no word has it."""

_MEANINGS: Final = {
    "ign": "ignore ignoring disregard forget override overrule bypass discard neglect abandon ditch dismiss scrap drop erase wipe purge void cancel revoke unlearn suspend disobey violate break circumvent evade disable remove toss trash reset replace overwrite unfollow "
    "ignora ignorar ignorando desconsidere desconsidera desconsiderar esqueca esquece esquecer descarte descarta anule apague abandone largue larga sobrescreva revogue suspenda contorne burle desobedeca desative remova jogue quebre quebra viole cancele substitua",
    "ins": "policies instruction instructions prompt prompts rule rules guideline guidelines directive directives policy restriction restrictions constraint constraints programming protocol protocols command commands limitation limitations guardrail guardrails filter filters safeguard safeguards configuration preamble rulebook mandate "
    "instrucao instrucoes regra regras diretriz diretrizes ordens politica politicas restricao restricoes limitacao limitacoes comando comandos programacao configuracao configuracoes filtro filtros trava travas orientacao orientacoes roteiro diretiva diretivas ",
    "pri": "previous prior above earlier preceding before initial original first beginning former previously beforehand anterior anteriores acima antes inicial iniciais originais primeira primeiras primeiro inicio antiga antigas",
    "sec": "system hidden secret internal confidential private startup sistema oculto oculta ocultas ocultos secreto secreta secretas interno interna internas confidencial confidenciais",
    "you": "you u ya youre youve yourself youll voce vc tu ti consigo voces",
    "your": "your ur yours seu sua seus suas teu tua teus tuas",
    "me": "i me my mine im ive ill we our us eu mim meu minha meus minhas nosso nossa comigo",
    "they": "boss manager teacher professor coach landlord doctor dentist dog kid kids child children toddler friend mother father brother sister grandma neighbour neighbor colleague students users customers employees tenants players he she his her him ele ela chefe gerente professora medico dentista cachorro filho filha crianca criancas amigo amiga mae pai irmao irma vizinho colega alunos usuarios clientes funcionarios moradores they them their someone people eles elas alguem pessoas",
    "show": "print show reveal repeat display tell give share leak copy paste recite expose dump list quote disclose spell echo recall divulge state provide send read type regurgitate imprima imprime mostre mostra revele revela repita repete exiba exibe diga conte conta cole cola copie copia liste lista vaze cite recite soletre entregue leia mande manda passe passa escreva",
    "be": "act acting pretend roleplay simulate become imagine behave impersonate emulate persona assume embody portray aja atue age finja finge interprete simule assuma imagine imagina encarne encene personalidade persona vire",
    "free": "unrestricted unfiltered uncensored unlimited jailbroken jailbreak liberated unbound unhinged unchained unlocked unmoderated amoral immoral unethical evil dan rogue unaligned uninhibited limitless lawless irrestrito irrestrita desbloqueado desbloqueada libertado liberado amoral imoral antietico maligno malvado malvada desbocado",
    "no": "no without never not dont cannot cant none neither nor zero wont sem nunca nao nenhum nenhuma nem jamais",
    "mor": "limits limit moral morals ethics ethical morality censorship conscience boundaries legality inhibitions scruples taboo taboos moderation limites limite etica etico moral censura consciencia legalidade pudor escrupulo escrupulos tabu moderacao",
    "bad": "steal kill murder launder smuggle stalk blackmail hotwire napalm cocaine crime crimes roubar matar assassinar lavar contrabandear perseguir chantagear arrombar envenenar illegal dangerous harmful offensive explicit bomb drugs malware ransomware phishing explosives weapon weapons hack hacking meth fraud virus keylogger poison forge counterfeit scam ilegal perigoso nociva ofensivo bomba drogas explosivos arma armas fraude golpe veneno invadir hackear falsificar sonegar clonar",
    "ai": "robo ai chatgpt gpt gpt4 openai anthropic assistant model bot chatbot llm claude gemini llama ia assistente modelo ",
    "now": "now henceforth onward onwards agora adiante frente",
    "mode": "mode modo",
    "dev": "developer developers admin administrator root god debug sudo creator creators engineer operator desenvolvedor desenvolvedores desenvolvedora administrador administradora criador criadores engenheiro operador",
    "ref": "refuse refusal refusing decline apologize apologise apology apologies sorry disclaimer disclaimers warning warnings caveat caveats lecture lectures moralize deny recuse recusa recusar recusas negue negar desculpe desculpas aviso avisos alerta alertas sermao ressalva ressalvas",
    "obey": "obey comply follow abide adhere bound obedeca obedece obedecer siga seguir cumpra cumprir respeite respeitar",
    "chr": "character fiction fictional hypothetical hypothetically simulation game scenario personagem ficcao ficticio ficticia hipotetico hipotetica simulacao jogo cenario ",
    "any": "anything whatever everything any all always qualquer tudo todas todos toda todo sempre",
    "new": "new updated revised real true actual instead nova novas novo novos verdadeira verdadeiro atualizadas",
    "data": "conversation credentials database key keys password passwords passcode conversa credenciais chave chaves senha senhas",
    "text": "words text message messages content line lines context paragraph sentence palavras texto mensagem mensagens conteudo linha linhas contexto frase",
    "code": "python java javascript git css html sql excel linux windows android iphone code function file files script router column columns row rows variable variables class method error errors exception exceptions compiler funcao arquivo arquivos codigo coluna colunas erro erros navegador celular roteador",
    "sto": "story stories novel poem scene screenplay dialogue film movie book chapter plot villain hero hacker historia romance conto poema cena dialogo filme livro capitulo enredo vilao heroi",
    "edu": "explain mean means meaning define definition difference synonym translate history example describe grammar pronounce explique significa significado definir diferenca sinonimo exemplo compare descreva gramatica",
    "gua": "protect prevent detect defend secure safe safely security against avoid block report proteger prevenir detectar defender seguro seguranca contra evitar impedir bloquear denunciar",
    "thr": "injection jailbreaks jailbreaking attack attacks attacker attackers hackers hacked injecao ataque ataques atacantes hackeado hackeada",
    "task": "task tasks goal job mission objective assignment purpose role tarefa tarefas meta missao objetivo papel trabalho",
    "ans": "answer answers reply respond response responses say says begin output outputs resposta respostas responda responde responder fale fala comece",
    "how": "how what why which when where who como qual quais quando onde quem porque",
}
_CONCEPT: Final = {word: name for name, words in _MEANINGS.items() for word in words.split()}
_TELLING: Final = frozenset(("ign", "ins", "sec", "free", "mor", "bad", "dev", "ref", "obey", "chr", "mode", "data", "thr", "task"))
"""Without one of these the others say nothing: they are in every question."""
_TELLING_WORDS: Final = frozenset(word for word, name in _CONCEPT.items() if name in _TELLING)
_END: Final = "."
_LOOK_UP: Final = {**_CONCEPT, ".": _END, "?": _END, "!": _END}
_WINDOW: Final = 4


def concept_grams(words: Sequence[str]) -> set[str]:
    """Pairs and triples of meanings among four neighbours in a sentence, in the order of the text, with a telling one."""
    found: set[str] = set()
    if _TELLING_WORDS.isdisjoint(words):
        return found
    sentence: list[str] = []
    for concept in filter(None, map(_LOOK_UP.get, words)):
        if concept is _END:
            _add(sentence, found)
            sentence = []
        elif not sentence or sentence[-1] != concept:
            sentence.append(concept)
    _add(sentence, found)
    return found


def _add(sentence: Sequence[str], found: set[str]) -> None:
    if _TELLING.isdisjoint(sentence):
        return
    for at, first in enumerate(sentence):
        for second, third in combinations(("", *sentence[at + 1 : at + _WINDOW]), 2):
            if first in _TELLING or second in _TELLING or third in _TELLING:
                found.add(f"{first}>{second}>{third}" if second else f"{first}>{third}")
