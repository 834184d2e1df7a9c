"""Alertas em português do Brasil: the same entries as in English, said as a Brazilian team says them."""

from __future__ import annotations

from agents.alerts.wording.words import Clause, Words


def _is(present: str, past: str) -> Clause:
    """Of a number that has a usual value."""
    return Clause(
        f"{{value}} {present}, o normal é {{usual}}", f"até {{worst}} {past}, o normal é {{usual}}"
    )


CLAUSES = {
    "price": Clause(
        "cada requisição custa {value}, o normal é {usual}",
        "cada requisição chegou a custar {worst}, o normal é {usual}",
    ),
    "tokens": Clause(
        "cada requisição usa {value} tokens, o normal é {usual}",
        "cada requisição chegou a usar {worst} tokens, o normal é {usual}",
    ),
    "creep": Clause(
        "o custo por requisição vem subindo e está em {value}; nos últimos dias, a esta hora, era {usual}",
        "o custo por requisição subiu até {worst}; nos dias anteriores, à mesma hora, era {usual}",
    ),
    "cost_of_traffic": Clause(
        "o gasto é de {value} por hora, o normal é {usual}: há mais requisições, cada uma ao custo de"
        " sempre",
        "o gasto chegou a {worst} por hora, o normal é {usual}: havia mais requisições, cada uma ao"
        " custo de sempre",
    ),
    "traffic_up": _is("requisições por minuto", "requisições por minuto"),
    "traffic_down": Clause(
        "só {value} requisições por minuto, o normal é {usual}",
        "caiu até {worst} requisições por minuto, o normal é {usual}",
    ),
    "traffic_gone": Clause(
        "nenhuma requisição, o normal são {usual} por minuto",
        "nenhuma requisição, o normal são {usual} por minuto",
    ),
    "api_error": _is(
        "das requisições falham com erro da API", "das requisições falharam com erro da API"
    ),
    "content_filter": _is(
        "das respostas são barradas por um filtro de conteúdo",
        "das respostas foram barradas por um filtro de conteúdo",
    ),
    "truncated": _is("das respostas saem cortadas", "das respostas saíram cortadas"),
    "refusal": _is("das respostas são recusas", "das respostas foram recusas"),
    "lost": _is(
        "das requisições expiram ou ficam sem resposta",
        "das requisições expiraram ou ficaram sem resposta",
    ),
    "json_invalid": _is(
        "das respostas não seguem o esquema pedido", "das respostas não seguiram o esquema pedido"
    ),
    "injection": _is(
        "das chamadas trazem uma tentativa de tomar o controle do modelo",
        "das chamadas trouxeram uma tentativa de tomar o controle do modelo",
    ),
    "pii_question": _is(
        "das perguntas contêm dados pessoais", "das perguntas continham dados pessoais"
    ),
    "pii_context": _is(
        "das chamadas têm dados pessoais no contexto",
        "das chamadas tinham dados pessoais no contexto",
    ),
    "pii_answer": _is(
        "das respostas contêm dados pessoais que não estavam na pergunta",
        "das respostas continham dados pessoais que não estavam na pergunta",
    ),
    "latency": Clause(
        "o 1% de requisições mais lentas leva {value} ou mais (P99), o normal é {usual}",
        "o 1% de requisições mais lentas chegou a levar {worst} (P99), o normal é {usual}",
    ),
    "ttft": Clause(
        "o 1% de requisições mais lentas espera {value} ou mais pelo primeiro token (P99), o normal é"
        " {usual}",
        "o 1% de requisições mais lentas chegou a esperar {worst} pelo primeiro token (P99), o normal é"
        " {usual}",
    ),
    "tpot": Clause(
        "o 1% de respostas mais lentas leva {value} ou mais por token (P99), o normal é {usual}",
        "o 1% de respostas mais lentas chegou a levar {worst} por token (P99), o normal é {usual}",
    ),
    "joint": Clause(
        "várias medidas mudaram juntas como não costumam, cada uma só um pouco: {moved}",
        "várias medidas tinham mudado juntas como não costumam, cada uma só um pouco: {moved}",
    ),
    "slo": Clause(
        "{share} das requisições levam mais de {latency}, {value} vezes o que o objetivo {objective}"
        " permite em {minutes}",
        "requisições demais levaram mais de {latency}, até {worst} vezes o que o objetivo {objective}"
        " permite",
    ),
    "unpriced": Clause(
        "{least}{unpriced} sem preço conhecido, fora de todas as somas e orçamentos ({tokens})",
        "{least}{unpriced} sem preço conhecido, fora das somas e dos orçamentos ({tokens})",
    ),
    "partial": Clause(
        "{least}{partial} com preço só de uma parte, e as somas são um mínimo ({tokens})",
        "{least}{partial} com preço só de uma parte, e as somas são um mínimo ({tokens})",
    ),
    "unpriced_and_partial": Clause(
        "{least}{unpriced} sem preço conhecido, fora de todas as somas e orçamentos, e {partial} com"
        " preço só de uma parte ({tokens})",
        "{least}{unpriced} sem preço conhecido, fora das somas e dos orçamentos, e {partial} com preço"
        " só de uma parte ({tokens})",
    ),
    "no_usage": Clause(
        "{least}{unpriced} sem uso informado, e não se sabe quanto custam",
        "{least}{unpriced} sem uso informado, e não se sabe quanto custaram",
    ),
    "scores": Clause(
        "a nota {judge} está em {value} em média, antes {usual}",
        "a nota {judge} caiu até {worst} em média, antes {usual}",
    ),
    "satisfaction": Clause(
        "{value} das respostas satisfazem os usuários, antes {usual}",
        "só {worst} das respostas satisfizeram os usuários, antes {usual}",
    ),
    "labels": Clause(
        "os rótulos dão {value} em média ao que os usuários dizem depois, antes {usual}",
        "os rótulos deram só {worst} em média ao que os usuários disseram depois, antes {usual}",
    ),
    "budget_exhausted": Clause(
        "esgotado, {value} de {limit} {within}", "esgotou-se, {worst} de {limit} {within}"
    ),
    "budget_burn": Clause(
        "{spent} de {limit} ({part}) já foram usados, e neste ritmo o resto acaba às {gone}: em {long} o"
        " gasto foi {value} vezes o ritmo que o período ({window}) permite",
        "o gasto chegou a {worst} vezes o ritmo que o período ({window}) permite; {spent} de {limit}"
        " ({part}) foram usados",
    ),
    "rate_limit": Clause(
        "{value} em {over}, o permitido é {limit}", "{worst} em {over}, o permitido é {limit}"
    ),
    "loop_repeats": Clause(
        "está em loop: {repeated} de {calls} em {over} pedem {same} quase palavra por palavra{steps};"
        " {usd} até agora",
        "esteve em loop: {repeated} de {calls} em {over} pediram {same} quase palavra por"
        " palavra{steps}; {usd} ao ser percebido",
    ),
    "loop_faster": Clause(
        "está em loop: {calls} em {over}, cada vez mais rápido ({before} na primeira metade, {after} na"
        " segunda){steps}; {usd} até agora",
        "esteve em loop: {calls} em {over}, cada vez mais rápido ({before} na primeira metade, {after}"
        " na segunda){steps}; {usd} ao ser percebido",
    ),
    "loop_longer": Clause(
        "está em loop: {calls} em {over}, cada vez mais longas (de {before} a {after} tokens cada"
        " uma){steps}; {usd} até agora",
        "esteve em loop: {calls} em {over}, cada vez mais longas (de {before} a {after} tokens cada"
        " uma){steps}; {usd} ao ser percebido",
    ),
    "loop_cost": Clause(
        "está em loop: {calls} em {over} custaram {usd}{steps}",
        "esteve em loop: {calls} em {over} tinham custado {usd} ao ser percebido{steps}",
    ),
    "watch": Clause(
        "{measure} em {over} é {value}, antes {usual}", "{measure} em {over} foi {worst}, antes {usual}"
    ),
    "injection_burst": Clause(
        "tenta tomar o controle do modelo, {calls} em {over}",
        "tentou tomar o controle do modelo, {calls} em {over}",
    ),
    "injection_document": Clause(
        "dá ordens ao modelo, e {calls} de {people} o trouxeram em {over}",
        "dava ordens ao modelo, e {calls} de {people} o trouxeram em {over}",
    ),
    "pii_first": Clause(
        "{pii} {direction}, pela primeira vez", "{pii} {direction}, pela primeira vez"
    ),
    "no_sha": Clause(
        "{faults} de {calls} na última hora não dizem o SHA do Git do seu prompt, outras dizem",
        "{faults} de {calls} em uma hora não disseram o SHA do Git do seu prompt",
    ),
    "never_sha": Clause(
        "{faults} de {calls} na última hora não dizem o SHA do Git do seu prompt; nenhuma disse até hoje",
        "{faults} de {calls} em uma hora não disseram o SHA do Git do seu prompt",
    ),
    "text_differs": Clause(
        "{faults} de {calls} na última hora dizem esta versão mas têm outro texto",
        "{faults} de {calls} em uma hora disseram esta versão mas tinham outro texto",
    ),
    "shadow": Clause(
        "pior que a de produção em {what}: {value}, com certeza entre {low} e {high}, em {pairs}",
        "foi pior que a de produção em {what}: {value}, com certeza entre {low} e {high}, em {pairs}",
    ),
    "digest": Clause(
        "mais {count} alertas destes, além dos {per_hour} por hora que são avisados um a um; os piores:"
        " {worst_of}",
        "houve mais {count} alertas destes, além dos {per_hour} por hora que são avisados um a um; os"
        " piores: {worst_of}",
    ),
}

