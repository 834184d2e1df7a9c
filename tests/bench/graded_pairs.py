"""Pairs of Portuguese sentences with how alike they are, 1 (nothing in common) to 5 (the same), in
the manner of semantic textual similarity (Agirre et al. 2012): written and graded by hand for this
project, before any model was measured on them. A stand-in for a public set; only evaluated on.
"""

from __future__ import annotations

_PAIRS = """
4.8 | um menino está jogando bola no parque | um garoto joga bola num parque
4.2 | uma criança está brincando na grama | um menino está brincando no gramado
3.0 | um homem está tocando violão | um homem está cantando no palco
4.7 | a mulher está cortando uma cebola | uma cebola está sendo cortada pela mulher
3.6 | a mulher está cortando uma cebola | a mulher está cortando um tomate
1.2 | a mulher está cortando uma cebola | dois cães correm na praia
3.5 | o cachorro está dormindo no sofá | o cachorro não está dormindo no sofá
2.2 | o cachorro está dormindo no sofá | um gato está bebendo leite
4.6 | um grupo de pessoas está dançando | algumas pessoas dançam em grupo
3.7 | um homem anda de bicicleta na rua | uma mulher anda de bicicleta na rua
2.8 | um homem anda de bicicleta na rua | um homem dirige um carro na estrada
1.1 | um homem anda de bicicleta na rua | a cozinheira prepara a sopa
4.5 | não há ninguém na sala | a sala está vazia
3.2 | não há ninguém na sala | há muitas pessoas na sala
4.9 | duas meninas estão lendo um livro | um livro está sendo lido por duas meninas
3.3 | duas meninas estão lendo um livro | duas meninas estão escrevendo uma carta
1.9 | duas meninas estão lendo um livro | um professor fala com os alunos
1.0 | duas meninas estão lendo um livro | um avião pousa na pista molhada
4.3 | o jogador chuta a bola para o gol | um atleta está chutando a bola no gol
2.6 | o jogador chuta a bola para o gol | o goleiro defende a bola
4.4 | uma pessoa está nadando na piscina | alguém nada em uma piscina
2.9 | uma pessoa está nadando na piscina | uma pessoa está nadando no mar à noite
1.3 | uma pessoa está nadando na piscina | um menino sobe na árvore
3.8 | o trem está chegando à estação | o ônibus está chegando à estação
3.4 | o trem está chegando à estação | o trem está saindo da estação
4.1 | uma banda toca em um show lotado | músicos se apresentam para uma grande plateia
1.4 | uma banda toca em um show lotado | o padeiro coloca o pão no forno
4.6 | o rapaz está descascando uma batata | um jovem descasca batatas
2.3 | o rapaz está descascando uma batata | uma pessoa está cozinhando arroz
4.0 | há um cachorro preto correndo na neve | um cão escuro corre na neve branca
2.4 | há um cachorro preto correndo na neve | uma criança brinca com um cachorro em casa
4.7 | o governo anunciou um aumento do salário mínimo | o salário mínimo vai subir, anunciou o governo
3.1 | o governo anunciou um aumento do salário mínimo | o governo anunciou um corte no orçamento da saúde
1.2 | o governo anunciou um aumento do salário mínimo | a seleção venceu a partida por dois a zero
4.4 | a chuva forte causou alagamentos em São Paulo | temporal deixa ruas alagadas na capital paulista
3.2 | a chuva forte causou alagamentos em São Paulo | a falta de chuva preocupa moradores de São Paulo
4.5 | o preço da gasolina sobe pela terceira vez no ano | gasolina fica mais cara pela terceira vez este ano
3.6 | o preço da gasolina sobe pela terceira vez no ano | o preço da gasolina cai depois de três meses
2.5 | o preço da gasolina sobe pela terceira vez no ano | os carros elétricos vendem mais a cada ano
4.3 | o time venceu o campeonato nos pênaltis | a equipe conquistou o título na disputa por pênaltis
2.9 | o time venceu o campeonato nos pênaltis | o time perdeu a final no último minuto
1.5 | o time venceu o campeonato nos pênaltis | o senado votou a reforma tributária ontem
4.6 | a polícia prendeu dois suspeitos do roubo ao banco | dois suspeitos de roubar o banco foram presos
3.0 | a polícia prendeu dois suspeitos do roubo ao banco | a polícia investiga o roubo ao banco
4.2 | cientistas descobrem um novo planeta parecido com a Terra | pesquisadores acham planeta semelhante à Terra
2.1 | cientistas descobrem um novo planeta parecido com a Terra | astronautas voltam da estação espacial
4.5 | morreu aos 80 anos o escritor que ganhou o prêmio Nobel | escritor vencedor do Nobel morre aos 80 anos
1.7 | morreu aos 80 anos o escritor que ganhou o prêmio Nobel | o livro novo será lançado em março
3.9 | o presidente viajou para a China na segunda-feira | o presidente embarca para a China
2.7 | o presidente viajou para a China na segunda-feira | o presidente da China visita o Brasil
4.8 | como eu faço para cancelar minha assinatura? | quero cancelar minha assinatura, como faço?
3.3 | como eu faço para cancelar minha assinatura? | como eu faço para renovar minha assinatura?
1.1 | como eu faço para cancelar minha assinatura? | que horas o filme começa?
4.6 | meu pedido ainda não chegou | a encomenda não foi entregue até agora
2.6 | meu pedido ainda não chegou | quero fazer um novo pedido
4.3 | esqueci a senha do aplicativo | não lembro minha senha para entrar no app
2.8 | esqueci a senha do aplicativo | o aplicativo fecha sozinho
4.4 | a empresa demitiu duzentos funcionários | duzentos trabalhadores perderam o emprego na empresa
2.9 | a empresa demitiu duzentos funcionários | a empresa vai contratar duzentos funcionários
1.3 | a empresa demitiu duzentos funcionários | o museu abre de graça aos domingos
4.1 | uma mulher loira está tirando uma foto | uma moça fotografa algo com a câmera
3.7 | um homem velho está sentado num banco | um senhor está de pé ao lado de um banco
1.8 | um homem velho está sentado num banco | o gerente do banco assinou o contrato
4.9 | o bebê está rindo | o bebê está dando risada
3.4 | o bebê está rindo | o bebê está chorando
2.0 | o bebê está rindo | a mãe compra roupas para a filha
4.0 | um carro vermelho está estacionado na frente da casa | há um carro parado diante de uma casa
2.2 | um carro vermelho está estacionado na frente da casa | a casa vermelha está à venda
4.4 | os alunos fizeram a prova de matemática hoje | hoje teve prova de matemática para os estudantes
3.1 | os alunos fizeram a prova de matemática hoje | os alunos estudam matemática em casa
1.2 | os alunos fizeram a prova de matemática hoje | o pescador vendeu todo o peixe
"""

GRADED: list[tuple[str, str, float]] = [
    (first, second, float(grade))
    for grade, first, second in (line.split(" | ") for line in _PAIRS.strip().splitlines())
]
"""(first, second, grade)."""
