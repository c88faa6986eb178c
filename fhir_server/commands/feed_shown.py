"""What `fhir-server feed` shows: Parameters of the feed's operations for a terminal, or plain where there is none."""

from __future__ import annotations

import base64
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resources.codec import Json

console = Console(highlight=False, markup=False, soft_wrap=True)

SHORT = 12
"""Letters of an id that are shown; they can be typed instead of all"""
_COLOURS = {
    "processed": "green", "duplicate": "dim", "received": "yellow", "retrying": "yellow",
    "error": "red", "rejected": "red",
}  # fmt: skip
_MOST_CHANGES = 40

Pairs = list[tuple[str, Any]]


def pairs(parameter: Json) -> Pairs:
    """Name and value of each part; of a part with parts those."""
    found: Pairs = []
    for part in parameter.get("part", ()):
        value = next((each for name, each in part.items() if name.startswith("value")), None)
        found.append((part["name"], pairs(part) if value is None else value))
    return found


def messages(answer: Json) -> list[Pairs]:
    return [pairs(each) for each in answer.get("parameter", ()) if each["name"] == "message"]


def show_list(answer: Json) -> None:
    """A line for each message; below those that were refused, why."""
    found = messages(answer)
    if not found:
        console.print("No messages.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("ID", "RECEIVED", "STATUS", "ACK", "SENDER", "TYPE", "MSH-10", "WHY"):
        table.add_column(name, no_wrap=name != "WHY", overflow="fold")
    for each in found:
        facts = dict(each)
        status = str(facts["status"])
        issues = [_issue(inside) for inside in _worst_first(each)]
        worst = issues[0] if issues and status in {"error", "rejected", "retrying"} else ""
        flags = ", ".join(str(value) for name, value in each if name == "flag")
        table.add_row(
            str(facts["id"])[:SHORT],
            str(facts["received"])[:19].replace("T", " "),
            Text(status, style=_COLOURS.get(status, "")),
            str(facts.get("acknowledged", "")),
            str(facts.get("sender", "")),
            str(facts.get("type", "")),
            str(facts.get("control-id", "")),
            worst or flags,
        )
    console.print(table)
    if any(each["name"] == "next" for each in answer["parameter"]):
        console.print("There are older ones: --count or --since shows more.")


def _worst_first(message: Pairs) -> list[Pairs]:
    issues = [inside for name, inside in message if name == "issue"]
    return sorted(issues, key=lambda inside: dict(inside)["severity"] not in {"error", "fatal"})


def _issue(inside: Pairs) -> str:
    facts = dict(inside)
    place = f"{facts['place']}: " if facts.get("place") else ""
    return f"{place}{facts['text']}"


def show_message(answer: Json) -> None:
    """Facts, segments each with what is wrong there, what was written, what was answered."""
    whole = pairs({"part": answer["parameter"]})
    facts = dict(whole)
    issues = [dict(inside) for name, inside in whole if name == "issue"]
    console.print(Text(f"{facts['id']}  {facts['status']}", style=_COLOURS.get(str(facts["status"]), "")))
    about = {"received": "received", "finished": "finished", "sender": "from", "address": "address",
             "type": "type", "control-id": "MSH-10", "acknowledged": "answered", "size": "bytes",
             "duplicate-of": "duplicate of", "replays": "replays"}  # fmt: skip
    for name, label in about.items():
        if name in facts:
            console.print(f"  {label:<13} {facts[name]}")
    for value in (value for name, value in whole if name == "flag"):
        console.print(f"  {'flag':<13} {value}")
    _segments(whole, issues)
    for each in issues:
        place = f"{each['place']}: " if each.get("place") else ""
        colour = "red" if each["severity"] in {"error", "fatal"} else "yellow"
        console.print(Text(f"  {each['severity']:<13} {place}{each['text']}", style=colour))
    for value in (value for name, value in whole if name == "written"):
        console.print(f"  {'written':<13} {value}")
    for value in (value for name, value in whole if name == "answer"):
        for line in base64.b64decode(value).decode("utf-8", "replace").split("\r"):
            console.print(f"  {line}", style="dim")


def _segments(whole: Pairs, issues: list[dict[str, Any]]) -> None:
    console.print()
    for inside in (inside for name, inside in whole if name == "segment"):
        name = dict(inside)["name"]
        wrong = [
            str(each["place"]) for each in issues if str(each.get("place", "")).partition("-")[0] == name
        ]
        console.print(Text(str(name), style="bold red" if wrong else "bold"))
        for field, value in inside:
            if field == "name":
                continue
            number = field.partition("-")[2]
            here = any(each.partition("-")[2].partition("[")[0].partition(".")[0] == number for each in wrong)
            console.print(Text(f"  {field:<8} {value}", style="red" if here else ""))
    console.print()


def show_outlook(answer: Json) -> int:
    """What each message would change; how many messages there are."""
    found = messages(answer)
    if not found:
        console.print("No messages.")
    for each in found:
        facts = dict(each)
        resources = [inside for name, inside in each if name == "resource"]
        told = (
            "is refused again" if facts.get("refused") else "changes nothing" if not resources else "changes"
        )
        console.print(Text(f"{str(facts['id'])[:SHORT]} {told}", style="bold"))
        for inside in resources:
            _resource(inside)
        for inside in (inside for name, inside in each if name == "issue"):
            console.print(Text(f"  {_issue(inside)}", style="yellow"))
    return len(found)


def _resource(inside: Pairs) -> None:
    facts = dict(inside)
    new = "new " if facts.get("new") else ""
    console.print(f"  {new}{facts['reference']}")
    changes = [dict(change) for name, change in inside if name == "change"]
    for change in changes[:_MOST_CHANGES]:
        if "before" in change:
            console.print(Text(f"    - {change['path']}: {change['before']}", style="red"))
        if "after" in change:
            console.print(Text(f"    + {change['path']}: {change['after']}", style="green"))
    if len(changes) > _MOST_CHANGES:
        console.print(f"    and {len(changes) - _MOST_CHANGES} more")


def show_replayed(answer: Json) -> bool:
    """What became of each; whether all were processed."""
    good = True
    for each in messages(answer):
        facts = dict(each)
        status = "in work elsewhere" if facts.get("in-work") else str(facts.get("status"))
        good = good and status == "processed"
        written = sum(name == "written" for name, _ in each)
        told = f"{written} resources written" if status == "processed" else ""
        line = Text(f"{str(facts['id'])[:SHORT]} ")
        line.append(status, style=_COLOURS.get(status, "yellow"))
        console.print(line.append(f" {told}"))
        for inside in (inside for name, inside in each if name == "issue"):
            console.print(Text(f"  {_issue(inside)}", style="yellow"))
    return good
