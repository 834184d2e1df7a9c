"""Template grammars of what users say after an answer, in English and Portuguese: complaints, acceptances, next steps, repetitions.

A template is text with alternatives in brackets: ``[a|b|]``, which may nest; ``*`` stands for a topic taken from a question. Expansion
is at random from a seeded generator. The benchmark has sentences of its own, written without these templates.
"""

# ruff: noqa: E501 (a template is one line)

from __future__ import annotations

import random
import re

_INNERMOST = re.compile(r"\[([^\[\]]*)\]")

COMPLAINTS = {
    "en": (
        "[no|nope|hmm|sorry but|um|but|], [that's|this is|that is|it's|thats] [not|so not|definitely not|really not] [what i [asked|asked for|meant|wanted|said|was looking for|need|am asking]|right|correct|true|helpful|it|the answer|my question|the point|what i need]",
        "[that's|this is|it's|your answer is|the answer is|the code is|you are|you're|thats] [wrong|incorrect|false|nonsense|useless|completely wrong|totally off|outdated|a mistake|just wrong|bad|terrible|mistaken|not working|broken|garbage|off topic|too vague|confusing]",
        "[you|you still|you just|again you] [did not|didn't|didnt] [answer [my question|the question|what i asked]|understand [me|the question|what i want]|read [my message|what i wrote]|listen|help [me|at all|]|get it|do what i asked|follow the instructions]",
        "[i [said|asked|told you|clearly said|already said|asked you] *, not [this|that|something else]|i asked [for|about] *[ and you gave me something else| not this|, this is something else]]",
        "[it|this|that|your solution|the code|what you sent|the link] [does not|doesn't|doesnt|still doesn't|didn't|won't|still does not] [work|work at all|help|help me|make sense|compile|run|answer my question|solve [it|the problem|my problem]|fix it]",
        "[still|it's still|its still|this is still] [wrong|not working|failing|the same error|not right|broken|the same problem|giving an error]",
        "[are you [kidding|serious|even reading]|what [are you talking about|is this|a waste of time|a joke]|this is [ridiculous|frustrating|absurd|so annoying|a waste of time]|stop [repeating yourself|making things up|saying that]]",
        "[i want|let me talk|let me speak|connect me|get me|i need to talk] to [a human|a person|an agent|a real person|someone|your manager]",
        "[you made that up|that does not exist|there is no such [function|thing|option|page]|you're hallucinating|that's a lie|that never happened]",
        "[you already [said|told me] that|you keep [repeating|saying] the same thing|you are repeating yourself|same answer again|you gave me the same answer]",
        "[i don't like|i do not like|i hate|not a fan of|i'm not happy with|i am not satisfied with|disappointed with] [it|this|that|the answer|your answer|this one|these|the result]",
        "[you|u] [forgot|skipped|missed|left out|changed|removed|mixed up|confused|misread|invented] [the [first|second|last|main] [part|point|question|half]|what i [said|wrote|asked]|my [question|request|data|name|numbers]|everything|it again]",
        "[this|that|it|the answer|your reply] [is|was] [too [long|short|generic|complicated|technical|basic|general]|the wrong [language|version|file|product|city|format|person|year]|not for me|not my type|not for [beginners|my case|this version]|about something else|for another [product|version|question]|missing [the point|half of it|the most important part]]",
        "[the [code|function|script|command|query|formula|button|number]|it|your example] [crashes|fails|throws an error|gives [an error|the wrong result|nothing|a different result]|returns [nothing|the wrong value]|cannot be found|is missing|does nothing]",
        "[i [wanted|needed|expected|was hoping for|meant]|we needed] * [not|instead of|rather than] [this|that|a list|a story|the price|another link]",
        "[how|why] [does|would|is|should] [this|that] [help|answer anything|supposed to work|make any sense|related to my question]",
        "[no|nope|no no|no way|wrong|incorrect|not this|not that one|bad answer|useless|not helpful|not good|not really|error again|try again]",
    ),
    "pt": (
        "[não|nao|nada disso|nada a ver|opa|poxa|mas|ei|olha|], [não|nao|n] [foi|é|era|eh|seria] [isso|isto|bem isso|esse|esta] [que [eu|] [pedi|perguntei|quis dizer|queria|quero|disse|falei|preciso|solicitei]|o que [eu|] [pedi|perguntei|queria|falei|preciso]|]",
        "[isso|isto|sua resposta|a resposta|o código|esse resultado|essa informação|vc|você] [está|ta|tá|é|eh|continua|ficou] [errado|errada|incorreto|incorreta|falso|péssimo|confuso|desatualizado|inútil|muito ruim|completamente errado|equivocado|incompleta|sem sentido|fora do assunto|vago demais]",
        "[você|vc|tu|ainda|o senhor|] [não|nao|n] [respondeu|entendeu|leu|ajudou|resolveu|fez|está entendendo|ta entendendo] [o que [eu|] [perguntei|pedi|falei|escrevi]|minha pergunta|a pergunta|nada|meu problema|direito|o que foi pedido|]",
        "[eu|mas eu|já|] [pedi|perguntei|falei|disse|queria] [*|sobre *|outra coisa|uma coisa e [você|vc] respondeu outra], [não isso|e não isso|nao isto|isso não|]",
        "[isso|isto|o código|sua solução|o link|o que você mandou|] [não|nao|ainda não|n] [funciona|funcionou|ajuda|ajudou|resolve|resolveu|faz sentido|serve|serviu|compila|roda|deu certo|adiantou|responde minha pergunta|abre] [nada|em nada|de jeito nenhum|pra mim|]",
        "[continua|ainda está|ainda tá|segue] [errado|com erro|dando erro|não funcionando|o mesmo erro|igual|com o mesmo problema|falhando|sem funcionar]",
        "[tá de brincadeira|ta de sacanagem|que absurdo|isso é ridículo|que palhaçada|perda de tempo|para de repetir|pare de inventar|que resposta é essa|que porcaria|assim não dá|desisto]",
        "[quero|preciso|posso|me deixa] falar com [um atendente|uma pessoa|um humano|alguém|o gerente|um ser humano]",
        "[você inventou isso|isso não existe|não existe [essa função|essa opção|esse botão|essa página]|você está alucinando|isso é mentira|de onde você tirou isso]",
        "[você já disse isso|de novo a mesma resposta|mesma resposta de antes|você repete sempre a mesma coisa|já falou isso]",
        "[não gostei|detestei|odiei|não curti|não fiquei satisfeito|decepcionado] [disso|da resposta|desse|dessa resposta|com isso|com a resposta|do resultado|nem um pouco|]",
        "[você|vc|tu] [esqueceu|pulou|deixou de fora|mudou|removeu|misturou|confundiu|leu errado|inventou|trocou] [a [primeira|segunda|última] [parte|pergunta|metade]|o que eu [disse|escrevi|pedi]|minha pergunta|meus dados|meu nome|os números|tudo|isso de novo]",
        "[isso|isto|a resposta|sua resposta|esse texto] [é|está|ficou|foi] [muito [longo|curto|genérico|complicado|técnico|básico]|[no idioma|na versão|no formato|na cidade|no produto] [errado|errada]|para outra coisa|sobre outro assunto|faltando metade|longe do que eu queria|incompleto]",
        "[o código|a função|o script|o comando|a consulta|a fórmula|o botão|seu exemplo|isso] [quebra|falha|dá erro|dá [resultado errado|outro resultado]|não retorna nada|retorna o valor errado|não existe|sumiu|não faz nada|trava]",
        "[eu [queria|precisava|esperava|quis dizer]|a gente precisava] *, [não|em vez de|e não] [isso|uma lista|uma história|o preço|outro link]",
        "[como|por que|no que|de que forma] [isso|isto] [ajuda|responde alguma coisa|deveria funcionar|faz sentido|tem a ver com minha pergunta]",
        "[não|nao|errado|errou|nada a ver|nada disso|não era isso|péssimo|inútil|horrível|ruim|não ajudou|tenta de novo|deu erro|que ruim]",
    ),
}

