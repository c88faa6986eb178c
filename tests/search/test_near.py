"""http://hl7.org/fhir/R4/location.html#search, http://hl7.org/fhir/R4/search.html#special"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.outcome import FHIRError
from tests.search.conftest import Shelf

PLACES = {
    "berlin": ("52.5200", "13.4050"),
    "potsdam": ("52.3906", "13.0645"),
    "hamburg": ("53.5511", "9.9937"),
    "suva": ("-18.1248", "178.4501"),
    "apia": ("-13.8333", "-171.7667"),
    "pole": ("90", "0"),
    "alert": ("82.5018", "-62.3481"),
}


@pytest.fixture(scope="module")
def locations(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Location"]
    for name, (latitude, longitude) in PLACES.items():
        shelf.put({"id": name, "position": {"latitude": Decimal(latitude), "longitude": Decimal(longitude)}})
    shelf.put({"id": "nowhere", "name": "x"})
    return shelf


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("52.52|13.405|0|km", ["berlin"]),
        ("52.52|13.405|20|km", ["berlin"]),
        ("52.52|13.405|28|km", ["berlin", "potsdam"]),
        ("52.52|13.405|28", ["berlin", "potsdam"]),
        ("52.52|13.405", ["berlin"]),
        ("52.52|13.405||", ["berlin"]),
        ("52.52|13.405|28000|m", ["berlin", "potsdam"]),
        ("52.52|13.405|16|mi", ["berlin"]),
        ("52.52|13.405|17.5|mi", ["berlin", "potsdam"]),
        ("52.52|13.405|17.5|[mi_us]", ["berlin", "potsdam"]),
        ("52.52|13.405|260|km", ["berlin", "hamburg", "potsdam"]),
        ("-16|180|800|km", ["suva"]),
        ("-16|-178|900|km", ["apia", "suva"]),
        ("-16|178|1200|km", ["apia", "suva"]),
        ("89.9|120|20|km", ["pole"]),
        ("88|120|1200|km", ["alert", "pole"]),
        ("0|0|30000|km", sorted(PLACES)),
        ("52.52|13.405|1|km,90|0|1|km", ["berlin", "pole"]),
    ],
)
def test_within_a_distance(locations: Shelf, value: str, expected: list[str]) -> None:
    assert locations.find(("near", value)) == expected


def test_locations_without_a_place_are_missing(locations: Shelf) -> None:
    assert locations.find(("near:missing", "true")) == ["nowhere"]


@pytest.mark.parametrize(
    "value",
    ["52", "x|1", "91|0", "0|181", "0|0|-1", "0|0|x|km", "0|0|1|kg", "0|0|1|furlong", "1|2|3|km|5", "NaN|0", "1e400|0", "0|0|1e99|km", "|"],
)  # fmt: skip
def test_malformed_places_are_refused(locations: Shelf, value: str) -> None:
    with pytest.raises(FHIRError, match="'near'") as refused:
        locations.find(("near", value))
    assert refused.value.status == 400


def test_places_are_found_in_the_index(locations: Shelf) -> None:
    assert "COLLSCAN" not in locations.stages(("near", "52.52|13.405|20|km"))


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """By vectors, not by the formula that is tested."""

    def vector(place: tuple[float, float]) -> tuple[float, float, float]:
        lat, lon = map(math.radians, place)
        return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)

    return 6_371_008.8 * 2 * math.asin(min(1.0, math.dist(vector(one), vector(other)) / 2))


latitudes, longitudes = st.integers(-90, 90), st.integers(-180, 180)


@settings(max_examples=80, deadline=None)
@given(one=st.tuples(latitudes, longitudes), other=st.tuples(latitudes, longitudes), way=st.integers(0, 2))
def test_any_two_places(
    shelves: Mapping[str, Shelf], one: tuple[int, int], other: tuple[int, int], way: int
) -> None:
    distance = metres(one, other)
    asked = int(distance) + 10 if way else max(0, int(distance) - 10)
    resource = {"position": {"latitude": one[0], "longitude": one[1]}}
    found = shelves["Location"].finds(resource, ("near", f"{other[0]}|{other[1]}|{asked}|m"))
    assert found is (distance <= asked)
