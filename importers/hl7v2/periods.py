"""Periods of which both ends are known already."""

from __future__ import annotations

from importers.hl7v2 import times
from resources.codec import Json


def span(start: str | None, end: str | None) -> Json:
    """A Period of what is known; an end that lies before the start is no end."""
    if times.is_backwards(start, end):
        end = None
    return {name: bound for name, bound in (("start", start), ("end", end)) if bound}
