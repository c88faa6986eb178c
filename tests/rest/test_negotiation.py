from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.rest import negotiation
from fhir_server.rest.negotiation import Format, response_format
from resources.outcome import FHIRError

FHIR = "application/fhir+json; charset=utf-8"
JSON = "application/json; charset=utf-8"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, FHIR),
        ("", FHIR),
        ("*/*", FHIR),
        (BROWSER, FHIR),
        ("application/*", FHIR),
        ("application/fhir+json", FHIR),
        ("Application/FHIR+JSON", FHIR),
        ("application/fhir+json; fhirVersion=4.0", FHIR),
        ('application/fhir+json;fhirVersion="4.0.1"', FHIR),
        ("application/fhir+json; charset=UTF-8", FHIR),
        ("application/json", JSON),
        ("text/json", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/json, application/fhir+json", FHIR),
        ("application/json, application/fhir+json;q=0.9", JSON),
        ("application/fhir+xml, application/fhir+json;q=0.1", FHIR),
        ("application/fhir+json;q=0, */*", JSON),
        ("application/fhir+json;fhirVersion=5.0, application/json;q=0.5", JSON),
        ("*/*;q=0.1, application/json;q=0.001", FHIR),
        ("rubbish, application/json", JSON),
        ("application/fhir+json;q=2, application/json;q=0.1", JSON),
    ],
)
def test_accept(accept: str | None, expected: str) -> None:
    assert response_format([], accept) == Format(expected)


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+xml",
        "text/html",
        "text/turtle, application/xml",
        "application/fhir+json;q=0",
        "*/*;q=0",
        "*/*;q=0.0, application/fhir+json;q=0.000",
        "application/fhir+json; fhirVersion=3.0",
        "application/fhir+json; fhirVersion=",
        "application/json;q=x",
        "application/json;q=-1",
        "json",
        "rubbish",
        ",",
        ";;;",
    ],
)
def test_nothing_acceptable_is_406(accept: str) -> None:
    with pytest.raises(FHIRError, match="cannot be produced") as caught:
        response_format([], accept)
    assert caught.value.status == 406


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("json", FHIR),
        ("JSON", FHIR),
        ("application/fhir+json", FHIR),
        ("application/fhir json", FHIR),
        ("application/fhir+json;fhirVersion=4.0", FHIR),
        ("application/json", JSON),
        ("text/json", JSON),
        ("", JSON),
    ],
)
def test_format_counts_before_accept(named: str, expected: str) -> None:
    assert response_format([("_format", named)], "application/json") == Format(expected)


@pytest.mark.parametrize(
    "named",
    [
        "xml",
        "ttl",
        "html",
        "application/fhir+xml",
        "text/turtle",
        "*/*",
        "js on",
        "json,xml",
        "json;charset=latin-1",
        "application/fhir+json;fhirVersion=5.0",
        "\x00",
        "../json",
    ],
)
def test_other_formats_are_406(named: str) -> None:
    with pytest.raises(FHIRError) as caught:
        response_format([("_format", named)], "*/*")
    assert caught.value.status == 406


def test_pretty() -> None:
    assert response_format([("_pretty", "true")], None) == Format(FHIR, pretty=True)
    assert response_format([("_pretty", "true"), ("_pretty", "false")], None) == Format(FHIR)
    for wrong in ("1", "", "True"):
        with pytest.raises(FHIRError, match="Parameter '_pretty'") as caught:
            response_format([("_pretty", wrong)], None)
        assert caught.value.status == 400


def test_the_fallback_never_fails() -> None:
    assert negotiation.fallback(b"") == Format(FHIR)
    assert negotiation.fallback(b"_format=xml&_pretty=true&\xff%") == Format(FHIR, pretty=True)
    assert negotiation.fallback(b"_pretty=maybe") == Format(FHIR)


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        ("gzip", True), ("GZIP", True), ("deflate, gzip;q=0.5", True), ("x-gzip", True), ("*", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0, *", False), ("*;q=0", False),
        ("br, deflate", False), ("gzipped", False), ("gzip;q=x", False),
    ],
)  # fmt: skip
def test_gzip_only_for_who_accepts_it(accept_encoding: str, accepted: bool) -> None:
    assert negotiation.accepts_gzip(accept_encoding) is accepted


CHECKS = {
    "resource": negotiation.check_resource,
    "patch": negotiation.check_patch,
    "form": negotiation.check_form,
}


