"""The running server of `tests.rest`, for what the documents promise of it."""

from __future__ import annotations

from tests.rest.conftest import client, start

__all__ = ["client", "start"]
