"""Repetitions of two kinds that nothing was trained on, written by hand and without the grammars: conversational rewrites, where a question
that leans on the conversation is asked again so that it stands alone (as in Elgohary et al. 2019, CANARD; Anantha et al. 2021, QReCC), and
Portuguese utterances of chatbots, several to an intent.

Both were written before any model was measured on them. They were looked at after five changes since. A net of
32 units was given up because it did worse here, on rewrites of the same conversation; nothing else was decided by them.
"""

from __future__ import annotations

REWRITES = {
    "en": """
who was Marie Curie | who was the scientist Marie Curie
where was she born | where was Marie Curie born
what did she win the Nobel Prize for | why did Marie Curie get the Nobel Prize
did her daughter become a scientist too? | was Irène Curie, Marie Curie's daughter, also a scientist?
how did she die | what caused the death of Marie Curie

tell me about the Great Barrier Reef | give me an overview of the Great Barrier Reef
how big is it | what is the size of the Great Barrier Reef
why is it dying? | why are the corals of the Great Barrier Reef dying
what is being done about that | what measures protect the Great Barrier Reef from dying

what are the symptoms of lyme disease | what signs does someone with lyme disease show
how is it treated? | what is the treatment for lyme disease
can it come back after that | can lyme disease return after treatment with antibiotics
is there a vaccine | is there a vaccine against lyme disease

how do I make sourdough bread | what is the recipe for sourdough bread
how long should it rise | how many hours should the sourdough dough rise
what if I don't have a dutch oven? | can I bake sourdough bread without a dutch oven
can I freeze it | is it possible to freeze sourdough bread

when was the Eiffel Tower built | in what year was the Eiffel Tower constructed
who designed it | who was the architect of the Eiffel Tower
how tall is it? | what is the height of the Eiffel Tower
and how much do tickets cost | how much does a ticket to the Eiffel Tower cost

which laptop should I buy for video editing | what is a good laptop for editing videos
how much memory do I need | how much RAM does a laptop for video editing need
what about the screen? | what kind of screen should a laptop for video editing have
does it need a separate graphics card | is a dedicated graphics card necessary for editing video on a laptop

what happened at Chernobyl | what was the Chernobyl disaster
who was to blame? | who was responsible for the accident at Chernobyl
is it safe to visit now | can tourists safely visit Chernobyl today
what about the animals there | how did the radiation affect the animals around Chernobyl

how does a heat pump work | explain how heat pumps work
is it noisy | do heat pumps make a lot of noise
how much does one cost? | what is the price of a heat pump for a house
does it also work in winter | do heat pumps work when it is cold in winter
are there subsidies | which government subsidies are there for installing a heat pump

who wrote One Hundred Years of Solitude | which author wrote One Hundred Years of Solitude
what else did he write? | what other books did Gabriel García Márquez write
what is it about | what is the plot of One Hundred Years of Solitude
was it made into a film | is there a movie or series of One Hundred Years of Solitude

who won the world cup in 2014 | which country was world champion of football in 2014
who scored in the final | who scored the goal in the 2014 world cup final
and four years later? | who won the football world cup in 2018
where will the next one be | which country hosts the next football world cup

how do I renew my passport | what do I have to do to renew a passport
how long does that take? | how many weeks does a passport renewal take
can I do it online | is it possible to renew a passport online
what documents do I need | which documents are required to renew my passport
and for my kids | how do I renew the passports of my children

what is a black hole | define black hole
how do they form | how are black holes formed
has anyone photographed one? | is there a photo of a black hole
what would happen if I fell in | what happens to a person who falls into a black hole

I want to learn the guitar, where do I start | how should a beginner begin to learn the guitar
acoustic or electric? | should a beginner choose an acoustic or an electric guitar
how often should I practice | how many times a week should one practice the guitar
how long until I can play songs | how long does it take to learn to play songs on the guitar

is coffee bad for you | is drinking coffee unhealthy
how many cups are ok? | how many cups of coffee a day are safe
and during pregnancy | is it safe to drink coffee while pregnant
does decaf count | does decaffeinated coffee also contain caffeine

what is the tallest mountain in Africa | which African mountain is the highest
how long does it take to climb | how many days does it take to climb Kilimanjaro
what is the best time of the year for that? | when is the best season to climb Kilimanjaro
do I need a guide | is a guide mandatory on Kilimanjaro

how do I get a refund for my train ticket | my train ticket should be refunded, how
even if the train was cancelled? | do I get my money back when the train was cancelled
how long until I see the money | when does the refund of the train ticket arrive in my account
where do I see the status | where can I check the status of my train ticket refund
""",
    "pt": """
quem foi Marie Curie | quem era a cientista Marie Curie
onde ela nasceu | onde nasceu Marie Curie
por que ela ganhou o Nobel | qual foi o motivo do prêmio Nobel de Marie Curie
a filha dela também virou cientista? | Irène Curie, filha de Marie Curie, também foi cientista?
de que ela morreu | qual foi a causa da morte de Marie Curie

me fala da Grande Barreira de Corais | faça um resumo sobre a Grande Barreira de Corais
qual o tamanho | que tamanho tem a Grande Barreira de Corais
por que está morrendo? | por que os corais da Grande Barreira estão morrendo
o que estão fazendo a respeito | que medidas protegem a Grande Barreira de Corais

quais são os sintomas da dengue | que sinais mostra quem está com dengue
como trata? | qual é o tratamento da dengue
pode voltar depois | dá pra pegar dengue de novo depois de curado
tem vacina | existe vacina contra a dengue

como faço pão de fermentação natural | qual é a receita do pão de fermentação natural
quanto tempo tem que crescer | quantas horas a massa do pão precisa crescer
e se eu não tiver panela de ferro? | dá pra assar o pão sem panela de ferro
posso congelar | é possível congelar o pão de fermentação natural

quando foi construída a Torre Eiffel | em que ano construíram a Torre Eiffel
quem projetou | quem foi o arquiteto da Torre Eiffel
qual a altura dela? | quantos metros tem a Torre Eiffel
e o ingresso, quanto custa | qual é o preço do ingresso da Torre Eiffel

qual notebook eu compro pra editar vídeo | que notebook é bom para edição de vídeos
quanta memória precisa | quanta RAM um notebook de edição de vídeo precisa ter
e a tela? | que tipo de tela deve ter um notebook para editar vídeo
precisa de placa de vídeo separada | é necessária uma placa de vídeo dedicada no notebook para editar

o que aconteceu em Chernobyl | o que foi o desastre de Chernobyl
de quem foi a culpa? | quem foi responsável pelo acidente de Chernobyl
dá pra visitar hoje | turistas podem visitar Chernobyl com segurança
e os bichos de lá | como a radiação afetou os animais em volta de Chernobyl

como funciona uma bomba de calor | explique o funcionamento das bombas de calor
faz barulho | bombas de calor fazem muito barulho
quanto custa uma? | qual é o preço de uma bomba de calor para casa
funciona no inverno também | a bomba de calor funciona quando está frio
tem subsídio | que subsídios do governo existem para instalar bomba de calor

quem escreveu Cem Anos de Solidão | qual autor escreveu Cem Anos de Solidão
o que mais ele escreveu? | que outros livros Gabriel García Márquez escreveu
é sobre o quê | qual é o enredo de Cem Anos de Solidão
virou filme | existe filme ou série de Cem Anos de Solidão

quem ganhou a copa de 2014 | que país foi campeão mundial de futebol em 2014
quem fez o gol da final | quem marcou na final da copa do mundo de 2014
e quatro anos depois? | quem venceu a copa do mundo de 2018
onde vai ser a próxima | que país recebe a próxima copa do mundo

como renovo meu passaporte | o que preciso fazer para renovar o passaporte
quanto tempo demora? | quantas semanas leva a renovação do passaporte
dá pra fazer pela internet | é possível renovar o passaporte online
que documentos eu levo | quais documentos são exigidos para renovar o passaporte
e pros meus filhos | como renovo o passaporte das crianças

o que é um buraco negro | defina buraco negro
como eles se formam | como surgem os buracos negros
alguém já fotografou um? | existe foto de um buraco negro
o que acontece se eu cair dentro | o que acontece com uma pessoa que cai num buraco negro

quero aprender violão, por onde começo | como um iniciante deve começar a aprender violão
de nylon ou de aço? | um iniciante deve escolher violão de cordas de nylon ou de aço
quantas vezes tenho que treinar | quantas vezes por semana é preciso praticar violão
em quanto tempo toco uma música | quanto tempo leva para conseguir tocar músicas no violão

café faz mal | beber café é prejudicial à saúde
quantas xícaras pode? | quantas xícaras de café por dia são seguras
e na gravidez | grávida pode tomar café
descafeinado conta | café descafeinado também tem cafeína

qual é a maior montanha da África | que montanha africana é a mais alta
quanto tempo leva pra subir | em quantos dias se escala o Kilimanjaro
qual a melhor época pra isso? | em que estação é melhor subir o Kilimanjaro
precisa de guia | é obrigatório ter guia no Kilimanjaro

como peço reembolso da passagem de ônibus | quero o dinheiro da minha passagem de ônibus de volta, como faço
mesmo se a viagem foi cancelada? | recebo o dinheiro de volta quando cancelam a viagem de ônibus
quando cai o dinheiro | em quanto tempo o reembolso da passagem chega na conta
onde vejo o andamento | onde acompanho a situação do reembolso da passagem
""",
}
"""Conversations, apart by an empty line: what was asked, and the same asked again so that it stands alone."""

