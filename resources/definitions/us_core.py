"""Makes the table of US Core's search parameters from the fact files of its releases, oldest first.

    python -m resources.definitions.us_core us_core_6.1.0.json us_core_8.0.0.json

A fact file has `searchParameters`, the facts of the guide's SearchParameter resources. Of a parameter that several
releases define the latest counts; what a later one left out stays.

http://hl7.org/fhir/us/core/searchparameters.html
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from resources.definitions import build

Json = dict[str, Any]

_CODES = (
    (re.compile(r"\.value\.coding\.code$"), ".value.coding"),
    (re.compile(r"\.value\.code$"), ".value.ofType(Coding)"),
)
"""US Core ends at the bare code of a Coding; its system belongs to it, so that `system|code` finds it, too."""

_OLD_CHOICE = re.compile(r"\.valueDateTime$")


def search_parameters(guides: Iterable[Json]) -> list[Json]:
    """`us_core_search_parameters.json`: by code, then url."""
    by_url = {each["url"]: _parameter(each) for guide in guides for each in guide["searchParameters"]}
    return sorted(by_url.values(), key=lambda each: (each["code"], each["url"]))


def _parameter(facts: Json) -> Json:
    expression = _OLD_CHOICE.sub(".value", facts["expression"])
    for ending, meant in _CODES:
        expression = ending.sub(meant, expression)
    kept = ("code", "url", "type", "base", "target", "comparator", "multipleOr", "component")
    return {**{key: facts[key] for key in kept if key in facts}, "expression": expression}


def main(arguments: list[str]) -> None:
    guides = [json.loads(Path(each).read_text(encoding="utf-8")) for each in arguments]
    target = Path(__file__).parent / "us_core_search_parameters.json"
    target.write_text(build.text(search_parameters(guides)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