ACCEPTANCES = {
    "en": (
        "[thanks|thank you|thx|ty|many thanks|cheers|thanks a lot|thank you so much|thank you very much|tks] [, that [works|worked|helped|helps|did it|is it|solved it|was helpful|fixed it]|so much|, perfect|, great|!|]",
        "[great|perfect|awesome|excellent|nice|wonderful|cool|amazing|super|brilliant|lovely|fantastic] [, [thanks|thank you|exactly what i needed|that works|that's it|got it]|answer|job|explanation|!|]",
        "[that|it|this|your solution|the code] [works|worked|works now|worked perfectly|helped|did it|solved it|fixed it|solved my problem|is exactly what i [needed|wanted|was looking for]|was very helpful|makes sense|makes sense now]",
        "[exactly|that's right|yes that's it|correct|spot on|just what i needed|that's it|yes exactly|yes correct|right]",
        "[got it|i see|understood|ok got it|makes sense|now i understand|i get it now|all clear], [thanks|thank you|great|now i understand|perfect|]",
        "[i love it|i like it|love it|i really like that|sounds good|looks good|sounds great|good idea|that's great|that looks perfect|i'll try it|i will do that|i'll take it|ok i will check it out]",
        "[problem solved|all good now|it's working now|working now|fixed|solved|done, thanks|that will do|no more questions|that's all|that is all, thank you]",
        "[you're|you are] [the best|great|awesome|a life saver|very helpful|amazing]",
    ),
    "pt": (
        "[obrigado|obrigada|muito obrigado|muito obrigada|brigado|valeu|vlw|obg|grato|grata|agradeço|valeu mesmo] [, [funcionou|deu certo|ajudou [muito|]|era isso [mesmo|]|resolveu|perfeito|ficou ótimo|consegui|entendi]|pela ajuda|pela resposta|!|]",
        "[ótimo|otimo|perfeito|excelente|maravilha|show|top|massa|legal|beleza|muito bom|sensacional|bacana|boa] [, [obrigado|valeu|era isso|funcionou|é isso|entendi]|resposta|explicação|!|demais|]",
        "[isso|agora|o código|a solução|] [funcionou|deu certo|resolveu|ajudou muito|funciona|está funcionando|foi|resolveu meu problema|faz sentido|era o que eu [precisava|queria|procurava]] [perfeitamente|direitinho|certinho|agora|]",
        "[exatamente|isso mesmo|é isso [aí|]|exato|correto|certo|era isso [mesmo|que eu precisava|que eu queria]|isso aí|acertou|sim, é isso]",
        "[entendi|agora entendi|saquei|compreendi|ah entendi|ficou claro|agora ficou claro|ok entendi], [obrigado|valeu|ótimo|faz sentido|perfeito|]",
        "[gostei|adorei|amei|curti|ficou [ótimo|perfeito|bom|excelente|lindo]|parece bom|boa ideia|vou fazer isso|vou tentar|pode ser|combinado|fechado] [muito|disso|da ideia|assim|]",
        "[problema resolvido|resolvido|tudo certo [agora|]|agora foi|consegui [aqui|]|está tudo ok|era só isso|só isso, obrigado|não preciso de mais nada|sem mais dúvidas]",
        "[você|vc] [é demais|ajudou muito|é o melhor|salvou [meu dia|minha vida]|é incrível|arrasou|mandou bem]",
    ),
}

