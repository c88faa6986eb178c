"""References between resources, in every form R4 writes them.

http://hl7.org/fhir/R4/references.html#literal, http://hl7.org/fhir/R4/datatypes.html#canonical
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from resources import registry

_ID = r"[A-Za-z0-9\-.]{1,64}"
_LITERAL = re.compile(
    rf"(?:(?P<base>https?://[^?#\s]+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>{_ID})(?:/_history/(?P<version>{_ID}))?(?:#.*)?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference taken apart: at most one of `id`, `criteria`, `contained`, `other` says what it points to.

    `Patient/1`, `Patient/1/_history/2`, `http://a.org/fhir/Patient/1` → type, id, version, base (None: this server);
    `Patient?identifier=…` → type, criteria (the query, as written); `#p1` → contained; anything else, such as
    `urn:uuid:…` or a URL that is no REST address → other. `text` is what was parsed.
    """

    text: str
    type: str | None = None
    id: str | None = None
    version: str | None = None
    base: str | None = None
    criteria: str | None = None
    contained: str | None = None
    other: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it names a resource of this server by type and id."""
        return self.id is not None and self.base is None

    @property
    def address(self) -> str | None:
        """`Type/id`, after the base if there is one, without version; None if it has no id."""
        if self.id is None:
            return None
        relative = f"{self.type}/{self.id}"
        return relative if self.base is None else f"{self.base}/{relative}"

    def relative_to(self, base_url: str) -> Reference:
        """The same, without base if that is this server's own `base_url`."""
        return replace(self, base=None) if self.base == base_url.rstrip("/") else self


def parse(text: str) -> Reference:
    """Take a `Reference.reference` apart; every text is some reference, so there is no error."""
    if text.startswith("#"):
        return Reference(text, contained=text[1:])
    match = _LITERAL.fullmatch(text)
    if match is not None and match["type"] in registry.resource_types():
        return Reference(text, match["type"], match["id"], match["version"], match["base"])
    type_name, mark, criteria = text.partition("?")
    if mark and type_name in registry.resource_types():
        return Reference(text, type_name, criteria=criteria)
    return Reference(text, other=text)


def parse_canonical(text: str) -> tuple[str, str | None]:
    """A canonical as (url, version): `http://a.org/vs|1.0` → (`http://a.org/vs`, `1.0`); a fragment stays in the url."""
    url, _, rest = text.partition("|")
    version, mark, fragment = rest.partition("#")
    return url + mark + fragment, version or None
