from __future__ import annotations

from typing import Any

import pytest

from importers.bundles import performable
from resources.outcome import FHIRError

PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p1"}
NAMELESS: dict[str, Any] = {"resourceType": "Patient"}


def bundle(kind: str | None, *entries: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_what_asks_for_something_is_performed_as_it_is(kind: str) -> None:
    asked = bundle(kind, {"resource": PATIENT, "request": {"method": "DELETE", "url": "Patient/p1"}})
    assert performable(asked) is asked


@pytest.mark.parametrize("kind", ["document", "message"])
def test_documents_and_messages_are_stored_whole(kind: str) -> None:
    assert performable(bundle(kind, {"resource": PATIENT})) is None


@pytest.mark.parametrize("kind", ["history", "transaction-response", "batch-response", "bogus", None])
def test_other_bundles_are_refused(kind: str | None) -> None:
    with pytest.raises(FHIRError, match="cannot be loaded"):
        performable(bundle(kind))


def test_a_searchset_becomes_a_batch_of_its_entries_without_remarks() -> None:
    remark = {"search": {"mode": "outcome"}, "resource": {"resourceType": "OperationOutcome"}}
    made = performable(bundle("searchset", {"resource": PATIENT}, remark, {"resource": NAMELESS}))
    assert made == {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/p1"}},
            {"resource": NAMELESS, "request": {"method": "POST", "url": "Patient"}},
        ],
    }


def test_entries_that_refer_to_each_other_by_urn_stay_together() -> None:
    made = performable(
        bundle("collection", {"fullUrl": "urn:uuid:x", "resource": PATIENT}, {"resource": NAMELESS})
    )
    assert made is not None
    assert made["type"] == "transaction"
    assert made["entry"][0]["fullUrl"] == "urn:uuid:x"


def test_an_empty_collection_is_an_empty_batch() -> None:
    assert performable({"resourceType": "Bundle", "type": "collection"}) == {
        "resourceType": "Bundle",
        "type": "batch",
    }


@pytest.mark.parametrize("entry", [{}, 1, {"resource": 1}, {"resource": {"id": "x"}}])
def test_an_entry_without_a_resource_is_named(entry: Any) -> None:
    with pytest.raises(FHIRError) as refused:
        performable(bundle("collection", {"resource": PATIENT}, entry))
    assert refused.value.issues[0].expression == ("Bundle.entry[1].resource",)


def test_entries_that_are_no_array_are_refused() -> None:
    with pytest.raises(FHIRError, match="array"):
        performable({"resourceType": "Bundle", "type": "collection", "entry": {}})
