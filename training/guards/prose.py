"""Everyday prose, first person and negations included, to surround what matters: it must weigh nothing by itself."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Final

__all__ = ["ENGLISH", "PORTUGUESE"]

ENGLISH: Final[dict[str, tuple[str, ...]]] = {
    "prose": ("{who_does}.", "{who_does}.", "{who_does}, {link} {who_does}.", "{link_start} {who_does}.", "{who_does} {link} {who_does}, {link} {who_does}.", "{greeting} {who_does}.", "{heading}\n\n{who_does}. {who_does}.", "- {who_does}\n- {who_does}\n- {who_does}"),
    "who_does": (
        "I [have|had] [written|finished|attached|reviewed|kept|seen] {what}", "I [would|will|can|could|must|should|might] [appreciate|enjoy|send|explain|show you|look at|bring|tell you about|help with|recommend] {what}", "I [think|believe|know|hope|feel|say|am sure] that {they_do}", "I am [writing to|happy to|glad to|ready to|not a fan of|not a professional when it comes to|here to] [discuss|share|ask about|present|review] {what}",
        "[you|we] [can|could|should|may|must|will] [use|choose|see|check|send|change|keep|avoid] {what}", "you [do not|don't|cannot|won't|can't] [need|have|find|see|lose|miss] {what}", "[my|your|our|the] [team|family|plan|idea|favorite part|job|answer|policy|goal|study] [is|was|remains|has been|is not|isn't] {what}", "{they_do}", "{they_do}", "{they_do}",
        "it [is|was|is not|isn't|can be|may be|would be] [important|essential|possible|hard|easy|better|necessary|safe|right|wrong|crucial] to [understand|consider|choose|compare|keep|ensure|avoid|note] {what}", "let's [look at|start with|go over|keep] {what}", "[please|kindly] [let me know about|review|send|consider|check|find] {what}", "there [is|are|was|is no|are no] {what}",
        "[if|when|because|while] {they_do}, {they_do}", "what [matters|I like|we need|remains] is {what}", "as a [doctor|tree|king|teacher|friend|writer|robot|parent], I [must|need to|have to|love to|always|never|do not|will] [care for|think of|protect|enjoy|talk about|mention] {what}", "[thank you|thanks] for {what}", "this [request|question|content|topic|task|approach|type of question] [concerns|covers|needs|includes|is about] {what}",
    ),
    "they_do": (
        "[the|this|that|each|some|no] [method|market|city|law|river|machine|player|student|company|report|crime rate|harm|risk|model|group] [shows|means|needs|gives|takes|changes|causes|does not change|cannot reach|can reduce|will bring|must meet|is not|is|has|would be] {what}", "[he|she|they|people|some people|many readers|experts|the police|users] [said|found|asked for|did not want|could not see|refused|declined|were unable to reach|saw|used|won't forget|can't stand] {what}",
        "[safety|privacy|ethics|honesty|illegal logging|harmful content|violence|fraud|climate change|inequality] [matters to|depends on|is a matter of|is harmful to|is about|raises questions about|affects] {what}",
    ),
    "what": (
        "{noun}", "{noun}", "{noun} [in|of|for|with|about|against|on|without|from|to] {noun}", "[a good|a new|any|the best|the whole|another|such a|a serious|an illegal|an ethical|a harmful] {bare}", "{noun} and {noun}", "{noun}, but not {noun}", "[how|why|where] [it|this] [works|happened|ends]", "what [you|they] [asked for|need|want|described]",
    ),
    "noun": (
        "the [report|garden|meeting|recipe|history of the city|budget|data|result|guidelines|rules|law|law of supply|idea|song|bridge|island|request|question|policy|consequences|concerns|risks]", "[your|my|our|their] [feedback|friends|work|health|question|request|needs|privacy|time|account|guidelines|help]", "people", "energy", "a few examples", "two numbers", "public transportation", "the freedom and power", "its impact on society", "quantum physics", "a cup of coffee", "customers and staff", "language models", "the cost of living", "water and light",
        "crime in the city", "safety on the road", "this part", "many questions", "the second step", "help", "support", "information", "advice from experts", "stress", "discrimination law", "security and trust",
    ),
    "bare": ("story", "reason", "plan", "day", "habit", "example", "book", "question", "device", "choice", "act", "request", "habit"),
    "link": ("and", "but", "because", "so", "however", "while", "although", "which means that", "even if", "instead", "as"),
    "link_start": ("However,", "Therefore,", "In this case,", "First,", "Finally,", "As a result,", "For example,", "Unfortunately,", "On the other hand,", "In short,", "Yes,", "No,", "Well,", "Oh,", "Additionally,", "Instead,", "As you know,", "Of course,"),
    "greeting": ("Dear [Anna|Mr Lee|team],\n\nI hope this [message|email] finds you well.", "Subject: {bare}\n\nHi,", "Ah,", "Hello,", "Sure!", "(laughs)"),
    "heading": ("**Introduction**", "### {bare}", "Title: The {bare}", "Step 1:", "**1. {bare}**"),
}

PORTUGUESE: Final[dict[str, tuple[str, ...]]] = {
    "prose": ("{who_does}.", "{who_does}.", "{who_does}, {link} {who_does}.", "{link_start} {who_does}.", "{who_does} {link} {who_does}, {link} {who_does}.", "{greeting} {who_does}.", "{heading}\n\n{who_does}. {who_does}.", "- {who_does}\n- {who_does}\n- {who_does}"),
    "who_does": (
        "[eu |]já [escrevi|terminei|anexei|revisei|vi] {what}", "[eu |][posso|vou|gostaria de|devo|preciso|consigo|quero] [agradecer|mandar|explicar|mostrar|ver|trazer|ajudar com|recomendar|fornecer|enviar] {what}", "[acho|acredito|sei|espero|digo|tenho certeza de] que {they_do}", "[estou|fico] [feliz em|pronto para|aqui para] [discutir|compartilhar|perguntar sobre|apresentar] {what}",
        "[você|a gente] [pode|deve|precisa|consegue|vai] [usar|escolher|ver|conferir|mandar|trocar|evitar] {what}", "[você|o cliente|a loja|o sistema] não [precisa|tem|encontra|vê|perde|pode|aceita|cobre] {what}", "[minha|sua|nossa|a] [equipe|família|ideia|parte favorita|resposta|política|meta] [é|foi|continua|não é|inclui] {what}", "{they_do}", "{they_do}", "{they_do}", "[é|foi|não é|pode ser|seria] [importante|essencial|possível|difícil|fácil|melhor|seguro|certo|errado|fundamental] [entender|considerar|escolher|comparar|evitar|trocar|cancelar|lembrar] {what}",
        "vamos [ver|começar por|rever|manter] {what}", "por favor [me avise sobre|revise|envie|considere|confira] {what}", "[há|existe|não há|tem] {what}", "[se|quando|porque|enquanto] {they_do}, {they_do}", "o que [importa|eu gosto|falta] é {what}", "como [médico|professora|árvore|rei|amigo], [eu |][devo|preciso|sempre|nunca|não|vou] [cuidar de|pensar em|proteger|falar de|mencionar] {what}", "obrigado [pela|por] {what}", "[esse|este] [pedido|assunto|conteúdo|tema|tipo de pergunta] [trata de|precisa de|inclui|é sobre] {what}",
        "não [tem|precisa de|custa|inclui|vale] {what}", "infelizmente {they_do}",
    ),
    "they_do": (
        "[o|esse|cada|nenhum] [método|mercado|rio|aluno|relatório|risco|modelo|grupo|crime|prazo|produto] [mostra|significa|precisa de|dá|muda|causa|não muda|não alcança|pode reduzir|vai trazer|não é|é|tem|seria] {what}", "[ele|ela|eles|as pessoas|muitos leitores|especialistas|a polícia] [disse|achou|pediu|não quis|não conseguiu ver|recusou|viu|usou|não pode esquecer] {what}", "[a segurança|a privacidade|a ética|o desmatamento ilegal|a violência|a fraude|o clima] [depende de|é questão de|é prejudicial a|trata de|afeta] {what}",
    ),
    "what": ("{noun}", "{noun}", "{noun} [em|de|para|com|sobre|contra|sem|por] {noun}", "[um bom|um novo|qualquer|outro|um grave|um] {bare}", "{noun} e {noun}", "{noun}, mas não {noun}", "[como|por que|onde] isso [funciona|aconteceu|termina]", "o que [você|eles] [pediu|precisa|quer]"),
    "noun": (
        "o [relatório|jardim|bolo|orçamento|resultado|prazo|pedido|risco|contrato|produto]", "a [reunião|receita|história da cidade|lei|regra|ideia|ponte|ilha|pergunta|política de troca|compra|ajuda]", "as [diretrizes|regras|consequências|contas|informações|instruções]", "[seu|meu|nosso] [retorno|trabalho|pedido|tempo|cartão]", "[sua|minha|nossa] [saúde|pergunta|privacidade|conta|ajuda]", "pessoas", "energia", "alguns exemplos", "dois números", "transporte público", "o impacto na sociedade", "um café", "clientes e equipe", "o custo de vida",
        "água e luz", "segurança no trânsito", "essa parte", "muitas dúvidas", "o segundo passo", "ajuda", "suporte", "informação", "conselhos de especialistas", "o estresse", "após 7 dias", "sem nota fiscal", "segurança e confiança", "isso", "esse tipo de produto",
    ),
    "bare": ("conto", "motivo", "plano", "dia", "hábito", "exemplo", "livro", "aparelho", "ato", "pedido"),
    "link": ("e", "mas", "porque", "então", "porém", "enquanto", "embora", "o que significa que", "mesmo que", "como", "pois"),
    "link_start": ("No entanto,", "Portanto,", "Nesse caso,", "Primeiro,", "Por fim,", "Por exemplo,", "Infelizmente,", "Por outro lado,", "Em resumo,", "Sim,", "Não,", "Bem,", "Olha,", "Além disso,", "Em vez disso,", "Como você sabe,", "Claro,"),
    "greeting": ("Prezada [Ana|equipe],\n\nEspero que esteja bem.", "Assunto: {bare}\n\nOi,", "Ah,", "Olá,", "Claro!", "(risos)"),
    "heading": ("**Introdução**", "### {bare}", "Título: O {bare}", "Passo 1:", "**1. {bare}**"),
}
