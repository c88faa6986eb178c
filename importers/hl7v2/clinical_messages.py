"""All messages but those of patient administration: type and event → the function that maps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import dft, mdm, orders, oru, pharmacy, ppr, ref, siu, vxu
from importers.hl7v2.conversion import Conversion

EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {
        **oru.EVENTS,
        **orders.EVENTS,
        **pharmacy.EVENTS,
        **vxu.EVENTS,
        **siu.EVENTS,
        **mdm.EVENTS,
        **dft.EVENTS,
        **ppr.EVENTS,
        **ref.EVENTS,
    }
)
