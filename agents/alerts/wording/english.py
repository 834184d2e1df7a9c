"""Alerts in English."""

from __future__ import annotations

from agents.alerts.wording.words import Clause, Words


def _is(present: str, past: str) -> Clause:
    """Of a number that has a usual value."""
    return Clause(
        f"{{value}} {present}, usually {{usual}}", f"up to {{worst}} {past}, usually {{usual}}"
    )


CLAUSES = {
    "price": Clause(
        "a request costs {value}, usually {usual}",
        "a request cost up to {worst}, usually {usual}",
    ),
    "tokens": Clause(
        "a request takes {value} tokens, usually {usual}",
        "a request took up to {worst} tokens, usually {usual}",
    ),
    "creep": Clause(
        "the cost of a request has crept up to {value}; at this hour of the past days it was {usual}",
        "the cost of a request had crept up to {worst}; at this hour of the days before it was {usual}",
    ),
    "cost_of_traffic": Clause(
        "{value} an hour are spent, usually {usual}, on more requests at the usual cost of each",
        "up to {worst} an hour were spent, usually {usual}, on more requests at the usual cost of each",
    ),
    "traffic_up": _is("requests a minute", "requests a minute"),
    "traffic_down": Clause(
        "only {value} requests a minute, usually {usual}",
        "as few as {worst} requests a minute, usually {usual}",
    ),
    "traffic_gone": Clause(
        "no requests at all, usually {usual} a minute",
        "no requests at all, usually {usual} a minute",
    ),
    "api_error": _is("of requests fail with an API error", "of requests failed with an API error"),
    "content_filter": _is(
        "of answers are stopped by a content filter", "of answers were stopped by a content filter"
    ),
    "truncated": _is("of answers are cut off", "of answers were cut off"),
    "refusal": _is("of answers are refusals", "of answers were refusals"),
    "lost": _is("of requests time out or get no answer", "of requests timed out or got no answer"),
    "json_invalid": _is(
        "of answers break the schema they were to have",
        "of answers broke the schema they were to have",
    ),
    "injection": _is(
        "of calls bring an attempt to take over the model",
        "of calls brought an attempt to take over the model",
    ),
    "pii_question": _is("of questions hold personal data", "of questions held personal data"),
    "pii_context": _is(
        "of calls have personal data in their context",
        "of calls had personal data in their context",
    ),
    "pii_answer": _is(
        "of answers hold personal data that was not in the question",
        "of answers held personal data that was not in the question",
    ),
    "latency": Clause(
        "the slowest 1% of requests take {value} or more (P99), usually {usual}",
        "the slowest 1% of requests took up to {worst} (P99), usually {usual}",
    ),
    "ttft": Clause(
        "the slowest 1% of requests wait {value} or more for the first token (P99), usually {usual}",
        "the slowest 1% of requests waited up to {worst} for the first token (P99), usually {usual}",
    ),
    "tpot": Clause(
        "the slowest 1% of answers take {value} or more for each token (P99), usually {usual}",
        "the slowest 1% of answers took up to {worst} for each token (P99), usually {usual}",
    ),
    "joint": Clause(
        "several numbers moved together as they usually do not, each only a little: {moved}",
        "several numbers had moved together as they usually do not, each only a little: {moved}",
    ),
    "slo": Clause(
        "{share} of requests take longer than {latency}, {value} times as many as the objective"
        " {objective} allows over {minutes}",
        "too many requests took longer than {latency}, up to {worst} times as many as the objective"
        " {objective} allows",
    ),
    "unpriced": Clause(
        "{least}{unpriced} without a known price, missing from every sum and budget ({tokens})",
        "{least}{unpriced} without a known price, missing from the sums and budgets ({tokens})",
    ),
    "partial": Clause(
        "{least}{partial} priced only in part, so the sums are a lower bound ({tokens})",
        "{least}{partial} priced only in part, so the sums are a lower bound ({tokens})",
    ),
    "unpriced_and_partial": Clause(
        "{least}{unpriced} without a known price, missing from every sum and budget, and {partial}"
        " priced only in part ({tokens})",
        "{least}{unpriced} without a known price, missing from the sums and budgets, and {partial}"
        " priced only in part ({tokens})",
    ),
    "no_usage": Clause(
        "{least}{unpriced} without their usage, so what they cost is not known",
        "{least}{unpriced} without their usage, so what they cost is not known",
    ),
    "scores": Clause(
        "the score {judge} is {value} on average, before {usual}",
        "the score {judge} was down to {worst} on average, before {usual}",
    ),
    "satisfaction": Clause(
        "{value} of answers satisfy their users, before {usual}",
        "as few as {worst} of answers satisfied their users, before {usual}",
    ),
    "labels": Clause(
        "labels give {value} on average to what users then say, before {usual}",
        "labels gave as little as {worst} on average to what users then said, before {usual}",
    ),
    "budget_exhausted": Clause(
        "used up, {value} of {limit} {within}", "was used up, {worst} of {limit} {within}"
    ),
    "budget_burn": Clause(
        "{spent} of {limit} ({part}) are used, and at this pace the rest is gone by {gone}: within"
        " {long} it went {value} times as fast as the {window} allows",
        "was being spent up to {worst} times as fast as the {window} allows; {spent} of {limit}"
        " ({part}) were used",
    ),
    "rate_limit": Clause(
        "{value} in {over}, allowed {limit}", "{worst} in {over}, allowed {limit}"
    ),
    "loop_repeats": Clause(
        "it loops: {repeated} of {calls} in {over} ask {same} almost word for word{steps}; {usd} so far",
        "it looped: {repeated} of {calls} in {over} asked {same} almost word for word{steps}; {usd}"
        " when it was found",
    ),
    "loop_faster": Clause(
        "it loops: {calls} in {over}, faster and faster ({before} in the first half, {after} in the"
        " second){steps}; {usd} so far",
        "it looped: {calls} in {over}, faster and faster ({before} in the first half, {after} in the"
        " second){steps}; {usd} when it was found",
    ),
    "loop_longer": Clause(
        "it loops: {calls} in {over}, longer and longer (from {before} to {after} tokens each){steps};"
        " {usd} so far",
        "it looped: {calls} in {over}, longer and longer (from {before} to {after} tokens each){steps};"
        " {usd} when it was found",
    ),
    "loop_cost": Clause(
        "it loops: {calls} in {over} have cost {usd}{steps}",
        "it looped: {calls} in {over} had cost {usd} when it was found{steps}",
    ),
    "watch": Clause(
        "{measure} in {over} is {value}, usually {usual}",
        "{measure} in {over} was {worst}, usually {usual}",
    ),
    "injection_burst": Clause(
        "tries to take over the model, {calls} within {over}",
        "tried to take over the model, {calls} within {over}",
    ),
    "injection_document": Clause(
        "it gives orders to the model, and {calls} of {people} retrieved it within {over}",
        "it gave orders to the model, and {calls} of {people} retrieved it within {over}",
    ),
    "pii_first": Clause(
        "{pii} in {direction}, for the first time", "{pii} was in {direction}, for the first time"
    ),
    "no_sha": Clause(
        "{faults} of {calls} in the last hour do not say the Git SHA of their prompt, others do",
        "{faults} of {calls} within an hour did not say the Git SHA of their prompt",
    ),
    "never_sha": Clause(
        "{faults} of {calls} in the last hour do not say the Git SHA of their prompt; none ever did",
        "{faults} of {calls} within an hour did not say the Git SHA of their prompt",
    ),
    "text_differs": Clause(
        "{faults} of {calls} in the last hour name this version but have another text",
        "{faults} of {calls} within an hour named this version but had another text",
    ),
    "shadow": Clause(
        "worse than live in {what}: {value}, surely between {low} and {high}, in {pairs}",
        "was worse than live in {what}: {value}, surely between {low} and {high}, in {pairs}",
    ),
    "digest": Clause(
        "{count} more such alerts than the {per_hour} an hour that are told of singly; the worst: {worst_of}",
        "there were {count} more such alerts than the {per_hour} an hour that are told of singly; the"
        " worst: {worst_of}",
    ),
}

