"""In which format the search values of a database are stored: what another release made may not be found by this one.

The number goes up with each change of `fhir_server.search` that gives stored resources other values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.store.faults import faults

if TYPE_CHECKING:
    from fhir_server.store.store import Store

FORMAT = 2

_SERVER = "_server"
_NAME = "search-format"


async def stored(store: Store) -> int:
    """The format of what is stored; that of this release where nothing is."""
    with faults():
        known = await store.database[_SERVER].find_one({"_id": _NAME})
    if known is not None:
        return int(known["value"])
    for resource_type in await store.stored_types():
        if await store.find(resource_type, {}, limit=1, projection={"_id": 1}):
            return 0
    await keep(store)
    return FORMAT


async def keep(store: Store) -> None:
    """From now on everything has the format of this release."""
    with faults():
        await store.database[_SERVER].update_one({"_id": _NAME}, {"$set": {"value": FORMAT}}, upsert=True)


def difference(found: int) -> str | None:
    """What an operator has to do before this release may serve the database, if anything."""
    if found == FORMAT:
        return None
    if found > FORMAT:
        return f"The database was indexed by a newer release (format {found}, this one has {FORMAT}): run that one"
    return (
        f"The database was indexed by another release (format {found}, this one has {FORMAT}), so searches would miss "
        f"resources. Stop all servers and run: fhir-server reindex"
    )
