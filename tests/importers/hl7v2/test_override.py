from __future__ import annotations

from collections.abc import Callable

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.override import overridable
from tests.importers.hl7v2.making import conversion


@overridable("ZXX")
def mapped(conversion: Conversion, text: str, *, times: int = 1) -> str:
    """What is mapped."""
    return text * times


def louder(original: Callable[..., str], conversion: Conversion, text: str, *, times: int = 1) -> str:
    return original(conversion, text.upper(), times=times + 1)


def test_a_mapping_is_itself_where_no_feed_has_another() -> None:
    assert mapped(conversion(), "a", times=2) == "aa"
    assert mapped(conversion(config=FeedConfig(overrides={"ZYY": louder})), "a") == "a"
    assert mapped.__doc__ == "What is mapped."


def test_a_feed_uses_the_mapping_it_replaces() -> None:
    assert mapped(conversion(config=FeedConfig(overrides={"ZXX": louder})), "a", times=2) == "AAA"
