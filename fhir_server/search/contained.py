"""Chains into contained resources: what `#m1` stands for is looked into as if it were a resource of its own.

Stored in a field beside the reference, `<code>:contained`, as a list of the search values of what it refers to, each with
its type. Ids mean nothing there: nobody but the resource itself can refer to it.

http://hl7.org/fhir/R4/search.html#contained
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from fhir_server.search.site import Condition

CONTAINED = "contained"
TYPE = "_type"

Values = Callable[[dict[str, Any]], dict[str, Any]]


def referred(
    items: Iterable[tuple[str, Any]], resource: dict[str, Any], values: Values
) -> Iterator[dict[str, Any]]:
    """The search values of the contained resources that References of a resource name."""
    inside = {each["id"]: each for each in resource[CONTAINED] if "id" in each}
    for _, item in items:
        found = inside.get(item["reference"][1:]) if is_referred(item) else None
        if found is not None:
            yield {TYPE: found["resourceType"], **values(found)}


def is_referred(item: Any) -> bool:
    """Whether a value is a Reference to a contained resource."""
    return isinstance(item, dict) and item.get("reference", "").startswith("#")


def condition(code: str, targets: Sequence[tuple[str, Condition]]) -> Condition | None:
    """Documents that refer by a parameter to a contained resource that meets the condition of its type; None if no
    condition can be asked of one.
    """
    possible = [
        {field(code): {"$elemMatch": {"$and": [{TYPE: each}, _moved(inner)]}}}
        for each, inner in targets
        if _is_about_fields(inner)
    ]
    return {"$or": possible} if possible else None


def field(code: str) -> str:
    return f"s.{code}:{CONTAINED}"


def _is_about_fields(condition: Any) -> bool:
    """Without expressions, which name their fields in other ways."""
    if isinstance(condition, dict):
        return "$expr" not in condition and all(map(_is_about_fields, condition.values()))
    return not isinstance(condition, list) or all(map(_is_about_fields, condition))


def _moved(condition: Any) -> Any:
    """A condition on a stored document, as one on the values that are stored for a contained resource."""
    if isinstance(condition, dict):
        return {
            name.removeprefix("s."): _moved(each) if name.startswith("$") else each
            for name, each in condition.items()
        }
    return [_moved(each) for each in condition] if isinstance(condition, list) else condition
