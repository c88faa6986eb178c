"""`python -m capability.tables` prints what the server does as Markdown, for the README and the docs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from capability.indexes import CURATED
from capability.table import SEARCHABLE_TYPES, TABLE, Capability


def routes_table(table: Capability = TABLE) -> str:
    """Each interaction with the ways to ask for it and the types it is for."""
    rows = []
    for interaction in dict.fromkeys(route.interaction for route in table.routes):
        ways = [f"`{r.method} [base]{_shown(r.path)}`" for r in table.routes if r.interaction == interaction]
        rows.append((f"`{interaction}`", "<br>".join(ways), _types(table, interaction)))
    return _markdown(("Interaction", "Asked for by", "Types"), rows)


def search_table(table: Capability = TABLE) -> str:
    """Each type of search parameter with the number of parameters, one counted for each type it searches."""
    counts: Counter[str] = Counter()
    for name in table.types:
        counts.update(p.type for p in table.search_parameters(name))
    kinds = sorted(SEARCHABLE_TYPES)
    rows = [(f"`{kind}`", str(counts[kind])) for kind in kinds]
    return _markdown(("Parameter type", "Parameters"), rows)


def parameters_table(types: Iterable[str], table: Capability = TABLE) -> str:
    """The search parameters of some types, without those of every type."""
    common = {each.code for each in table.common_search_parameters}
    rows = []
    for name in types:
        own = [f"`{p.code}`" for p in table.search_parameters(name) if p.code not in common]
        rows.append((name, ", ".join(own)))
    return _markdown(("Type", "Search parameters"), rows)


def indexes_table() -> str:
    """Each compound index, by the search it is for."""
    rows = [
        (f"`{index.serves}`".replace("|", "\\|"), ", ".join(f"`{field}`" for field, _ in index.keys))
        for some in CURATED.values()
        for index in some
    ]
    return _markdown(("Search", "Fields of the index"), rows)


def _shown(path: str) -> str:
    return path.replace("{", "[").replace("}", "]")


def _types(table: Capability, interaction: str) -> str:
    if table.allows(None, interaction):
        return "the system"
    without = [name for name in table.types if not table.allows(name, interaction)]
    return "all" + (f" but {', '.join(without)}" if without else "")


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(names: Sequence[str]) -> int:
    """Print the tables, with the search parameters of the types that are named; 1 where there is no such type."""
    if unknown := [name for name in names if name not in TABLE.types]:
        names_are = "names are case-sensitive, for example Patient"
        sys.stderr.write(f"No such resource type: {', '.join(unknown)} ({names_are})\n")
        return 1
    shown = [routes_table(), search_table(), *([parameters_table(names)] if names else [])]
    sys.stdout.write("\n\n".join(shown) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
