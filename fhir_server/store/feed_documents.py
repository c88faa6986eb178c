"""`Row` ⇄ document of the collection `_feed`."""

from __future__ import annotations

from typing import Any

from bson.binary import Binary

from fhir_server.store.documents import Document
from importers.hl7v2.issue import Issue
from importers.hl7v2.rows import OPEN, Peer, Row

_MSH = ("application", "facility", "control_id", "type", "version", "charset")


def document_of(row: Row) -> Document:
    """All of it but the raw bytes and what is there only while it is in work."""
    peer = {"door": row.peer.door, "address": row.peer.address, "software": row.peer.software}
    peer["identity"] = row.peer.identity
    return {
        "_id": row.id,
        "t": row.received,
        "n": row.number,
        "status": row.status,
        "sender": row.sender,
        "msh": {name: getattr(row, name) for name in _MSH},
        "peer": {name: value for name, value in peer.items() if value},
        "size": row.size,
        "digest": row.digest,
        "after": list(row.after),
        **({"of": row.of} if row.of else {}),
        **_end(row),
    }


def changes(row: Row, holder: str) -> Document:
    """The update that writes down what came of it, or that it is still in work, whatever was written before."""
    end = {"status": row.status, **_end(row)}
    if row.status in OPEN:
        return {"$set": {**end, "open": True, "holder": holder, "keys": list(row.keys)}}
    return {"$set": end, "$unset": {"open": 1, "holder": 1, "keys": 1}}


def _end(row: Row) -> Document:
    return {
        "patients": list(row.patients),
        "flags": list(row.flags),
        "issues": [
            {"severity": each.severity, "code": each.code, "place": each.place, "text": each.text}
            for each in row.issues
        ],
        "written": list(row.written),
        "answers": [Binary(each) for each in row.answers],
        "code": row.code,
        "attempts": row.attempts,
        "finished": row.finished,
        "replays": row.replays,
    }


def row_of(document: Document) -> Row:
    peer: dict[str, Any] = document["peer"]
    return Row(
        id=document["_id"],
        received=document["t"],
        peer=Peer(peer["door"], peer.get("address"), peer.get("software"), peer.get("identity")),
        size=document["size"],
        digest=document["digest"],
        **document["msh"],
        keys=tuple(document.get("keys", ())),
        patients=tuple(document["patients"]),
        after=tuple(document["after"]),
        number=document["n"],
        status=document["status"],
        of=document.get("of"),
        flags=tuple(document["flags"]),
        issues=tuple(Issue(**each) for each in document["issues"]),
        written=tuple(document["written"]),
        answers=tuple(map(bytes, document["answers"])),
        code=document["code"],
        attempts=document["attempts"],
        finished=document["finished"],
        replays=document["replays"],
    )
