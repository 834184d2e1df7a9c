"""How well tones are told, source by source.

Run: `python -m tests.bench.labels_tones [--translations FILE]`. For every public source the models
are trained on all others (``training/labels/tone.py``) and judged on it; on sentences written by
hand, those that ship are judged, and on the turns of the rated dialogues of uss, which nothing is
trained on. Beside them regular expressions in the style of LiteLLM's router. The development data
are needed (``MIRANTE_SHARED``); without them it says so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from agents.labels.tone import TONES, ToneModel, tone_model
from tests.bench import smoke
from tests.bench.labels import MISALIGNED, SATISFIED, area
from tests.bench.labels_data import ACCEPTANCES, COMPLAINTS, FOLLOWING, reactions, triples
from tests.bench.labels_talks import SOURCES
from training.labels import tone as training
from training.labels.corpus import shared_data

SAID = {"complaint": 0, "acceptance": 1, "declined": 2}

# Written by who also wrote ``training/labels/tone.toml``, after a first and before a last version of it.
HAND = {
    "complaint": """
poxa, pedi o relatório de vendas e veio o de estoque | isso aí eu já sabia, não acrescentou
a planilha que você gerou está com as colunas trocadas | não rolou, o comando nem existe aqui
tá me enrolando né | você entendeu tudo ao contrário | a soma não confere com o total da nota
de onde você tirou esse telefone? ninguém atende | continua dando a mesma falha no deploy
esse prazo que você passou não é o da minha cidade | não foi o que combinamos
respondeu outra coisa, perguntei sobre o plano família | o link cai numa página vazia
que resposta mais sem pé nem cabeça | não me serviu pra nada | ficou péssimo esse parágrafo
a tradução perdeu todo o sentido do original | tem erro de português no texto que você escreveu
você esqueceu o anexo que mencionei | terceira vez que recebo essa mesma orientação
nem leu o que mandei | quero um humano, por favor | já tinha feito isso e não resolveu
essa informação está vencida faz dois anos | seu cálculo de juros está furado
""",
    "acceptance": """
opa, agora foi, brigadão | era bem isso que eu tava procurando | maravilhoso, pode publicar assim
ficou redondo o texto | nossa que prático, adorei | ah entendi, era só marcar a caixinha, valeu
rodou de primeira, show | tá ótimo assim, obrigada viu | perfeito, vou mandar pro meu chefe
que bom, me tirou um peso | sim, pode confirmar a reserva | isso, é esse mesmo
gratidão pela paciência | certinho, bateu com a minha conta | legal, vou por esse caminho então
deu super certo aqui | excelente, encerrado por mim | muito esclarecedor, obrigado
beleza então, fechado | top demais essa dica | consegui acessar, valeu pela força
boa, resolveu o meu problema | amei o resultado final | é isso aí, obrigado pela atenção
""",
    "": """