NEXT = {
    "en": (
        "[and|now|also|next|then|ok now|great, now|ok and|what about|how about|and what about] *",
        "[now|ok now|please|can you|could you|can you also|] [make it|rewrite it|write it] [shorter|longer|simpler|more formal|in spanish|as a table|in bullet points|funnier|more polite|with examples|in python]",
        "[can you|could you|please|now|] [add|include|explain|give|show|summarize|translate|expand|elaborate on|remove|change|convert|compare|describe] [an example|more details|the second point|that part|the last one|it to french|the conclusion|the title|this in one sentence|both|the first step|error handling|tests for it|the previous answer|your response]",
        "[what if|and if|suppose|what happens if|but what if] [i|we|it|they] [change it|need two|have more|don't have that|want another one|do it tomorrow|use another one]",
        "[why|how so|why is that|what does that mean|how does that work|can you explain why|who|when|where|how much does it cost|how long does it take|is it safe|is there another way]",
        "[and|also|one more thing|another question], [how do i|can i|where do i|when can i|what is] *",
        "[tell me more|go on|continue|more details|keep going|another one|give me another|one more|do the same for *|the same but for *|next step|what's next]",
        "[based on|given|using|considering] [that|this|your answer|the above|these results], [write|explain|calculate|suggest|create] *",
        "[which|what] [one|app|tool|size|color|brand|version|model|one of them] [do you [suggest|recommend]|should i [use|take|buy|choose]|is [better|cheaper|faster|best]|would you pick]",
        "[rewrite|revise|rephrase|modify|redo|take|edit|improve] [your [previous|last|] [response|answer|reply]|the [text|code|story|email|list] [above|]] [so that it|to|and|without|with] [include|be|use|mention|using|is] [metaphors|four lines|only verbs|a dialogue|less words|numbers|the deadline|an introduction|better time complexity]",
        "[in|for|from] [your|the] [first|previous|last|second|] [answer|example|step|sentence|paragraph], [what|why|how|which] [is|does|did you|would] [it mean|that|choose that|the difference|happen]",
        "[are there|is there|does it|do they|would it|can it] [any other|a better way|an alternative|work on other devices|exist a faster way|more options|include taxes]",
    ),
    "pt": (
        "[e|agora|também|depois|ok agora|ótimo, agora|e quanto a|e sobre|e se for] *",
        "[agora|ok agora|por favor|pode|você pode|dá pra|] [deixar|deixa|reescreva|faça|refaça|escreve] [mais curto|mais longo|mais simples|mais formal|em inglês|em tabela|em tópicos|mais educado|com exemplos|em python]",
        "[pode|você pode|poderia|agora|por favor|] [adicionar|incluir|explicar|explique|dar|mostrar|resumir|resuma|traduzir|traduza|detalhar|remover|mudar|converter|comparar] [um exemplo|mais detalhes|o segundo ponto|essa parte|o último|para o francês|a conclusão|o título|em uma frase|os dois|o primeiro passo|tratamento de erros|testes|a resposta anterior]",
        "[e se|mas e se|o que acontece se|supondo que] [eu|nós|ele|a gente] [mudar|precisar de dois|tiver mais|não tiver isso|quiser outro|fizer amanhã|usar outro]",
        "[por quê|por que|como assim|o que isso significa|como isso funciona|quem|quando|onde|quanto custa|quanto tempo leva|é seguro|tem outro jeito|qual o prazo]",
        "[e|também|mais uma coisa|outra dúvida|aproveitando], [como eu|posso|onde eu|quando posso|qual é] *",
        "[me conta mais|continua|continue|mais detalhes|outro|me dá outro|mais um|faz o mesmo para *|o mesmo mas para *|próximo passo|e depois]",
        "[com base|baseado|considerando|usando] [nisso|isso|na sua resposta|nesses resultados], [escreva|explique|calcule|sugira|crie] *",
        "[qual|quais] [deles|aplicativo|ferramenta|tamanho|cor|marca|versão|modelo] [você [sugere|recomenda|indica]|eu devo [usar|comprar|escolher]|é [melhor|mais barato|mais rápido]|compensa mais]",
        "[reescreva|revise|reformule|modifique|refaça|edite|melhore] [sua resposta [anterior|]|o [texto|código|e-mail] [acima|]|a [história|lista]] [para|com|sem|usando|e inclua] [metáforas|quatro linhas|um diálogo|menos palavras|números|o prazo|uma introdução|menor complexidade]",
        "[na|da] [sua|] [primeira|resposta anterior|última|segunda] [resposta|etapa|frase|parte|], [o que|por que|como|qual] [significa|isso|você escolheu isso|é a diferença|acontece]",
        "[tem|existe|há] [outra opção|um jeito melhor|alguma alternativa|mais opções|como fazer mais rápido|taxa para isso]",
    ),
}