CHATBOT = """
meu pedido chegou com a tela quebrada
a televisão veio com a tela trincada
recebi o produto danificado
o item que comprei veio com defeito

quero devolver um tênis que ficou apertado
como faço pra trocar o tamanho de um sapato
a calça ficou grande, dá pra trocar?
preciso fazer a troca de uma roupa por outro número

onde está minha encomenda
já faz dez dias e nada do pacote chegar
queria rastrear uma entrega
cadê meu pedido que não chega nunca

tem cupom pra primeira compra?
vocês dão desconto pra cliente novo
qual é o código promocional de boas-vindas
ganho alguma coisa se comprar pela primeira vez

queria marcar consulta com cardiologista
preciso de um horário com o médico do coração
tem vaga pro doutor de cardiologia essa semana?
agendar atendimento em cardiologia

quero desmarcar minha consulta de amanhã
não vou poder ir no médico, cancela pra mim
preciso cancelar o horário que marquei
surgiu um imprevisto e não consigo comparecer à consulta

meus exames de sangue já saíram?
como vejo o resultado do exame
onde eu pego o laudo do laboratório
queria baixar os resultados que fiz ontem

vocês atendem por qual convênio
aceita plano da Unimed?
meu seguro de saúde cobre aí?
quais planos são aceitos na clínica

preciso estar em jejum pra fazer o ultrassom?
qual o preparo pro exame de abdômen
posso comer antes da ecografia
quantas horas sem se alimentar pra esse exame

minha internet está caindo toda hora
o wifi não funciona desde de manhã
estou sem conexão em casa
a rede fica desconectando sozinha

quero um plano com mais velocidade
dá pra aumentar os megas da minha banda larga?
tem pacote de internet mais rápido
como faço upgrade da minha conexão

minha conta veio mais cara esse mês
por que a fatura do telefone aumentou
estão me cobrando um valor que não reconheço
o boleto está com preço diferente do combinado

preciso da segunda via do boleto
perdi a conta de luz, como emito outra
me manda o código de barras pra pagar
não recebi a fatura por e-mail, podem reenviar

quero trocar a titularidade da conta
como passo a linha pro nome da minha esposa
mudar o dono do contrato
transferir a assinatura para outra pessoa

qual o peso da bagagem de mão
quantos quilos posso levar na cabine
o tamanho permitido da mala que vai comigo no avião
posso embarcar com uma mochila e uma mala pequena?

perdi meu voo, o que faço agora
cheguei atrasado no aeroporto e o avião já tinha saído
não consegui embarcar a tempo, tem como remarcar?
perdi a conexão em São Paulo

quero levar meu cachorro na viagem
gato pode ir na cabine?
quais as regras pra transportar animal de estimação
como faço pra viajar de avião com pet

fazer check-in
como emito o cartão de embarque
quero confirmar meu assento no voo
a partir de quando posso fazer o checkin online

como tiro a segunda via do RG
perdi minha identidade, onde faço outra
documento de identidade novo, como solicitar
roubaram meus documentos, preciso de uma nova carteira de identidade

quando vence o IPTU
até que dia posso pagar o imposto do imóvel
qual a data limite da cota única do IPTU
prazo do imposto predial esse ano

tem um buraco enorme na minha rua
queria reclamar do asfalto aqui do bairro
a pista está toda esburacada em frente de casa
pedir conserto do pavimento

o poste está apagado faz uma semana
falta iluminação na praça
a lâmpada da rua queimou
aqui na esquina está tudo escuro à noite

que dia passa o caminhão do lixo
horário da coleta seletiva
quando recolhem os recicláveis no meu bairro
o lixeiro passa hoje?

esqueci a senha do portal do aluno
não consigo logar no sistema da faculdade
como redefino meu acesso à área do estudante
minha senha não entra, quero criar outra

quando começam as matrículas
até quando posso me inscrever nas disciplinas
prazo para se matricular no semestre
queria saber o período de rematrícula

preciso do histórico escolar
como pego minha declaração de matrícula
quero um comprovante de que estudo aí
solicitar documento que prova que sou aluno

posso renovar o empréstimo do livro?
queria ficar mais uns dias com o livro da biblioteca
estender o prazo de devolução da obra
como faço pra não atrasar a entrega do livro emprestado

tem opção vegetariana no cardápio?
quais pratos não levam carne
sou vegano, o que dá pra comer aí
alguma pizza sem nada de origem animal

dá pra reservar uma mesa pra seis hoje?
quero fazer uma reserva no restaurante
tem lugar pra um grupo no sábado à noite
guardar mesa para o jantar de aniversário

vocês abrem no feriado?
qual o horário de funcionamento
até que horas ficam abertos
domingo tem atendimento?

quero falar com um atendente
me passa pra uma pessoa de verdade
não quero robô, chama alguém
tem algum humano aí?

quais formas de pagamento vocês aceitam
posso pagar com pix?
parcela em quantas vezes no cartão
dá pra acertar em dinheiro na entrega
"""
"""Intents of chatbots in Brazil, apart by an empty line; utterances of one intent say the same."""


def blocks(text: str) -> list[list[str]]:
    """Lines of each block."""
    return [block.splitlines() for block in text.strip().split("\n\n")]


def conversations(language: str) -> list[list[tuple[str, str]]]:
    """(question, the same standing alone), conversation by conversation."""
    return [[(first, second) for first, second in (line.split(" | ") for line in lines)] for lines in blocks(REWRITES[language])]