meu cartão foi recusado no mercado | o aplicativo fecha sozinho quando abro o extrato
e se eu quiser pagar em três vezes | quanto fica com o frete para Manaus
pode mudar o tom para algo mais informal | agora gera um gráfico com esses números
qual a diferença entre os dois planos | recebi um boleto que não é meu, o que faço
como peço o cancelamento de uma compra errada | me explica o segundo item
quem assina o contrato nesse caso | preciso da nota fiscal de agosto
o que acontece se eu atrasar a parcela | tem versão para linux | e em inglês como fica
faz uma lista de compras para um churrasco | por que a bolsa caiu hoje
a internet daqui está lenta desde ontem | minha encomenda não chegou ainda
qual é o melhor horário para ligar | liste os erros mais comuns de quem começa a correr
escreva um pedido de desculpas para um cliente | traduza "não gostei da comida" para o italiano
o que significa obrigado em japonês | meu número é 4512 | é para duas pessoas, no sábado
inclua uma seção de conclusão | onde encontro o termo de uso | e o prazo de entrega
compare com a versão anterior | qual a senha padrão do roteador | posso usar esse cupom hoje
resuma em três linhas | quem foi o primeiro presidente do Brasil | abre uma conta conjunta
""",
}


def hand() -> list[tuple[str, str]]:
    """(sentence, tone)."""
    return [
        (text.strip(), tone)
        for tone, block in HAND.items()
        for line in block.strip().splitlines()
        for text in line.split(" | ")
    ]


class Report:
    """One row a source and tone."""

    def __init__(self) -> None:
        self.table = Table(title="Tones, each source told by models that have not seen it")
        for column in (
            "source", "tone", "of it", "not", "precision", "recall", "F1", "AUC", "regex AUC",
            "others taken for it",
        ):  # fmt: skip
            self.table.add_column(
                column, justify="left" if column in ("source", "tone") else "right"
            )

    def add(
        self, source: str, tone: str, found: Sequence[tuple[str, str]], model: ToneModel
    ) -> None:
        """``found``: sentences with their tones; those of other tones count as not of it."""
        texts, truth = [text for text, _ in found], np.array([of == tone for _, of in found])
        odds = np.array(model.read_all(texts))[:, SAID[tone]]
        said = odds > 0
        hits, of = int((said & truth).sum()), int(truth.sum())
        precision, recall = hits / max(int(said.sum()), 1), hits / max(of, 1)
        pattern = SATISFIED if tone == "acceptance" else MISALIGNED
        regex = [float(bool(pattern.search(text))) for text in texts]
        numbers = ["-"] * 5
        if of:
            f1 = 2 * precision * recall / max(precision + recall, 1e-9)
            numbers = [f"{precision:.2f}", f"{recall:.2f}", f"{f1:.2f}"]
            numbers += [
                f"{area(odds.tolist(), truth.tolist()):.3f}",
                f"{area(regex, truth.tolist()):.3f}",
            ]
        wrong = (said & ~truth).sum() / max((~truth).sum(), 1)
        self.table.add_row(source, tone, str(of), str(len(truth) - of), *numbers, f"{wrong:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--translations", type=Path, help="by training.labels.tone_translations")
    parser.add_argument("--source", action="append", help="public sources; all by default")
    parser.add_argument("--each", type=int, default=training.EACH, help="sentences of a template")
    given = smoke.parse(parser, source=["mt_bench"], each=1)
    console, report = Console(width=150), Report()
    data = shared_data()
    if data is None:
        console.print("The development data are not there; set MIRANTE_SHARED to its folder.")
        return
    public = training.sentences(data, given.translations, without=("written",))
    for source in given.source or dict.fromkeys(sentence.source for sentence in public):
        rest = training.sentences(data, given.translations, without=(source,), each=given.each)
        model = ToneModel(training.fit(rest, training.matrix([item.text for item in rest])))
        found = [(item.text, item.tone) for item in public if item.source == source]
        for tone in TONES:
            report.add(source, tone, found, model)
    model = tone_model()
    for language in ("en", "pt"):
        found = [(text, "complaint") for text in reactions(COMPLAINTS, language)]
        found += [(text, "acceptance") for text in reactions(ACCEPTANCES, language)]
        found += [(text, "") for triple in triples(language) for text in triple]
        found += [(text, "") for text in FOLLOWING[language]]
        for tone in ("complaint", "acceptance"):
            report.add(f"written, {language}", tone, found, model)
    for tone in ("complaint", "acceptance"):
        report.add("another hand, pt", tone, hand(), model)
    console.print(report.table)
    rated(console, model)
    texts = [text * 20 for text, _ in hand()]
    for name, some in (("as written", [text for text, _ in hand()]), ("500 characters", texts)):
        began = time.process_time()
        model.read_all([text[:500] for text in some] * 10)
        each = (time.process_time() - began) / (10 * len(some)) * 1e6
        console.print(f"{each:.0f} µs a text, {name}, hundreds at once")


def rated(console: Console, model: ToneModel) -> None:
    """AUC on uss of the turns after dissatisfying answers, by each tone and by all of them."""
    data = shared_data()
    if data is None:
        return
    pairs = [
        (after.question, not before.satisfied)
        for talk in SOURCES["uss"](data)
        for before, after in pairwise(talk)
        if before.satisfied is not None
    ]
    odds, truth = np.array(model.read_all([text for text, _ in pairs])), [bad for _, bad in pairs]
    table = Table(title=f"uss: {len(pairs)} rated turns, {np.mean(truth):.0%} dissatisfied; AUC")
    for column in (*TONES, "complaint + declined - acceptance", "regex"):
        table.add_column(column, justify="right")
    regex = [
        bool(MISALIGNED.search(text)) - float(bool(SATISFIED.search(text))) for text, _ in pairs
    ]
    both = odds[:, 0] + odds[:, 2] - odds[:, 1]
    scores = [*(sign * odds[:, n] for n, sign in enumerate((1, -1, 1))), both]
    table.add_row(
        *(f"{area(of.tolist(), truth):.3f}" for of in scores), f"{area(regex, truth):.3f}"
    )
    console.print(table)


if __name__ == "__main__":
    main()
