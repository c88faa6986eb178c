"""The bytes of one message as a Message, by the rules of the feed that it belongs to."""

from __future__ import annotations

from typing import NamedTuple

from importers.hl7v2 import charset, er7
from importers.hl7v2.config import FeedConfig, Feeds


class Read(NamedTuple):
    """A message and the settings of its feed."""

    message: er7.Message
    config: FeedConfig


def read(raw: bytes, feeds: Feeds, encoding: str = "") -> Read:
    """The message; `encoding` is what the carrier said (charset of Content-Type), empty if it said nothing.

    MSH-18 wins over the carrier, the carrier over the feed. Raises NotHL7.
    """
    # Who sent it can be known only of what has been decoded, and the default encoding only of who sent it: names of
    # senders in other letters than ASCII find their feed if MSH-18, or the default of all feeds, says how to read them.
    decoded = charset.decode(raw, encoding or feeds.default.charset)
    message = er7.parse(decoded.text, decoded.encoding)
    config = feeds.of(message.sending_application, message.sending_facility)
    if not encoding and config.charset != feeds.default.charset:
        again = charset.decode(raw, config.charset)
        if again.encoding != decoded.encoding:
            decoded, message = again, er7.parse(again.text, again.encoding)
    message.issues[:0] = decoded.issues
    return Read(message, config)
