"""`make bench`: every figure, each as median of several rounds within this run."""

from __future__ import annotations

import sys

from tests.bench import (
    bench_audit,
    bench_dicom,
    bench_dicom_doors,
    bench_hl7v2,
    bench_rest,
    bench_search,
    bench_validation,
)
from tests.bench.report import machine, show

SECTIONS = {
    "validation": bench_validation.figures,
    "rest": bench_rest.figures,
    "search": bench_search.figures,
    "audit": bench_audit.figures,
    "hl7v2": bench_hl7v2.figures,
    "dicom": bench_dicom.figures,
    "dicom-doors": bench_dicom_doors.figures,
}


def main() -> None:
    wanted = sys.argv[1:] or list(SECTIONS)
    print(machine())
    for name in wanted:
        show(name, SECTIONS[name]())


if __name__ == "__main__":
    main()
