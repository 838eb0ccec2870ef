"""The OpenAPI document of a server, made from the table of routes.

Decides how a `Route` is described: path, parameters, bodies, every status that it may answer.
Refuses to know handlers. The schemas of the bodies stand here by route name and use the grammars
of `muster.wire.codec`, so that there is one grammar (docs/spec/08-http.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from muster.core import grammar
from muster.core.errors import Retry
from muster.core.identity import IDENTITY_MODES
from muster.lease.strict import MAX_INTEGER, JSONObject, JSONValue, canonical
from muster.wire import codec, routes
from muster.wire.publisher import BATCH_ROWS, TRUST_STEPS
from muster.wire.routes import Route

VERSION = "3.1.1"
"""Version of the OpenAPI specification that the document keeps."""

Schema = JSONObject
"""A JSON Schema."""

_REASONS = {
    200: "Done",
    304: "The client's document is the newest",
    400: "The request cannot be read",
    403: "Refused",
    404: "There is no such thing here",
    405: "The address does not take this method",
    408: "The request came too slowly",
    409: "Refused for now",
    413: "The request is too large",
    415: "The request has another media type",
    421: "The server does not answer under this name",
    429: "Too many requests",
    500: "An error of the server",
    503: "The server cannot answer now",
}
_MAX_VERSION = 10**15 - 1
"""The largest version that a path may name, `grammar.VERSION_IN_PATH`."""
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


def _text(grammar: re.Pattern[str], **more: JSONValue) -> Schema:
    # JSON holds no lone surrogate, with which a range begins: as an escape of ECMA-262.
    text = grammar.pattern.replace("\ud800", r"\ud800")
    return {"type": "string", "pattern": f"^(?:{text})$", **more}


def _prose() -> Schema:
    return {"type": "string", "maxLength": grammar.PROSE_CHARACTERS}


def _or_null(schema: Schema) -> Schema:
    """An optional member: null is as good as absent (section 8.1)."""
    return {**schema, "type": [str(schema["type"]), "null"]}


def _integer(low: int = 0, high: int = MAX_INTEGER) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _list(items: Schema, most: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": most}


def _object(
    members: Mapping[str, Schema], optional: Iterable[str] = (), **more: JSONValue
) -> Schema:
    left = set(optional)
    return {
        "type": "object",
        "properties": dict(members),
        "required": [name for name in members if name not in left],
        **more,
    }


_V = {"v": _integer(1, codec.VERSION)}
_SIGNER = _object(
    {
        "crv": {"type": "string", "enum": ["Ed25519"]},
        "kty": {"type": "string", "enum": ["OKP"]},
        "x": _text(grammar.BASE64URL_32),
    },
    additionalProperties=False,
)
_BUNDLE = {
    "lease": _text(grammar.COMPACT_JWS),
    "grant": _text(grammar.COMPACT_JWS),
    "signer": _SIGNER,
}
_NAME = _or_null(_text(grammar.DISPLAY_NAME, maxLength=codec.NAME_POINTS))
_CHALLENGE = _or_null(_text(grammar.BASE64URL_16))
_STATUS = _object({"status": {"type": "string"}})

REQUESTS: Mapping[str, Schema] = {
    routes.ACTIVATE.name: _object(
        {
            "v": _integer(1),
            "publisher": _text(grammar.PUBLISHER_ID),
            "product": _text(grammar.NAME),
            "cmid": _text(grammar.UUID),
            "key": _text(grammar.BASE64URL_32),
            "nonce": _text(grammar.BASE64URL_16),
            "line": _text(grammar.NONCE_LINE),
            "challenge": _CHALLENGE,
            "fingerprint": _list(_text(grammar.COMMITMENT), 16),
            "identity": {"type": "string", "enum": list(IDENTITY_MODES)},
            "state": _integer(0, 6),
            "sent_at": _integer(),
            "trust": _integer(),
            "catalogue": _integer(),
            "client": _object(
                {
                    "version": _text(grammar.CLIENT_TEXT),
                    "os": _text(grammar.CLIENT_TEXT),
                    "virtual": {"type": ["boolean", "null"]},
                    "name": _NAME,
                },
                optional=["virtual", "name"],
            ),
            "proof": _text(grammar.BASE64URL_64),
        },
        optional=["challenge", "trust", "catalogue"],
    ),
    routes.RELEASE.name: _object(
        {
            **_V,
            **_BUNDLE,
            "key": _text(grammar.BASE64URL_32),
            "line": _text(grammar.NONCE_LINE),
            "challenge": _CHALLENGE,
            "sent_at": _integer(),
            "proof": _text(grammar.BASE64URL_64),
        },
        optional=["challenge"],
    ),
    routes.HOSTS_ACTIVATE.name: _object(
        {**_V, "installation_id": _text(grammar.DIGIT_GROUPS), "name": _NAME}, optional=["name"]
    ),
    routes.ACTIVATIONS.name: _object({**_V, "installation_id": _text(grammar.DIGIT_GROUPS)}),
    routes.ACTIVATIONS_BATCH.name: _object(
        {
            **_V,
            "installation_ids": {**_list(_text(grammar.DIGIT_GROUPS), BATCH_ROWS), "minItems": 1},
        }
    ),
}
"""Schemas of request bodies by route name."""

_CONFIRM = _object(
    {
        **_V,
        "grant": _text(grammar.COMPACT_JWS),
        "confirmation_id": _text(grammar.DIGIT_GROUPS),
        "trust": _list(_text(grammar.COMPACT_JWS), TRUST_STEPS),
        "catalogue": _text(grammar.COMPACT_JWS),
        "terms": _or_null(_text(grammar.COMPACT_JWS)),
    },
    optional=["terms"],
)
_GOOD_ROW = _object(
    {"grant": _text(grammar.COMPACT_JWS), "confirmation_id": _text(grammar.DIGIT_GROUPS)}
)
_REFUSED_ROW = _object(
    {
        "grant": {"type": "null"},
        "code": _text(grammar.ERROR_CODE),
        "what": _prose(),
        "why": _prose(),
        "fix": _prose(),
        "retry": {"type": "string", "enum": [retry.value for retry in Retry]},
        "params": {"type": ["object", "null"]},
    },
    optional=["grant", "params"],
)

ANSWERS: Mapping[str, Schema] = {
    routes.ACTIVATE.name: _object(
        {
            **_V,
            **_BUNDLE,
            "count": _integer(),
            "need": _integer(),
            "trust": _integer(),
            "catalogue": _integer(),
            "challenge": _CHALLENGE,
        },
        optional=["challenge"],
    ),
    routes.RELEASE.name: _object({**_V, "released": {"type": "boolean"}}),
    routes.PUBLISHERS.name: _object(
        {
            **_V,
            "publishers": _list(
                _object(
                    {
                        "publisher": _text(grammar.PUBLISHER_ID),
                        "label": _text(grammar.LABEL),
                        "trust": _integer(),
                        "catalogue": _integer(),
                        "groups": _list(_text(grammar.NAME), 256),
                    }
                ),
                256,
            ),
        }
    ),
    routes.PUBLISHER_GRANTS.name: _object(
        {
            **_V,
            "grants": _list(_object({"grant": _text(grammar.COMPACT_JWS), "signer": _SIGNER}), 256),
        }
    ),
    routes.HOSTS_ACTIVATE.name: _CONFIRM,
    routes.ACTIVATIONS.name: _CONFIRM,
    routes.ACTIVATIONS_BATCH.name: _object(
        {
            **_V,
            "answers": _list({"oneOf": [_GOOD_ROW, _REFUSED_ROW]}, BATCH_ROWS),
            "trust": _list(_text(grammar.COMPACT_JWS), TRUST_STEPS),
            "catalogue": _text(grammar.COMPACT_JWS),
        }
    ),
    routes.JWKS.name: _object({"keys": {"type": "array", "items": {"type": "object"}}}),
    routes.HEALTHZ.name: _STATUS,
    routes.READYZ.name: _STATUS,
    routes.OPENAPI.name: _object({"openapi": {"type": "string"}}),
}
"""Schemas of JSON answers by route name."""

PROBLEM_SCHEMA: Schema = _object(
    {
        "type": {"type": "string", "pattern": "^about:blank$"},
        "title": _prose(),
        "status": _integer(400, 599),
        "detail": _prose(),
        "code": _text(grammar.ERROR_CODE),
        "field_code": _text(grammar.FIELD_CODE),
        "why": _prose(),
        "fix": _prose(),
        "retry": {"type": "string", "enum": [retry.value for retry in Retry]},
        "params": {"type": "object"},
        "trust": _integer(1),
        "catalogue": _integer(1),
        "notice": {"type": "object"},
    },
    optional=["params", "trust", "catalogue", "notice"],
)
"""RFC 9457 with the members of docs/spec/08-http.md, section 8.8."""


def document(table: Sequence[Route], *, title: str, description: str, version: str) -> JSONObject:
    """The OpenAPI document of a table of routes, as JSON values.

    Args:
        table: the routes that the server answers.
        title, description: of the API.
        version: of the program.
    """
    paths: dict[str, dict[str, JSONValue]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": VERSION,
        "info": {"title": title, "description": description, "version": version},
        "paths": paths,
        "components": {"schemas": {"Problem": PROBLEM_SCHEMA}},
    }


def encode_document(table: Sequence[Route], *, title: str, description: str, version: str) -> bytes:
    """The document as the body of `GET /openapi.json`; the same table gives the same bytes."""
    return canonical(document(table, title=title, description=description, version=version))


def _operation(route: Route) -> JSONObject:
    operation: dict[str, JSONValue] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {str(status): _response(route, status) for status in sorted(route.statuses)},
    }
    parameters = [_parameter(name) for name in _PARAMETER.findall(route.path)]
    if parameters:
        operation["parameters"] = parameters
    if route.request_limit:
        operation["requestBody"] = {
            "required": True,
            "description": f"At most {route.request_limit} bytes.",
            "content": {routes.JSON: {"schema": REQUESTS.get(route.name, {"type": "object"})}},
        }
    return operation


def _parameter(name: str) -> JSONObject:
    schema = _text(grammar.PUBLISHER_ID) if name == "publisher" else _integer(1, _MAX_VERSION)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _response(route: Route, status: int) -> JSONObject:
    response: dict[str, JSONValue] = {"description": _REASONS.get(status, "Refused")}
    if status == 200:
        response["content"] = {route.media_type: {"schema": _answer(route)}}
    elif status >= 400:
        response["content"] = {routes.PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if status in (200, 304) and route.method == "GET":
        response["headers"] = {"ETag": {"schema": {"type": "string"}}}
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": _integer()}}
    return response


def _answer(route: Route) -> Schema:
    if route.media_type == routes.JOSE:
        return _text(grammar.COMPACT_JWS)
    if route.media_type == routes.TEXT:
        return {"type": "string"}
    return ANSWERS.get(route.name, {"type": "object"})
