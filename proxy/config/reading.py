"""Plain values become the model leaf by leaf, so that one bad leaf hides no other."""

from __future__ import annotations

import math
import os.path
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, get_args, get_origin

import msgspec
from msgspec import Struct, inspect

from proxy.config.problems import Problems, below, choices, closest, did_you_mean

_BAD: Final = object()
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_STAND_IN: dict[object, object] = {str: "", int: 0}
_PATHS = ("_file", "_directory")
_PATH = "file"

fields_of = cache(msgspec.structs.fields)
"""Of a type; the library works them out anew each time, which takes milliseconds."""


def plain(hint: Any) -> Any:
    """A field's type without Annotated and "| None"."""
    while hasattr(hint, "__metadata__"):
        hint = hint.__origin__
    members = [member for member in get_args(hint) if member is not type(None)]
    if type(None) in get_args(hint) and len(members) == 1:
        return plain(members[0])
    return hint


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


class Reader:
    """Reads one source.

    folder: relative file paths are relative to it; None leaves them as they are.  strict: whether "8080" is refused
    where a number belongs; variables and flags are text and are read leniently.
    """

    def __init__(self, problems: Problems, *, folder: str | None = None, strict: bool = True) -> None:
        self._problems = problems
        self._folder = folder
        self._strict = strict

    def fields(self, kind: type[Struct], value: object, path: str = "") -> dict[str, Any]:
        """The fields of kind that value gives and that can be read; the others are problems."""
        if isinstance(value, str) and hasattr(kind, "shorthand"):
            value = {kind.shorthand: value}
        if not isinstance(value, Mapping):
            self._problems.bad(path, "This is not a mapping. Write lines of the form key: value.")
            return {}
        types = {field.name: field.type for field in fields_of(kind)}
        read = {}
        for name, (place, inner) in self._known(tuple(types), value, path).items():
            result = self._value(types[name], inner, place)
            if result is not _BAD:
                read[name] = self._located(name, result)
        return read

    def _known(self, names: Sequence[str], value: Mapping[Any, Any], path: str) -> dict[str, tuple[str, object]]:
        """Field -> (place, value).  A key without a value counts as not given."""
        known: dict[str, tuple[str, object]] = {}
        for key, inner in value.items():
            name, place = str(key).replace("-", "_"), below(path, str(key))
            if name in known:
                self._problems.add(place, "This key is given with hyphens and with underscores. Keep one of the two.")
            elif name not in names:
                self._unknown(name, names, path, place)
            elif inner is not None:
                known[name] = (place, inner)
        return known

    def _unknown(self, name: str, names: Sequence[str], path: str, place: str) -> None:
        """A secret is told where it belongs.  The key that was meant is not called missing as well."""
        secret = f"{name}_file" in names
        meant = f"{name}_file" if secret else closest(name, names)
        self._problems.bad(place, _secret_here(name, names) if secret else
                           f"There is no such key. {did_you_mean(name, names)}")
        if meant is not None:
            self._problems.spoil(below(path, meant))

    def _located(self, name: str, value: object) -> object:
        if self._folder is not None and isinstance(value, str) and (name == _PATH or name.endswith(_PATHS)):
            return os.path.join(self._folder, value)
        return value

    def _struct(self, kind: type[Struct], value: object, path: str) -> Struct:
        """Required fields that cannot be read get a stand-in and their place is marked as bad."""
        read = self.fields(kind, value, path)
        for field in fields_of(kind):
            if field.required and field.name not in read:
                if isinstance(value, Mapping) and _absent(value, field.name):
                    self._problems.bad(below(path, field.name), "This key is missing. Add it.")
                read[field.name] = _STAND_IN[plain(field.type)]
        return kind(**read)

    def _value(self, hint: Any, value: object, path: str) -> Any:
        kind = plain(hint)
        if is_struct(kind):
            return self._struct(kind, value, path)
        if get_origin(kind) is tuple:
            return self._items(get_args(kind)[0], value, path)
        if get_origin(kind) is dict:
            return self._named(get_args(kind)[1], value, path)
        return self._leaf(hint, value, path)

    def _items(self, hint: Any, value: Any, path: str) -> object:
        """A single value stands for a list of one."""
        single = isinstance(value, str) or (is_struct(plain(hint)) and isinstance(value, Mapping))
        if not single and not isinstance(value, list | tuple):
            self._problems.bad(path, "This is not a list. Write one item per line, each after a hyphen.")
            return _BAD
        given = [value] if single else value
        items = [self._value(hint, item, f"{path}[{index}]") for index, item in enumerate(given)]
        return tuple("" if item is _BAD else item for item in items)

    def _named(self, hint: Any, value: object, path: str) -> object:
        if not isinstance(value, Mapping):
            self._problems.bad(path, "This is not a mapping. Write a name, a colon, and the settings below it.")
            return _BAD
        named = {}
        for key, inner in value.items():
            place = below(path, str(key))
            if _NAME.fullmatch(str(key)) is None:
                self._problems.add(place, "This is not a name. Use letters, digits, hyphens and underscores.")
            named[str(key)] = self._value(hint, inner, place)
        return named

    def _leaf(self, hint: Any, value: object, path: str) -> object:
        try:
            leaf = msgspec.convert(value, hint, strict=self._strict)
        except (msgspec.ValidationError, OverflowError, UnicodeError):
            self._problems.bad(path, expectation(hint, value))
            return _BAD
        problem = _leaf_problem(leaf)
        if problem:
            self._problems.bad(path, problem)
            return _BAD
        return leaf


def _absent(value: Mapping[Any, Any], name: str) -> bool:
    return not any(str(key).replace("-", "_") == name and inner is not None for key, inner in value.items())


def _leaf_problem(leaf: object) -> str:
    if isinstance(leaf, float) and not math.isfinite(leaf):
        return "This is not a finite number. Write a number."
    if isinstance(leaf, str) and not leaf.strip():
        return "This is empty. Give a value or remove the key."
    if isinstance(leaf, str) and _UNPRINTABLE.search(leaf):
        return "This holds a control character. Write the value on one line."
    return ""


def _secret_here(name: str, known: Sequence[str]) -> str:
    also = f", or a variable with {name}_env" if f"{name}_env" in known else ""
    return f"{name} is never written here itself. Put it in a file and name that with {name}_file{also}."


def expectation(hint: Any, value: object) -> str:
    """What a leaf should have been; the value itself is not shown, for it may be a secret in the wrong place."""
    kind = inspect.type_info(hint)
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        kind = kind.type if isinstance(kind, inspect.Metadata) else _given(kind)
    if isinstance(kind, inspect.LiteralType):
        return f"This is not one of the choices. Write {choices(str(word) for word in kind.values)}."
    if isinstance(kind, inspect.IntType):
        return f"This is not a whole number{_range(kind)}. Write such a number, without quotes."
    if isinstance(kind, inspect.FloatType):
        return f"This is not a number{_range(kind)}. Write such a number, without quotes."
    if isinstance(kind, inspect.BoolType):
        return "This is neither true nor false. Write true or false."
    if isinstance(value, Mapping | list | tuple):
        return "This is not text. Write a single value."
    return "This is not text. Put the value in quotes."


def _given(kind: inspect.UnionType) -> inspect.Type:
    """The type of a value that may also be left out."""
    return next(member for member in kind.types if not isinstance(member, inspect.NoneType))


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    bounds = ((" of at least", kind.ge), (" greater than", kind.gt), (" of at most", kind.le))
    return " and".join(f"{words} {bound}" for words, bound in bounds if bound is not None).replace(" and of", " and")