@pytest.mark.parametrize(
    ("content_type", "fits"),
    [
        ("application/fhir+json", {"resource", "patch"}),
        ("application/fhir+json;charset=utf-8", {"resource", "patch"}),
        ('APPLICATION/FHIR+JSON ; Charset="UTF-8"', {"resource", "patch"}),
        ("application/fhir+json; fhirVersion=4.0", {"resource", "patch"}),
        ("application/json", {"resource", "patch"}),
        ("text/json", {"resource", "patch"}),
        ("application/json-patch+json", {"patch"}),
        ("application/json-patch+json; charset=utf8", {"patch"}),
        ("application/x-www-form-urlencoded", {"form"}),
        ("application/x-www-form-urlencoded; charset=UTF-8", {"form"}),
        (None, {"form"}),
        ("", set()),
        ("application/fhir+json; charset=iso-8859-1", set()),
        ("application/fhir+json; fhirVersion=5.0", set()),
        ("application/json-patch+json; charset=utf-16", set()),
        ("application/x-www-form-urlencoded; charset=latin-1", set()),
        ("application/fhir+xml", set()),
        ("application/xml", set()),
        ("application/merge-patch+json", set()),
        ("text/plain", set()),
        ("json", set()),
        ("application/fhir+json, application/json", set()),
        ("multipart/form-data; boundary=x", set()),
    ],
)
def test_content_types(content_type: str | None, fits: set[str]) -> None:
    for name, check in CHECKS.items():
        if name in fits:
            check(content_type)
        else:
            with pytest.raises(FHIRError, match=r"is not understood here\. Expected: ") as caught:
                check(content_type)
            assert caught.value.status == 415


def test_what_a_body_is_meant_as() -> None:
    assert negotiation.is_fhir("application/fhir+json; charset=utf-8")
    assert negotiation.is_fhir("application/fhir+xml")
    for raw in ("application/json", "image/png", "", None):
        assert not negotiation.is_fhir(raw)
    assert negotiation.is_json_patch("Application/JSON-Patch+JSON; charset=utf-8")
    assert not negotiation.is_json_patch("application/json")
    assert not negotiation.is_json_patch(None)


@given(st.text(), st.text())
def test_garbage_is_refused_with_an_outcome(text: str, named: str) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: response_format([("_format", named), ("_pretty", text)], text),
        lambda: response_format([], text),
        lambda: negotiation.check_resource(text),
        lambda: negotiation.decoded(b"x", text, 10),
    ]
    for attempt in attempts:
        try:
            attempt()
        except FHIRError as error:
            assert error.status in {400, 406, 415}  # noqa: PT017


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_gzip_members_one_after_the_other(parts: list[bytes]) -> None:
    body, whole = b"".join(map(gzip.compress, parts)), b"".join(parts)
    assert negotiation.inflate(body, len(whole)) == whole
    if whole:
        with pytest.raises(FHIRError) as caught:
            negotiation.inflate(body, len(whole) - 1)
        assert caught.value.status == 413


def test_bodies_larger_than_a_chunk() -> None:
    noise = bytes((i * i * 31 + i // 7) % 251 for i in range(300_000))
    body = gzip.compress(noise) * 3
    assert negotiation.inflate(body, 1_000_000) == noise * 3


def test_broken_gzip_is_400() -> None:
    whole = gzip.compress(b"a resource" * 100)
    broken = [
        b"",
        b"x",
        b"{}",
        whole[:-1],
        whole[:5],
        whole + b"x",
        whole[:-8] + bytes(8),
        b"\x1f\x8b" + bytes(50),
    ]
    for body in [*broken, zlib.compress(b"x")]:
        with pytest.raises(FHIRError, match="not gzip") as caught:
            negotiation.inflate(body, 10_000)
        assert caught.value.status == 400


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_flipped_bytes_never_end_in_a_fault(data: bytes, place: int, byte: int) -> None:
    body = bytearray(gzip.compress(data))
    body[place % len(body)] = byte
    try:
        assert len(negotiation.inflate(bytes(body), 1000)) <= 1000
    except FHIRError as error:
        assert error.status in {400, 413}  # noqa: PT017


def test_a_zip_bomb_ends_before_memory_does() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), 9)
    assert len(bomb) < 1024 * 1024
    tracemalloc.start()
    with pytest.raises(FHIRError, match="1,000,000 bytes") as caught:
        negotiation.inflate(bomb, 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 5_000_000


def test_countless_empty_members_are_refused() -> None:
    with pytest.raises(FHIRError, match="members") as caught:
        negotiation.inflate(gzip.compress(b"") * 20_000, 1_000_000)
    assert caught.value.status == 413


def test_content_encoding() -> None:
    zipped = gzip.compress(b"{}")
    for coding in (None, "", "identity", " Identity "):
        assert negotiation.decoded(b"{}", coding, 10) == b"{}"
    for coding in ("gzip", "GZIP", "x-gzip"):
        assert negotiation.decoded(zipped, coding, 10) == b"{}"
    for coding in ("br", "deflate", "gzip, gzip", "*"):
        with pytest.raises(FHIRError, match="Content-Encoding") as caught:
            negotiation.decoded(zipped, coding, 10)
        assert caught.value.status == 415
        assert caught.value.headers == {"Accept-Encoding": "gzip, identity"}
