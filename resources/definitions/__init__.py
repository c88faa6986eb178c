"""The fact tables of R4 (4.0.1), made by `build.py` from the official package, and what US Core adds; no prose, never edited by hand.

| file | content |
|---|---|
| `structures.json` | `primitives` (regex, ranges) and `types` (elements of resources and data types) |
| `required_bindings.json` | value set → {system: [codes]}; `null` where the set is open |
| `value_sets.json` | the other value sets whose codes are all in R4 → {system: [codes]} |
| `hierarchies.json` | code system → {code: the code it is nested in} |
| `invariants.json` | where a constraint is defined → [{key, severity, expression}] |
| `search_parameters.json` | [{code, url, type, base, expression, ...}] |
| `us_core_search_parameters.json` | the same of US Core, made by `us_core.py` |
| `compartments.json` | compartment → type → [search parameter] |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parent


def read(name: str) -> Any:
    """One fact table as plain JSON values; `name` without `.json`."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes())
