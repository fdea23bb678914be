"""``/docs``: the OpenAPI document as one page for people. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

Json = Mapping[str, Any]

_STYLE_FILE = Path(__file__).with_name("docs_page.css")
_MARKS = re.compile(r"`{1,2}([^`]+)`{1,2}")
_REFERENCE_PREFIX = "#/components/schemas/"


class Page(NamedTuple):
    """The page and the policy that it needs: its one style sheet and nothing else."""

    html: bytes
    content_security_policy: bytes


def docs_page(document: Json) -> Page:
    """The page for an OpenAPI document made by ``openapi``."""
    style = _STYLE_FILE.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    by_tag = {
        tag["name"]: [it for it in operations if it[2]["tags"] == [tag["name"]]]
        for tag in document["tags"]
    }
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(document["info"]["title"])} API</title>
<style>{style}</style>
</head>
<body>
<nav aria-label="Contents">
<a class="brand" href="#top">qrpay <small>{escape(document["info"]["version"])}</small></a>
{"".join(_menu(tag, items) for tag, items in by_tag.items())}
<h2>More</h2>
<ul><li><a href="#problems">Problems</a></li>
<li><a href="/openapi.json">openapi.json</a></li></ul>
</nav>
<main id="top">
<header><h1>The qrpay API</h1>{_paragraphs(document["info"]["description"])}</header>
{"".join(_section(tag, items, document) for tag, items in by_tag.items())}
{_problems(document["x-problems"])}
</main>
</body>
</html>
"""
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Page(html.encode(), f"{policy}; frame-ancestors 'none'".encode())


def _menu(tag: str, operations: Iterable[tuple[str, str, Json]]) -> str:
    items = "".join(
        f'<li><a href="#{operation["operationId"]}">{_badge(method)}'
        f"<span>{escape(path)}</span></a></li>"
        for method, path, operation in operations
    )
    return f"<h2>{escape(tag)}</h2><ul>{items}</ul>"


def _section(tag: str, operations: Iterable[tuple[str, str, Json]], document: Json) -> str:
    shown = "".join(
        _operation(method, path, operation, document) for method, path, operation in operations
    )
    return f"<section><h2>{escape(tag)}</h2>{shown}</section>"


def _operation(method: str, path: str, operation: Json, document: Json) -> str:
    body = operation.get("requestBody")
    return f"""<article id="{operation["operationId"]}">
<h3>{_badge(method)}<code>{escape(path)}</code></h3>
<p class="summary">{escape(operation["summary"])}</p>
{_paragraphs(operation.get("description", ""))}
<p class="who">{_who(operation)}</p>
{_parameters(operation.get("parameters", ()))}
{_request(body, document) if body else ""}
{_curl(method, path, operation, document)}
{_responses(operation["responses"], document)}
</article>
"""


def _who(operation: Json) -> str:
    roles = operation.get("x-roles")
    if roles is None:
        return "No token needed"
    return "For " + "".join(f'<span class="role">{escape(role)}</span>' for role in roles)


def _parameters(parameters: Iterable[Json]) -> str:
    rows = "".join(
        _row(
            item["name"],
            item["schema"],
            required=item.get("required", False),
            text=item.get("description", ""),
            place=item["in"],
        )
        for item in parameters
    )
    return _table("Parameters", rows)


def _request(body: Json, document: Json) -> str:
    if "application/json" not in body["content"]:
        return f"<p>{escape(body['description'])} One of {escape(', '.join(body['content']))}.</p>"
    schema = body["content"]["application/json"]["schema"]
    shapes = [_resolved(choice, document) for choice in schema.get("oneOf", [schema])]
    tables = []
    for number, shape in enumerate(shapes):
        title = "Body" if number == 0 else "or"
        rows = _field_rows(shape)
        tables.append(_table(f"{title}: {shape.get('description', '')}", rows))
    return "".join(tables)


def _field_rows(shape: Json) -> str:
    return "".join(
        _row(
            name,
            schema,
            required=name in shape.get("required", ()),
            text=_plain(schema).get("description", ""),
        )
        for name, schema in shape["properties"].items()
    )


def _responses(responses: Json, document: Json) -> str:
    rows = []
    for status, response in responses.items():
        text = _marked(response["description"])
        media_types = response.get("content", {})
        if status[0] in "45":
            text = _MARKS.sub(r'<a href="#problem-\1"><code>\1</code></a>', response["description"])
        else:
            shapes = [kind["schema"] for kind in media_types.values()]
            shapes.append(response.get("x-event-data", {}))
            text += "".join(_shape(schema, document) for schema in shapes)
        rows.append(
            f'<tr><td><span class="status s{status[0]}">{status}</span></td><td>{text}</td></tr>'
        )
    return _table("Answers", "".join(rows), head=("status", "what"))


