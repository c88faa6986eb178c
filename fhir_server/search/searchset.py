"""The Bundle that answers a search.

http://hl7.org/fhir/R4/bundle.html#searchset, http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fhir_server.search import page
from fhir_server.search.plan import Plan
from fhir_server.search.site import Site
from resources import outcome

Document = Mapping[str, Any]


def searchset(
    plan: Plan, documents: Sequence[Document], site: Site, key: bytes, *, total: int | None = None
) -> dict[str, Any]:
    """The searchset of a page: `documents` is what the plan's `find` gave, `{_id, t, r}`, in its order."""
    shown = _shown(plan, documents)
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = [
        {"relation": relation, "url": url} for relation, url in _links(plan, documents, shown, site, key)
    ]
    entries = [_match(document, plan.search.resource_type, site) for document in shown]
    if plan.search.ignored:
        entries.append(_announced(plan.search.ignored))
    if entries:
        bundle["entry"] = entries
    return bundle


def _shown(plan: Plan, documents: Sequence[Document]) -> Sequence[Document]:
    """The documents of the page, in the order of the search: without the one that only says that there is more."""
    inside = documents[: plan.search.count]
    return inside[::-1] if plan.position is not None and plan.position.backwards else inside


def _match(document: Document, resource_type: str, site: Site) -> dict[str, Any]:
    return {
        "fullUrl": f"{site.base_url}/{resource_type}/{document['_id']}",
        "resource": document["r"],
        "search": {"mode": "match"},
    }


def _announced(ignored: Sequence[str]) -> dict[str, Any]:
    text = f"Ignored, because they are not known or not supported here: {', '.join(ignored)}"
    return {
        "resource": outcome.outcome([outcome.Issue("warning", "not-supported", text)]),
        "search": {"mode": "outcome"},
    }


def _links(
    plan: Plan, documents: Sequence[Document], shown: Sequence[Document], site: Site, key: bytes
) -> list[tuple[str, str]]:
    """`self` says what was really applied; the others lead through the pages."""
    search = plan.search
    query = search.applied()
    address = f"{site.base_url}/{search.resource_type}"

    def url(cursor: str | None) -> str:
        return f"{address}?{urlencode(query if cursor is None else [*query, ('_cursor', cursor)])}"

    def beside(document: Document, *, backwards: bool) -> str:
        position = page.position_of(page.order(search), document, backwards=backwards)
        return url(page.write(position, search, key, site.clock()))

    links = [("self", url(search.cursor))]
    if search.only_total:
        return links
    links.append(("first", url(None)))
    more = len(documents) > search.count
    backwards = plan.position is not None and plan.position.backwards
    if shown and plan.position is not None and (more or not backwards):
        links.append(("previous", beside(shown[0], backwards=True)))
    if shown and (more or backwards):
        links.append(("next", beside(shown[-1], backwards=False)))
    return links
