"""The search parameters of R4 and US Core as SearchParameter resources, made of their facts.

Their texts are not in the tables: `name` is the code, `description` says where the whole definition is.

http://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from resources.codec import Json
from resources.search_parameters import SearchParameter, all_parameters, us_core_parameters

PUBLISHED = "2019-11-01T09:29:23.356+11:00"
"""When R4 4.0.1 was: http://hl7.org/fhir/R4/history.html"""


@cache
def built_in() -> Mapping[str, Json]:
    """The resources by id, which is the end of their URL."""
    r4 = (_resource(each, "4.0.1") for each in all_parameters())
    us_core = (_resource(each, None) for each in us_core_parameters())
    return MappingProxyType({each["id"]: each for each in (*us_core, *r4)})


def _resource(parameter: SearchParameter, version: str | None) -> Json:
    logical_id = parameter.url.rpartition("/")[2]
    made: Json = {
        "resourceType": "SearchParameter",
        "id": logical_id[:64],
        "meta": {"versionId": "1", "lastUpdated": PUBLISHED},
        "url": parameter.url,
    }
    if version is not None:
        made["version"] = version
    made |= {
        "name": parameter.code,
        "status": "active",
        "description": f"Search by {parameter.code}: see {parameter.url}",
        "code": parameter.code,
        "base": list(parameter.base),
        "type": parameter.type,
    }
    if parameter.expression is not None:
        made["expression"] = parameter.expression
    lists = {"target": parameter.target, "comparator": parameter.comparator}
    made |= {name: list(value) for name, value in lists.items() if value}
    if not parameter.multiple_or:
        made["multipleOr"] = False
    if parameter.component:
        made["component"] = [
            {"definition": part.definition, "expression": part.expression} for part in parameter.component
        ]
    return made