ACTIONS = {
    "price": "Compare os prompts e respostas mais novos com os de ontem. Reverta a versão que causou"
    " isto ou pare com `{kill}`.",
    "tokens": "Compare os prompts e respostas mais novos com os de ontem: algum deles cresceu.",
    "creep": "Veja o que cresceu nos últimos dias: prompts, documentos buscados, histórico, respostas.",
    "cost_of_traffic": "Descubra quem envia as requisições a mais; cada uma custa o de sempre.",
    "traffic_up": "Descubra quem envia as requisições a mais: um loop de repetições, um cliente novo, um"
    " ataque.",
    "traffic_down": "Veja se os serviços que enviam estas requisições estão no ar e se os eventos deles"
    " ainda chegam ao Kafka.",
    "api_error": "Veja a página de status do provedor e a sua cota; mude para o modelo reserva se"
    " continuar.",
    "content_filter": "Leia as requisições barradas: o que mudou no prompt ou no filtro do provedor?",
    "truncated": "Aumente max_tokens ou peça menos.",
    "refusal": "Leia as recusas e o prompt mais novos; pergunte se o provedor trocou o modelo.",
    "lost": "Veja a página de status do provedor e os timeouts do serviço; mude para o modelo reserva se"
    " continuar.",
    "latency": "Compare por modelo e provedor; se o provedor está lento, mude para o modelo reserva.",
    "ttft": "Veja a carga do provedor e o tamanho dos prompts.",
    "tpot": "Veja a carga do provedor; se continuar lento, mude para o modelo reserva.",
    "joint": "Leia as chamadas mais novas: outro modelo com o mesmo nome, uma versão nova ou outras"
    " perguntas mudam várias coisas um pouco.",
    "json_invalid": "Leia as mais novas: as cortadas precisam de mais max_tokens; nas outras, reverta o"
    " prompt ou o modelo mais novo.",
    "injection": "Veja quem envia: um usuário (`mirante kill user:ID --reason ...`) ou um documento que"
    " deve sair do índice.",
    "pii_question": "Veja se um formulário ou prompt pede esses dados; nada foi guardado sem máscara.",
    "pii_context": "Veja que documentos ou instruções os contêm e se deviam estar lá.",
    "pii_answer": "Leia as chamadas da evidência: vêm de documentos buscados? Se continuar, pare a"
    " função com `{kill}`.",
    "slo": "Descubra o que deixa as requisições lentas. Neste ritmo a margem de erro de um mês acaba em"
    " {gone}.",
    "unpriced": "`mirante doctor --prices` diz o que falta. Ponha os preços do provedor no mirante.toml"
    " e reinicie o worker:\n\n{paste}",
    "no_usage": "Faça o serviço informar o uso das chamadas; os streams da OpenAI o fazem com"
    " stream_options.include_usage.",
    "scores": "Leia as respostas com as piores notas; compare prompt, modelo e índice com os de antes.",
    "satisfaction": "Compare prompt, modelo e versão do índice antes e depois; leia as respostas com as"
    " piores notas.",
    "labels": "Não confie nos rótulos desta função por enquanto: eles aprendem de novo com o feedback, em"
    " cerca de 500 votos. Veja o que os usuários fazem de outro modo (`SELECT * FROM label_quality`).",
    "budget_exhausted": "Pare com `{kill}` ou aumente o limite no mirante.toml. Nada para sozinho, a não"
    " ser que uma regra em [[switches]] o diga.",
    "budget_burn": "Descubra o que cresceu. Pare com `{kill}` ou aumente o limite no mirante.toml.",
    "rate_limit": "Pare com `{kill}` ou aumente o limite no mirante.toml.",
    "loop": "Pare com `{kill}` e depois dê ao agente um limite de passos.",
    "loop_trace": "Pare o agente que executa este trace; as sessões dele: `{query}`.",
    "watch": "Leia as chamadas desse momento (`mirante query`); compare prompt, modelo e índice com os"
    " de antes. O que se acompanha está em [[watch]] {watch} no mirante.toml.",
    "injection_burst": "Leia as perguntas da evidência; se forem ataques: `{kill}`.",
    "injection_document": "Tire o documento do índice; veja se ferramentas foram chamadas depois que ele"
    " foi trazido (tool_calls).",
    "pii_first_question": "Decida se esta função deve receber esses dados; nada foi guardado sem"
    " máscara.",
    "pii_first_context": "Decida se esses dados devem estar no índice e nos prompts desta função.",
    "pii_first_answer": "Leia a chamada da evidência: de onde vêm? Foi mascarada antes de ser guardada,"
    " mas o usuário a viu.",
    "no_sha": "Envie prompt.sha em cada requisição, o commit do arquivo do prompt; `mirante prompts`"
    " mostra que versões estão em uso.",
    "text_differs": "Compare as instruções de sistema destas chamadas com o arquivo em {sha}: alguém"
    " mudou o prompt sem commit.",
    "shadow": "Não a promova. Leia os pares: `mirante query \"SELECT * FROM shadow_pairs WHERE outcome"
    " != live_outcome ORDER BY similarity LIMIT 20\"`.",
    "digest": "Liste-os com `mirante query \"SELECT labels FROM alerts WHERE"
    " annotations['inhibited_by'] = '{fingerprint}'\"`.",
}  # fmt: skip