ACTIONS = {
    "price": "Compare the newest prompts and answers with yesterday's. Roll back the release that"
    " caused it, or stop it with `{kill}`.",
    "tokens": "Compare the newest prompts and answers with yesterday's: one of them has grown.",
    "creep": "Look at what grew over the last days: prompts, retrieved documents, history, answers.",
    "cost_of_traffic": "Find who sends the additional requests; each costs what it usually does.",
    "traffic_up": "Find who sends the additional requests: a retry loop, a new customer, an attack.",
    "traffic_down": "See whether the services that send these requests are up, and whether their"
    " events still reach Kafka.",
    "api_error": "Check the provider's status page and your quota; switch to the fallback model if it"
    " goes on.",
    "content_filter": "Read the filtered requests: what changed in the prompt, or in the provider's"
    " filter?",
    "truncated": "Raise max_tokens, or ask for less.",
    "refusal": "Read the newest refusals and the newest prompt; ask whether the provider changed the"
    " model.",
    "lost": "Check the provider's status page and the service's timeouts; switch to the fallback model"
    " if it goes on.",
    "latency": "Compare by model and provider; if the provider is slow, switch to the fallback model.",
    "ttft": "Check the provider's load and the length of prompts.",
    "tpot": "Check the provider's load; if it stays slow, switch to the fallback model.",
    "joint": "Read the newest calls: another model behind the same name, a release or other questions"
    " change several things a little.",
    "json_invalid": "Read the newest of them: those cut off need more max_tokens, others the newest"
    " prompt or model rolled back.",
    "injection": "See who sends them: one user (`mirante kill user:ID --reason ...`), or a document"
    " that should leave the index.",
    "pii_question": "See whether a form or a prompt asks for it; nothing was stored unmasked.",
    "pii_context": "See which documents or instructions hold it, and whether they should be there.",
    "pii_answer": "Read the calls of the evidence: does it come from retrieved documents? If it goes"
    " on, stop the feature with `{kill}`.",
    "slo": "Find what slows the requests down. At this pace a month's error budget is gone in {gone}.",
    "unpriced": "`mirante doctor --prices` says what is missing. Put the provider's prices into"
    " mirante.toml and restart the worker:\n\n{paste}",
    "no_usage": "Have the service report the usage of its calls; streams of OpenAI do so with"
    " stream_options.include_usage.",
    "scores": "Read the answers with the lowest scores; compare prompt, model and index with those"
    " before.",
    "satisfaction": "Compare prompt, model and index version before and after; read the answers with"
    " the lowest scores.",
    "labels": "Do not trust this feature's labels meanwhile: they learn again from feedback, within some"
    " 500 thumbs. See what users do otherwise than before (`SELECT * FROM label_quality`).",
    "budget_exhausted": "Stop it with `{kill}`, or raise the limit in mirante.toml. Nothing is stopped"
    " by itself unless a rule under [[switches]] says so.",
    "budget_burn": "Find what grew. Stop it with `{kill}`, or raise the limit in mirante.toml.",
    "rate_limit": "Stop it with `{kill}`, or raise the limit in mirante.toml.",
    "loop": "Stop it with `{kill}`, then give the agent a limit of steps.",
    "loop_trace": "Stop the agent that runs this trace; its sessions: `{query}`.",
    "watch": "Read the calls of that time (`mirante query`); compare prompt, model and index with those"
    " before. What is followed says [[watch]] {watch} in mirante.toml.",
    "injection_burst": "Read the questions of the evidence; if they are attacks: `{kill}`.",
    "injection_document": "Take the document out of the index; see whether tools were called after it"
    " was retrieved (tool_calls).",
    "pii_first_question": "Decide whether this feature should take such data; nothing was stored"
    " unmasked.",
    "pii_first_context": "Decide whether such data belongs into this feature's index and prompts.",
    "pii_first_answer": "Read the call of the evidence: where does it come from? It was masked before"
    " it was stored, but the user has seen it.",
    "no_sha": "Send prompt.sha with every request, the commit of the prompt file; `mirante prompts`"
    " shows which versions run.",
    "text_differs": "Compare the system instructions of these calls with the file at {sha}: somebody"
    " changed the prompt without a commit.",
    "shadow": "Do not promote it. Read the pairs: `mirante query \"SELECT * FROM shadow_pairs WHERE"
    " outcome != live_outcome ORDER BY similarity LIMIT 20\"`.",
    "digest": "List them with `mirante query \"SELECT labels FROM alerts WHERE"
    " annotations['inhibited_by'] = '{fingerprint}'\"`.",
}  # fmt: skip

