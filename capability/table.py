"""THE table: which types take which interactions, by which routes, searched by which parameters.

Routes, CapabilityStatement, OpenAPI document, scope checks and the tables of the docs are read from `TABLE`;
what is not in it is neither claimed nor answered. Interactions are named by FHIR's own codes.

http://hl7.org/fhir/R4/valueset-type-restful-interaction.html,
http://hl7.org/fhir/R4/valueset-system-restful-interaction.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from resources import compartments, registry, search_parameters
from resources.search_parameters import SearchParameter

SEARCHABLE_TYPES = frozenset(
    {"number", "quantity", "composite", "special", "date", "string", "token", "reference", "uri"}
)
"""Types of search parameters that are indexed and asked for.

http://hl7.org/fhir/R4/search.html#ptypes
"""

WITHOUT_EXPRESSION = frozenset({"_content", "_text"})
"""Parameters that R4 has no expression for, and that are searched by all the same."""

NOT_SEARCHED = frozenset({("SearchParameter", "_content")})
"""Those of R4 are not read for it, so that an answer would have only a part."""

CLAIMED_OF_TYPES = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
"""In the order in which they are claimed."""

TYPE_INTERACTIONS = frozenset(CLAIMED_OF_TYPES)

CHANGES = frozenset({"update", "patch", "delete"})
"""Interactions with what is there already."""

CLAIMED_OF_THE_SYSTEM = ("transaction", "batch", "history-system", "search-system")

SYSTEM_INTERACTIONS = frozenset({*CLAIMED_OF_THE_SYSTEM, "capabilities", "operation"})

_OTHERWISE = {
    "AuditEvent": TYPE_INTERACTIONS - CHANGES,
    "ImagingStudy": TYPE_INTERACTIONS | {"operation"},
}
"""Types that take fewer, for what is written down about accesses stays as it is; and those with operations."""


@dataclass(frozen=True, slots=True)
class Route:
    """How an interaction is asked for: `path` is relative to the base, `""` is the base itself.

    `conditional` routes find their resource by search parameters in the query. A route for GET answers HEAD too.
    `{compartment}` is a type that has one; `/{compartment}/{id}/*` is about all types in it.

    http://hl7.org/fhir/R4/http.html#summary
    """

    interaction: str
    method: str
    path: str
    conditional: bool = False


ROUTES = (
    Route("capabilities", "GET", "/metadata"),
    Route("transaction", "POST", ""),
    Route("batch", "POST", ""),
    Route("history-system", "GET", "/_history"),
    Route("search-system", "GET", ""),
    Route("operation", "POST", "/$reindex"),
    Route("operation", "GET", "/$reindex-status"),
    Route("operation", "GET", "/$explain"),
    Route("operation", "POST", "/$process-hl7v2"),
    Route("operation", "POST", "/$process-dicom"),
    Route("operation", "GET", "/$feed"),
    Route("operation", "GET", "/$feed-message"),
    Route("operation", "POST", "/$feed-replay"),
    Route("search-system", "POST", "/_search"),
    Route("search-type", "GET", "/{type}"),
    Route("create", "POST", "/{type}"),
    Route("update", "PUT", "/{type}", conditional=True),
    Route("patch", "PATCH", "/{type}", conditional=True),
    Route("delete", "DELETE", "/{type}", conditional=True),
    Route("search-type", "POST", "/{type}/_search"),
    Route("history-type", "GET", "/{type}/_history"),
    Route("read", "GET", "/{type}/{id}"),
    Route("update", "PUT", "/{type}/{id}"),
    Route("patch", "PATCH", "/{type}/{id}"),
    Route("delete", "DELETE", "/{type}/{id}"),
    Route("history-instance", "GET", "/{type}/{id}/_history"),
    Route("vread", "GET", "/{type}/{id}/_history/{vid}"),
    Route("operation", "GET", "/ImagingStudy/{id}/$instances"),
    Route("search-type", "GET", "/{compartment}/{id}/{type}"),
    Route("search-type", "POST", "/{compartment}/{id}/{type}/_search"),
    Route("search-system", "GET", "/{compartment}/{id}/*"),
    Route("search-system", "POST", "/{compartment}/{id}/*/_search"),
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `name` without `$`, `definition` its canonical URL (one that begins with / is below the base), and the levels it is invoked at.

    http://hl7.org/fhir/R4/operations.html
    """

    name: str
    definition: str
    resource_type: str | None
    system: bool = False
    type: bool = False
    instance: bool = False
    admin: bool = False
    """For operators: shows or changes what no clinical rule covers"""


