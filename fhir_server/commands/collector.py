"""How often Python looks for garbage in circles: seldom, for a request leaves hardly any.

What a request needs is trees of many small objects, which go when the request does. To look at those of all requests
under way each time that 700 more are there, as Python does by itself, is a quarter of what a search costs.

https://docs.python.org/3/library/gc.html#gc.set_threshold
"""

from __future__ import annotations

import gc

OBJECTS = 20_000
"""More objects than before, after which the youngest are looked at: what some ten requests hold"""


def look_seldom() -> None:
    """From now on, in this process."""
    gc.set_threshold(OBJECTS)
