"""Nothing holds it: classes of every kind, typed and registered with classes that outlive them."""

import abc
import dataclasses
import enum
import functools
import typing

import outside


class _Colour(enum.Enum):
    RED = 1

    def shown(self):
        return self.name


@dataclasses.dataclass(order=True)
class _Point:
    x: int
    y: "typing.Optional[_Point]" = None

    def shift(self, by: int) -> "_Point":
        return _Point(self.x + by, self)


class _Pair(typing.NamedTuple):
    one: typing.List[_Point]
    other: typing.Dict[str, _Colour]

    def both(self):
        return self.one, self.other


class _Base(outside.Base):
    @functools.cached_property
    def points(self) -> typing.Optional[_Point]:
        return [_Point(1)]


class _Protocol(typing.Protocol):
    def describe(self) -> typing.Union[_Point, _Pair]: ...


class _Meta(abc.ABCMeta):
    def __call__(cls, *args):
        return super().__call__(*args)


class _Generic(typing.Generic[typing.TypeVar("T")], metaclass=_Meta):
    def give(self) -> "_Generic[_Point]":
        return self


@outside.Base.register
class _Registered:
    def hook(self):
        return self


kept = [
    _Colour.RED,
    _Point(1).shift(2),
    _Base().points,
    _Pair([], {}),
    _Generic[_Point],
    isinstance(_Registered(), outside.Base),
]
kept += [
    typing.get_type_hints(_Point),
    typing.Optional[_Point],
    typing.Callable[[_Point], _Colour],
    isinstance(1, _Base),
]


def version() -> int:
    return 1
