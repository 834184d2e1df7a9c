"""The public contract (docs/contract.md) and the code say the same: topics, fields, enumerations, table columns, HTTP, commands."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest
import typer
from test_events import EXAMPLES, MINIMAL, as_bytes
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.embedded.directory import Endpoints
from deploy.ingest.server import application
from schemas import events, outputs, rows
from schemas.decoding import decode, decode_with_unknown
from schemas.documents import OTLP_TOPICS, TOPICS, asyncapi, json_schema
from schemas.events import EVENT_KINDS, EventError
from streams.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def contract() -> str:
    return (ROOT / "docs" / "contract.md").read_text("utf-8")


def paragraph(contract: str, start: str) -> str:
    """The paragraph of the contract that begins with `start`."""
    return re.split(r"\n\s*\n", contract[contract.index(f"\n{start}") + 1 :], maxsplit=1)[0]


def section(contract: str, title: str) -> str:
    """The numbered section of this title."""
    return re.split(r"(?m)^## ", contract[re.search(rf"^## \d+\. {title}", contract, re.MULTILINE).end() :])[0]  # type: ignore[union-attr]


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def fields_in(span: str) -> list[tuple[str, list[str]]]:
    """`a b{c, d} e[{f}]` -> (a, []), (b, [c, d]), (e, [f])."""
    found = []
    for name, inner in re.findall(r"(\w+)\s*((?:\[?\{[^}]*\}\]?|\([^)]*\)|\[\])?)", span):
        items = [] if inner.startswith("(") else inner.strip("[]{}").split(",")
        nested = [re.split(r"[:\s]", item.strip())[0] for item in items]
        found.append((name, [item for item in nested if re.fullmatch(r"\w+", item)]))
    return found


def struct_in(kind: msgspec.inspect.Type) -> type[msgspec.Struct] | None:
    if isinstance(kind, msgspec.inspect.UnionType):
        return next((found for found in map(struct_in, kind.types) if found), None)
    if isinstance(kind, msgspec.inspect.ListType):
        return struct_in(kind.item_type)
    return kind.cls if isinstance(kind, msgspec.inspect.StructType) else None


def assert_has(struct: type[msgspec.Struct], name: str, nested: list[str]) -> None:
    fields = {field.name: field for field in msgspec.inspect.type_info(struct).fields}  # type: ignore[attr-defined]
    assert name in fields, f"{struct.__name__} has no field {name}"
    inner = struct_in(fields[name].type)
    for item in nested:
        if inner is not None:  # otherwise a free-form object, which has any field
            assert item in inner.__struct_fields__, f"{struct.__name__}.{name} has no field {item}"


def test_every_topic_of_the_contract_is_in_the_asyncapi_document(contract: str) -> None:
    rows = re.findall(r"^\| ([^|]+) \| (in|out and in|out)\b", section(contract, "Topics"), re.MULTILINE)
    listed = [(topic, direction) for names, direction in rows for topic in code_spans(names)]
    assert len(listed) >= 10
    document = asyncapi("llm.")
    channels = {channel["address"]: name for name, channel in document["channels"].items()}
    assert set(channels) == {topic for topic, _ in listed}
    assert set(OTLP_TOPICS) <= set(channels)
    for topic, direction in listed:
        actions = {
            operation["action"]
            for operation in document["operations"].values()
            if operation["channel"]["$ref"] == f"#/channels/{channels[topic]}"
        }
        assert actions == {"in": {"receive"}, "out": {"send"}, "out and in": {"receive", "send"}}[direction]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        ("Request (", "requests"),
        ("Response (", "responses"),
        ("Feedback (", "feedback"),
        ("Evaluation (", "evaluations"),
    ],
)
def test_every_input_field_of_the_contract_exists_with_the_same_ones_required(contract: str, start: str, kind: str) -> None:
    text, struct = paragraph(contract, start), EVENT_KINDS[kind]
    head, _, body = text.partition("):")
    if kind == "feedback":
        head, _, body = text.partition(" and one of")
        body = body.replace("`kind`:", "`kind` (").partition("\n`kind`")[0] + " `value comment user_id`"
    required = code_spans(head)[0].split()
    names = [pair for span in code_spans(body) for pair in fields_in(span)]
    known_values = {"sha", "live", "explicit", "implicit"}
    for name, nested in [*((name, []) for name in required), *names]:
        if name in known_values or name.isdigit():
            continue
        assert_has(struct, name, nested)
    declared = {field.name for field in msgspec.structs.fields(struct) if field.required}
    assert declared == set(required)
    assert {"event_id", "time", "session_id", "request_id", "tenant"} <= set(struct.__struct_fields__)


@pytest.mark.parametrize(
    ("start", "struct"), [("Alert:", outputs.Alert), ("Label:", outputs.Label), ("Control:", outputs.Control)]
)
def test_every_output_field_of_the_contract_exists(contract: str, start: str, struct: type[msgspec.Struct]) -> None:
    text = paragraph(contract, start).partition("\n`labels`")[0].partition("\n`signals[]")[0]
    text = re.sub(r"\(`global`[^)]*\)|\(kill[^)]*\)|\(operator[^)]*\)", "", text.replace("\n", " "))
    text = re.sub(r"\(0\.\.1[^)]*\)", "", text)
    names = [pair for span in code_spans(text) for pair in fields_in(span)]
    assert len(names) >= 7
    for name, nested in names:
        if struct is outputs.Alert and name[0].isupper():  # the names alerts can have
            continue
        assert_has(struct, name, nested)


def test_every_enumeration_of_the_contract_is_the_codes(contract: str) -> None:
    request, response, feedback = (paragraph(contract, f"{name} (") for name in ("Request", "Response", "Feedback"))

    def listed(text: str, name: str) -> set[str]:
        inside = re.search(rf"`{name}` \(([^);:]*)", text.replace("\n", " "))
        assert inside is not None, name
        return {word.strip() for word in inside[1].split(",")}

    assert listed(request, "operation") == set(get_args(events.Operation))
    assert listed(request, "variant") == set(get_args(events.Variant))
    assert listed(response, "status") == set(get_args(events.Status))
    assert listed(response, "cache") == set(get_args(events.CacheResult))
    explicit, implicit = feedback.partition("explicit = ")[2].split("implicit = ")

    def words(text: str) -> set[str]:
        return set(re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", text.partition("\n`value")[0])))

    assert words(explicit) == set(get_args(events.ExplicitKind))
    assert words(implicit) == set(get_args(events.ImplicitKind))
    assert set(get_args(events.FeedbackKind)) == events.EXPLICIT_KINDS | events.IMPLICIT_KINDS
    names = paragraph(contract, "`labels` and `annotations`").partition("Names:")[2]
    assert set(re.findall(r"[A-Z]\w+", names)) == set(get_args(outputs.AlertName))
    outcomes = re.search(r"^`outcome`: ([\w,\s]*)\.", contract, re.MULTILINE)
    sources = re.search(r"^`cost_source`: ([\w,\s]*)\.", contract, re.MULTILINE)
    assert outcomes is not None
    assert sources is not None
    assert tuple(re.split(r",\s+", outcomes[1])) == rows.OUTCOMES
    assert tuple(re.split(r",\s+", sources[1])) == rows.COST_SOURCES


def test_every_column_of_the_main_views_is_in_the_view(contract: str) -> None:
    script = (ROOT / "schemas" / "clickhouse" / "0002_cost_windows.sql").read_text("utf-8")
    view = script.partition("VIEW IF NOT EXISTS mirante.cost_windows")[2]
    (line,) = (line for line in contract.splitlines() if line.startswith("| `cost_windows`"))
    names = re.findall(r"\w+", line.partition("| (")[2].partition(")")[0])
    names += [name for span in code_spans(line.rpartition("(window_start")[2]) for name in span.split()]
    assert len(names) > 15
    for name in [*names, *rows.OUTCOMES, *rows.TOKEN_COLUMNS]:
        assert re.search(rf"\b{name}\b", view), name
    (line,) = (line for line in contract.splitlines() if line.startswith("| `interactions`"))
    for name in code_spans(line)[1].split():
        assert name == "..." or name in rows.InteractionRow.__struct_fields__


def test_every_table_of_the_contract_is_a_view_with_the_columns_it_names(contract: str) -> None:
    scripts = "".join(path.read_text("utf-8") for path in sorted((ROOT / "schemas" / "clickhouse").glob("*.sql")))
    lines = re.findall(r"^\| (`[^|]+) \| [^|]+ \| ([^|]*)\|", section(contract, "ClickHouse"), re.MULTILINE)
    views = {name: columns for names, columns in lines for name in code_spans(names)}
    assert len(views) >= 14
    for view, columns in views.items():
        assert re.search(rf"VIEW (?:IF NOT EXISTS )?mirante\.{view}\b", scripts), view
        for column in {name for span in code_spans(columns) for name in re.findall(r"\w+", span)}:
            assert re.search(rf"\b{column}\b", scripts), f"{view}.{column}"


def test_every_route_of_the_contract_is_served(contract: str) -> None:
    routes = application(Settings()).router.routes()
    served = {f"{route.method} {route.resource.canonical}" for route in routes if route.resource}
    named = {f"{method} {path}" for method, path in re.findall(r"`(GET|POST) (/[\w/]+)`", section(contract, "HTTP"))}
    assert len(named) == 5
    assert named <= served


def test_the_program_says_which_version_it_is() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.output.split()[0]) == (0, "mirante")
    assert re.fullmatch(r"\d+\.\d+\.\d+", said.output.split()[1])


def test_the_commands_of_the_contract_are_those_that_exist(contract: str) -> None:
    text = section(contract, "Command line")
    listed = re.split(r"Exit\s+status", text.partition(" `mirante`")[2])[0]
    named = {span.split()[0] for span in code_spans(listed)}
    exist = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert named == exist
    (usage,) = (span for span in code_spans(text) if span.startswith("mirante up ["))
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    options = {option for parameter in command.commands["up"].params for option in parameter.opts}
    assert set(re.findall(r"--[\w-]+", usage)) <= options


def test_the_addresses_of_a_stack_are_those_of_the_contract(contract: str) -> None:
    (listed,) = re.findall(r"`DIR/endpoints.json` \(([^)]*)\)", contract)
    assert {*code_spans(listed), "pids"} <= set(Endpoints.__struct_fields__)


def test_the_causes_of_drift_are_those_of_the_contract(contract: str) -> None:
    assert set(paragraph(contract, "Drift labels").partition("one of")[2].strip(" `.\n").split()) == set(get_args(outputs.DriftCause))


def test_the_sdk_has_the_names_of_the_contract(contract: str) -> None:
    text = section(contract, "SDK")
    sdk = ROOT / "sdk" / "src" / "mirante"
    for name in re.findall(r"`client\.(\w+)\(", text):
        assert re.search(rf"^    def {name}\(", (sdk / "client.py").read_text("utf-8"), re.MULTILINE), name
    for module, name in re.findall(r"`mirante\.(\w+)\.(\w+)", text):
        assert re.search(rf"^(?:def|class) {name}\b", (sdk / f"{module}.py").read_text("utf-8"), re.MULTILINE), name
    assert {"fail_open", "fail_closed"} <= set(code_spans(text))


@pytest.mark.parametrize("kind", TOPICS)
def test_generated_schemas_are_valid_json_schema(kind: str) -> None:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert '"additionalProperties": false' not in json.dumps(schema)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("requests", {"model": None}),
    ("requests", {"model": ""}),
    ("requests", {"time": "2026-03-01T12:00:00"}),
    ("requests", {"time": "2026-02-29T12:00:00Z"}),
    ("requests", {"time": "1969-12-31T23:59:59Z"}),
    ("requests", {"time": "2026-03-01T12:00:60Z"}),
    ("responses", {"status": "fine"}),
    ("feedback", {"session_id": None}),
    ("feedback", {"session_id": ""}),
    ("feedback", {"session_id": "x" * 513}),
    ("feedback", {"kind": "rating"}),
    ("feedback", {"kind": "rating", "value": 3}),
    ("feedback", {"kind": "dwell", "value": -1}),
    ("feedback", {"kind": "dwell", "value": 1e301}),
    ("feedback", {"kind": "wink"}),
    ("evaluations", {"score": 1.5}),
]

ODD: list[tuple[str, dict[str, Any]]] = [
    ("requests", {"timeout_ms": "15"}),
    ("requests", {"variant": "blue"}),
    ("requests", {"messages": [{"content": 5}]}),
    ("requests", {"tools": {}}),
    ("requests", {"output_schema": []}),
    ("responses", {"usage": {"input_tokens": -1}}),
    ("responses", {"usage": {"input_tokens": 2**53}}),
    ("responses", {"cost_usd": -1}),
    ("responses", {"rails": [{"verdict": "maybe"}]}),
    ("feedback", {"value": "high"}),
    ("evaluations", {"source": "cat"}),
]


@pytest.mark.parametrize(("kind", "changes"), WRONG)
def test_what_the_decoder_refuses_the_schema_refuses(kind: str, changes: dict[str, Any]) -> None:
    event = MINIMAL[kind] | changes
    with pytest.raises(EventError):
        decode(kind, as_bytes(event))
    assert not jsonschema.Draft202012Validator(json_schema(kind)).is_valid(event)
    assert not jsonschema.Draft202012Validator(json_schema(kind, strict=True)).is_valid(event)


@pytest.mark.parametrize(("kind", "changes"), ODD)
def test_what_the_decoder_finds_odd_only_the_strict_schema_refuses(kind: str, changes: dict[str, Any]) -> None:
    event = MINIMAL[kind] | changes
    _, extra = decode_with_unknown(kind, as_bytes(event))
    assert extra is not None
    assert len(extra.odd_fields) == 1
    assert jsonschema.Draft202012Validator(json_schema(kind)).is_valid(event)
    assert not jsonschema.Draft202012Validator(json_schema(kind, strict=True)).is_valid(event)


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_what_the_decoder_accepts_the_schema_accepts(kind: str) -> None:
    validators = [jsonschema.Draft202012Validator(json_schema(kind, strict)) for strict in (False, True)]
    nulls = {name: None for name in EXAMPLES[kind] if name not in MINIMAL[kind]}
    for event in (EXAMPLES[kind], MINIMAL[kind], MINIMAL[kind] | {"novelty": {"x": 1}}, MINIMAL[kind] | nulls):
        decode(kind, as_bytes(event))
        for validator in validators:
            validator.validate(event)


def test_the_asyncapi_document_is_closed_and_follows_the_prefix() -> None:
    document = asyncapi("acme.ai.")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {f"acme.ai.{suffix}" for suffix in TOPICS} | set(OTLP_TOPICS)
    assert document["asyncapi"] == "3.0.0"

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [ref for value in node.values() for ref in references(value)]
        return [ref for item in node for ref in references(item)] if isinstance(node, list) else []

    for reference in references(document):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert target
