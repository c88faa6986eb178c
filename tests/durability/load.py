"""Mixed load from many clients, with a ledger of what was asked and what was answered."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from resources import codec

Json = dict[str, Any]

CLIENTS = 32
HOT = 6
"""Resources that all clients write again and again"""
SYSTEM = "http://example.org/durability"


@dataclass(slots=True)
class Attempt:
    """One request; `status` None: the connection broke, nobody knows what came of it."""

    request_id: str
    kind: str
    tokens: tuple[str, ...] = ()
    """Identifiers of the resources it would write: all of them or none"""
    status: int | None = None
    seconds: float = 0.0
    retry_after: str | None = None
    body: bytes = b""
    outcome: str = ""
    refused: bool = False
    """No server listened: it cannot have been done"""

    @property
    def lost(self) -> bool:
        return self.status is None


@dataclass(slots=True)
class Ledger:
    attempts: list[Attempt] = field(default_factory=list)
    known: list[tuple[str, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    """Criteria of conditional creates that were answered with 200 or 201"""

    def of(self, *statuses: int) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.status in statuses]

    def figures(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for attempt in self.attempts:
            name = str(attempt.status or ("refused" if attempt.refused else "lost"))
            found[name] = found.get(name, 0) + 1
        return found

    def summary(self) -> str:
        return f"{len(self.attempts)} requests {self.figures()}, slowest {self.slowest():.1f} s;"

    def slowest(self) -> float:
        return max((attempt.seconds for attempt in self.attempts), default=0.0)


def patient(token: str, **members: Any) -> Json:
    identifier = [{"system": SYSTEM, "value": token}]
    return {"resourceType": "Patient", **members, "identifier": identifier, "birthDate": "1970-03"}


def observation(token: str, subject: str) -> Json:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": token}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": subject},
        "valueQuantity": {"value": codec.decode_any(b"6.30"), "unit": "g/dL"},
    }


class Client:
    """One client: asks for one thing after the other until told to stop."""

    def __init__(
        self, http: httpx.AsyncClient, ledger: Ledger, seed: int, counter: itertools.count[int]
    ) -> None:
        self._http = http
        self._ledger = ledger
        self._random = random.Random(seed)
        self._counter = counter

    async def run(self, stop: asyncio.Event) -> None:
        kinds: list[tuple[Callable[[], Awaitable[Attempt]], int]] = [
            (self.create, 4), (self.update, 4), (self.conditional_create, 3), (self.conditional_update, 1),
            (self.transaction, 3), (self.batch, 1), (self.delete, 1), (self.read, 5), (self.search, 1),
        ]  # fmt: skip
        asked, weights = [kind for kind, _ in kinds], [weight for _, weight in kinds]
        while not stop.is_set():
            attempt = await self._random.choices(asked, weights)[0]()
            if attempt.lost or attempt.status == 503:
                await asyncio.sleep(0.05)

    async def create(self) -> Attempt:
        token = self._token()
        attempt = await self._ask("create", "POST", "Patient", patient(token), tokens=(token,))
        self._learn("Patient", attempt)
        return attempt

    async def update(self) -> Attempt:
        token, name = self._token(), f"hot-{self._random.randrange(HOT)}"
        return await self._ask("update", "PUT", f"Patient/{name}", patient(token, id=name), tokens=(token,))

    async def conditional_create(self) -> Attempt:
        key = f"once-{next(self._counter) // 6}"
        headers = {"If-None-Exist": f"identifier={SYSTEM}|{key}"}
        attempt = await self._ask("conditional create", "POST", "Patient", patient(key), headers=headers)
        if attempt.status in {200, 201}:
            self._ledger.keys.add(key)
        return attempt

    async def conditional_update(self) -> Attempt:
        key = f"put-{next(self._counter) // 6}"
        body = patient(key, language=f"x-{uuid.uuid4().hex[:6]}")
        path = f"Patient?identifier={SYSTEM}|{key}"
        attempt = await self._ask("conditional update", "PUT", path, body)
        if attempt.status in {200, 201}:
            self._ledger.keys.add(key)
        return attempt

    async def transaction(self) -> Attempt:
        tokens = tuple(self._token() for _ in range(4))
        full_url, hot = f"urn:uuid:{uuid.uuid4()}", f"hot-{self._random.randrange(HOT)}"
        entries = [
            {
                "fullUrl": full_url,
                "resource": patient(tokens[0]),
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": observation(tokens[1], full_url),
                "request": {"method": "POST", "url": "Observation"},
            },
            {
                "resource": observation(tokens[2], full_url),
                "request": {"method": "POST", "url": "Observation"},
            },
            {"resource": patient(tokens[3], id=hot), "request": {"method": "PUT", "url": f"Patient/{hot}"}},
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        return await self._ask("transaction", "POST", "", bundle, tokens=tokens)

    async def batch(self) -> Attempt:
        tokens = [self._token() for _ in range(2)]
        entries = [
            {"resource": patient(token), "request": {"method": "POST", "url": "Patient"}} for token in tokens
        ]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        return await self._ask("batch", "POST", "", bundle)

    async def delete(self) -> Attempt:
        if not self._ledger.known:
            return await self.read()
        resource_type, logical_id = self._random.choice(self._ledger.known)
        return await self._ask("delete", "DELETE", f"{resource_type}/{logical_id}")

    async def read(self) -> Attempt:
        hot = ("Patient", f"hot-{self._random.randrange(HOT)}")
        some = self._random.sample(self._ledger.known, 1) if self._ledger.known else [hot]
        return await self._ask("read", "GET", "/".join(some[0]))

    async def search(self) -> Attempt:
        return await self._ask("search", "GET", f"Patient?identifier={SYSTEM}|once-0&_count=5")

    def _token(self) -> str:
        return uuid.uuid4().hex

    def _learn(self, resource_type: str, attempt: Attempt) -> None:
        if attempt.status == 201:
            self._ledger.known.append((resource_type, codec.decode(attempt.body)["id"]))

    async def _ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        tokens: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> Attempt:
        attempt = Attempt(uuid.uuid4().hex, kind, tokens)
        self._ledger.attempts.append(attempt)
        started = time.monotonic()
        try:
            answer = await self._http.request(
                method, path, content=None if body is None else codec.encode(body),
                headers={"X-Request-Id": attempt.request_id, **(headers or {})},
            )  # fmt: skip
        except httpx.TransportError as fault:
            attempt.refused = isinstance(fault, httpx.ConnectError)
            return attempt
        finally:
            attempt.seconds = time.monotonic() - started
        attempt.status = answer.status_code
        attempt.retry_after = answer.headers.get("Retry-After")
        attempt.body = answer.content
        if answer.status_code >= 400:
            attempt.outcome = answer.text
        return attempt


@asynccontextmanager
async def load(ledger: Ledger, *base_urls: str, clients: int = CLIENTS) -> AsyncIterator[None]:
    """Load on the servers while the block runs; what was asked before its end is waited for."""
    stop, counter = asyncio.Event(), itertools.count()
    headers = {"Content-Type": "application/fhir+json", "Accept-Encoding": "identity"}
    seed = len(ledger.attempts)
    async with _connections(base_urls, headers) as connections:
        tasks = [
            asyncio.create_task(
                Client(connections[n % len(connections)], ledger, seed + n, counter).run(stop)
            )
            for n in range(clients)
        ]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)


@asynccontextmanager
async def _connections(
    base_urls: Sequence[str], headers: dict[str, str]
) -> AsyncIterator[list[httpx.AsyncClient]]:
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    made = [
        httpx.AsyncClient(base_url=f"{url}/", headers=headers, timeout=60, limits=limits, trust_env=False)
        for url in base_urls
    ]
    try:
        yield made
    finally:
        for each in made:
            await each.aclose()