DETAILS = {
    "unpriced": "Funções: {features}.",
    "budget_burn": "Também em {short}, portanto continua.",
    "satisfaction": "Nota média de {answers} desde então, comparada com o nível desta mesma função.",
    "labels": "Em {answers} com feedback desde então, cada uma julgada antes de se aprender com ele.",
    "explained_by_traffic": "Explicado pelo tráfego: há mais a fazer, e cada requisição custa o de sempre.",
    "explained_by": "Explicado por {name}{place}; olhe lá.",
    "no_data": "Dado por encerrado porque nada mais foi informado, não porque se viu o fim.",
    "examples": "Exemplos: {examples}; leia um com `mirante trace {first}`.",
    "more": "Tudo: `mirante alerts show {alert_id}`.",
    "moved": "Também mudaram: {moved}.",
    "witnesses": "Outros detectores também encontraram: {witnesses}.",
    "no_witness": "Outros detectores (ADWIN, Page-Hinkley) não encontraram isto nas mesmas respostas.",
    "terms": "Típico das respostas novas (com - das anteriores): {terms}.",
    "candidate": "{what}.",
}

TAILS = {
    "firing": "{place}: {clause}{told}{touched}; {lasted}desde as {since}.",
    "resolved": "{place}: encerrado às {until}{lasted}. {clause}{touched}.",
    "unheard": "{place}: nada mais foi informado depois das {until}{lasted}. {clause}{touched}.",
    "moment": "{place}: {clause}; às {since}.",
    "lasted": "há {lasted}, ",
    "lasted_in_all": ", depois de {lasted}",
    "so_far": ", {number} até agora",
    "in_all": ", {number}",
    "why": "{clause} ({why})",
    "told": " ({told} no último aviso)",
    "extra": ", {usd} a mais por hora",
    "spent": ", {usd} a mais no total",
    "nowhere": "Todas as chamadas",
    "unnamed": "(nenhum)",
    "per_hour": "{usd}/h",
    "spent_in_all": "{usd} no total",
    "increase": "{dimension} {value}{new}: {share} do aumento",
    "decrease": "{dimension} {value}{new}: {share} da queda",
    "new": " (novo)",
    "traffic": "tráfego: mais requisições, cada uma ao custo de sempre",
}