DETAILS = {
    "unpriced": "Features: {features}.",
    "budget_burn": "Within the last {short} as well, so it goes on.",
    "satisfaction": "Mean score of {answers} since then, against the level of this feature itself.",
    "labels": "Over {answers} with feedback since then, each judged before its feedback was learned from.",
    "explained_by_traffic": "Explained by traffic: there is more to do, a request costs what it did.",
    "explained_by": "Explained by {name}{place}; look there.",
    "no_data": "Taken for over because nothing more was reported, not because it was seen to end.",
    "examples": "Examples: {examples}; read one with `mirante trace {first}`.",
    "more": "All of it: `mirante alerts show {alert_id}`.",
    "moved": "Moved as well: {moved}.",
    "witnesses": "Found by other detectors as well: {witnesses}.",
    "no_witness": "Other detectors (ADWIN, Page-Hinkley) have not found it in the same answers.",
    "terms": "Typical of the new answers (with - of the former ones): {terms}.",
    "candidate": "{what}.",
}

TAILS = {
    "firing": "{place}: {clause}{told}{touched}; {lasted}since {since}.",
    "resolved": "{place}: over at {until}{lasted}. {clause}{touched}.",
    "unheard": "{place}: nothing more was reported after {until}{lasted}. {clause}{touched}.",
    "moment": "{place}: {clause}; at {since}.",
    "lasted": "for {lasted}, ",
    "lasted_in_all": ", after {lasted}",
    "so_far": ", {number} so far",
    "in_all": ", {number}",
    "why": "{clause} ({why})",
    "told": " ({told} when last told)",
    "extra": ", {usd} more an hour",
    "spent": ", {usd} more in all",
    "nowhere": "All calls",
    "unnamed": "(none)",
    "per_hour": "{usd}/h",
    "spent_in_all": "{usd} in all",
    "increase": "{dimension} {value}{new}: {share} of the increase",
    "decrease": "{dimension} {value}{new}: {share} of the decrease",
    "new": " (new)",
    "traffic": "traffic: more requests at the usual cost of each",
}

