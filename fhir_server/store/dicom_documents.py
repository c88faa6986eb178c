"""Rows of DICOM ⇄ documents of the collections `_dicom_…`, and the updates that say when a study is to be folded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fhir_server.store.documents import Document
from importers.dicom.rows import Instance, Pace, Study

_NAMES = {
    "sop_uid": "_id",
    "study_uid": "study",
    "series_uid": "series",
    "sop_class": "cls",
    "digest": "digest",
    "study_attrs": "sd",
    "series_attrs": "rd",
    "number": "num",
    "title": "title",
    "source": "source",
    "at": "at",
    "state": "state",
}


def document_of(row: Instance) -> Document:
    values = ((stored, getattr(row, name)) for name, stored in _NAMES.items())
    return {stored: value for stored, value in values if value is not None}


def instance_of(document: Document) -> Instance:
    return Instance(**{name: document.get(stored) for name, stored in _NAMES.items()})  # type: ignore[arg-type]


def study_of(document: Document) -> Study:
    return Study(
        document["_id"],
        document["patient"],
        document["source"],
        document["seq"],
        document["built"],
        document.get("reading"),
        document.get("last"),
        document.get("ref"),
        document.get("pref"),
        document.get("fault"),
    )


def marked(changes: int, moment: datetime, pace: Pace) -> list[Document]:
    """The update of a study of which so many rows have changed: the first ones of a clean study start its clocks."""
    clean = {"$eq": ["$seq", "$built"]}
    counted = {
        "first": {"$cond": [clean, moment, "$first"]},
        "seq": {"$add": ["$seq", changes]},
        "last": {"$max": ["$last", moment]},
    }
    many = {"$gte": [{"$subtract": ["$seq", "$built"]}, pace.count]}
    new = {"$eq": ["$built", 0]}
    later = {"$min": [_plus("$last", pace.quiet), _plus("$first", pace.most)]}
    due = {"$cond": [new, _plus("$first", pace.first), {"$cond": [many, moment, later]}]}
    return [{"$set": counted}, {"$set": {"next": due}}]


def built(study: Study, moment: datetime, pace: Pace, facts: Document) -> list[Document]:
    """The update of a study that was folded as far as `study.seq`: what has changed since starts its clocks again."""
    done = {"built": {"$max": ["$built", study.seq]}, "lease": "$$REMOVE", "fault": "$$REMOVE", "tries": 0}
    clean = {"$eq": ["$seq", "$built"]}
    later = {"$min": [_plus("$last", pace.quiet), moment + timedelta(seconds=pace.most)]}
    again: dict[str, Any] = {
        "first": {"$cond": [clean, "$first", moment]},
        "next": {"$cond": [clean, "$$REMOVE", later]},
    }
    literal = {name: {"$literal": value} for name, value in facts.items()}
    return [{"$set": {**literal, **done}}, {"$set": again}]


def _plus(field: str, seconds: float) -> Document:
    return {"$add": [field, round(seconds * 1000)]}
