"""The OpenAPI 3.1 document, made from the route table and the very structs that decode and encode.

Its schemas are JSON Schema 2020-12, which OpenAPI 3.1 takes as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from gateway.operation import Operation, Success, Upload
from gateway.problems import PROBLEM_TYPES, TYPE_PREFIX, ProblemDetails
from gateway.queries import NoQuery

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_PROBLEM = "application/problem+json"
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")

_INTRODUCTION = """\
People pay a shop by scanning its QR code or by showing a barcode that the shop scans; they send \
money to each other and withdraw it to a bank.

Money is a whole number in the currency's minor unit. Ids are opaque and sortable. Times are RFC \
3339 in UTC. Errors are RFC 9457 problems. Everything that moves money or creates \
something takes an `Idempotency-Key`: send the same request with the same key again, as often as \
you need, and it happens once. Every \
answer carries `X-Request-Id`; send your own if you have one, and a `traceparent` if you trace."""

_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Your name for this attempt: 1 to 255 printable ASCII characters, plain or "
    "quoted.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 257},
}
_PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=<seconds>`, at most 30: answer when the payment is done or this time is "
    "over.",
    "schema": {"type": "string", "examples": ["wait=10"]},
}
_IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what you have read: if somebody else has changed it meanwhile, "
    "nothing is changed. `*` overwrites whatever is there.",
    "schema": {"type": "string", "examples": ['"3"']},
}


def openapi_document(operations: Sequence[Operation], *, version: str) -> Json:
    """The document that describes these operations."""
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    _, schemas = msgspec.json.schema_components(_structs(operations), ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "qrpay", "version": version, "description": _INTRODUCTION},
        "tags": [{"name": tag} for tag in dict.fromkeys(it.tag for it in operations)],
        "paths": paths,
        "components": {
            "schemas": {name: schemas[name] for name in sorted(schemas)},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Claims used: sub, role (customer, merchant or operator), exp, "
                    "nbf, iss, aud. Signed with EdDSA or RS256.",
                }
            },
        },
        "x-problems": [
            {
                "code": code,
                "status": problem.status,
                "title": problem.title,
                "detail": problem.detail,
                "retryable": problem.retryable,
                "type": TYPE_PREFIX + code,
            }
            for code, problem in PROBLEM_TYPES.items()
        ],
    }


def _structs(operations: Iterable[Operation]) -> list[Any]:
    found: dict[type, None] = {ProblemDetails: None}
    for operation in operations:
        found |= {decoder.body_type: None for decoder in operation.bodies.values()}
        found |= {it.shape: None for it in operation.successes if it.shape is not None}
    return list(found)


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": _responses(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.bodies:
        described["requestBody"] = _request_body(operation)
    if operation.upload is not None:
        described["requestBody"] = _file_body(operation.upload)
    if operation.roles is None:
        described["security"] = []
    else:
        described["security"] = [{"token": []}]
        described["x-roles"] = list(operation.roles)
    return described


def _parameters(operation: Operation) -> list[Json]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(operation.path)
    ]
    if operation.query is not NoQuery:
        parameters += _query_parameters(operation.query)
    if operation.needs_key:
        parameters.append(_KEY)
    if operation.moves_money:
        parameters.append(_PREFER)
    if operation.edits:
        parameters.append(_IF_MATCH)
    parameters += [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in operation.request_headers.items()
    ]
    return parameters


def _query_parameters(query: type[msgspec.Struct]) -> list[Json]:
    _, schemas = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    described = schemas[query.__name__]
    parameters = []
    for name, schema in described["properties"].items():
        plain = _without_null(schema)
        parameter: Json = {"name": name, "in": "query", "schema": plain}
        if name in described.get("required", ()):
            parameter["required"] = True
        if text := plain.pop("description", None):
            parameter["description"] = text
        parameters.append(parameter)
    return parameters


def _without_null(schema: Mapping[str, Any]) -> Json:
    """A query parameter that is not there is absent and never null."""
    plain = dict(schema)
    if choices := plain.pop("anyOf", None):
        (only,) = [dict(choice) for choice in choices if choice != {"type": "null"}]
        plain |= only
    if "enum" in plain:
        plain["enum"] = [value for value in plain["enum"] if value is not None]
    if plain.get("default", ...) is None:
        del plain["default"]
    return plain


def _request_body(operation: Operation) -> Json:
    types = dict.fromkeys(decoder.body_type for decoder in operation.bodies.values())
    references = [{"$ref": _REFERENCE.format(name=body_type.__name__)} for body_type in types]
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    media_types = ["application/merge-patch+json"] if operation.edits else []
    media_types.append("application/json")
    return {
        "required": not operation.body_optional,
        "content": {media_type: {"schema": schema} for media_type in media_types},
    }


def _file_body(upload: Upload) -> Json:
    # The file as it is, in no encoding: OpenAPI 3.1 says that with an empty schema.
    description = f"A file of at most {upload.bytes_max} bytes."
    return {
        "required": True,
        "description": description,
        "content": {media_type: {"schema": {}} for media_type in upload.media_types},
    }


def _responses(operation: Operation) -> Json:
    responses: Json = {str(it.status): _success(it) for it in operation.successes}
    codes = operation.all_problems()
    for status, group in groupby(codes, key=lambda code: PROBLEM_TYPES[code].status):
        described = _problems(list(group))
        if str(status) in responses:
            # /readyz says 503 in its own words.
            responses[str(status)]["content"] |= described["content"]
        else:
            responses[str(status)] = described
    return responses


def _success(success: Success) -> Json:
    described: Json = {"description": success.description}
    if success.headers:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in success.headers.items()
        }
    if success.shape is not None and success.media_types == ("text/event-stream",):
        # OpenAPI 3.1 has no word for what is inside a stream.
        described["x-event-data"] = {"$ref": _REFERENCE.format(name=success.shape.__name__)}
    if success.status != 304:
        described["content"] = {
            media_type: {"schema": _content_schema(success, media_type)}
            for media_type in success.media_types
        }
    return described


def _content_schema(success: Success, media_type: str) -> Json:
    if not media_type.endswith("json"):
        return {"type": "string"}
    if success.shape is None:
        return {"type": "object"}
    return {"$ref": _REFERENCE.format(name=success.shape.__name__)}


def _problems(codes: Sequence[str]) -> Json:
    status = PROBLEM_TYPES[codes[0]].status
    described: Json = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {
            _PROBLEM: {
                "schema": {
                    "allOf": [
                        {"$ref": _REFERENCE.format(name=ProblemDetails.__name__)},
                        {"properties": {"code": {"enum": list(codes)}}},
                    ]
                }
            }
        },
    }
    if status == 401:
        described["headers"] = {
            "WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}}
        }
    if status in {429, 503}:
        described["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
        }
    return described