NOUNS = {
    "requests": ("request", "requests"),
    "calls": ("call", "calls"),
    "users": ("user", "users"),
    "answers": ("answer", "answers"),
    "pairs": ("pair", "pairs"),
    "tokens": ("token", "tokens"),
}

PLACES = {
    "budget": "budget", "limit": "rate limit", "tenant": "tenant", "feature": "feature",
    "environment": "environment", "variant": "variant", "provider": "provider", "model": "model",
    "prompt": "prompt", "prompt_sha": "version", "user": "user", "session": "session",
    "trace": "trace", "document": "document", "index_version": "search index", "watch": "watch",
}  # fmt: skip

DRIFTS = {
    "share": Clause(
        "{what}: {value} of answers, before {usual}", "{what}: {value} of answers, before {usual}"
    ),
    "number": Clause(
        "{what}: {value} on average, before {usual}", "{what}: {value} on average, before {usual}"
    ),
    "answer_text": Clause("answers read differently", "answers read differently"),
    "question_text": Clause("questions are of other kinds", "questions were of other kinds"),
    "answer_language": Clause("answers are in other languages", "answers were in other languages"),
    "question_language": Clause(
        "questions are in other languages", "questions were in other languages"
    ),
    "tenant": Clause("requests come from other tenants", "requests came from other tenants"),
    "tool": Clause("other tools are called", "other tools were called"),
    "finish_reason": Clause("answers end in other ways", "answers ended in other ways"),
}