NOUNS = {
    "requests": ("requisição", "requisições"),
    "calls": ("chamada", "chamadas"),
    "users": ("usuário", "usuários"),
    "answers": ("resposta", "respostas"),
    "pairs": ("par", "pares"),
    "tokens": ("token", "tokens"),
}

PLACES = {
    "budget": "orçamento", "limit": "limite de taxa", "tenant": "cliente", "feature": "função",
    "environment": "ambiente", "variant": "variante", "provider": "provedor", "model": "modelo",
    "prompt": "prompt", "prompt_sha": "versão", "user": "usuário", "session": "sessão",
    "trace": "trace", "document": "documento", "index_version": "índice de busca", "watch": "medida",
}  # fmt: skip

DRIFTS = {
    "share": Clause(
        "{what}: {value} das respostas, antes {usual}",
        "{what}: {value} das respostas, antes {usual}",
    ),
    "number": Clause(
        "{what}: {value} em média, antes {usual}", "{what}: {value} em média, antes {usual}"
    ),
    "answer_text": Clause("as respostas estão diferentes", "as respostas estavam diferentes"),
    "question_text": Clause("as perguntas são de outro tipo", "as perguntas eram de outro tipo"),
    "answer_language": Clause(
        "as respostas vêm em outros idiomas", "as respostas vinham em outros idiomas"
    ),
    "question_language": Clause(
        "as perguntas vêm em outros idiomas", "as perguntas vinham em outros idiomas"
    ),
    "tenant": Clause(
        "as requisições vêm de outros clientes", "as requisições vinham de outros clientes"
    ),
    "tool": Clause("outras ferramentas são chamadas", "outras ferramentas eram chamadas"),
    "finish_reason": Clause(
        "as respostas terminam de outro jeito", "as respostas terminavam de outro jeito"
    ),
}

