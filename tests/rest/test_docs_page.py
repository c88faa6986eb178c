"""The documentation page of the running server."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx


class Reader(HTMLParser):
    """Collects what a browser would load, and whether tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.foreign: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            return
        self.open.append(tag)
        self.foreign += [
            value for name, value in attrs if name in {"src", "href"} and value and "//" in value
        ]
        assert tag != "script"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_tells_every_operation_and_loads_nothing_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    root = str(client.base_url).removesuffix("/fhir/")
    answer = await client.get(f"{root}/docs")
    document = (await client.get(f"{root}/openapi.json")).json()
    reader = Reader()
    reader.feed(answer.text)
    assert answer.status_code == 200
    assert reader.open == []
    assert reader.foreign == []
    for path in document["paths"]:
        assert path in reader.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
