"""What a message is answered with, as its row says what became of it."""

from __future__ import annotations

from importers.hl7v2 import ack
from importers.hl7v2.header import read_header
from importers.hl7v2.issue import INTERNAL_ERROR, Issue
from importers.hl7v2.rows import Answered, Row
from resources.outcome import FHIRError


def replies(row: Row, raw: bytes, answering: ack.Answering) -> tuple[bytes, ...]:
    """AA, AE or AR as the status of the row is, or what MSH-15 and MSH-16 ask for instead."""
    header = read_header(raw)
    if header is None:
        return ()
    code: ack.ApplicationCode = "AR"
    if row.status in {"processed", "error"}:
        code = "AA" if row.status == "processed" else "AE"
    return tuple(ack.answers(header, code, row.issues, answering=answering, given=row.given))


def refused(row: Row, raw: bytes, away: FHIRError, answering: ack.Answering) -> Answered:
    """AR: to be sent again. Senders repeat what is answered so, and not what is answered AE."""
    row.issues = (Issue("", f"Send it again: {away}", INTERNAL_ERROR, "error"),)
    row.answers = tuple(ack.reject(raw, row.issues[0], answering=answering, given=row.given))
    row.code = ack_code(row.answers)
    return Answered(row.answers, row)


def ack_code(answers: tuple[bytes, ...]) -> str:
    """MSA-1 of the last answer."""
    if not answers:
        return ""
    text = answers[-1].replace(b"\0", b"")
    start = text.find(b"\rMSA") + 5
    return text[start : start + 2].decode("ascii", "replace")
