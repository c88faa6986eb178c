"""What is stored comes back to the digit and the sign. http://hl7.org/fhir/R4/datatypes.html#decimal"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.store.documents import (
    CODEC_OPTIONS,
    LARGE_TEXT,
    instant,
    new_id,
    packed,
    stamped,
    superseded,
    tombstone,
)
from fhir_server.store.store import Store
from resources import codec
from tests.store.conftest import patient, write

NUMBERS = [
    "0", "-0", "0.0", "-0.00", "6.30", "1e3", "1E3", "1E+3", "1e-7", "0.0000001", "1.0e0", "100", "1.00E2",
    "2147483648", "5000000000", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "1234567890123456789012345678901234", "0.123456789012345678901234567890123", "1e400", "1e-400",
    "0." + "0" * 100 + "1", "1.7976931348623157e308",
]  # fmt: skip


def through_bson(value: Any) -> Any:
    return bson.decode(bson.encode({"value": value}, codec_options=CODEC_OPTIONS), CODEC_OPTIONS)["value"]


@pytest.mark.parametrize(
    ("text", "smaller"),
    [
        ("QUJD" * (LARGE_TEXT // 4), True),
        ("QUJD" * (LARGE_TEXT // 4) + "QQ==", True),
        ("QUJD" * (LARGE_TEXT // 4) + "QR==", False),  # bits that mean nothing, and come back all the same
        (("QUJD" * 19 + "\r\n") * (LARGE_TEXT // 76), False),
        ("x" * LARGE_TEXT + "!", False),
        ("QUJD", False),
    ],
)
def test_large_binaries_are_kept_as_bytes_and_come_back_as_text(text: str, smaller: bool) -> None:
    written: dict[str, Any] = {
        "_id": "1",
        "v": 1,
        "r": {"resourceType": "Binary", "data": text, "contentType": "a/b"},
    }
    encoded = bson.encode(packed(written), codec_options=CODEC_OPTIONS)
    assert (len(encoded) < len(text) * 0.76) is smaller
    assert bson.decode(encoded, CODEC_OPTIONS) == written
    assert written["r"]["data"] == text
    assert list(bson.decode(encoded, CODEC_OPTIONS)["r"]) == ["resourceType", "data", "contentType"]


def test_only_a_binary_has_data() -> None:
    for written in ({"_id": "1", "deleted": True}, {"_id": "1", "r": {"data": ["x" * LARGE_TEXT]}}):
        assert packed(written) is written


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_keep_their_spelling(text: str) -> None:
    assert codec.encode(through_bson(codec.decode_any(text.encode()))) == text.encode()


numbers = st.one_of(
    st.integers(-(10**34) + 1, 10**34 - 1).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.one_of(numbers, texts.map(json.dumps), st.sampled_from(["true", "false", "null"])),
    lambda inner: st.one_of(
        st.lists(inner).map(lambda items: f"[{','.join(items)}]"),
        st.dictionaries(texts.filter(lambda name: "\0" not in name), inner, max_size=4).map(
            lambda members: (
                "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"
            )
        ),
    ),
    max_leaves=12,
)


@given(values)
def test_any_json_comes_back_as_it_went_in(text: str) -> None:
    value = codec.decode_any(text.encode())
    assert codec.encode(through_bson(value)) == codec.encode(value)


async def test_the_same_in_mongodb(store: Store) -> None:
    members = {f"n{position}": codec.decode_any(text.encode()) for position, text in enumerate(NUMBERS)}
    names = {"": 1, "a.b": 2, "$set": 3, "$": 4, "\u00e9\U0001f600": ["\u0001", "\uffff"], "x": [], "y": {}}
    stored = patient(**members, odd=names)
    await write(store, stored)
    found = await store.read("Patient", stored["_id"])
    assert found is not None
    assert codec.encode(found["r"]) == codec.encode(stored["r"])
    assert found["t"] == stored["t"]
    for position, text in enumerate(NUMBERS):
        assert codec.encode(found["r"][f"n{position}"]) == text.encode()


def test_ids_ascend_and_are_ids() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert all(len(one) == 36 and one[14] == "7" and one[19] in "89ab" for one in ids)


def test_a_stamped_resource_keeps_all_but_version_and_time() -> None:
    moment = datetime(2026, 11, 20, 14, 36, 49, 123_000, tzinfo=UTC)
    sent = {
        "resourceType": "Patient", "id": "of-client", "active": True,
        "meta": {"tag": [{"code": "x"}], "versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z"},
    }  # fmt: skip
    made = stamped(sent, "p", 3, moment)
    assert made == {
        "resourceType": "Patient", "id": "p", "active": True,
        "meta": {"versionId": "3", "lastUpdated": "2026-11-20T14:36:49.123Z", "tag": [{"code": "x"}]},
    }  # fmt: skip
    assert sent["id"] == "of-client"


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)))
def test_an_instant_says_the_millisecond(moment: datetime) -> None:
    told = datetime.fromisoformat(instant(moment.replace(tzinfo=UTC)))
    assert timedelta(0) <= moment.replace(tzinfo=UTC) - told < timedelta(milliseconds=1)


def test_history_keeps_what_the_version_was() -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    deleted = tombstone("p", 2, moment)
    assert superseded(deleted, moment) == {
        "_id": {"id": "p", "v": 2},
        "t": moment,
        "until": moment,
        "deleted": True,
    }
    old = superseded(patient("p", put=True), moment)
    assert old["_id"] == {"id": "p", "v": 1}
    assert "s" not in old


@given(st.integers(-(10**34) + 1, 10**34 - 1), st.integers(-40, 3), st.booleans())
def test_a_number_is_read_as_the_driver_reads_it(digits: int, exponent: int, negative: bool) -> None:
    number = Decimal((negative, tuple(map(int, str(abs(digits)))), exponent))
    stored = Decimal128(number)
    read = bson.decode(bson.encode({"value": stored}), CODEC_OPTIONS)["value"]
    text = str(stored)
    assert getattr(read, "text", str(read)) == (format(stored.to_decimal(), "f") if "E" in text else text)


def test_a_forked_process_has_random_bits_of_its_own() -> None:
    new_id()  # which keeps some for the next ones
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    assert theirs[-12:] != new_id()[-12:]
    os.close(reading)
    os.close(writing)
