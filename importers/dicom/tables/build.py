"""Makes `facts.json` of the tables of DICOM that are in pydicom, and of a map of body parts.

    python -m importers.dicom.tables.build path/to/bodysite.csv

PS3.16 annex L (body parts in SNOMED CT), CID 29 and 33 (modalities), annex D of PS3.16 of 2017 (SNOMED RT to CT).
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

_ACQUISITION, _MODALITIES = 29, 33


def _modalities(context_group: int) -> dict[str, str]:
    known: dict[str, Any] = concepts["DCM"]
    return {
        code: meaning
        for name in cid_concepts[context_group]["DCM"]
        for code, (meaning, groups) in known[name].items()
        if context_group in groups
    }


def main(bodysite: Path) -> None:
    """Writes the table beside this file."""
    with bodysite.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    acquisition = _modalities(_ACQUISITION)
    facts = {
        "body_parts": {
            row["body_part_examined"]: [row["sct_code"], row["sct_display"]]
            for row in rows
            if row["sct_code"].isdigit()
        },
        "modalities": dict(sorted({**_modalities(_MODALITIES), **acquisition}.items())),
        "acquisition": sorted(acquisition),
        "snomed": dict(sorted(mapping["SRT"].items())),
    }
    text = json.dumps(facts, ensure_ascii=False, indent=0, separators=(",", ":"))
    Path(__file__).with_name("facts.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
