"""http://hl7.org/fhir/R4/search.html#uri"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.outcome import FHIRError
from tests.search.conftest import Shelf


@pytest.fixture(scope="module")
def value_sets(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["ValueSet"]
    shelf.put(
        {"id": "root", "url": "http://acme.org/fhir"},
        {"id": "slash", "url": "http://acme.org/fhir/"},
        {"id": "deep", "url": "http://acme.org/fhir/ValueSet/1"},
        {"id": "near", "url": "http://acme.org/fhirx"},
        {"id": "urn", "url": "urn:oid:1.2.3"},
        {"id": "urn-more", "url": "urn:oid:1.2.3.4"},
        {"id": "profile", "meta": {"profile": ["http://acme.org/p|1.0", "http://acme.org/q"]}},
    )
    return shelf


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("url", "http://acme.org/fhir", ["root"]),
        ("url", "http://acme.org/FHIR", []),
        ("url", "http://acme", []),
        ("url", "urn:oid:1.2.3", ["urn"]),
        ("url", "urn:oid:1.2.3,http://acme.org/fhirx", ["near", "urn"]),
        ("url:below", "http://acme.org/fhir", ["deep", "root", "slash"]),
        ("url:below", "http://acme.org/fhir/", ["deep", "slash"]),
        ("url:below", "http://acme.org", ["deep", "near", "root", "slash"]),
        ("url:below", "http://acme.or.", []),
        ("url:below", "urn:oid:1.2.3", ["urn"]),
        ("url:above", "http://acme.org/fhir/ValueSet/1/x", ["deep", "root", "slash"]),
        ("url:above", "http://acme.org/fhir", ["root"]),
        ("url:above", "urn:oid:1.2.3.4", ["urn-more"]),
        ("url:missing", "true", ["profile"]),
        ("_profile", "http://acme.org/p", ["profile"]),
        ("_profile", "http://acme.org/p|1.0", ["profile"]),
        ("_profile", "http://acme.org/p|2.0", []),
        ("_profile", "http://acme.org/q", ["profile"]),
    ],
)
def test_uris(value_sets: Shelf, name: str, value: str, expected: list[str]) -> None:
    assert value_sets.find((name, value)) == expected


@pytest.mark.parametrize("name", ["url", "url:below", "url:above"])
def test_uris_are_found_in_the_index(value_sets: Shelf, name: str) -> None:
    assert "COLLSCAN" not in value_sets.stages((name, "http://acme.org/fhir"))


@pytest.mark.parametrize("uri", ["http://a/" + "b" * 8183, "http://a.org" + "/b" * 200, "(" * 8192])
@pytest.mark.parametrize("name", ["url", "url:below", "url:above"])
def test_the_longest_uris_are_found(shelves: Mapping[str, Shelf], name: str, uri: str) -> None:
    assert shelves["ValueSet"].finds({"url": uri}, (name, uri))


def test_uris_with_more_ancestors_than_anyone_has_are_refused(value_sets: Shelf) -> None:
    with pytest.raises(FHIRError, match="'url:above': has too many") as refused:
        value_sets.find(("url:above", "http://a" + "/" * 8184))
    assert refused.value.status == 400


paths = st.lists(st.text(alphabet="ab.*(", min_size=1, max_size=3), max_size=4)


@settings(max_examples=40, deadline=None)
@given(parts=paths, keep=st.integers(0, 4))
def test_what_is_indexed_is_found(shelves: Mapping[str, Shelf], parts: list[str], keep: int) -> None:
    shelf = shelves["ValueSet"]
    whole = "/".join(["http://x.org", *parts])
    ancestor = "/".join(["http://x.org", *parts[:keep]])
    assert shelf.finds({"url": whole}, ("url", whole))
    assert shelf.finds({"url": whole}, ("url:below", ancestor))
    assert shelf.finds({"url": ancestor}, ("url:above", whole))


@pytest.mark.parametrize(
    ("value", "finds"),
    [
        ("http://lab.org/feed#msg-1", True),
        ("http://lab.org/feed", True),
        ("#msg-1", True),
        ("http://lab.org/feed#msg-2", False),
        ("#msg", False),
    ],
)
def test_a_source_is_found_with_and_without_its_fragment(
    shelves: Mapping[str, Shelf], value: str, finds: bool
) -> None:
    """http://hl7.org/fhir/R4/resource-definitions.html#Meta.source"""
    resource = {"meta": {"source": "http://lab.org/feed#msg-1"}}
    assert shelves["ValueSet"].finds(resource, ("_source", value)) is finds
    assert shelves["ValueSet"].finds({"meta": {"source": "urn:x"}}, ("_source", "urn:x"))
