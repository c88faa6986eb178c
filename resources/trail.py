"""The way to a place in a resource, noted while a walk goes there and told as a FHIRPath only when there is a fault."""

from __future__ import annotations

from typing import Any

Trail = tuple[Any, str, int | None]
"""The trail to the surrounding element (None: there is none), the element's name, its index where it repeats."""


def path_of(trail: Trail | None) -> str:
    """`Patient.contact[0].name`."""
    names: list[str] = []
    while trail is not None:
        trail, name, index = trail
        names.append(name if index is None else f"{name}[{index}]")
    return ".".join(reversed(names))