AGAIN = {
    "en": (
        "[no, |no i mean |i meant |i mean |sorry, |again, |as i said, |i said |my question is |let me rephrase: |what i want to know is |i asked |please answer: |one more time: |]*[| please|, please| ??| again]",
    ),
    "pt": (
        "[não, |quero dizer |quis dizer |ou seja, |desculpa, |de novo: |como eu disse, |eu disse |minha pergunta é |vou reformular: |o que eu quero saber é |eu perguntei |por favor responda: |mais uma vez: |]*[| por favor|, pfv| ??| de novo]",
    ),
}
"""The same question with what people put around it."""

REFINED = {
    "en": (
        "* [but only for|for|and also for|only in|without|with|but with|except|but cheaper than|before|after] [two people|monday|next month|my business account|50 dollars|the weekend|my daughter|the other card|brazil|version 3|students|fees|a discount]",
    ),
    "pt": (
        "* [mas só para|para|e também para|só em|sem|com|mas com|exceto|mas mais barato que|antes de|depois de] [duas pessoas|segunda|o mês que vem|minha conta da empresa|50 reais|o fim de semana|minha filha|o outro cartão|portugal|a versão 3|estudantes|taxas|desconto]",
    ),
}
"""The question with a further condition: a refinement, not a repetition."""


