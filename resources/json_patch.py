"""JSON Patch (RFC 6902) on a resource.

http://hl7.org/fhir/R4/http.html#patch, https://www.rfc-editor.org/rfc/rfc6902
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from jsonpatch import JsonPatch, JsonPatchException, JsonPatchTestFailed
from jsonpointer import JsonPointer, JsonPointerException

from resources import outcome
from resources.codec import MAX_DEPTH, Json
from resources.outcome import FHIRError

MAX_OPERATIONS = 1_000
"""Operations in one patch."""

MAX_WEIGHT = 16 * 1024 * 1024
"""What all copies of one patch may weigh together: about their bytes in memory."""

_NODE_WEIGHT = 64
_MEMBERS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}


def apply(resource: Json, operations: Any) -> Json:
    """The resource after all operations, in order; the resource and the operations stay as they are.

    Raises 400 where the patch is malformed, 422 where an operation cannot be done (no such path, failed test),
    413 where copies multiply beyond `MAX_WEIGHT`; every text names the operation by its index and path.

    https://www.rfc-editor.org/rfc/rfc6902#section-4
    """
    _check_patch(operations)
    patched: Any = copy.deepcopy(resource)
    bounds = _Bounds()
    for index, operation in enumerate(operations):
        bounds.check(index, operation, patched)
        try:
            patched = JsonPatch([operation]).apply(patched, in_place=True)
        except (JsonPatchException, JsonPointerException) as reason:
            raise _impossible(index, operation, reason) from None
    if not isinstance(patched, dict):
        raise outcome.unprocessable("The patch leaves no resource: its result is not a JSON object")
    return patched


def _check_patch(operations: Any) -> None:
    if not isinstance(operations, list):
        raise outcome.bad_request("A JSON Patch is a JSON array of operations (RFC 6902 §3)")
    if len(operations) > MAX_OPERATIONS:
        text = f"The patch has {len(operations)} operations; at most {MAX_OPERATIONS} are done at once"
        raise outcome.too_costly(text)
    for index, operation in enumerate(operations):
        _check_operation(index, operation)


def _check_operation(index: int, operation: Any) -> None:
    if not isinstance(operation, dict):
        raise _malformed(index, "is not a JSON object")
    op = operation.get("op")
    if not isinstance(op, str) or op not in _MEMBERS:
        found = "has no 'op'" if op is None else f"has the unknown 'op' {_short(op)}"
        raise _malformed(index, f"{found}. Known: {', '.join(_MEMBERS)}")
    for member in _MEMBERS[op]:
        if member not in operation:
            raise _malformed(index, f"({op}) has no '{member}'")
        if member != "value":
            _check_pointer(index, op, member, operation[member])


def _check_pointer(index: int, op: str, member: str, pointer: Any) -> None:
    if not isinstance(pointer, str):
        raise _malformed(index, f"({op}) has a '{member}' that is not a string")
    try:
        JsonPointer(pointer)
    except JsonPointerException:
        text = (
            f"({op}): '{member}' {_short(pointer)} is not a JSON Pointer such as '/name/0/family' (RFC 6901)"
        )
        raise _malformed(index, text) from None


@dataclass(slots=True)
class _Bounds:
    """Keeps a small patch from making a huge or bottomless resource."""

    weight: int = 0

    def check(self, index: int, operation: Json, document: Any) -> None:
        op, target = operation["op"], operation["path"].count("/")
        if op in {"add", "replace"}:
            self._check_depth(index, target + measure(operation["value"])[0])
        elif op == "copy" or (op == "move" and target > operation["from"].count("/")):
            depth, weight = measure(_peek(document, operation["from"]))
            self._check_depth(index, target + depth)
            self.weight += weight
            if self.weight > MAX_WEIGHT:
                text = (
                    f"Operation {index} of the patch ({op}): its copies grow beyond {MAX_WEIGHT // 2**20} MiB"
                )
                raise outcome.too_costly(text)

    @staticmethod
    def _check_depth(index: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            text = f"Operation {index} of the patch nests the resource more than {MAX_DEPTH} levels deep"
            raise outcome.unprocessable(text, code="too-costly")


def _peek(document: Any, pointer: str) -> Any:
    """What is at the pointer; None where nothing is (applying the operation will say so)."""
    try:
        return JsonPointer(pointer).resolve(document, None)
    except JsonPointerException:
        return None


def measure(value: Any) -> tuple[int, int]:
    """Levels and weight of a JSON value, without recursion; stops where either is too much."""
    depth = weight = 0
    level = [value]
    while level and depth <= MAX_DEPTH and weight <= MAX_WEIGHT:
        weight += sum(_NODE_WEIGHT + (len(v) if isinstance(v, str) else 0) for v in level)
        inner = [v for v in level if isinstance(v, dict | list)]
        depth += bool(inner)
        level = [child for v in inner for child in (v.values() if isinstance(v, dict) else v)]
    return depth, weight


def _impossible(index: int, operation: Json, reason: Exception) -> FHIRError:
    where = f"Operation {index} of the patch ({operation['op']} {_short(operation['path'])})"
    if isinstance(reason, JsonPatchTestFailed):
        return outcome.unprocessable(
            f"{where}: the test failed, the resource has another value there", code="processing"
        )
    source = f" from {_short(operation['from'])}" if operation["op"] in {"move", "copy"} else ""
    return outcome.unprocessable(f"{where} cannot be done{source}: {str(reason)[:200]}", code="processing")


def _malformed(index: int, text: str) -> FHIRError:
    return outcome.bad_request(f"Operation {index} of the patch {text}")


def _short(value: Any) -> str:
    return f"'{str(value)[:100]}'"