WHYS = {
    "prompt_change": "o prompt mudou",
    "model_change": "o modelo mudou",
    "index_change": "o índice de busca mudou",
    "traffic_mix": "a mistura de clientes mudou",
    "input_drift": "os usuários perguntam outras coisas",
    "silent_provider_change": "muito provavelmente o provedor trocou o modelo por trás do nome: prompt,"
    " índice, nome do modelo, perguntas e tráfego estão como antes",
    "unknown": "nenhuma causa foi encontrada em prompt, modelo, índice, perguntas e tráfego",
}

REMEDIES = {
    "prompt_change": "Compare as respostas de antes e depois do prompt novo; reverta-o ou aceite-as:"
    " `{accept}`.",
    "model_change": "Compare as respostas dos dois modelos; volte ao anterior ou aceite as novas:"
    " `{accept}`.",
    "index_change": "Compare respostas e documentos buscados das duas versões do índice; reverta ou"
    " aceite: `{accept}`.",
    "traffic_mix": "Veja se os clientes que cresceram recebem boas respostas; se este é o novo normal:"
    " `{accept}`.",
    "input_drift": "Leia as perguntas novas; estenda prompt, índice e avaliações a elas; se este é o"
    " novo normal: `{accept}`.",
    "silent_provider_change": "Rode suas avaliações agora, fixe uma versão datada do modelo, pergunte ao"
    " provedor; ou aceite: `{accept}`.",
    "unknown": "Compare as respostas de antes e depois; se estão como devem: `{accept}`.",
}