def expand(template: str, topic: str, chance: random.Random) -> str:
    """One sentence of a template."""
    while (found := _INNERMOST.search(template)) is not None:
        template = template[: found.start()] + chance.choice(found[1].split("|")) + template[found.end() :]
    text = template.replace("*", topic)
    return re.sub(r"\s+", " ", re.sub(r"\s+([,.!])", r"\1", text)).strip(" ,")


def topic_of(question: str, chance: random.Random) -> str:
    """The last words of a question."""
    words = question.rstrip("?.! ").split()
    return " ".join(words[-chance.randint(1, min(4, len(words))) :]) if words else ""


_STANDS_FOR = {
    "en": ("it", "that", "this", "them", "there", "those", "one", "her", "him", ""),
    "pt": ("isso", "isto", "ele", "ela", "lá", "esse", "essa", "deles", "dela", ""),
}


def lean(question: str, language: str, chance: random.Random) -> str:
    """The question as asked when its topic was named before: a word stands for its last ones, or nothing does."""
    words = question.rstrip("?.! ").split()
    if len(words) < 4:
        return question
    kept = words[: -chance.randint(1, min(4, len(words) - 2))]
    start = chance.choice(("", "", "", "and ", "ok, ")) if language == "en" else chance.choice(("", "", "", "e ", "tá, "))
    return f"{start}{' '.join(kept)} {chance.choice(_STANDS_FOR[language])}".strip() + ("?" if chance.random() < 0.5 else "")


def disturb(text: str, chance: random.Random) -> str:
    """The text as typed in haste: letters left out, doubled or exchanged, accents and punctuation missing."""
    letters = list(text)
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        if len(letters) < 5:
            break
        at = chance.randrange(1, len(letters) - 2)
        match chance.randrange(3):
            case 0:
                del letters[at]
            case 1:
                letters.insert(at, letters[at])
            case _:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
    found = "".join(letters)
    return found.rstrip("?.! ") if chance.random() < 0.5 else found