def _shape(schema: Json, document: Json) -> str:
    if "$ref" not in schema:
        return ""
    shape = _resolved(schema, document)
    example = json.dumps(_example(shape, document), indent=2, ensure_ascii=False)
    name = escape(shape["title"])
    text = _paragraphs(shape.get("description", ""))
    return f"<details><summary>{name}</summary>{text}<pre>{escape(example)}</pre></details>"


def _curl(method: str, path: str, operation: Json, document: Json) -> str:
    shown = path.replace("{payment_id}", "$PAYMENT").replace("{merchant_id}", "$MERCHANT")
    lines = ["curl -s" + (" -N" if operation["operationId"] == "get_events" else "")]
    lines[0] += f" $QRPAY{shown}"
    if operation.get("security"):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    headers = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "header"}
    if "Idempotency-Key" in headers:
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if "Prefer" in headers:
        lines.append("-H 'Prefer: wait=10'")
    if "If-Match" in headers:
        lines.append("-H 'If-Match: \"3\"'")
    if method not in {"GET", "POST"}:
        lines.append(f"-X {method}")
    body = operation.get("requestBody")
    if body and "application/json" not in body["content"]:
        media_type = next(iter(body["content"]))
        lines.append(f"-H 'Content-Type: {media_type}' --data-binary @file")
    elif body and body["required"]:
        schema = body["content"]["application/json"]["schema"]
        shape = _resolved(schema.get("oneOf", [schema])[0], document)
        lines.append("--json '" + json.dumps(_example(shape, document)) + "'")
    elif method == "POST":
        lines.append("-X POST")
    command = " \\\n  ".join(lines)
    return f"<pre>{escape(command)}</pre>"


def _problems(problems: Iterable[Json]) -> str:
    rows = "".join(
        f'<tr id="problem-{item["code"]}"><td><span class="status s{item["status"] // 100}">'
        f"{item['status']}</span></td><td><code>{item['code']}</code></td>"
        f"<td>{escape(item['detail'])}</td><td>{'yes' if item['retryable'] else ''}</td></tr>"
        for item in problems
    )
    table = _table("", rows, head=("status", "code", "what to do", "repeat?"))
    return (
        '<section id="problems"><h2>Problems</h2><p>Every error is '
        "<code>application/problem+json</code> with <code>type</code>, <code>title</code>, "
        "<code>status</code>, <code>detail</code>, <code>code</code>, <code>retryable</code>, and "
        "<code>errors</code> that name the fields of bad input.</p>"
        f"{table}</section>"
    )


def _row(name: str, schema: Json, *, required: bool, text: str, place: str = "") -> str:
    need = '<em class="need">required</em>' if required else ""
    where = f"<small>{escape(place)}</small>" if place not in {"", "query"} else ""
    return (
        f"<tr><td><code>{escape(name)}</code>{where}{need}</td>"
        f"<td>{escape(_kind(schema))}</td><td>{_marked(text)}</td></tr>"
    )


def _table(title: str, rows: str, head: tuple[str, ...] = ("name", "type", "what")) -> str:
    if not rows:
        return ""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    heading = f"<h4>{_marked(title)}</h4>" if title else ""
    table = f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody>"
    return f'{heading}<table class="by-{head[0]}">{table}</table>'


def _kind(schema: Json) -> str:
    plain = _plain(schema)
    if "enum" in plain:
        choices = [str(choice) for choice in plain["enum"]]
        return " | ".join(choices) if len(choices) <= 4 else f"one of {len(choices)} codes"
    limits = [
        f"{sign} {plain[key]}"
        for key, sign in (("minimum", "≥"), ("maximum", "≤"))
        if key in plain and plain[key] < 2**53
    ]
    if "maxLength" in plain:
        limits.append(f"{plain.get('minLength', 0)}-{plain['maxLength']} characters")
    kind = plain.get("format") or plain.get("type", "")
    return f"{kind} {', '.join(limits)}".strip()


def _plain(schema: Json) -> Json:
    """The schema without the choice of null."""
    choices = [it for it in schema.get("anyOf", ()) if it != {"type": "null"}]
    return choices[0] if len(choices) == 1 else schema


def _resolved(schema: Json, document: Json) -> Json:
    name = schema["$ref"].removeprefix(_REFERENCE_PREFIX)
    shape: Json = document["components"]["schemas"][name]
    return shape


def _example(schema: Json, document: Json) -> Any:
    schema = _plain(schema)
    if "$ref" in schema:
        schema = _resolved(schema, document)
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        return {name: _example(it, document) for name, it in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_example(schema["items"], document)]
    if schema.get("format") == "date-time":
        return "2026-11-22T10:15:30.123456Z"
    return {"integer": 7, "boolean": True}.get(schema.get("type", ""), "...")


def _badge(method: str) -> str:
    return f'<b class="method {method.lower()}">{method}</b>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_marked(part)}</p>" for part in text.split("\n\n") if part)


def _marked(text: str) -> str:
    return _MARKS.sub(r"<code>\1</code>", escape(text))
