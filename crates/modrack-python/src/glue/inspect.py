"""Signatures of what could not be read without running it."""

import collections.abc
import inspect
import typing

_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
    inspect.Parameter.KEYWORD_ONLY: "named",
    inspect.Parameter.VAR_POSITIONAL: "rest",
    inspect.Parameter.VAR_KEYWORD: "named-rest",
}


def _is_mapping(annotation):
    if isinstance(annotation, str):
        return annotation.split("[")[0].rsplit(".")[-1].lower() in ("dict", "mapping", "mutablemapping")
    origin = typing.get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, collections.abc.Mapping)


def signature(function):
    try:
        params = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        (p.name, _KINDS[p.kind], p.default is not p.empty, p.annotation is not p.empty and _is_mapping(p.annotation))
        for p in params
    ]
