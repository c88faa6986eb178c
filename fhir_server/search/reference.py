"""Reference parameters.

Stored as `Type/id` for resources of this server, as URL for others, without version; a canonical as its URL. What
only some searches ask for lies in fields of its own: `<code>:versioned` holds the versioned forms, `<code>:identifier`
the terms of logical references. So an element that holds one reference is found by one value, not by a list: MongoDB
cannot index two lists in one compound index.

http://hl7.org/fhir/R4/search.html#reference
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from fhir_server.search import token
from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import unescape
from resources import outcome, registry
from resources.reference import parse, parse_canonical
from resources.search_parameters import SearchParameter, alternatives, parameters

IDENTIFIER = "identifier"
VERSIONED = "versioned"

_PATIENT = re.compile(r"Patient/[A-Za-z0-9.\-]{1,64}")

_MOST_ADDRESSES = 10_000


def index(type_name: str, value: Any, site: Site) -> list[str]:
    """The address of what a Reference, canonical, uri or resource stands for; none if it has no literal one."""
    if type_name == "Reference":
        text = value.get("reference")
        return [] if text is None or text.startswith("#") else [_address(text, site.base_url)]
    if isinstance(value, str):
        return [_address(parse_canonical(value)[0], site.base_url)]
    if isinstance(value, dict) and "resourceType" in value and "id" in value:
        return [f"{value['resourceType']}/{value['id']}"]
    return []


def further(type_name: str, value: Any, site: Site) -> dict[str, list[str]]:
    """What lies in fields of its own, by the name after the colon."""
    if type_name == "Reference":
        found = {}
        if "identifier" in value:
            found[IDENTIFIER] = token.index("Identifier", value["identifier"], site)
        if "/_history/" in value.get("reference", ""):
            found[VERSIONED] = [_versioned(value["reference"], site)]
        return found
    if isinstance(value, str) and "|" in value:
        return {VERSIONED: [value]}
    return {}


def condition(clause: Clause, site: Site) -> Condition:
    """Documents that refer to one of the clause's values, with `:identifier` logically, with `:Type` to that type."""
    if clause.modifier == IDENTIFIER:
        return token.any_of(f"{clause.field}:{IDENTIFIER}", token.wanted_terms(clause))
    latest: list[str] = []
    versioned: list[str] = []
    for value in clause.values:
        text = unescape(value)
        if "/_history/" in text:
            versioned.append(_versioned(text, site))
        elif "|" in text:
            versioned.append(text)
        else:
            latest += _addresses(clause, text, site)
    if len(latest) > _MOST_ADDRESSES:
        text = f"its ids may be those of {len(_types(clause))} types each, too many to look for; say which, as Type/id"
        raise outcome.bad_parameter(clause.name, text)
    if not versioned:
        return token.any_of(_field(clause, latest), latest)
    exact = token.any_of(f"{clause.field}:{VERSIONED}", versioned)
    return {"$or": [token.any_of(_field(clause, latest), latest), exact]} if latest else exact


def _field(clause: Clause, addresses: list[str]) -> str:
    """What `subject` says of patients says `patient` as well, and that is what there are indexes for."""
    if _says_patient(clause.parameter) and all(map(_PATIENT.fullmatch, addresses)):
        return "s.patient"
    return clause.field


@cache
def _says_patient(parameter: SearchParameter) -> bool:
    if parameter.code != "subject" or len(parameter.base) != 1:
        return False
    patient = parameters(parameter.base[0]).get("patient")
    meant = f"{parameter.expression}.where(resolve() is Patient)"
    return patient is not None and meant in alternatives(patient, parameter.base[0])


def _addresses(clause: Clause, text: str, site: Site) -> list[str]:
    """A search value as addresses: a mere id may be that of each type the parameter can refer to."""
    types = _types(clause)
    if "/" not in text and ":" not in text:
        return [f"{each}/{text}" for each in types]
    address = _address(text, site.base_url)
    if clause.modifier is not None and f"/{clause.modifier}/" not in f"/{address}":
        raise outcome.bad_parameter(clause.name, f"'{text[:128]}' is no {clause.modifier}")
    return [address]


def _types(clause: Clause) -> tuple[str, ...]:
    targets = clause.parameter.target or tuple(sorted(registry.resource_types()))
    if clause.modifier is None:
        return targets
    if clause.modifier not in targets:
        text = f"Parameter '{clause.name}': ':{clause.modifier}' is not supported here. Possible: "
        raise outcome.not_supported(
            text + ", ".join([":identifier", ":missing", *(f":{each}" for each in targets)])
        )
    return (clause.modifier,)


@lru_cache(8192)
def _address(text: str, base_url: str) -> str:
    """Kept for a while: resources of one patient refer to the same few."""
    return parse(text).relative_to(base_url).address or text


def _versioned(text: str, site: Site) -> str:
    found = parse(text).relative_to(site.base_url)
    return f"{found.address}/_history/{found.version}" if found.version else text