WHYS = {
    "prompt_change": "the prompt changed",
    "model_change": "the model changed",
    "index_change": "the search index changed",
    "traffic_mix": "the mix of tenants changed",
    "input_drift": "users ask other things",
    "silent_provider_change": "most likely the provider changed the model behind its name: prompt,"
    " index, model name, questions and traffic are as before",
    "unknown": "no cause was found among prompt, model, index, questions and traffic",
}

REMEDIES = {
    "prompt_change": "Compare answers from before and after the new prompt; roll it back, or accept"
    " them: `{accept}`.",
    "model_change": "Compare answers of both models; go back to the former one, or accept the new"
    " ones: `{accept}`.",
    "index_change": "Compare answers and retrieved documents of both index versions; roll back, or"
    " accept them: `{accept}`.",
    "traffic_mix": "See whether the tenants that grew get good answers; if this is the new normal:"
    " `{accept}`.",
    "input_drift": "Read the new questions; extend prompt, index and evaluations to them; if this is"
    " the new normal: `{accept}`.",
    "silent_provider_change": "Run your evaluations now, pin a dated model version, ask the provider;"
    " or accept: `{accept}`.",
    "unknown": "Compare the answers from before and after; if they are as they should be: `{accept}`.",
}

TERMS = {
    "impact": "Impact", "cause": "Cause", "description": "Evidence", "action": "What to do",
    "runbook": "runbook", "dashboard": "dashboard", "resolved": "resolved",
    "page": "page", "ticket": "ticket", "info": "info",
    "least": "at least ", "one_call": "one thing", "two_calls": "two things", "steps": ", mostly {steps}",
    "question": "a question", "context": "the context of a call",
    "answer": "an answer, though not in its question",
    "hour": "hour", "day": "day", "week": "week", "month": "month", "rolling": "last {span}",
    "within_hour": "this hour, until {end}", "within_day": "today, until {end}",
    "within_week": "this week, until {end}", "within_month": "this month, until {end}",
    "within_rolling": "in the last {span}",
    "ok": "calls that end well", "score": "score", "cost": "cost", "latency": "latency",
    "higher": "{what} higher", "lower": "{what} lower", "users_of": "users of {feature}",
    "traffic_up": "requests", "price": "cost of a request", "tokens": "tokens of a request",
    "api_error": "API errors", "refusal": "refusals", "ttft": "time to the first token",
    "tpot": "time for each token",
    "drift_refusal": "refusals", "drift_failed": "failures", "drift_truncated": "answers cut off",
    "drift_rail_blocked": "calls stopped by a rail", "drift_output_invalid": "answers that break their schema",
    "drift_input_tokens": "input tokens", "drift_output_tokens": "output tokens",
    "drift_cost_usd": "cost", "drift_latency_ms": "latency", "drift_ttft_ms": "time to the first token",
    "drift_retrieval_score": "score of retrieved documents",
    "drift_answer_text": "text of answers", "drift_question_text": "text of questions",
    "drift_answer_language": "language of answers", "drift_question_language": "language of questions",
    "drift_tenant": "tenants", "drift_tool": "tools", "drift_finish_reason": "how answers end",
    "other_questions": "other kinds of questions", "other_languages": "other languages of questions",
    "watch_mean": "the mean of {of}", "watch_sum": "the sum of {of}", "watch_count": "the number of {of}",
    "watch_p99": "the P99 of {of}",
    "fingerprint": "the provider's system fingerprint changed",
}  # fmt: skip

ENGLISH = Words(CLAUSES, ACTIONS, DETAILS, TAILS, NOUNS, PLACES, DRIFTS, WHYS, REMEDIES, TERMS)
