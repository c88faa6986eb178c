"""Pages by position: a cursor says after (or before) which resource a page begins, whatever is written meanwhile.

A cursor is signed and holds for the search it was made for. It is a position and no permission: the search is
planned, and its access clauses applied, as for the first page.

http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from fhir_server.search.clauses import Search
from fhir_server.search.site import Condition
from fhir_server.search.sort import sorting
from resources import outcome
from resources.datatypes import MIN

MAX_AGE = timedelta(days=1)

Order = tuple[tuple[str, int], ...]
"""Fields of stored documents, each with 1 or -1; the last one is `_id`, so that no two documents are equal."""

_FIELDS = {"_id": "_id", "_lastUpdated": "t"}
_LAYOUT = 1
_SIGNATURE = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Position:
    """The values of the order's fields in the document that the page begins after; before it if `backwards`."""

    values: tuple[Any, ...]
    backwards: bool = False


class _Cursor(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    layout: int
    minute: int
    backwards: bool
    values: tuple[int | str | tuple[str] | None, ...]


def order(search: Search) -> Order:
    """What the results of a search are sorted by."""
    keys: list[tuple[str, int]] = []
    how = sorting(search)
    if how.computed:
        ways = [way for _, way in search.sort]
        return tuple((f"k.{place}", way) for place, way in enumerate([*ways, ways[-1]]))
    if how.index is not None:
        way = search.sort[0][1]
        return ((how.index, way), ("_id", way))
    for name, way in search.sort:
        keys.append((_FIELDS[name], way))
        if name == "_id":
            return tuple(keys)
    return (*keys, ("_id", keys[-1][1] if keys else 1))


def reverse(sort: Order) -> Order:
    return tuple((field, -way) for field, way in sort)


def after(sort: Order, values: Sequence[Any]) -> Condition:
    """Documents that come after the one with these values in the order."""
    (field, way), *rest = sort
    beyond = "$gt" if way > 0 else "$lt"
    if not rest:
        return {field: {beyond: values[0]}}
    here_or_beyond = {
        field: {f"{beyond}e": values[0]}
    }  # one range for the index; the alternatives cannot give it
    later = {"$and": [{field: values[0]}, after(tuple(rest), values[1:])]}
    return {"$and": [here_or_beyond, {"$or": [{field: {beyond: values[0]}}, later]}]}


def last_absent(
    search: Search, field: str, position: Position | None, *, whole: bool = False
) -> list[tuple[Condition, Order]]:
    """What to find one after the other, until a page is full, where resources without the field come last.

    With `whole` an index has them, too: in MongoDB's own order what is absent is last when sorting down.
    """
    way = search.sort[0][1]
    backwards = position is not None and position.backwards
    sort: Order = ((field, way), ("_id", way))
    rest: Order = (("_id", way),)
    if backwards:
        sort, rest = reverse(sort), reverse(rest)
    present: Condition = {field: {"$gte": MIN}}
    absent: Condition = {field: None}
    if position is None:
        return [({}, sort)] if whole and way < 0 else [(present, sort), (absent, rest)]
    value, last_id = position.values
    if value is not None:
        here: Condition = {"$and": [present, after(sort, position.values)]}
        return [(here, sort)] if backwards else [(here, sort), (absent, rest)]
    there: Condition = {"$and": [absent, after(rest, (last_id,))]}
    return [(there, rest), (present, sort)] if backwards else [(there, rest)]


def position_of(sort: Order, document: Mapping[str, Any], *, backwards: bool = False) -> Position:
    """Where a stored document stands."""
    return Position(tuple(_at(document, field) for field, _ in sort), backwards)


def _at(document: Any, path: str) -> Any:
    """What lies at `s.date.s` or `k.0`; None if nothing does."""
    for name in path.split("."):
        if isinstance(document, tuple):
            document = document[int(name)]
        else:
            document = document.get(name)
            if document is None:
                return None
    return document


def write(position: Position, search: Search, key: bytes, now: datetime) -> str:
    """The cursor for a position in a search: URL-safe text, signed with `key`."""
    values = tuple(_packed(each) for each in position.values)
    payload = msgspec.msgpack.encode(_Cursor(_LAYOUT, _minute(now), position.backwards, values))
    return urlsafe_b64encode(payload + _sign(payload, search, key)).decode().rstrip("=")


def read(text: str, search: Search, key: bytes, now: datetime) -> Position:
    """The position in a cursor; FHIRError 400 if it is not ours, of another search, or older than a day."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raise _refused() from None
    payload, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
    if not hmac.compare_digest(signature, _sign(payload, search, key)):
        raise _refused()
    cursor = msgspec.msgpack.decode(payload, type=_Cursor)
    if cursor.layout != _LAYOUT or _minute(now) - cursor.minute > MAX_AGE // timedelta(minutes=1):
        raise outcome.bad_parameter("_cursor", "is older than a day: begin the search again")
    return Position(tuple(_unpacked(each) for each in cursor.values), cursor.backwards)


def _packed(value: Any) -> Any:
    """A moment as milliseconds, a number as its text in a list."""
    if isinstance(value, datetime):
        return _milliseconds(value)
    return (str(value),) if isinstance(value, Decimal) else value


def _unpacked(value: Any) -> Any:
    if isinstance(value, int):
        return _EPOCH + timedelta(milliseconds=value)
    return Decimal(value[0]) if isinstance(value, tuple) else value


def _refused() -> outcome.FHIRError:
    text = "is not one this server gave for this search: follow the links of the searchset, or begin again without"
    return outcome.bad_parameter("_cursor", text)


def _sign(payload: bytes, search: Search, key: bytes) -> bytes:
    bound = f"{search.normalized()}\n{order(search)}\n{search.sort}\n".encode()
    return hmac.new(key, bound + payload, hashlib.sha256).digest()[:_SIGNATURE]


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _minute(now: datetime) -> int:
    return (now - _EPOCH) // timedelta(minutes=1)
