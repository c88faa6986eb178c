from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import pytest
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from resources import codec
from resources.outcome import FHIRError

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,16})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text() | NUMBERS.map(codec.number),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(NUMBERS)
def test_a_number_stays_as_it_is_spelled(text: str) -> None:
    assert codec.encode(codec.decode_any(text.encode())) == text.encode()


@given(JSON)
def test_what_is_written_is_read_again(value: object) -> None:
    written = codec.encode(value)
    assert codec.encode(codec.decode_any(written)) == written
    assert codec.encode(codec.decode_any(codec.encode_pretty(value))) == written


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("9" * 18, int),
        ("9" * 19, Decimal),
        ("-" + "9" * 19, Decimal),
        ("-0", codec.Spelled),
        ("1e3", codec.Spelled),
        ("6.30", Decimal),
        ('"' + "9" * 19 + '"', str),
        (r'"\u00e9 \/ \ud83d\ude00"', str),
    ],
)
@pytest.mark.parametrize("around", ["%s", "[1,\n%s ]", '{"a":%s}', '{"a" : [ %s]}'])
def test_a_value_is_of_its_kind_wherever_it_stands(text: str, kind: type, around: str) -> None:
    value = codec.decode_any((around % text).encode())
    while isinstance(value, dict | list):
        value = value["a"] if isinstance(value, dict) else value[-1]
    assert type(value) is kind
    if kind is not str:
        assert codec.encode(value) == text.encode()
    elif "\\" in text:
        assert value == "é / 😀"


def spelled(value: object) -> object:
    """With the kind of each value, for 6.30 equals 6.3, and 1 equals true."""
    if isinstance(value, dict):
        return [(name, spelled(member)) for name, member in value.items()]
    if isinstance(value, list):
        return [spelled(item) for item in value]
    return type(value), codec.encode(value)


@given(JSON)
def test_an_escape_that_need_not_be_leads_to_the_other_decoder_which_reads_the_same(value: object) -> None:
    written = codec.encode(value)
    without = codec.decode(b'{"value":%b,"more":"/"}' % written)
    assert spelled(codec.decode(rb'{"value":%b,"more":"\/"}' % written)) == spelled(without)


@given(st.binary(max_size=100))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    try:
        codec.encode(codec.decode_any(raw))
    except FHIRError as fault:
        assert fault.status == 400  # noqa: PT017


def test_a_spelling_survives_copies() -> None:
    number = codec.number("1e3")
    for again in (copy.copy(number), copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert codec.encode(again) == b"1e3"
        assert again == Decimal(1000)


def test_whole_numbers_of_bson_are_numbers() -> None:
    assert codec.encode({"a": Int64(3_000_000_000), "b": Int64(-5)}) == b'{"a":3000000000,"b":-5}'


def test_what_is_no_json_value_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="object is not a FHIR JSON value"):
        codec.encode({"a": object()})


@pytest.mark.parametrize("depth", [codec.MAX_DEPTH, codec.MAX_DEPTH + 1])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_the_depth_is_bounded(depth: int, opening: str, closing: str) -> None:
    raw = (opening * depth + "1" + closing * depth).encode()
    if depth <= codec.MAX_DEPTH:
        assert codec.encode(codec.decode_any(raw)) == raw
    else:
        with pytest.raises(FHIRError, match="nested more than"):
            codec.decode_any(raw)


def test_brackets_in_strings_are_no_depth() -> None:
    raw = b'{"a":"' + b"[{" * 1000 + b'\\""}'
    assert codec.encode(codec.decode(raw)) == raw


@pytest.mark.parametrize("hidden", [b'"{[\\"{["', b'"\\\\"', b'"\\\\\\"[[{{"', b'"[[[[{{{{"'])
@pytest.mark.parametrize("depth", [codec.MAX_DEPTH, codec.MAX_DEPTH + 1])
def test_brackets_inside_strings_do_not_count_as_depth(hidden: bytes, depth: int) -> None:
    many = b",".join([hidden] * 100)
    body = b"[" * (depth - 1) + b"[" + many + b"]" + b"]" * (depth - 1)
    if depth > codec.MAX_DEPTH:
        with pytest.raises(FHIRError, match="levels deep"):
            codec.decode_any(body)
    else:
        assert codec.encode(codec.decode_any(body)) == body


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a":1,"a":2}', "'a' stands twice in one JSON object, again at line 1 column 8"),
        (b'{"\\u0061": 1,\n  "a": 2}', "'a' stands twice in one JSON object, again at line 2 column 3"),
        (b'{"a":"{NaN","b":[{"c":1},{"c":1,"c":2}],"a":3}', "'c' stands twice in one JSON object, again at line 1"),
        (b'{"x":[{"b":"a\\"}"},\n{"b" : NaN}]}', "NaN is not JSON (at line 2 column 8)"),
        (b'{"x":\n-Infinity}', "-Infinity is not JSON (at line 2 column 1)"),
        (b'{"a":"\\\\ud800 \\ud83d\\ude00 \\uDC00"}', "\\uDC00 at line 1 column 28"),
        (b'{"\\ud800":1}', "\\ud800 at line 1 column 3"),
    ],
)  # fmt: skip
def test_the_place_of_what_readers_read_differently(body: bytes, says: str) -> None:
    with pytest.raises(FHIRError) as refusal:
        codec.decode_any(body)
    assert says in str(refusal.value)


@given(JSON)
def test_the_place_is_right_whatever_stands_before(value: object) -> None:
    before = b'{"x":' + codec.encode(value) + b',"twice y":1,'
    with pytest.raises(FHIRError, match=f"again at line 1 column {len(before.decode()) + 1}:"):
        codec.decode_any(before + b'"twice y":2}')
