"""YAML is read in the narrow form a configuration needs: no tags, no aliases, no key twice, no surprise in size."""

from __future__ import annotations

from typing import Any

import yaml

from proxy.config.problems import Problems, below

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 16
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTRUCTED = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
_NESTING = {
    yaml.MappingStartEvent: 1, yaml.SequenceStartEvent: 1, yaml.MappingEndEvent: -1, yaml.SequenceEndEvent: -1}


def read_document(data: bytes, problems: Problems) -> object:
    """Plain dicts, lists and scalars; an empty document is an empty mapping.  Dates stay text."""
    if len(data) > MAX_BYTES:
        problems.bad("", "The file is larger than 1 MiB. Give the configuration file, not something else.")
        return {}
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.bad("", "The file is not UTF-8 text. Save it as UTF-8.")
        return {}
    try:
        refusal = _refusal(text)
        if not refusal:
            return _Document(text, problems).read()
    except yaml.YAMLError as error:
        refusal = _syntax(error)
    problems.bad("", refusal)
    return {}


def _refusal(text: str) -> str:
    """Why the document is not taken, judged on its events: nothing has been built from it yet."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        mark = event.start_mark
        line = mark.line + 1 if mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            return f"Line {line} has an anchor or alias. Write the value out."
        if getattr(event, "tag", None) is not None:
            return f"Line {line} has a tag. Remove the word that begins with '!'."
        depth += _NESTING.get(type(event), 0)
        if depth > _MAX_DEPTH:
            return f"Line {line} is nested too deeply. Close the brackets or indent less."
    return ""


def _syntax(error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if mark is None:
        return "The file holds a character that YAML does not allow. Save it as plain text."
    what = getattr(error, "problem", None) or "it cannot be read"
    return f"This is not YAML: {what}, line {mark.line + 1}, column {mark.column + 1}. Correct it there."


class _Document:
    """Builds values from nodes, because nodes still know their lines and every duplicate."""

    def __init__(self, text: str, problems: Problems) -> None:
        self._loader = _Loader(text)
        self._problems = problems

    def read(self) -> object:
        try:
            node = self._loader.get_single_node()
            return {} if node is None else self._value(node, "")
        finally:
            self._loader.dispose()

    def _value(self, node: yaml.Node, path: str) -> object:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._problems.add(path, f"Line {line} has a key that is not a word. Write name: value.")
            elif key.value in values:
                self._problems.add(below(path, key.value), f"Line {line} gives this key again. Keep one of the two.")
            else:
                values[key.value] = self._value(value, below(path, key.value))
        return values

    def _scalar(self, node: yaml.Node) -> object:
        """Numbers to the base of sixty, YAML 1.1's 1:30:00, stay text: nobody means them; long ones take minutes."""
        if node.tag not in _CONSTRUCTED or ":" in node.value:
            return node.value
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError):
            return node.value
