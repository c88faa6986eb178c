"""Syntax tree → closures.

http://hl7.org/fhirpath/N1/#expressions
"""

from __future__ import annotations

from decimal import Decimal

from resources import registry
from resources.fhirpath import functions, model, operators, paths
from resources.fhirpath.expression import Compiled, Environment, remembered
from resources.fhirpath.lexer import bad_expression
from resources.fhirpath.parser import (
    Call,
    Literal,
    Member,
    Node,
    Operation,
    Sign,
    TypeTest,
    Variable,
    type_argument,
)
from resources.fhirpath.values import UCUM, Item, Items

_ADDRESSES = {
    "%ucum": UCUM,
    "%sct": "http://snomed.info/sct",
    "%loinc": "http://loinc.org",
}


class Compiler:
    """Compiles one expression for inputs of one type.

    `base` is the type of `$this` at the start, None if it is not known beforehand. `search` reads `(x as T)` the way
    search parameters mean it: as `x.ofType(T)`, and `DateTime` for `dateTime`.
    """

    def __init__(self, text: str, base: str | None, *, search: bool = False) -> None:
        self.text = text
        self.base = base
        self.search = search

    def compile(self, node: Node, this: str | None) -> Compiled:
        """The closure for a part of the expression, where `$this` is of the type `this`."""
        match node:
            case Literal():
                return _literal(node)
            case Variable():
                return self._variable(node.name, this)
            case Member():
                return self._member(node, this, None)
            case Call():
                return functions.call(self, node, this)
            case Sign():
                return operators.sign(node.operator, self.compile(node.operand, this))
            case TypeTest():
                return self.type_test(node.operator, node.operand, node.type, this)
            case Operation():
                left, right = self.compile(node.left, this), self.compile(node.right, this)
                return operators.operation(self.text, node.operator, remembered(left), remembered(right))
            case _:
                source, index = self.compile(node.source, this), self.compile(node.index, this)
                return operators.indexed(source, index)

    def source(self, node: Node | None, this: str | None) -> Compiled:
        """What a function is called on: `$this` where nothing is named."""
        return Compiled(paths.this_run, this) if node is None else self.compile(node, this)

    def type_test(self, operator: str, operand: Node, wanted: str, this: str | None) -> Compiled:
        """`is`, `as` and `ofType`: the last two read only the members of a choice element that are of the type."""
        wanted = self._type(wanted)
        if operator == "is":
            return operators.is_type(self.compile(operand, this), wanted)
        if isinstance(operand, Member) and _is_data_type(wanted):
            return self._member(operand, this, wanted)
        source = self.compile(operand, this)
        if source.type is not None and model.is_a(source.type, wanted):
            return source
        run = source.run
        is_a = model.is_a
        return Compiled(
            lambda s, env: [item for item in run(s, env) if is_a(item[0], wanted)], None, free=source.free
        )

    def _type(self, name: str) -> str:
        if self.search and name == "DateTime":
            return "dateTime"
        if not model.is_type(name):
            raise bad_expression(self.text, f"'{name}' is not a type of FHIR R4 or FHIRPath")
        return name if model.knows(name) or "." in name else "System." + name

    def _variable(self, name: str, this: str | None) -> Compiled:
        if name == "$this":
            return Compiled(paths.this_run, this)
        if name == "$index":
            return Compiled(lambda _, env: [("System.Integer", env.index, None)], "System.Integer")
        if name == "$total":
            return Compiled(lambda _, env: env.total)
        if name in {"%resource", "%rootResource"}:
            return self._resource(root=name == "%rootResource")
        if name == "%context":
            return Compiled(lambda _, env: [env.context], self.base, free=True)
        return _literal(Literal("System.String", self._address(name)))

    def _address(self, name: str) -> str:
        if name.startswith("%vs-"):
            return "http://hl7.org/fhir/ValueSet/" + name[4:]
        if name.startswith("%ext-"):
            return "http://hl7.org/fhir/StructureDefinition/" + name[5:]
        if name not in _ADDRESSES:
            raise bad_expression(self.text, f"the variable {name} is not known")
        return _ADDRESSES[name]

    def _resource(self, *, root: bool) -> Compiled:
        owner = (self.base or "").partition(".")[0]
        kind = owner if registry.is_resource(owner) and not root else None
        if root:
            return Compiled(lambda _, env: [env.root], kind, free=True)
        return Compiled(lambda _, env: [env.resource], kind, free=True)

    def _member(self, node: Member, this: str | None, only: str | None) -> Compiled:
        if node.source is None:
            named = self._named_type(node.name, this)
            if named is not None:
                return named
        elif (whole := type_argument(node)) and whole.startswith("FHIR."):
            return self._named_type(whole[5:], this) or paths.NOTHING
        return paths.member(self.text, self.source(node.source, this), node.name, only)

    def _named_type(self, name: str, this: str | None) -> Compiled | None:
        """`Patient` at the start of a path: `$this` if it is a Patient, else nothing."""
        if not name[:1].isupper() or not model.knows(name):
            return None
        if this is not None and this not in model.WHOLE:
            return Compiled(paths.this_run, this) if model.is_a(this, name) else paths.NOTHING

        def run(start: Item, env: Environment) -> Items:
            return [start] if model.is_a(start[0], name) else []

        return Compiled(run, name if registry.is_resource(name) else None)


def _is_data_type(name: str) -> bool:
    """Whether the members of a choice element tell which value is of the type; a resource tells it itself."""
    kind = name.removeprefix("FHIR.")
    return model.knows(kind) and not (registry.is_resource(kind) or kind in model.WHOLE)


def _literal(node: Literal) -> Compiled:
    if node.type is None:
        return paths.NOTHING
    value: object = node.value
    if node.unit is not None:
        value = {"value": Decimal(str(node.value)), "unit": node.unit, "code": node.unit, "system": UCUM}
    items: Items = [(node.type, value, None)]
    test = (lambda _this, _env: bool(value)) if isinstance(value, bool) else None
    return Compiled(lambda _this, _env: items, node.type, test, free=True, literal=True)
