"""Where the official package and the corpus lie, for the tests that need them."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.codec import Json, decode

ROOT = Path(__file__).parents[2]
PACKAGE = Path(os.environ.get("FHIR_R4_PACKAGE", ROOT / ".cache" / "hl7.fhir.r4.examples-4.0.1.tgz"))
CORPUS = Path(os.environ.get("FHIR_CORPUS", ROOT.parent / "shared" / "corpus"))

needs_package = pytest.mark.skipif(not PACKAGE.is_file(), reason=f"the official package is not at {PACKAGE}")
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus is not at {CORPUS}")


def package_resources() -> Iterator[tuple[str, Json]]:
    """(file name, resource) of the official package, in the order of names."""
    with tarfile.open(PACKAGE) as archive:
        for name in sorted(archive.getnames()):
            file = Path(name)
            if file.suffix == ".json" and file.name not in {"package.json", ".index.json"}:
                member = archive.extractfile(name)
                assert member is not None
                yield file.name, decode(member.read())
