"""(method, url) → interaction, read from the table; one and the same for REST and for Bundle entries.

http://hl7.org/fhir/R4/http.html#summary
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from capability.table import TABLE
from resources.outcome import bad_request, error, method_not_allowed, unknown_path, unknown_type

ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9\-.]{1,64}")
"""Without `.` and `..`: in a URL these are steps, which clients take before they ask."""


@dataclass(slots=True, frozen=True)
class Target:
    """The interaction a method and a path ask for, and what it is about."""

    interaction: str
    resource_type: str | None = None
    id: str | None = None
    version_id: str | None = None
    compartment: tuple[str, str] | None = None
    """(type, id) of the compartment that is searched"""
    operation: str | None = None


@cache
def _routes() -> dict[tuple[str, str], str]:
    routes = {(route.method, route.path): route.interaction for route in TABLE.routes}
    heads = {("HEAD", path): interaction for (method, path), interaction in routes.items() if method == "GET"}
    return routes | heads


def template(segments: list[str]) -> str:
    """`["Patient", "1", "_history"]` → `/{type}/{id}/_history`, the table's spelling of a path."""
    if len(segments) == 3 and segments[2].startswith("$"):  # which types have it is in its route
        return f"/{segments[0]}/{{id}}/{segments[2]}"
    if len(segments) > 2 and segments[2] == "*":
        names = ("{compartment}", "{id}", "*", "")
    elif len(segments) > 2 and not _is_literal(segments[2]):
        names = ("{compartment}", "{id}", "{type}", "")
    else:
        names = ("{type}", "{id}", "", "{vid}")
    parts = []
    for position, segment in enumerate(segments):
        literal = _is_literal(segment) or position > 3 or not names[position]
        parts.append(segment if literal else names[position])
    return "".join(f"/{part}" for part in parts)


def subject(segments: list[str], path: str) -> str | None:
    """The resource type that a path is about; None for the system, and for all types of a compartment."""
    if path.startswith("/{type}") or "/{id}/$" in path:
        return segments[0]
    return segments[2] if path.startswith("/{compartment}/{id}/{type}") else None


def _is_literal(segment: str) -> bool:
    return segment.startswith(("_", "$")) or segment == "metadata"


def route(method: str, segments: list[str]) -> Target:
    """What a request is about; 404 for unknown paths and types, 405 with Allow, 400 for impossible ids."""
    path = template(segments)
    resource_type = subject(segments, path)
    for named in (segments[0], resource_type) if segments and path.startswith("/{") else ():
        if named is not None and not TABLE.interactions(named):
            raise unknown_type(named)
    interaction = _routes().get((method, path))
    if interaction is None or not TABLE.allows(resource_type, interaction):
        allowed = TABLE.methods(path, resource_type)
        if not allowed:
            raise unknown_path("/" + "/".join(segments))
        raise method_not_allowed(method, "/".join(segments) or "the base", allowed)
    logical_id = segments[1] if "/{id}" in path else None
    if logical_id is not None and not ID.fullmatch(logical_id):
        text = f"'{logical_id[:70]}' is not an id: 1 to 64 letters, digits, '-' and '.' were expected"
        raise bad_request(text)
    if path.startswith("/{compartment}"):
        assert logical_id is not None
        return Target(
            interaction, resource_type, compartment=_compartment(segments[0], logical_id, resource_type)
        )
    if interaction == "operation":
        return Target(interaction, resource_type, logical_id, operation=segments[-1].removeprefix("$"))
    version_id = segments[3] if path.endswith("/{vid}") else None
    return Target(interaction, resource_type, logical_id, version_id)


def _compartment(owner: str, logical_id: str, resource_type: str | None) -> tuple[str, str]:
    """404 where there is no such compartment, or the type is never in it."""
    possible = TABLE.compartments.get(owner)
    if possible is None:
        text = f"{owner} has no compartment. Types that have one: {', '.join(TABLE.compartments)}"
        raise error(404, "not-supported", text)
    if resource_type is not None and resource_type not in possible:
        text = f"{resource_type} is never in the compartment of a {owner}. In it: {', '.join(possible)}"
        raise error(404, "not-supported", text)
    return owner, logical_id
