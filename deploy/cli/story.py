"""How a story (deploy/trace.py) looks in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from deploy.cli.output import block, cell, console
from deploy.plain import one_line
from deploy.trace import Story

_GOOD, _BAD = "green", "bold red"


def show(story: Story) -> None:
    """Print it."""
    out = console()
    for call in story.calls:
        out.print(_call(call, story.absent))
    if len(story.calls) > 1 or sum(1 for _ in _all(story.steps)) > len(story.calls) or any(step["children"] for step in story.steps):
        out.print(_tree(story.steps))
    if story.session_feedback:
        out.print(_heading("feedback on the session"), *map(_feedback, story.session_feedback), sep="\n")
    if story.truncated:
        out.print("[yellow]there is more than is shown; ask for one call with --request-id[/]")
    if story.absent:
        out.print(cell(f"not available in this database: {', '.join(sorted(story.absent))}", "dim"))


def _all(steps: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    waiting = list(steps)
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(step["children"])


def _call(call: Mapping[str, Any], absent: Iterable[str]) -> Panel:
    colour = _GOOD if call["outcome"] == "ok" else _BAD
    parts: list[RenderableType] = [_facts(call)]
    parts += [*_asked(call), *_answered(call), _heading("guards"), *_guards(call)]
    for name, line in _LINES.items():
        if name in absent or not call.get(name):
            continue
        parts += [_heading(name.replace("_", " ")), *map(line, call[name])]
    title = Text.assemble(cell(call["outcome"], colour), " ", cell(call["response_id"] or call["request_id"]))
    return Panel(Group(*parts), title=title, title_align="left")


def _facts(call: Mapping[str, Any]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    model = call["model"] if call["model"] == call["model_requested"] else f"{call['model']} (asked for {call['model_requested']})"
    cost = "unknown" if call["cost_usd"] is None else f"${float(call['cost_usd']):.6f}"
    facts = {
        "time": call["time"],
        "feature": f"{call['feature'] or '-'} (tenant {call['tenant']}{', ' + call['environment'] if call.get('environment') else ''})",
        "model": f"{model} at {call['provider'] or 'unknown provider'}{'' if call['variant'] == 'live' else ', ' + call['variant']}",
        "request": call["request_id"],
        "session": call["session_id"],
        "trace": call["trace_id"],
        "user": call.get("user_id", ""),
        "took": f"{_ms(call['latency_ms'])}, first token after {_ms(call['ttft_ms'])}",
        "cost": f"{cost} ({call['cost_source']}), {_number(call['input_tokens'])} tokens in, {_number(call['output_tokens'])} out",
        "prompt": " ".join(filter(None, (call.get("prompt_name", ""), call.get("prompt_sha", "") or "(no Git SHA)"))),
        "ended": ", ".join(str(call[k]) for k in ("status", "finish_reason", "error_type", "error_message") if call.get(k)),
        "parameters": _json(call.get("params")),
        "variables": _json(call.get("prompt_variables")),
    }  # fmt: skip
    for name, value in facts.items():
        if value:
            table.add_row(name, cell(value))
    return table


def _asked(call: Mapping[str, Any]) -> Iterable[RenderableType]:
    if call["system_instructions"]:
        yield _heading("system instructions")
        yield block(call["system_instructions"])
    for message in call["messages"] or ():
        yield _heading(str(message.get("role") or "message") if isinstance(message, dict) else "message")
        yield block(_content(message))
    if call["documents"]:
        yield _heading("context")
        table = Table("score", "document", "index", "text", box=None)
        for document in call["documents"]:
            score = document.get("score")
            texts = (block(document.get(k) or "") for k in ("id", "index_version", "text"))
            table.add_row("-" if score is None else f"{score:.3f}", *texts)
        yield table


def _answered(call: Mapping[str, Any]) -> Iterable[RenderableType]:
    yield _heading("answer")
    yield block(call["output"] or ("(no text)" if call["response_id"] else "(none came)"))
    for tool in call["tool_calls"] or ():
        yield block(f"calls {tool.get('name')}({_json(tool.get('arguments'))})")


def _guards(call: Mapping[str, Any]) -> Iterable[RenderableType]:
    found = call.get("pii") or []
    masked = ", ".join(f"{item['count']} {item['kind']} in {item['where']}" for item in found if isinstance(item, dict))
    yield block(f"personal data: {masked or 'none found'}")
    valid = call.get("json_valid")
    if valid is not None or call.get("output_schema"):
        why = f": {call['json_error']}" if call.get("json_error") else ""
        yield block(f"output schema: {'not checked' if valid is None else 'satisfied' if valid else 'not satisfied'}{why}")
    for attempt in call.get("injection") or ():
        yield block(f"injection attempt: {_json(attempt)}")
    for rail in call.get("rails") or ():
        yield block(" ".join(f"{rail.get(k) or ''}" for k in ("stage", "name", "verdict", "detail")).strip())


def _feedback(row: Mapping[str, Any]) -> Text:
    value = "" if row["value"] is None else f" {row['value']:g}"
    return block(f"{row['time']} {row['kind']}{value}{': ' + row['comment'] if row['comment'] else ''}")


def _evaluation(row: Mapping[str, Any]) -> Text:
    why = f": {row['explanation']}" if row["explanation"] else ""
    return block(f"{row['time']} {row['name']} {row['score']:.2f} {row['label']} ({row['source'] or 'unknown source'}){why}")


def _label(row: Mapping[str, Any]) -> Text:
    how = "said by the user" if row["explicit"] else "inferred"
    return block(f"{row['label']} with probability {row['score']:.2f} of satisfaction, {how}{'' if row['final'] else ', may still change'}")


def _alert(row: Mapping[str, Any]) -> Text:
    return block(f"{row['starts_at']} {row['severity']} {row['name']} {row['status']}: {row['annotations'].get('summary', '')}")


def _pair(row: Mapping[str, Any]) -> Text:
    alike = "" if row["similarity"] is None else f", similarity {row['similarity']:.2f}"
    ends = f"{row['outcome']} / {row['live_outcome']}"
    return block(f"{row['variant']} {row['request_id']} beside live {row['live_request_id']}: {ends}{alike}")


_LINES = {"feedback": _feedback, "evaluations": _evaluation, "labels": _label, "alerts": _alert, "shadow_pairs": _pair}


def _tree(steps: Iterable[Mapping[str, Any]]) -> Tree:
    root = Tree("[bold]steps[/]")
    waiting = [(root, step) for step in reversed(list(steps))]
    while waiting:
        branch, step = waiting.pop()
        added = branch.add(_step(step))
        waiting += [(added, child) for child in reversed(step["children"])]
    return root


def _step(step: Mapping[str, Any]) -> Text:
    colour = "" if step["outcome"] == "ok" else _BAD
    cost = "" if step["cost_usd"] is None else f"  ${float(step['cost_usd']):.6f}"
    if step["children"] and step["total_cost_usd"] is not None:
        cost += f"  (with all below ${float(step['total_cost_usd']):.6f})"
    what, which = cell(f"{step['operation']} {step['model']}  "), cell(f"  {step['request_id']}", "dim")
    return Text.assemble(what, cell(step["outcome"], colour), f"  {_ms(step['latency_ms'])}{cost}", which)


def _heading(name: str) -> Text:
    return Text(f"\n{one_line(name)}", style="bold cyan")


def _content(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else message
    if isinstance(content, str):
        return content
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    return _json(content if content is not None else calls)


def _json(value: Any) -> str:
    return "" if value in (None, {}, [], "") else json.dumps(value, ensure_ascii=False)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value / 1000:.2f} s"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
