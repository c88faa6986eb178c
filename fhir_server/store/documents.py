"""The shape of a stored document, and the way between FHIR JSON values and BSON.

    {_id: logical id, v: version, t: last updated, deleted?, put?, r: resource, s: search values}
    "<Type>.history": {_id: {id, v}, t, until, deleted?, put?, r}: the superseded versions

`deleted: true` marks a deletion (then there is no `r`), `put: true` a version that came into being by PUT, the first or one after a deletion.

A number is a BSON decimal128, which keeps its digits. A number whose spelling decimal128 would not give
back (`1e3`, `-0`) is kept as its text in a BSON binary of user-defined subtype `SPELLED`. The data of a large Binary
are kept as bytes, three quarters of their base64 text, of subtype `BASE64`.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, TypeVar

from bson.binary import Binary
from bson.codec_options import CodecOptions, TypeCodec, TypeDecoder, TypeEncoder, TypeRegistry
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from resources.codec import Json, Spelled

Document = dict[str, Any]

SPELLED = 0x80
"""BSON binary subtype of a number that is kept as its text."""
BASE64 = 0x81
"""BSON binary subtype of bytes that are a base64 text in FHIR."""
LARGE_TEXT = 1024 * 1024
"""Characters from which on base64 is kept as bytes: MongoDB has 16 MB for a document"""
PORTION = 1000
Item = TypeVar("Item")


@lru_cache(8192)
def _decimal128(text: str) -> Decimal128:
    """By text, for 6.30 equals 6.3; the same few limits and doses stand in most resources."""
    return Decimal128(text)


class _DecimalCodec(TypeCodec):
    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Decimal) -> Decimal128:
        return _decimal128(str(value))

    def transform_bson(self, value: Decimal128) -> Decimal:
        return _decimal(value.bid)


@lru_cache(16_384)
def _decimal(bits: bytes) -> Decimal:
    """The driver takes 15 µs for each, more than for all else in an Observation; and most come again and again.

    https://www.mongodb.com/docs/manual/reference/bson-types/#decimal128: sign, exponent, coefficient
    """
    whole = int.from_bytes(bits, "little")
    exponent = (whole >> 113 & 0x3FFF) - 6176
    if -6 <= exponent <= 0 and whole >> 125 & 3 != 3:
        found = Decimal(whole & (1 << 113) - 1).scaleb(exponent, _WIDE)
        return found.copy_negate() if whole >> 127 else found
    value = Decimal128.from_bid(bits)
    text = str(value)
    if "E" in text:  # 0.00000001, which Decimal and Decimal128 both write 1E-8
        return Spelled(format(value.to_decimal(), "f"))
    return Decimal(text)


_WIDE = Context(prec=40)


class _SpelledEncoder(TypeEncoder):
    python_type = Spelled

    def transform_python(self, value: Spelled) -> Decimal128 | Binary:
        stored = Decimal128(Decimal(value))
        if "E" in str(stored) and format(Decimal(value), "f") == value.text:
            return stored
        return Binary(value.text.encode(), SPELLED)


class _BinaryDecoder(TypeDecoder):
    bson_type = Binary

    def transform_bson(self, value: Binary) -> Spelled | str | Binary:
        if value.subtype == SPELLED:
            return Spelled(value.decode())
        return b64encode(value).decode() if value.subtype == BASE64 else value


class _LongDecoder(TypeDecoder):
    """5000000000: an int like any other to those who read it."""

    bson_type = Int64

    def transform_bson(self, value: Int64) -> int:
        return int(value)


CODEC_OPTIONS: CodecOptions[Document] = CodecOptions(
    type_registry=TypeRegistry([_DecimalCodec(), _SpelledEncoder(), _BinaryDecoder(), _LongDecoder()]),
    tz_aware=True,
    tzinfo=UTC,
)


def now() -> datetime:
    """The present instant to the millisecond, as BSON keeps it."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def instant(moment: datetime) -> str:
    """A moment as FHIR instant: `2026-11-20T14:36:49.123Z`.

    http://hl7.org/fhir/R4/datatypes.html#instant
    """
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


class _Ids:
    """Time-ordered ids: UUID version 7 (RFC 9562 §5.7), ascending within one process: good for the B-tree."""

    RANDOM_AT_ONCE = 512

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._random: list[int] = []

    def forget(self) -> None:
        """Another process must not go on with the same random bits."""
        self._random.clear()

    def __call__(self) -> str:
        with self._lock:
            nanoseconds = time.time_ns()
            # 48 bits of milliseconds, then 12 bits of the fraction of one: strictly ascending
            moment = max(nanoseconds // 1_000_000 << 12 | nanoseconds % 1_000_000 >> 8, self._last + 1)
            self._last = moment
            if not self._random:
                self._random = list(
                    struct.unpack(f"{self.RANDOM_AT_ONCE}Q", os.urandom(8 * self.RANDOM_AT_ONCE))
                )
            random = self._random.pop()
        high = (moment >> 12 & 0xFFFFFFFFFFFF) << 16 | 0x7000 | moment & 0xFFF
        text = f"{high:016x}{random & 0x3FFFFFFFFFFFFFFF | 0x8000000000000000:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


new_id = _Ids()
os.register_at_fork(after_in_child=new_id.forget)


def stamped(resource: Json, logical_id: str, version: int, moment: datetime) -> Json:
    """The resource as it is stored: with its id, `meta.versionId` and `meta.lastUpdated`, all else as sent."""
    meta = {"versionId": str(version), "lastUpdated": instant(moment)}
    of_client = resource.get("meta", {}).items()
    meta |= {name: value for name, value in of_client if name not in {"versionId", "lastUpdated"}}
    whole: Json = {"resourceType": resource["resourceType"], "id": logical_id, "meta": meta}
    return whole | {name: value for name, value in resource.items() if name not in whole}


def document(resource: Json, search: Document, moment: datetime) -> Document:
    """The stored document of a stamped resource."""
    return {
        "_id": resource["id"],
        "v": int(resource["meta"]["versionId"]),
        "t": moment,
        "r": resource,
        "s": search,
    }


def packed(written: Document) -> Document:
    """The document of a Binary as it goes to MongoDB: large data as bytes, where their text is the usual base64."""
    text = written.get("r", {}).get("data")
    if not isinstance(text, str) or len(text) < LARGE_TEXT:
        return written
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return written
    # Line breaks are allowed and come back as they were sent.
    if b64encode(data).decode() != text:
        return written
    return {**written, "r": {**written["r"], "data": Binary(data, BASE64)}}


def tombstone(logical_id: str, version: int, moment: datetime) -> Document:
    """The current document of a deleted resource.

    http://hl7.org/fhir/R4/http.html#delete
    """
    return {"_id": logical_id, "v": version, "t": moment, "deleted": True}


def superseded(current: Document, moment: datetime) -> Document:
    """What goes into history when a newer version takes the place of `current` at `moment`."""
    old: Document = {"_id": {"id": current["_id"], "v": current["v"]}, "t": current["t"], "until": moment}
    old.update({name: current[name] for name in ("deleted", "put", "r") if name in current})
    return old


def portions(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """As many as are encoded without keeping the event loop from others for long."""
    return (items[start : start + PORTION] for start in range(0, len(items), PORTION))
