"""Operators of `_filter` that no prefix and no modifier says: each is about one item of the set of values.

http://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

import re

from bson.regex import Regex

from fhir_server.search import date, string, token
from fhir_server.search.filter import NAME, Compared
from fhir_server.search.site import Condition, Site
from resources import outcome

_BARE = r"(?:[^|\\]|\\.)*"
"""A term without a bar of its own: a code alone"""


def condition(compared: Compared, site: Site) -> Condition:
    """Documents with an item that compares so; FHIRError 400 for a value that cannot be compared."""
    if compared.clause.parameter.type == "date":
        return date.compared(compared.clause, compared.operator, site)
    if compared.clause.parameter.type == "token":
        return _unequal_token(compared)
    return _text(compared)


def _text(compared: Compared) -> Condition:
    """By the characters, without case and accents. No character of a text sorts before a space."""
    plain = string.normalize(compared.text)
    field = compared.clause.field
    if not plain:
        text = f"{compared.clause.parameter.code} has nothing to look for but space and accents"
        raise outcome.bad_parameter(NAME, text)
    itself, beyond = plain + string.SEPARATOR, f"{plain} "
    match compared.operator:
        case "eq":
            return {field: Regex(f"^{re.escape(itself)}")}
        case "ew":
            return {field: Regex(f"{re.escape(plain)}{string.SEPARATOR}")}
        case "ne":
            return {"$or": [{field: {"$lt": itself}}, {field: {"$gte": beyond}}]}
        case "gt":
            return {field: {"$gte": beyond}}
        case "ge":
            return {field: {"$gte": itself}}
        case "lt":
            return {field: {"$lt": itself}}
    return {field: {"$lt": beyond}}


def _unequal_token(compared: Compared) -> Condition:
    """An item that has another code, or with a system named another system or code."""
    (wanted,) = token.wanted_terms(compared.clause)
    if isinstance(wanted, Regex):
        return {compared.clause.field: Regex(f"^(?!{wanted.pattern[1:]}){_BARE}\\|")}
    kind = r"\|" if "|" in token.without_escapes(wanted) else "$"
    return {compared.clause.field: Regex(f"^(?!{re.escape(wanted)}$){_BARE}{kind}")}
