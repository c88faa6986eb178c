"""(method, url) → interaction, read from the table; one and the same for REST and for Bundle entries.

http://hl7.org/fhir/R4/http.html#summary
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from capability.table import TABLE
from resources.outcome import bad_request, method_not_allowed, unknown_path, unknown_type

ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9\-.]{1,64}")
"""Without `.` and `..`: in a URL these are steps, which clients take before they ask."""


@dataclass(slots=True, frozen=True)
class Target:
    """The interaction a method and a path ask for, and what it is about."""

    interaction: str
    resource_type: str | None = None
    id: str | None = None
    version_id: str | None = None


@cache
def _routes() -> dict[tuple[str, str], str]:
    routes = {(route.method, route.path): route.interaction for route in TABLE.routes}
    heads = {("HEAD", path): interaction for (method, path), interaction in routes.items() if method == "GET"}
    return routes | heads


def template(segments: list[str]) -> str:
    """`["Patient", "1", "_history"]` → `/{type}/{id}/_history`, the table's spelling of a path."""
    parts = []
    for position, segment in enumerate(segments):
        literal = segment.startswith(("_", "$")) or segment == "metadata"
        names = ("{type}", "{id}", segment, "{vid}")
        parts.append(segment if literal or position > 3 else names[position])
    return "".join(f"/{part}" for part in parts)


def route(method: str, segments: list[str]) -> Target:
    """What a request is about; 404 for unknown paths and types, 405 with Allow, 400 for impossible ids."""
    path = template(segments)
    resource_type = segments[0] if path.startswith("/{type}") else None
    if resource_type is not None and not TABLE.interactions(resource_type):
        raise unknown_type(resource_type)
    interaction = _routes().get((method, path))
    if interaction is None or not TABLE.allows(resource_type, interaction):
        allowed = TABLE.methods(path, resource_type)
        if not allowed:
            raise unknown_path("/" + "/".join(segments))
        raise method_not_allowed(method, "/".join(segments) or "the base", allowed)
    logical_id = segments[1] if path.startswith("/{type}/{id}") else None
    if logical_id is not None and not ID.fullmatch(logical_id):
        text = f"'{logical_id[:70]}' is not an id: 1 to 64 letters, digits, '-' and '.' were expected"
        raise bad_request(text)
    version_id = segments[3] if path.endswith("/{vid}") else None
    return Target(interaction, resource_type, logical_id, version_id)