TERMS = {
    "impact": "Impacto", "cause": "Causa", "description": "Evidência", "action": "O que fazer",
    "runbook": "runbook", "dashboard": "painel", "resolved": "encerrado",
    "page": "urgente", "ticket": "tíquete", "info": "informação",
    "least": "pelo menos ", "one_call": "a mesma coisa", "two_calls": "duas coisas",
    "steps": ", principalmente {steps}",
    "question": "em uma pergunta", "context": "no contexto de uma chamada",
    "answer": "em uma resposta, embora não na pergunta",
    "hour": "hora", "day": "dia", "week": "semana", "month": "mês", "rolling": "janela de {span}",
    "within_hour": "nesta hora, até as {end}", "within_day": "hoje, até as {end}",
    "within_week": "nesta semana, até as {end}", "within_month": "neste mês, até as {end}",
    "within_rolling": "em {span}",
    "ok": "chamadas que terminam bem", "score": "nota", "cost": "custo", "latency": "latência",
    "higher": "{what} para cima", "lower": "{what} para baixo", "users_of": "usuários de {feature}",
    "traffic_up": "requisições", "price": "custo por requisição", "tokens": "tokens por requisição",
    "api_error": "erros da API", "refusal": "recusas", "ttft": "tempo até o primeiro token",
    "tpot": "tempo por token",
    "drift_refusal": "recusas", "drift_failed": "falhas", "drift_truncated": "respostas cortadas",
    "drift_rail_blocked": "chamadas barradas por uma proteção",
    "drift_output_invalid": "respostas fora do esquema",
    "drift_input_tokens": "tokens de entrada", "drift_output_tokens": "tokens de saída",
    "drift_cost_usd": "custo", "drift_latency_ms": "latência",
    "drift_ttft_ms": "tempo até o primeiro token",
    "drift_retrieval_score": "nota dos documentos buscados",
    "drift_answer_text": "texto das respostas", "drift_question_text": "texto das perguntas",
    "drift_answer_language": "idioma das respostas", "drift_question_language": "idioma das perguntas",
    "drift_tenant": "clientes", "drift_tool": "ferramentas", "drift_finish_reason": "como as respostas terminam",
    "other_questions": "perguntas de outro tipo", "other_languages": "perguntas em outros idiomas",
    "watch_mean": "a média de {of}", "watch_sum": "a soma de {of}", "watch_count": "o número de {of}", "watch_p99": "o P99 de {of}",
    "fingerprint": "o system fingerprint do provedor mudou",
}  # fmt: skip

PORTUGUESE = Words(CLAUSES, ACTIONS, DETAILS, TAILS, NOUNS, PLACES, DRIFTS, WHYS, REMEDIES, TERMS)
