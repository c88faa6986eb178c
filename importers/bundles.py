"""What a Bundle that lies in a file becomes when it is loaded.

http://hl7.org/fhir/R4/valueset-bundle-type.html
"""

from __future__ import annotations

from typing import Any

from resources.codec import Json
from resources.outcome import bad_request

PERFORMED = {"transaction", "batch"}
STORED = {"document", "message"}
TAKEN_APART = {"collection", "searchset"}


def performable(bundle: Json) -> Json | None:
    """The batch or transaction to perform, or None for a Bundle that is stored as it is; 400 for other types.

    A collection or searchset becomes PUTs of its entries under their ids, POSTs of those that have none: a
    transaction where an entry has a urn: as fullUrl, since others may refer to it by that, a batch otherwise.
    """
    kind = bundle.get("type")
    if kind in PERFORMED:
        return bundle
    if kind in STORED:
        return None
    if kind not in TAKEN_APART:
        known = ", ".join(sorted(PERFORMED | STORED | TAKEN_APART))
        raise bad_request(
            f"A Bundle of type {str(kind)[:40]!r} cannot be loaded. Expected: {known}", "Bundle.type"
        )
    taken = [
        _request(entry, position) for position, entry in enumerate(_entries(bundle)) if not _is_remark(entry)
    ]
    by_urn = any(str(entry.get("fullUrl", "")).startswith("urn:") for entry in taken)
    apart: Json = {"resourceType": "Bundle", "type": "transaction" if by_urn else "batch"}
    if taken:
        apart["entry"] = taken
    return apart


def _entries(bundle: Json) -> list[Any]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise bad_request("Bundle.entry must be an array", "Bundle.entry")
    return entries


def _is_remark(entry: Any) -> bool:
    """An OperationOutcome about the search, http://hl7.org/fhir/R4/valueset-search-entry-mode.html."""
    search = entry.get("search") if isinstance(entry, dict) else None
    return isinstance(search, dict) and search.get("mode") == "outcome"


def _request(entry: Any, position: int) -> Json:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise bad_request("The entry has no resource to be loaded", f"Bundle.entry[{position}].resource")
    resource_type, logical_id = resource["resourceType"], resource.get("id")
    request = {"method": "POST", "url": resource_type}
    if isinstance(logical_id, str):
        request = {"method": "PUT", "url": f"{resource_type}/{logical_id}"}
    asked: Json = {"resource": resource, "request": request}
    if "fullUrl" in entry:
        asked["fullUrl"] = entry["fullUrl"]
    return asked