@dataclass(frozen=True)
class Capability:
    """What the server does: `types` stored, `routes` answered, `operations` run."""

    types: tuple[str, ...]
    routes: tuple[Route, ...] = ROUTES
    operations: tuple[Operation, ...] = ()
    custom: tuple[SearchParameter, ...] = ()
    """Search parameters of this server's own, each for one type, beside those that are built in"""

    @cached_property
    def _interactions(self) -> Mapping[str | None, frozenset[str]]:
        by_type: dict[str | None, frozenset[str]] = {None: SYSTEM_INTERACTIONS}
        by_type.update((name, _OTHERWISE.get(name, TYPE_INTERACTIONS)) for name in self.types)
        return by_type

    @cached_property
    def _parameters(self) -> Mapping[str, tuple[SearchParameter, ...]]:
        return {
            name: tuple(p for p in _searchable(self.parameters(name)) if (name, p.code) not in NOT_SEARCHED)
            for name in self.types
        }

    @cached_property
    def _custom(self) -> Mapping[str, tuple[SearchParameter, ...]]:
        found: dict[str, list[SearchParameter]] = {}
        for each in self.custom:
            found.setdefault(each.base[0], []).append(each)
        return {base: tuple(some) for base, some in found.items()}

    @cached_property
    def _known(self) -> Mapping[str, Mapping[str, SearchParameter]]:
        return {
            base: dict(
                sorted({**search_parameters.parameters(base), **{each.code: each for each in some}}.items())
            )
            for base, some in self._custom.items()
        }

    def interactions(self, resource_type: str | None) -> frozenset[str]:
        """The interactions of a type, or of the system (None); empty where the type is not stored here."""
        return self._interactions.get(resource_type, frozenset())

    def allows(self, resource_type: str | None, interaction: str) -> bool:
        return interaction in self.interactions(resource_type)

    def methods(self, path: str, resource_type: str | None = None) -> tuple[str, ...]:
        """The HTTP methods a path template answers for a type, sorted, as the header Allow wants them."""
        allowed = self.interactions(resource_type)
        methods = {r.method for r in self.routes if r.path == path and r.interaction in allowed}
        if "GET" in methods:
            methods.add("HEAD")
        return tuple(sorted(methods | {"OPTIONS"})) if methods else ()

    def custom_of(self, resource_type: str) -> tuple[SearchParameter, ...]:
        """Those of this server's own for a type."""
        return self._custom.get(resource_type, ())

    def parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        """The parameters of a type by code, also those that cannot be searched by."""
        return self._known.get(resource_type) or search_parameters.parameters(resource_type)

    def search_parameters(self, resource_type: str) -> tuple[SearchParameter, ...]:
        """What a type can be searched by, sorted by code, those of every type (`_id`, …) included."""
        return self._parameters.get(resource_type, ())

    @cached_property
    def common_search_parameters(self) -> tuple[SearchParameter, ...]:
        """What every type can be searched by."""
        return _searchable(self.parameters("Resource"))

    @cached_property
    def compartments(self) -> Mapping[str, tuple[str, ...]]:
        """The types that have a compartment, each with the types that can be in it, sorted.

        http://hl7.org/fhir/R4/compartmentdefinition.html
        """
        return {
            owner: tuple(
                sorted(name for name in self.types if name == owner or compartments.parameters(owner, name))
            )
            for owner in self.types
            if compartments.is_compartment(owner)
        }

    @cached_property
    def _revincludes(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {name: [] for name in self.types}
        for source in self.types:
            for parameter in self.search_parameters(source):
                if parameter.type == "reference":
                    for target in parameter.target or self.types:
                        found.get(target, []).append(f"{source}:{parameter.code}")
        return {name: ("*", *values) if values else () for name, values in found.items()}

    def includes(self, resource_type: str) -> tuple[str, ...]:
        """What `_include` may say of a type: `*`, and its references, as `Observation:patient`.

        http://hl7.org/fhir/R4/search.html#include
        """
        own = [p.code for p in self.search_parameters(resource_type) if p.type == "reference"]
        return ("*", *(f"{resource_type}:{code}" for code in own)) if own else ()

    def revincludes(self, resource_type: str) -> tuple[str, ...]:
        """What `_revinclude` may say in a search of a type: `*`, and the references that lead to it."""
        return self._revincludes.get(resource_type, ())

    def operations_of(self, resource_type: str | None) -> tuple[Operation, ...]:
        """The operations of a type, or those of the system (None)."""
        return tuple(each for each in self.operations if each.resource_type == resource_type)


def _searchable(parameters: Mapping[str, SearchParameter]) -> tuple[SearchParameter, ...]:
    """Without an expression there is nothing to index: `_query` is other machinery."""
    known = parameters.values()
    possible = (p for p in known if p.expression is not None or p.code in WITHOUT_EXPRESSION)
    return tuple(p for p in possible if p.type in SEARCHABLE_TYPES)


OPERATIONS = (
    Operation("reindex", "/OperationDefinition/reindex", None, system=True),
    Operation("reindex-status", "/OperationDefinition/reindex-status", None, system=True),
    Operation("explain", "/OperationDefinition/explain", None, system=True),
    Operation("process-hl7v2", "/OperationDefinition/process-hl7v2", None, system=True),
    Operation("process-dicom", "/OperationDefinition/process-dicom", None, system=True),
    Operation("instances", "/OperationDefinition/instances", "ImagingStudy", instance=True),
    Operation("feed", "/OperationDefinition/feed", None, system=True, admin=True),
    Operation("feed-message", "/OperationDefinition/feed-message", None, system=True, admin=True),
    Operation("feed-replay", "/OperationDefinition/feed-replay", None, system=True, admin=True),
)

TABLE = Capability(types=tuple(sorted(registry.resource_types())), operations=OPERATIONS)
"""All types of R4. Parameters is among them though R4 gives it no end-point of its own: whoever keeps examples, test
data or prepared calls here has somewhere to put them. http://hl7.org/fhir/R4/parameters.html
"""
