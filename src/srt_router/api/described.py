"""The OpenAPI document: what FastAPI makes of the paths, and what the border and the guard answer in their place.

FastAPI knows nothing of them, and takes every error for its own kind; ours are problem details.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from srt_router.api.problems import MEDIA_TYPE
from srt_router.api.rules import RULES, Rule

Json = dict[str, Any]

_PROBLEM = "#/components/schemas/Problem"
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
_FORBIDDEN = "The role is too low, the password must be changed first, or the request comes from a foreign page"
_FOR_ALL = {"403": _FORBIDDEN, "429": "Too many requests without a sign-in; Retry-After says when to try again"}
_SIGNED_IN = {
    "401": "Nobody is signed in",
    "503": "gateway.db cannot be read, so that nobody can be recognised",
}
_WITH_BODY = {
    "400": "The body is not JSON",
    "408": "The body did not come in time",
    "413": "The body is too long",
}


def describe(app: FastAPI) -> None:
    """Let the application show the whole truth at `/openapi.json`."""
    plain = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = completed(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend the document


def completed(document: Json, rules: Mapping[str, Rule] = RULES) -> Json:
    """The document with every answer that an operation may give."""
    for key, operation in operations(document):
        answers = operation["responses"]
        for status, words in _also(operation, rules.get(key)).items():
            answers.setdefault(status, {"description": words, "content": _content()})
        for answer in answers.values():
            if _is_problem(answer):
                answer["content"] = _content()
        operation["responses"] = dict(sorted(answers.items()))
    for name in _FASTAPIS_OWN:
        document["components"]["schemas"].pop(name, None)
    return document


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Every operation: `"GET /api/path"` and what is said of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _also(operation: Json, rule: Rule | None) -> dict[str, str]:
    """What is answered before the path is asked."""
    found = dict(_FOR_ALL)
    if rule is None or rule.least is not None:
        found |= _SIGNED_IN
    if "requestBody" in operation:
        found |= _WITH_BODY
    return found


def _is_problem(answer: Json) -> bool:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return schema.get("$ref") in (_PROBLEM, "#/components/schemas/HTTPValidationError")


def _content() -> Json:
    return {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}}}
