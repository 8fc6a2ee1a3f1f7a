"""A transform: what an order comes to. The module of the README, as a component written in Python."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host
from wit_world.imports.values import Error, Part_Float, Part_Int, Part_Map, Part_Null, Value

tax = 0.0


def number(row: Value, name: str) -> float:
    """A number under a name of a row, which is its first part."""
    fields = dict(row.parts[0].value) if isinstance(row.parts[0], Part_Map) else {}
    if name not in fields:
        raise failure("KeyError", name)
    part = row.parts[fields[name]]
    if not isinstance(part, Part_Int | Part_Float):
        raise failure("TypeError", f"`{name}` is no number")
    return part.value


def failure(class_: str, message: str) -> Err[Error]:
    """What is raised as the error of a function; any other exception ends the component."""
    return Err(Error(class_, message, None, [], None))


class Lifecycle(exports.Lifecycle):
    """Start and end."""

    def initialize(self, config: Value) -> None:
        """Takes the rate."""
        global tax
        given = host.config("tax")
        if given:
            tax = given.parts[0].value
        host.log(host.Level.DEBUG, f"The rate is {tax}")

    def shutdown(self) -> None:
        """Nothing is left to do."""


class Transform(exports.Transform):
    """The stage."""

    def transform(self, input: Value) -> Value:
        """Adds `total`; drops orders of nothing."""
        quantity = number(input, "quantity")
        if quantity == 0:
            return Value([Part_Null()])
        total = round(number(input, "price") * quantity * (1 + tax), 2)
        first, *rest = input.parts
        fields = [*first.value, ("total", len(input.parts))]
        return Value([Part_Map(fields), *rest, Part_Float(total)])
