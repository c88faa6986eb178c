from __future__ import annotations

import msgspec
import pytest

from resources import struct_types

OBSERVATION = b'{"resourceType":"Observation","status":"final","code":{"text":"x"}%s}'


def test_a_type_is_made_once() -> None:
    assert struct_types.decoder("Basic") is struct_types.decoder("Basic")


@pytest.mark.parametrize("name", ["Citation", "HumanName", "DomainResource", ""])
def test_what_is_no_resource_type_has_no_decoder(name: str) -> None:
    with pytest.raises(KeyError):
        struct_types.decoder(name)


@pytest.mark.parametrize(
    "members",
    [
        b"",
        b',"valueQuantity":{"value":1e3,"comparator":"<"}',
        b',"subject":{"reference":"Group/1"}',
        b',"_issued":{"extension":[{"url":"u","valueTime":"10:00:00"}]}',
        b',"contained":[{"resourceType":"Anything"}]',
    ],
)
def test_taken(members: bytes) -> None:
    struct_types.decoder("Observation").decode(OBSERVATION % members)


@pytest.mark.parametrize(
    "members",
    [
        b',"foo":1',
        b',"valueString":"a","valueInteger":1',
        b',"referenceRange":[{"low":{"value":1,"comparator":"<"}}]',
        b',"subject":{"reference":"Medication/1"}',
        b',"contained":[1]',
        b',"note":[]',
        b',"component":[{}]',
        b',"valueQuantity":{"value":"1"}',
        b',"extension":[{"url":"u","valueTime":"10:00"}]',
        b',"extension":[{"valueTime":"10:00:00","valueCode":"x"}]',
    ],
)
def test_refused(members: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        struct_types.decoder("Observation").decode(OBSERVATION % members)
