"""CPU time of processes: what a request costs, also on a machine that has other things to do."""

from __future__ import annotations

import os
from pathlib import Path


def seconds(pid: int) -> float:
    """Seconds that a process has been running on a processor, itself and in the kernel (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
