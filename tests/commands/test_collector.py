from __future__ import annotations

import gc

from fhir_server.commands.collector import OBJECTS, look_seldom


def test_the_youngest_are_looked_at_seldom_and_the_others_as_before() -> None:
    before = gc.get_threshold()
    try:
        look_seldom()
        assert gc.get_threshold() == (OBJECTS, *before[1:])
    finally:
        gc.set_threshold(*before)
