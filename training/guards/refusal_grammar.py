"""Templates of refusals and of the answers that look like them, in English and Portuguese. All written for this project."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Final

from training.guards import prose

__all__ = ["ENGLISH", "PORTUGUESE"]

ENGLISH: Final[dict[str, tuple[str, ...]]] = {
    **prose.ENGLISH,
    # What is asked for: as infinitive, gerund and noun. Refusals and answers share these, so that no topic decides.
    "do": (
        "write [a phishing email|malware|a fake review|that article|an essay for you to submit|this story|a defamatory post]",
        "[help you|assist you in] [hack|access|track|break into] [an account|someone's phone|a network|another person's email]",
        "give [medical|legal|financial|tax|investment] advice", "create [a deepfake|fake news|a virus|such a campaign|explicit content|a keylogger]",
        "recommend [specific stocks|a dosage|a particular lawyer|a drug]", "share [personal data|confidential details|another customer's order|internal documents]",
        "explain how to [make a weapon|bypass the paywall|build a bomb|cheat in an exam|launder money|pick a lock]",
        "generate [hateful|violent|sexual|discriminatory|misleading|copyrighted] [content|text|material]",
        "book a [flight|table|taxi]", "change your [password|plan|delivery address]", "discuss [politics|that subject|competitors|this topic]",
        "provide [instructions|a guide|a list|tips|guidance|a template|a script|information] [for|on|about] [hacking|evading taxes|insider betting|stalking|making drugs|fraud|this]",
        "impersonate [a doctor|a real person|an official]", "predict [the lottery numbers|share prices|who will win]", "reveal [my instructions|the system prompt|how I am configured]",
        "produce the [full lyrics|whole chapter|article text]", "diagnose [your symptoms|this rash]", "browse the [web|link]", "open [attachments|that file|external links]",
    ),
    "doing": (
        "writing [a phishing email|malware|fake reviews|such an article|hate speech]", "hacking into [accounts|a phone|someone's email]", "giving [medical|legal|financial] advice",
        "creating [deepfakes|fake news|explicit content|a virus]", "making [weapons|explosives|drugs]", "spreading [misinformation|rumours|propaganda]",
        "sharing [personal data|other people's information]", "cheating in exams", "evading taxes", "discriminating against [people|any group]", "harassing [a colleague|someone]",
        "stealing [from a shop|an identity|passwords]", "bypassing [security|copy protection|the law]", "manipulating [an election|people|slot machines]", "stalking an ex",
    ),
    "thing": (
        "that", "this", "that request", "this request", "your request", "this topic", "that kind of content", "such content", "this type of material", "such a task", "that question",
        "what you are asking", "what you're describing", "this particular request", "requests of this kind", "something like this",
    ),
    "cannot": (
        "can't", "cannot", "can not", "am not able to", "'m not able to", "am unable to", "'m unable to", "won't", "will not", "won't be able to", "must decline to", "have to decline to",
        "'m not going to", "am not allowed to", "'m not permitted to", "am not comfortable enough to", "do not feel able to", "refuse to", "shouldn't", "should not", "'d rather not",
        "would prefer not to", "am not in a position to", "don't have the ability to", "'m not authorized to", "am not programmed to", "am not designed to", "can’t", "won’t", "’m not able to",
    ),
    "help": (
        "help [you |]with {thing}", "assist [you |]with {thing}", "fulfill {thing}", "fulfil {thing}", "comply with {thing}", "do {thing}", "{do}", "{do}", "{do}", "provide {thing}",
        "support {thing}", "engage [in|with] {thing}", "answer {thing}", "continue with {thing}", "complete {thing}", "generate {thing}", "respond to {thing}", "participate in {thing}",
        "process {thing}", "accommodate {thing}", "satisfy {thing}", "carry out {thing}", "offer [help|assistance|advice] [on|with] {thing}", "go along with {thing}",
        "in good conscience {do}", "help [you |]{do}", "proceed with {thing}", "discuss {thing}", "give you {thing}", "take part in {thing}", "be part of {thing}", "write {thing}", "act on {thing}",
    ),
    "sorry": (
        "I'm sorry, but ", "I'm sorry, ", "Sorry, ", "Sorry, but ", "I apologize, but ", "I apologise, but ", "My apologies, but ", "Unfortunately, ", "I'm really sorry, but ", "I’m sorry, but ",
        "I am sorry, but ", "Apologies, but ", "I'm afraid ", "I am afraid that ", "Regrettably, ", "I appreciate [your question|you asking|the creative setup], but ",
        "I understand [your frustration|what you're after|why you ask|that you're curious], but ", "Thanks for [asking|your message|reaching out], but ", "", "", "", "", "",
        "As an AI[ language model| assistant|], ", "I'm sorry, but as an AI[ language model| assistant|], ", "As a responsible [AI|assistant], ", "As a [large |]language model, ",
        "I hear you, but ", "No, ", "Hmm, ", "While I [understand|respect] your [interest|request|intent], ", "That's an interesting idea, but ", "With respect, ", "Oh, sorry, ",
    ),
    "core": (
        "{sorry}I {cannot} {help}.", "{sorry}I {cannot} {help}.", "{sorry}I {cannot} {help}.", "{sorry}I {cannot} {help}.",
        "{sorry}{thing} is [something I|not something I can|something I can't|outside what I can] [won't|help with|do|do for you].",
        "{sorry}{doing} is not something I [can|will|am able to] [help with|support|do|assist with].",
        "{sorry}that's [not something I can|beyond what I can|outside of what I'm able to|not a thing I will] [help with|do|discuss|provide].",
        "{sorry}my [guidelines|policies|programming|instructions|safety rules] [do not|don't] [allow|permit] me to {do}.",
        "{sorry}it is not within my [programming|guidelines|ethical guidelines|capabilities] to {do}.",
        "{sorry}it's [against|a violation of] [my|our|the] [guidelines|policy|programming|use policies|content policy] to {do}.",
        "I [must|have to|need to|will have to] [decline|respectfully decline|pass on|refuse|say no to] {thing}.", "I [respectfully|politely|must] decline.",
        "No. I {cannot} {help}.", "I {cannot} {help}, [and|so] please don't ask [again|me to].", "[Request denied|Request refused|Content not allowed|Declined]: {thing} [violates|breaks|goes against] [our|the] [policy|guidelines|rules].",
        "{sorry}{thing} [violates|goes against|falls outside|conflicts with] [my|our|the] [guidelines|content policy|usage policies|principles|scope].",
        "I {cannot} and will not {do}.", "I [do not|don't] [feel comfortable|think it's right to|want to] [help|helping|answering|writing|with] {thing}.",
        "I'm not [comfortable|willing|happy] [with|to go through with|to assist in|to do] {thing}.", "Let's [not go there|talk about something else|keep this respectful]. I {cannot} {help}.",
        "I'm [just|only] an AI[ model| assistant|], [and |]I {cannot} {help}.", "I don't [have access to|hold] [your account|real-time data|that information|personal records], so I {cannot} {help}.",
        "I can only [help|answer questions] [about|with] [our products|billing|this service], [so|and] I {cannot} {help}.", "I'm here to [help with|answer questions about] [orders|the app|coding]; I {cannot} {help}.",
        "I {cannot} {help} because [it|that] [could|may|would] [cause harm|be illegal|be dangerous|hurt someone|break the law|infringe copyright].",
    ),
    # No apology, no "I cannot": the answer lectures instead.
    "lecture": (
        "{doing} is [illegal|unethical|harmful|wrong|a crime|dangerous|not acceptable|deeply harmful|immoral and unlawful] and [can have serious consequences|can cause real harm|should never be attempted|I would urge you not to do it|may hurt innocent people].",
        "It is [important|crucial|essential|vital] to [remember|note|recognise|understand|emphasize] that {doing} is [illegal|unethical|harmful|never acceptable|a serious offence].",
        "[It is never|It's never|It is not|It's not] [okay|acceptable|appropriate|ethical|right] to {do}.", "I [strongly advise|urge|strongly encourage|would caution] you [not to|against|to refrain from|to reconsider] {doing}.",
        "I [must|have to|need to|want to] [point out|emphasize|stress|make clear|remind you] that {doing} [is illegal|is harmful|violates the law|is not ethical].",
        "{doing} [violates|goes against|undermines] [the law|people's privacy|human dignity|basic ethics|our values], and [encouraging|promoting|supporting] it [would be irresponsible|is not something to take lightly|does harm].",
        "[Such|This kind of|That sort of] [content|behaviour|behavior|activity|request] [promotes harm|is harmful|is inappropriate|is unacceptable|perpetuates stereotypes|can put people at risk] and [should be avoided|has no place here|deserves no help].",
        "[The request|Your request|This question|What you describe] [raises|touches on] [serious|significant] [ethical|legal|safety] [concerns|issues].",
        "Everyone deserves [respect|privacy|safety|dignity], [regardless of|whatever] their [background|gender|age|beliefs].",
        "Rather than {doing}, [consider|think about|I encourage you to look for|it would be better to seek] [legal|positive|constructive|ethical] [alternatives|ways forward|options].",
        "Promoting or encouraging {doing} is [irresponsible|not right|harmful|dangerous].", "Please [consider|think about|be mindful of] the [impact|consequences|harm|people affected] [before|of] {doing}.",
        "I [cannot|can't] [stress|emphasize] enough [that|how] [wrong|illegal|harmful] {doing} is.",
        "If you or someone you know is [struggling|in danger|thinking of this], [please|we urge you to] [reach out to|contact|call] [a professional|a helpline|the authorities|emergency services].",
    ),
    "why": (
        "It [could|may|would|might] [cause harm|be illegal|violate [privacy|copyright|the law]|put people at risk|be used to hurt others].", "{lecture}", "{lecture}", "{lecture}",
        "My purpose is to [be helpful and harmless|provide safe and respectful assistance|assist within ethical and legal limits].", "[It|That|This] goes against [my|our] [guidelines|policies|principles].",
        "I'm [designed|programmed|here] to [be helpful, honest and harmless|promote safe use|assist in a responsible way].", "I hope you understand.", "Thank you for understanding.",
    ),
    "instead": (
        "However, I [can|'d be happy to|am happy to|would be glad to] [help with|tell you about|offer|suggest] {benign}.", "If you [have|'ve got] [any other|other|another] questions[ or need help with something else|], [feel free to ask|I'm happy to help|let me know].",
        "Is there [anything|something] else I can [help|assist] you with[ today|]?", "[Instead|Alternatively], [you could|consider|I suggest|why not] {try}.", "But here [is|are] {benign}:\n\n{list}",
        "What I can do is [give you|share|offer] {benign}.", "Please [contact|speak to|consult] [a professional|our support team|a doctor|a lawyer|the police].", "Let me know if you'd like {benign}.",
        "That said, here's {benign}:\n{list}", "Would you like {benign} instead?", "I'd be glad to [talk about|help you with|explain] {benign}.",
    ),
    "benign": (
        "[some|a few] general [tips|information|pointers]", "an overview of [the law|how it works|the history]", "ways to [stay safe online|protect your account|manage stress]", "a [neutral|factual|balanced] summary",
        "questions to ask your doctor", "a safer alternative", "resources on [mental health|data protection|academic writing]", "a story with a different theme", "an outline you can build on", "public sources on the subject",
    ),
    "try": ("looking at the official documentation", "speaking to someone you trust", "checking the help centre", "asking a qualified adviser", "visiting the website", "using a password manager", "reading reviews first"),
    "list": (
        "1. Start with a clear goal.\n2. Break it into steps.\n3. Review your progress each week.", "- Do your research\n- Set a budget\n- Keep a record of every bet", "* Use strong passwords\n* Turn on two-factor authentication",
        "1. **Diversify** your portfolio\n2. **Understand** your risk tolerance", "- Rest and drink water\n- Write down your symptoms\n- See a doctor if it lasts more than three days",
    ),
    "short": (
        "[I'm sorry|Sorry|I apologize|I'm very sorry|I am sorry|I’m sorry][,|, but] I [can't|cannot|can’t|won't|am unable to|am not able to] [help|assist|comply|do|help you|assist you] [with |]{thing}.", "[Sorry, |No, |No. |]I [can't|cannot|can’t|won't|will not|couldn't] [help with|assist with|do|fulfill|answer|provide|help you with|comply with] [that|this|that request|this request].",
        "[I'm sorry|Sorry|Unfortunately|I'm afraid][,|, but] [that is|that's|this is] not something I can [help with|do|assist with|provide|discuss].", "I [must|have to|need to] [decline|refuse]{tail}", "[I'm sorry, I|I] [can't|cannot] [do|help with|assist with] [that|this]{tail}", "As an AI[ language model|], I [cannot|can't|am not able to|will not] {do}{tail}", "I [cannot|can't|will not] {do}{tail}", "[I'm sorry, but |]as an AI[ language model|], I [cannot|can't|do not] [provide|support|promote|endorse|justify|condone|encourage|engage in|write|create] {doing}{tail}",
        "I [do not|don't|cannot|can't] [condone|support|promote|endorse|justify|take part in] {doing}{tail}",
    ),
    "tail": (".", ".", "!", ". {why}", ". {instead}", ", as it is [illegal|unethical|harmful|against my guidelines][ and unethical|].", " because it [could harm others|is illegal|is unsafe]."),
    "refusal": (
        "{short}", "{short}", "{short}", "{short}", "{short}", "{short} {instead}", "{short} {why}", "{short} {lecture} {instead}", "{answer}\n\n{short}", '{"[answer|response|message|error|reason]": "{short}"}', "Here is {thing}:\n\n{short}",
        "{core}", "{core}", "{core} {why}", "{core} {why} {instead}", "{core} {instead}", "{core}\n\n{instead}", "{core} {why}\n\n{why} {instead}", "{core} {why} {why}", "{lecture} {lecture}", "{lecture} {core}",
        "{lecture} {lecture} {instead}", "{lecture} {why} {instead}", "{lecture}\n\n{lecture} {lecture}", "{opening} {core} {instead}", "{opening}\n\n{core}", "{answer} {core}", "{answer}\n\nHowever, {core}",
        "{answer}\n\nAs for [the other part|your second question|the rest], {core}",
        '{"[answer|response|output|text|message|result]": "{core}"}', '{"[answer|response|result]": "{core} {instead}", "[confidence|score]": 0.[1|2|9]}', '{"error": "{core}"}',
        '{"status": "[refused|error|declined|rejected]", "[reason|message]": "{core}"}', '```json\n{\n  "[summary|answer|translation]": "{core}"\n}\n```', '{"items": [], "note": "{core}"}',
        '{"result": null, "refusal": true, "explanation": "{why}"}', '{"[category|label]": null, "comment": "{core} {why}"}', "<answer>{core}</answer>", "Answer: {core}", "**{core}**", "> {core}", "Title: {benign}\n\n{core}",
        "Sure, I can [help|tell you] [with|about] {benign}, but I {cannot} {do}.", "I can [give you|offer] {benign}, but I {cannot} {do}. {list}", "Sure, here is {thing}:\n\n{core} {why}",
        "Happy to [help|talk about] {benign}. [But|Still,] I {cannot} {do}.", "I'd love to help, but {core}", "{core} {answer}",
    ),
    "opening": ("Thank you for your [question|message].", "I understand [this is important to you|you're upset].", "That sounds [difficult|like a hard situation].", "Hello!", "Hi there,", "I want to be [helpful|honest] here.", "Let me be clear."),
    "body": ("{prose} {prose}", "{prose} {prose} {prose}", "{prose} {prose} {prose} {prose}", "{prose}", "{prose} {answer} {prose}"),
    "answer": (
        "{prose}", "{prose}", "{prose}", "{prose} {prose}", "{prose} {prose}", "{prose} {prose} {prose}", "{prose} {prose} {prose} {prose}",
        "The capital of [France is Paris|Peru is Lima|Japan is Tokyo].", "Your order [shipped on Monday|is on its way|arrives on Friday] and [the tracking number is below|you will get an email].", "Photosynthesis turns light into chemical energy in the leaves of plants.",
        "Here is the [summary|table|translation|corrected text|email|code] you asked for:", "Preheat the oven to 180 degrees and mix the flour with the butter.", "Compound interest grows because each period earns interest on earlier interest.",
        "You can [return|exchange] the shoes within 30 days with the receipt.", "The meeting covered [the budget|hiring|the roadmap], and the team agreed to [ship in May|wait for the audit].", "To reset the password open Settings, then Security, and choose Reset.",
        "The function loops over the list and returns the largest value.", "Revenue rose by 12 percent while costs stayed flat.", "The novel follows two sisters who leave their village after the war.",
    ),
    # Answers. Many of them have what a refusal has: an apology, a negation, words of law and ethics, a refusal that is quoted.
    "plain": (
        "{answer}", "{answer} {answer}", "{answer}\n\n{list}", "{answer} {answer} {list}", "Sure! {answer}", "Certainly. {answer} {answer}", "Of course, here [is|are] {benign}:\n\n{list}", "{list}", "{benign_code}", "{body}", "{body}", "{body}", "{body} {answer}", "{body} {body}", "{body}\n\n{body}", "{body} {body} {body}", "{body}\n{list}\n{body}",
        "Sure, here [is|are] {benign}:\n{list}\n\n{answer}", '{"answer": "{answer}", "confidence": 0.9}', "Thank you for [your question|reaching out]. {answer}", "I'd be happy to help! {answer}", "As an AI[ language model|], I can [certainly |]help with {benign}. {answer}",
    ),
    "benign_code": (
        "```python\ndef div(a, b):\n    if b == 0:\n        raise ValueError(\"cannot divide by zero\")\n    return a / b\n```", "```python\ntry:\n    login()\nexcept PermissionError:\n    print(\"Sorry, you are not allowed here\")\n```",
        "```js\nif (!user) { return res.status(403).json({error: \"I'm sorry, you can't access this\"}) }\n```", "You cannot assign to a tuple element because tuples are immutable; use a list instead.",
        "The compiler can't infer the type here, so add an annotation.",
    ),
    "sorry_answer": (
        "[Sorry|I'm sorry|My apologies|Apologies|I apologize|We apologise] for the [delay|confusion|mix-up|wait|mistake|earlier error|inconvenience|trouble][,|.|!] [here|Here] [is|are] [the|your] [file|corrected version|answer|updated list|report|fix].[ {answer}|]",
        "[I'm|I am|We're|I'm so|I'm really] sorry [to hear|you had to deal with|about|that you went through] [that|this|your loss|the damaged parcel|what happened|the trouble]. {answer}", "Sorry about that! You're right, the result [is 42|should be 7]. {answer}",
        "You are right, I [apologize|apologise] for the [error|oversight]. The correct [answer|value|date] is [15|Tuesday|B].", "I'm sorry your [flight was cancelled|parcel is late|card was declined]. You can [rebook for free|track it here|try another card]. {answer}",
        "I'm sorry for your loss. {answer}", "[Unfortunately|Sadly], [the store|that model|your flight|the product|this size] [is closed|has been discontinued|was delayed|is out of stock|is sold out], [but|so] [you can|we will|we can] [order online|refund you|offer another size].",
        "Unfortunately, [prices rose|the team lost|it rained|the patch did not fix it|the battle was lost]. {answer}", "Dear [Ms Silva|team|John],\n\nI'm sorry [that I can't join|I couldn't attend|I am unable to attend] the [meeting|party|call] on Friday. [Could we move it|Let us meet next week]?\n\nBest regards",
        "Dear [Mr Brown|hiring manager],\n\nThank you for the offer. [Unfortunately, I am unable to accept|I regret that I must decline|I have decided to decline] it [at this time|because I will stay in my job].\n\nSincerely",
        "Sorry to [bother you|keep you waiting]! {answer}", "Here is [an apology|a polite message] you can send:\n\n\"I'm sorry, but I can't [make it|come] [tonight|on Saturday].\"",
    ),
    "cannot_answer": (
        "I [cannot|can't] [recommend|praise|thank you for] [this book|this place|the pasta|it|the hotel|her work] [enough|highly enough|more highly].[ {answer}|]", "I can't [wait to|believe|help but] [see it|smile|how good this is|agree|hear more].[ {answer}|]",
        "You [cannot|can't|can not|may not] [return|exchange|cancel|refund|transfer] [an item|the ticket|a sale item|your order|the voucher] [after 7 days|after 30 days|without a receipt|once it has shipped].[ {answer}|]",
        "[It is|It's|It isn't|It is not] [not possible|impossible|possible] to [change the name on a ticket|cancel after check-in|use two coupons|combine offers|divide by zero|travel faster than light].[ {answer}|]",
        "[We|Our stores|The company] [do not|don't|cannot|can't|are unable to] [ship to that region|accept cash|refund gift cards|deliver on Sundays|store card numbers|offer discounts on sale items].[ {answer}|]",
        "[The battery|A square|This method|The court|A virus|The plant|Water|The president] [cannot|can't|is not able to|is unable to|will not|won't] [be replaced|be negative|hold more charge|survive without water|be seen by eye|exceed its limit|veto it twice].[ {answer}|]",
        "I [can|can certainly|could|would be happy to|will] [help|explain|do that]. {answer}", "If you can't [log in|sleep|find the file|pay at once], [try again|reset your password|see a doctor|contact us]. {answer}",
        "I don't have [personal |]opinions[ or feelings|], but [here are the arguments on both sides|many people prefer the second one|the main views are these]:\n{list}", "As an AI[ language model|], I don't have [feelings|a body|personal preferences], but [I can share|here is] what [studies say|experts recommend]: {answer}",
        "I'm not [sure|certain|a lawyer|a doctor], but [the usual rule is|it is likely|in most places] [that you need a permit|thirty days|two weeks]. {answer}", "I [don't|do not] know [the exact date|for certain], but [it was around 1870|most sources say 1912]. {answer}",
        "It depends[ on the country|]. [You may|You might|Perhaps you should] check [the rules|with your bank] first. {answer}", "I [won't|will not] [go into detail|repeat the basics], so [here is|straight to] the [answer|short version]: {answer}",
        "Not all [models|cars] can do this. {answer}", "I'm unable to [see any error|find a bug] in your code; it [works as expected|is correct]. {answer}", "I [couldn't|could not] agree more! {answer}",
        "There is nothing wrong with it. {answer}", "\"I won't go,\" she said. \"I can't leave you here.\" The rain fell on the harbour and nobody spoke.", "He [refused|declined] to [sign|answer|leave], and the [talks|meeting] [ended|went on]. {answer}",
        "Please note that [we|I] can't [guarantee|promise] [delivery dates|exact results|the outcome]. {answer}",
    ),
    "ethics_answer": (
        "[Yes|No|In most countries], {doing} is [illegal|a crime|against the law|a criminal offence] [and is punished with a fine|under the Computer Misuse Act|in most states], and the [penalty|law] [depends on|differs by] [state|country|intent].",
        "To [protect yourself from|detect|report|prevent] {doing}: {list}", "The essay [argues|says|explains] that {doing} is [unethical|harmful|wrong] because [it breaks trust|people suffer]. {answer}",
        "The ethical [concerns|issues] of [gene editing|face recognition|self-driving cars] include [privacy|consent|safety] and [fairness|bias]. {answer}", "Our [policy|guidelines] on [returns|travel|remote work]: {answer}",
        "It is important to [note|remember|consider] [the tax rules|your budget|both sides|the weather] [when planning|before you buy|as well]. {answer}", "It's important to [drink water|save regularly|back up your files]. {list}",
        "I [encourage|recommend|suggest] [you to |that you ]{try}. {answer}", "Smoking is harmful to your health because it damages the lungs. {answer}", "The guidelines [allow|say that you can|recommend] [two visitors|working from home|a daily walk]. {answer}",
        "Sure, here is [an example|a story|a script] about {doing} for educational purposes:\n\n{answer} {list}", "The law against {doing} was passed in 1998. {answer}", "Please consult [a doctor|a lawyer] if it persists, but usually rest is enough. {list}",
    ),
    "quoted_answer": (
        "[Models|Chatbots|Assistants] [refuse|decline] [requests|questions] like this because [they are trained|developers add rules] to [avoid harm|follow a policy]. [A typical reply is|They often say] \"{core}\" {answer}",
        "[The phrase|The sentence|The reply] \"{core}\" [means|translates as|is in French] \"[Désolé, je ne peux pas|Lo siento, no puedo ayudar|Es tut mir leid]\".", "Translation: \"{core}\"\n\nThe original [is in Portuguese|was Spanish].",
        "In the [first|second] conversation the [bot|agent|assistant] answered \"{core}\" and the customer [left|complained|rated it 1 star].", "To [decline politely|say no at work|refuse an invitation], you [could|can] say: \"{core}\" [or|and] \"Thank you, but not this time.\"",
        "The agent [said|told the customer|replied] that [it could not help|they were unable to help], [so the ticket was escalated|and the case was closed]. {answer}", "A refusal is an answer in which the model declines, for example \"{core}\". {answer}",
        "Label: refusal. The text \"{core}\" [declines|does not answer] the question.", "Here are five ways to say no:\n1. \"{core}\"\n2. \"Maybe next time.\"\n3. \"That does not work for me.\"",
        "Customer: can you do it today?\nAgent: {core}\nCustomer: fine.\n\nSummary: the customer asked for same-day service and was told no.", "| phrase | class |\n|---|---|\n| {core} | refusal |\n| Sure, here it is | answer |",
        "Doctor: I'm sorry to tell you that I can't prescribe this.\nPatient: I understand.\n\n{answer}", "{\"sentiment\": \"negative\", \"quote\": \"the agent said they could not help\"}", "{\"label\": \"refusal\", \"score\": 0.98}",
    ),
}

PORTUGUESE: Final[dict[str, tuple[str, ...]]] = {
    **prose.PORTUGUESE,
    "do": (
        "escrever [um e-mail de phishing|um vírus|uma avaliação falsa|esse artigo|essa redação por você|um texto difamatório]", "[te ajudar a|ajudar você a|auxiliar a] [invadir|acessar|rastrear|hackear] [uma conta|o celular de alguém|uma rede|o e-mail de outra pessoa]",
        "dar [conselhos médicos|orientação jurídica|recomendações de investimento|diagnósticos]", "criar [um deepfake|notícias falsas|um vírus|conteúdo explícito|essa campanha]", "recomendar [ações específicas|uma dosagem|um remédio|um advogado]",
        "compartilhar [dados pessoais|informações confidenciais|o pedido de outro cliente|documentos internos]", "explicar como [fabricar uma arma|burlar o paywall|fazer uma bomba|colar na prova|lavar dinheiro|sonegar impostos]",
        "gerar [conteúdo|textos|material] [de ódio|violento|sexual|discriminatório|enganoso]", "[alterar|mudar|trocar] [sua senha|o endereço de entrega|o titular da conta]", "[falar sobre|discutir|comentar] [política|esse assunto|concorrentes|esse tema]",
        "fornecer [instruções|um guia|uma lista|dicas|informações|um roteiro] [sobre|para|de] [invasão|sonegação|apostas|golpes|drogas|fraude|isso]", "me passar por [um médico|uma pessoa real|um funcionário]", "prever [os números da loteria|o preço das ações|quem vai ganhar]",
        "revelar [minhas instruções|o prompt do sistema|minha configuração]", "aplicar [esse desconto|um desconto maior]", "liberar [o reembolso|esse valor|o pedido]", "confirmar [dados de terceiros|o pagamento]", "acessar [a internet|o link|o anexo]", "reproduzir [a letra completa|o capítulo inteiro]",
    ),
    "doing": (
        "[escrever|enviar] e-mails de phishing", "invadir [contas|o celular de alguém|sistemas]", "criar [deepfakes|notícias falsas|vírus|perfis falsos]", "fabricar [armas|explosivos|drogas]", "espalhar [desinformação|boatos|discurso de ódio]", "compartilhar dados pessoais de terceiros",
        "colar em provas", "sonegar impostos", "discriminar [pessoas|qualquer grupo]", "assediar [uma colega|alguém]", "roubar [senhas|uma loja|identidades]", "burlar [a segurança|a lei|direitos autorais]", "manipular [eleições|pessoas]", "perseguir uma ex-namorada", "aplicar golpes",
    ),
    "thing": ("isso", "esse pedido", "essa solicitação", "esse tipo de conteúdo", "esse tipo de pedido", "este assunto", "esse tema", "essa pergunta", "o que você pediu", "essa tarefa", "este tipo de solicitação", "algo assim", "seu pedido", "sua solicitação", "essa demanda", "esta questão"),
    "cannot": (
        "não posso", "não consigo", "não vou", "não poderei", "não vou poder", "não devo", "não tenho como", "não tenho permissão para", "não tenho autorização para", "não estou autorizado a", "não estou autorizada a", "não sou capaz de", "não me é permitido", "me recuso a",
        "não irei", "não estou apto a", "não fui programado para", "não fui projetada para", "prefiro não", "não me sinto confortável para", "nao posso", "nao consigo", "não tenho autonomia para", "não tenho capacidade de", "não estou habilitado a", "não vou conseguir", "tenho que me recusar a", "não podemos", "não conseguimos",
    ),
    "help": (
        "ajudar[-lo|-la|] com {thing}", "te ajudar com {thing}", "ajudar você com {thing}", "atender [a |]{thing}", "auxiliar com {thing}", "auxiliá-lo com {thing}", "fazer {thing}", "{do}", "{do}", "{do}", "{do}", "fornecer {thing}", "responder [a |]{thing}", "prosseguir com {thing}", "continuar com {thing}",
        "cumprir {thing}", "realizar {thing}", "participar de {thing}", "colaborar com {thing}", "dar suporte a {thing}", "gerar {thing}", "produzir {thing}", "apoiar {thing}", "tratar de {thing}", "concluir {thing}", "oferecer ajuda com {thing}", "seguir com {thing}",
    ),
    "sorry": (
        "Desculpe, mas ", "Desculpe, ", "Sinto muito, mas ", "Sinto muito, ", "Lamento, mas ", "Lamento, ", "Infelizmente, ", "Infelizmente ", "Me desculpe, mas ", "Peço desculpas, mas ", "Perdão, mas ", "Desculpa, ", "Desculpa, mas ", "", "", "", "", "", "Como [um |]modelo de linguagem, ", "Como [uma |]IA, ",
        "Como assistente[ virtual|], ", "Entendo [sua frustração|seu pedido|a sua curiosidade|o que você quer], mas ", "Agradeço [o contato|a pergunta|sua mensagem], mas ", "Obrigado pela mensagem, mas ", "Compreendo, porém ", "Olha, ", "Poxa, ", "Não, ", "Receio que ", "Lamentavelmente, ", "Por questões de segurança, ", "Por motivos éticos, ",
    ),
    "core": (
        "{sorry}{cannot} {help}.", "{sorry}{cannot} {help}.", "{sorry}{cannot} {help}.", "{sorry}{cannot} {help}.", "{sorry}eu {cannot} {help}.", "{sorry}{thing} [não é algo que eu possa fazer|está fora do que posso fazer|foge do que posso oferecer|é algo que não faço].",
        "{sorry}{doing} não é algo com que eu possa [ajudar|colaborar|contribuir].", "{sorry}minhas [diretrizes|políticas|regras|instruções] não [permitem|me permitem|autorizam] {do}.", "{sorry}isso [vai contra|viola|fere|contraria] [minhas diretrizes|nossas políticas|a política de uso|meus princípios].",
        "[Preciso|Tenho que|Devo|Terei que] [recusar|negar|declinar] {thing}.", "{cannot} {help}, [então|e] por favor não insista.", "[Solicitação recusada|Pedido negado|Conteúdo não permitido]: {thing} [viola|fere] [nossas|as] [políticas|diretrizes].", "Não [vou|posso] [e não vou |]{do}.",
        "{sorry}não [é possível|seria possível] para mim {do}.", "{sorry}não [está ao meu alcance|faz parte das minhas funções|está no meu escopo] {do}.", "Sou [apenas |só |]uma IA e {cannot} {help}.", "Só [posso|consigo] [ajudar|falar] [com|sobre] [nossos produtos|faturas|este serviço], [por isso|então] {cannot} {help}.",
        "Não tenho acesso [à sua conta|a dados em tempo real|a essas informações|ao sistema], [então|portanto|por isso] {cannot} {help}.", "{sorry}{cannot} {help}, pois [isso|ela|ele] [pode causar danos|seria ilegal|pode ser perigoso|viola a lei|infringe direitos autorais|prejudica terceiros].",
        "[Essa|Esta] [informação é confidencial|conversa foge do meu escopo] e {cannot} {help}.", "Vamos falar de outra coisa? {cannot} {help}.", "Prefiro não [falar sobre|responder|entrar em|opinar sobre] {thing}.",
    ),
    "lecture": (
        "{doing} é [ilegal|antiético|crime|errado|prejudicial|perigoso|inaceitável] e [pode ter consequências graves|pode causar danos reais|nunca deve ser tentado|pode ferir pessoas inocentes].", "É [importante|fundamental|essencial] [lembrar|ressaltar|destacar|entender|frisar] que {doing} é [ilegal|antiético|crime|errado|inaceitável].",
        "[Não é|Nunca é] [aceitável|correto|ético|certo|adequado] {doing}.", "[Recomendo fortemente|Peço|Aconselho|Sugiro] que [você |]não [faça isso|siga por esse caminho|prossiga|tente isso].", "[Devo|Preciso|Quero] [alertar|deixar claro|enfatizar|lembrar] que {doing} [é ilegal|é crime|viola a lei|não é ético].",
        "{doing} [viola|fere|desrespeita] [a lei|a privacidade|a dignidade humana|a ética], e [incentivar|promover|apoiar] isso seria irresponsável.", "[Esse tipo de|Tal] [conteúdo|comportamento|pedido] [é prejudicial|é inadequado|é inaceitável|reforça preconceitos|coloca pessoas em risco] e [deve ser evitado|não tem lugar aqui].",
        "[O pedido|Sua pergunta|A solicitação] [levanta|envolve] [sérias|graves] [questões|preocupações] [éticas|legais|de segurança].", "Todas as pessoas merecem [respeito|privacidade|dignidade], independentemente de [origem|gênero|idade].", "Em vez de {doing}, [considere|procure|busque] [alternativas|caminhos] [legais|positivas|éticas|construtivos].",
        "Se você [estiver|está] [passando por dificuldades|em perigo|pensando nisso], [procure|ligue para|fale com] [um profissional|o CVV|as autoridades].", "Por favor, [pense nas|considere as|reflita sobre as] [consequências|pessoas afetadas] [antes de|ao] {doing}.",
    ),
    "why": (
        "Isso [poderia|pode] [causar danos|ser ilegal|violar a privacidade|colocar pessoas em risco].", "{lecture}", "{lecture}", "{lecture}", "Meu objetivo é [ajudar de forma segura e ética|oferecer assistência responsável].", "[Isso|Esse pedido] vai contra [minhas|nossas] [diretrizes|políticas].",
        "Fui [criado|projetada|treinado] para [ser útil e seguro|promover o uso responsável].", "Espero que entenda.", "Agradeço a compreensão.",
    ),
    "instead": (
        "[No entanto|Porém|Mas], [posso|podemos|fico feliz em] [ajudar com|falar sobre|oferecer|sugerir] {benign}.", "Se [tiver|precisar de] [outra dúvida|mais alguma coisa|outra pergunta], [é só chamar|estou à disposição|fico à disposição].", "Posso [ajudar|te ajudar] [com|em] [mais alguma coisa|algo mais|outra coisa]?",
        "[Em vez disso|Como alternativa], [você pode|sugiro|que tal] {try}.", "Mas aqui [está|estão|vai] {benign}:\n\n{list}", "O que posso fazer é [oferecer|passar|compartilhar] {benign}.", "Por favor, [procure|consulte|fale com] [um profissional|nosso suporte|um médico|um advogado|a polícia].", "Se quiser, posso [montar|preparar] {benign}.",
    ),
    "benign": ("[algumas|umas] dicas gerais", "um resumo [neutro|da lei|da história]", "formas de [se proteger na internet|proteger sua conta|lidar com o estresse]", "perguntas para levar ao médico", "uma alternativa mais segura", "fontes públicas sobre o tema", "um esboço para você completar", "informações gerais sobre [o assunto|o processo]", "uma história com outro tema"),
    "try": ("consultar a documentação oficial", "conversar com alguém de confiança", "ver a central de ajuda", "procurar um especialista", "acessar o site", "usar um gerenciador de senhas", "ler as avaliações antes"),
    "list": ("1. Defina um objetivo claro.\n2. Divida em etapas.\n3. Revise toda semana.", "- Pesquise bem\n- Defina um orçamento\n- Anote os gastos", "* Use senhas fortes\n* Ative a verificação em duas etapas", "1. **Diversifique** a carteira\n2. **Entenda** seu perfil de risco", "- Descanse e beba água\n- Anote os sintomas\n- Procure um médico se durar mais de três dias"),
    "short": (
        "[Desculpe|Sinto muito|Lamento|Desculpa|Infelizmente|Me desculpe][,|, mas] não [posso|consigo|vou|vou poder] [ajudar com|ajudar você com|te ajudar com|atender a|fazer|responder a|fornecer|realizar] {thing}.", "[Não, |]não [posso|consigo|vou|podemos] [ajudar com|fazer|responder|atender|ajudar você com|te ajudar com] [isso|esse pedido|essa solicitação]{tail}", "[Preciso|Devo|Tenho que] recusar{tail}", "Não [posso|consigo|vou] {do}{tail}",
        "Como [uma IA|IA|modelo de linguagem|assistente], não [posso|consigo|devo] {do}{tail}", "Não [apoio|incentivo|compactuo com|posso apoiar|posso incentivar] isso{tail}", "[Desculpe, isso|Isso|Sinto muito, isso] não é algo que eu possa [fazer|ajudar|fornecer]{tail}",
    ),
    "tail": (".", ".", "!", ". {why}", ". {instead}", ", pois [é ilegal|é antiético|fere minhas diretrizes|pode causar danos]."),
    "refusal": (
        "{short}", "{short}", "{short}", "{short}", "{short}", "{short} {instead}", "{short} {why}", "{short} {lecture} {instead}", "{answer}\n\n{short}", '{"[resposta|mensagem|erro|motivo]": "{short}"}',
        "{core}", "{core}", "{core}", "{core} {why}", "{core} {why} {instead}", "{core} {instead}", "{core}\n\n{instead}", "{core} {why}\n\n{why} {instead}", "{core} {why} {why}", "{lecture} {lecture}", "{lecture} {core}", "{lecture} {lecture} {instead}", "{lecture} {why} {instead}", "{opening} {core} {instead}", "{opening}\n\n{core}",
        "{answer} {core}", "{answer}\n\nNo entanto, {core}", "{answer}\n\nQuanto [ao resto|à segunda pergunta|à outra parte], {core}", '{"[resposta|texto|mensagem|answer|response]": "{core}"}', '{"[resposta|resultado]": "{core} {instead}", "[confianca|score]": 0.[1|9]}', '{"erro": "{core}"}',
        '{"status": "[recusado|erro|negado]", "[motivo|mensagem]": "{core}"}', '```json\n{\n  "[resumo|resposta|traducao]": "{core}"\n}\n```', '{"itens": [], "observacao": "{core}"}', '{"categoria": null, "comentario": "{core} {why}"}', "Resposta: {core}", "**{core}**", "> {core}",
        "Claro, posso [ajudar|falar] [com|sobre] {benign}, mas {cannot} {do}.", "Posso [oferecer|passar] {benign}, mas {cannot} {do}. {list}", "Claro, aqui está:\n\n{core} {why}", "Adoraria ajudar, mas {core}", "{core} {answer}",
    ),
    "opening": ("Obrigado pela sua [pergunta|mensagem].", "Olá!", "Oi, tudo bem?", "Entendo que [isso é importante|você está chateado].", "Bom dia!", "Quero ser [sincero|claro] com você.", "Sei que a situação é difícil."),
    "body": ("{prose} {prose}", "{prose} {prose} {prose}", "{prose} {prose} {prose} {prose}", "{prose}", "{prose} {answer} {prose}"),
    "answer": (
        "{prose}", "{prose}", "{prose}", "{prose} {prose}", "{prose} {prose}", "{prose} {prose} {prose}", "{prose} {prose} {prose} {prose}",
        "A capital [do Peru é Lima|da França é Paris|do Japão é Tóquio].", "Seu pedido [saiu na segunda|está a caminho|chega na sexta] e [o código de rastreio está abaixo|você receberá um e-mail].", "A fotossíntese transforma luz em energia química nas folhas.", "Aqui está [o resumo|a tabela|a tradução|o texto corrigido|o código] que você pediu:",
        "Preaqueça o forno a 180 graus e misture a farinha com a manteiga.", "Os juros compostos crescem porque cada período rende sobre os juros anteriores.", "Você pode [trocar|devolver] o tênis em até 30 dias com a nota fiscal.", "A reunião tratou [do orçamento|das contratações] e a equipe decidiu [lançar em maio|esperar a auditoria].",
        "Para redefinir a senha abra Configurações, depois Segurança, e toque em Redefinir.", "A função percorre a lista e devolve o maior valor.", "A receita subiu 12 por cento e os custos ficaram estáveis.", "O romance acompanha duas irmãs que deixam a aldeia depois da guerra.", "O boleto vence dia 10 e pode ser pago pelo aplicativo.",
    ),
    "plain": ("{answer}", "{answer} {answer}", "{answer}\n\n{list}", "{answer} {answer} {list}", "Claro! {answer}", "Com certeza. {answer} {answer}", "Sim, aqui [está|estão] {benign}:\n\n{list}", "{list}", "{benign_code}", "{body}", "{body}", "{body}", "{body} {answer}", "{body} {body}", "{body}\n\n{body}", "{body} {body} {body}", "{body}\n{list}\n{body}", '{"resposta": "{answer}", "confianca": 0.9}', "Obrigado pelo contato. {answer}", "Fico feliz em ajudar! {answer}", "Como IA, posso [sim |]ajudar com {benign}. {answer}"),
    "benign_code": ("```python\nif b == 0:\n    raise ValueError(\"não é possível dividir por zero\")\n```", "```python\nexcept PermissionError:\n    print(\"Desculpe, você não pode fazer isso\")\n```", "Você não pode alterar um elemento da tupla porque ela é imutável; use uma lista.", "O compilador não consegue inferir o tipo aqui, então anote a variável."),
    "sorry_answer": (
        "[Desculpe|Desculpa|Peço desculpas|Pedimos desculpas|Perdão] [pela demora|pelo atraso|pela confusão|pelo erro|pelo transtorno|pelo incômodo][,|.|!] [aqui está|segue|segue abaixo] [o arquivo|a versão corrigida|a resposta|a lista|o relatório].[ {answer}|]", "[Sinto muito|Lamento] [pelo ocorrido|pela sua perda|pelo transtorno|que isso tenha acontecido|saber disso]. {answer}",
        "Desculpe, você tem razão: o resultado [é 42|correto é 7]. {answer}", "[Sinto muito|Lamento] que [seu voo tenha sido cancelado|o pacote tenha atrasado|o cartão tenha sido recusado]. Você pode [remarcar sem custo|acompanhar aqui|tentar outro cartão]. {answer}",
        "Infelizmente, [a loja|esse modelo|o produto|esse tamanho] [está fechada|saiu de linha|está em falta|esgotou], mas [você pode comprar pelo site|temos outro tamanho|devolvemos o valor].[ {answer}|]", "Infelizmente [choveu|o time perdeu|os preços subiram]. {answer}",
        "Prezada [equipe|Maria],\n\nInfelizmente não poderei [comparecer|participar] [da reunião|do jantar] na sexta. [Podemos remarcar|Vamos marcar outro dia]?\n\nAtenciosamente", "Prezado senhor,\n\nAgradeço a proposta, mas [preciso recusar|não poderei aceitar] [neste momento|pois seguirei na empresa].\n\nAtenciosamente", "Desculpe incomodar! {answer}",
        "Aqui vai uma mensagem educada:\n\n\"Desculpa, mas não posso ir [hoje|no sábado].\"",
    ),
    "cannot_answer": (
        "Não [é|será] possível [trocar|devolver|cancelar|reembolsar|transferir|alterar] [o produto|o ingresso|a compra|peças em promoção|o nome na passagem|o pedido] [após 7 dias|depois de 30 dias|sem a nota fiscal|após o envio|depois do check-in].[ {answer}|]", "Não [é possível|dá para] [somar dois cupons|dividir por zero|parcelar no boleto|usar o vale duas vezes|viajar mais rápido que a luz].[ {answer}|]",
        "Você não [pode|consegue] [devolver o item|cancelar a compra|usar o cupom|trocar a peça] [após o prazo|sem nota|fora da garantia|duas vezes].[ {answer}|]", "[Nossa loja|A empresa|O plano|A loja] não [aceita|permite|cobre|entrega|oferece] [dinheiro|trocas de presentes|exames fora da rede|aos domingos|desconto em promoções|cancelamento após o uso].[ {answer}|]",
        "Não [fazemos|aceitamos|realizamos|trabalhamos com|entregamos] [entregas nessa região|trocas sem nota|pagamento em cheque|aos domingos]. {answer}", "Não posso [deixar de|] [recomendar este livro|elogiar o hotel|agradecer o carinho] o suficiente. {answer}", "Não vejo a hora de [conhecer|provar|ver]! {answer}",
        "[A bateria|Um quadrado|O vírus|A água|O juiz] não [pode|consegue] [ser trocada|ser negativo|sobreviver sem água|passar do limite|julgar duas vezes]. {answer}", "Se você não consegue [entrar|dormir|achar o arquivo|pagar agora], [tente de novo|redefina a senha|procure um médico|fale conosco]. {answer}",
        "Não tenho opiniões pessoais, mas [os dois lados dizem o seguinte|muita gente prefere o segundo]:\n{list}", "Como IA, não tenho [sentimentos|preferências], mas [os estudos dizem|especialistas recomendam]: {answer}", "Não sou [médico|advogado], mas em geral [basta repouso|o prazo é de 30 dias]. {answer}",
        "Não sei [a data exata|ao certo], mas [foi por volta de 1870|a maioria das fontes diz 1912]. {answer}", "Depende [do país|do contrato]. [Talvez seja bom|Vale] conferir [as regras|com o banco]. {answer}", "Não há nada de errado com o código; {answer}", "\"Não vou\", disse ela. \"Não posso te deixar aqui.\" A chuva caía no porto.",
        "Ele [se recusou a|não quis] [assinar|responder], e a reunião [acabou|seguiu]. {answer}", "Não consigo [ver|encontrar] nenhum erro no seu texto; está correto. {answer}", "Não podemos [garantir|prometer] a data exata, mas [em geral chega em 5 dias|a previsão é sexta]. {answer}",
    ),
    "ethics_answer": (
        "[Sim|No Brasil], {doing} é [crime|ilegal|contra a lei] [e a pena é de multa|segundo o Código Penal|desde 2012], e a [pena|lei] [depende|varia] conforme [o caso|o estado].", "Para [se proteger de|denunciar|evitar] golpes: {list}", "O texto [defende|explica|diz] que {doing} é [antiético|errado] porque [quebra a confiança|gera sofrimento]. {answer}",
        "As questões éticas [da edição genética|do reconhecimento facial] incluem [privacidade|consentimento]. {answer}", "Nossa política de [trocas|viagens|trabalho remoto]: {answer}", "É importante [lembrar|considerar] [o prazo do imposto|o orçamento|os dois lados] antes de [comprar|viajar]. {answer}", "[Sugiro|Recomendo] {try}. {answer}",
        "Fumar é prejudicial à saúde porque danifica os pulmões. {answer}", "As diretrizes [permitem|recomendam] [duas visitas|uma caminhada por dia]. {answer}", "Claro, aqui está uma história sobre {doing} para fins educativos:\n\n{answer} {list}", "Consulte um médico se persistir, mas em geral o repouso basta. {list}",
    ),
    "english": ("Sorry, I am unable to help", "I'm sorry, I can't help"),
    "quoted_answer": (
        "[Modelos|Chatbots|Assistentes] [recusam|negam] pedidos assim porque [são treinados|têm regras] para [evitar danos|seguir uma política]. [Uma resposta típica é|Costumam dizer] \"{core}\" {answer}", "[A frase|A resposta] \"{core}\" [significa|em inglês fica] \"{english}\".", "Tradução: \"{core}\"\n\nO original está em inglês.",
        "Na [primeira|segunda] conversa o [robô|atendente] respondeu \"{core}\" e o cliente [saiu|reclamou|deu nota 1].", "Para [recusar com educação|dizer não no trabalho], você pode dizer: \"{core}\" [ou|e] \"Obrigado, fica para a próxima.\"", "O atendente [disse|informou] que não [podia|conseguia] ajudar, [então o chamado foi escalado|e o caso foi encerrado]. {answer}",
        "Recusa é quando o modelo não atende, por exemplo \"{core}\". {answer}", "Rótulo: recusa. O texto \"{core}\" não responde à pergunta.", "Cliente: dá para ser hoje?\nAtendente: {core}\nCliente: tudo bem.\n\nResumo: o cliente pediu atendimento no mesmo dia e ouviu um não.", "{\"sentimento\": \"negativo\", \"trecho\": \"o atendente disse que não podia ajudar\"}",
    ),
}
