"""The API's documentation as one page of HTML, from the OpenAPI document.

Made here, without scripts or styles from elsewhere: hospitals have networks that reach nothing else, and a page
inside a health server should run no one else's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

Json = dict[str, Any]

HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430 }
code { font-family: ui-monospace, monospace; font-size: .92em }
details { border: 1px solid #c9d1db; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } summary b { display: inline-block; min-width: 4.5rem }
table { border-collapse: collapse; margin: .5rem 0; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #e3e8ee }
"""


def docs_route(document: Json) -> Route:
    """`GET /docs`."""
    page = html(document)

    async def docs(_request: Request) -> Response:
        return HTMLResponse(page, headers=HEADERS)

    return Route("/docs", docs)


def html(document: Json) -> str:
    """An OpenAPI 3.1 document as a page for people: each operation with its parameters and answers."""
    info = document["info"]
    metadata = next(path for path in document["paths"] if path.endswith("/metadata"))
    title = escape(f"{info['title']} {info['version']}")
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>',
        f"<h1>{title}</h1>",
        f"<p>Answers at <code>{escape(document['servers'][0]['url'])}</code>. What it can do in FHIR's own words: ",
        f'<a href=".{metadata}?_format=json&amp;_pretty=true">CapabilityStatement</a>. For programs: ',
        '<a href="openapi.json">OpenAPI document</a>.</p>',
        *_operations(document),
    ]
    return "\n".join(parts) + "\n</html>\n"


def _operations(document: Json) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "head":
                continue  # says what get says
            yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
            yield f"{escape(operation.get('summary', ''))}</summary>"
            yield from _parameters(document, operation)
            yield from _answers(document, operation)
            yield "</details>"


def _parameters(document: Json, operation: Json) -> Iterator[str]:
    found = [_resolved(document, each) for each in operation.get("parameters", ())]
    if not found:
        return
    yield "<table><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr>"
    for each in found:
        cells = (f"<code>{escape(each['name'])}</code>", each["in"], escape(each.get("description", "")))
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table>"


def _answers(document: Json, operation: Json) -> Iterator[str]:
    yield "<table><tr><th>Status</th><th>Meaning</th></tr>"
    for status, each in operation["responses"].items():
        text = escape(_resolved(document, each).get("description", ""))
        yield f"<tr><td>{escape(status)}</td><td>{text}</td></tr>"
    yield "</table>"


def _resolved(document: Json, part: Json) -> Json:
    """What a `$ref` points to inside the document; anything else is itself."""
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found
