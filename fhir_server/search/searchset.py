"""The Bundle that answers a search.

http://hl7.org/fhir/R4/bundle.html#searchset, http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fhir_server.search import page
from fhir_server.search.include import MOST_INCLUDED, MOST_LEVELS, Included, Typed
from fhir_server.search.plan import Plan
from fhir_server.search.site import Site
from resources import outcome

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Total:
    """`count` resources match, or about as many."""

    count: int
    estimated: bool = False

    def __add__(self, other: Total) -> Total:
        return Total(self.count + other.count, self.estimated or other.estimated)


def searchset(
    plan: Plan,
    documents: Sequence[Document],
    site: Site,
    key: bytes,
    *,
    total: Total | None = None,
    included: Included | None = None,
) -> dict[str, Any]:
    """The searchset of a page: `documents` is what the plan's `find` gave, `{_id, t, r}`, in its order; `included`
    what comes along with those that `shown` gives.
    """
    page_of = shown(plan, documents)
    links = _links(plan, documents, page_of, site, key)
    matches = [(plan.search.resource_type, document) for document in page_of]
    return bundle(links, matches, site, total=total, included=included, ignored=plan.search.ignored)


def bundle(
    links: Sequence[tuple[str, str]],
    matches: Sequence[Typed],
    site: Site,
    *,
    total: Total | None = None,
    included: Included | None = None,
    ignored: Sequence[str] = (),
) -> dict[str, Any]:
    """A searchset: what matches, then what comes along, then what is to be said about the search."""
    whole: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        whole["total"] = total.count
    whole["link"] = [{"relation": relation, "url": url} for relation, url in links]
    included = included or Included()
    entries = [_entry(each, site, "match") for each in matches]
    entries += [_entry(each, site, "include") for each in included.documents]
    if included.cut:
        text = (
            f"Not all that _include and _revinclude ask for is here: at most {MOST_INCLUDED:,} resources, "
            f"from {MOST_LEVELS} levels of :iterate, come along with one page. Ask for smaller pages"
        )
        entries.append(_announced("too-costly", text))
    if ignored:
        text = f"Ignored, because they are not known or not supported here: {', '.join(ignored)}"
        entries.append(_announced("not-supported", text))
    if total is not None and total.estimated:
        text = "The total is an estimate, from a sample; _total=accurate counts"
        entries.append(_announced("informational", text, severity="information"))
    if entries:
        whole["entry"] = entries
    return whole


def shown(plan: Plan, documents: Sequence[Document]) -> Sequence[Document]:
    """The documents of the page, in the order of the search: without the one that only says that there is more."""
    inside = documents[: plan.search.count]
    return inside[::-1] if plan.position is not None and plan.position.backwards else inside


def _entry(typed: Typed, site: Site, mode: str) -> dict[str, Any]:
    resource_type, document = typed
    return {
        "fullUrl": f"{site.base_url}/{resource_type}/{document['_id']}",
        "resource": document["r"],
        "search": {"mode": mode},
    }


def _announced(code: str, text: str, severity: str = "warning") -> dict[str, Any]:
    return {
        "resource": outcome.outcome([outcome.Issue(severity, code, text)]),
        "search": {"mode": "outcome"},
    }


def _links(
    plan: Plan, documents: Sequence[Document], page_of: Sequence[Document], site: Site, key: bytes
) -> list[tuple[str, str]]:
    """`self` says what was really applied; the others lead through the pages."""
    search = plan.search
    address = f"{site.base_url}/{search.path}?{urlencode(search.applied())}"

    def url(cursor: str | None) -> str:
        return address if cursor is None else f"{address}&{urlencode({'_cursor': cursor})}"

    def beside(document: Document, *, backwards: bool) -> str:
        position = page.position_of(page.order(search), document, backwards=backwards)
        return url(page.write(position, search, key, site.clock()))

    links = [("self", url(search.cursor))]
    if search.only_total:
        return links
    links.append(("first", url(None)))
    more = len(documents) > search.count
    backwards = plan.position is not None and plan.position.backwards
    if page_of and plan.position is not None and (more or not backwards):
        links.append(("previous", beside(page_of[0], backwards=True)))
    if page_of and (more or backwards):
        links.append(("next", beside(page_of[-1], backwards=False)))
    return links
