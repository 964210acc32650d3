"""The forms in which clients send arguments. Each is read as the only thing that it can mean.

Models and the frameworks around them write lists and objects as JSON text, ids as numbers, words in another case, and
an empty text for an argument that they leave out: OpenAI's strict mode has no other way to omit one.
"""

import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..json import is_list

MOST_ITEMS = 1000
"""Longest list of objects. Each is validated, however many the argument accepts."""
_EXACT = 2**53
"""Above this, not every integer is a float."""


@dataclass(frozen=True, slots=True)
class EmptyText:
    """A mark for optional texts in which `""` is a value and does not mean absent."""


EMPTY_TEXT = EmptyText()
type Clearable = Annotated[str, EMPTY_TEXT]
"""A text that an update can clear with `""`."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of JSON value that a field accepts."""

    text: bool = False
    number: bool = False
    container: bool = False
    words: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    """The accepted words, by their case-folded text."""
    items: "Kinds | None" = None
    """The kinds of a list's items."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one field of a model is read."""

    kinds: Kinds
    omits_empty: bool
    """Whether `""` counts as absent."""


@cache
def forms_of(model: type[BaseModel]) -> Mapping[str, Form]:
    """Return how each field of the model is read."""
    return {name: _form(info) for name, info in model.model_fields.items()}


def read_fields(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given fields of a model in their plain forms, without those that count as absent.

    Unknown names are kept, even with null: they are rejected later.
    """
    forms = forms_of(model)
    fields: dict[str, Any] = {}
    for name, value in given.items():
        form = forms.get(name)
        if form is None:
            fields[name] = value
        elif not _is_absent(form, value):
            fields[name] = read(form.kinds, value, name)
    return fields


def _is_absent(form: Form, value: Any) -> bool:
    if isinstance(value, str):
        return (value == "" and form.omits_empty) or (value == "null" and form.kinds.container and not form.kinds.text)
    return value is None


def read(kinds: Kinds, value: Any, name: str) -> Any:
    """Return the value of a field as one of the accepted kinds, or unchanged when no kind is the obvious one. Raises
    ValueError for too long a list of objects.
    """
    if isinstance(value, str):
        if kinds.container and not kinds.text:
            value = from_text(value)
        elif kinds.words:
            return kinds.words.get(value.casefold(), value)
    elif isinstance(value, (int, float)):
        return _of_number(kinds, value)
    if kinds.items and is_list(value):
        if kinds.items.container and len(value) > MOST_ITEMS:
            raise ValueError(f"`{name}` must have at most {MOST_ITEMS} items")
        return [read(kinds.items, item, name) for item in value]
    return value


def from_text(text: str) -> Any:
    """Return the list or object that a JSON text describes, or the text itself."""
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def number_as_text(value: object) -> object:
    """Return the digits of a whole number; any other value is returned unchanged."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def whole_number(value: object) -> object:
    """Return the number that a text of digits describes; any other value is returned unchanged."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


def _of_number(kinds: Kinds, value: float) -> object:
    if isinstance(value, bool) or kinds.number:
        return value
    if kinds.text:
        return number_as_text(value)
    return kinds.words.get(str(number_as_text(value)), value)


def _form(info: FieldInfo) -> Form:
    has_meaning = any(mark is EMPTY_TEXT for mark in (*info.metadata, *_marks(info.annotation)))
    return Form(_kinds(info.annotation), omits_empty=not info.is_required() and not has_meaning)


def _marks(annotation: Any) -> Iterable[Any]:
    """Return the metadata of an annotation and of the branches of its union."""
    annotation = _unaliased(annotation)
    if typing.get_origin(annotation) is Annotated:
        inner, *marks = typing.get_args(annotation)
        return (*marks, *_marks(inner))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return (mark for part in typing.get_args(annotation) for mark in _marks(part))
    return ()


def _kinds(annotation: Any) -> Kinds:
    annotation = _unaliased(annotation)
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _kinds(parts[0])
    if origin in (typing.Union, types.UnionType):
        return _union([_kinds(part) for part in parts if part is not types.NoneType])
    if origin is Literal:
        return Kinds(words={str(word).casefold(): word for word in parts})
    if origin in (list, tuple):
        return Kinds(container=True, items=_kinds(parts[0]) if parts else None)
    kind = origin or annotation
    if kind is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return Kinds(container=True)
    # Any accepts both, so that nothing in it is read as something else.
    return Kinds(text=kind in (str, Any), number=kind in (int, float, Any))


def _union(branches: list[Kinds]) -> Kinds:
    return Kinds(
        text=any(branch.text for branch in branches),
        number=any(branch.number for branch in branches),
        container=any(branch.container for branch in branches),
        words={text: word for branch in branches for text, word in branch.words.items()},
        items=next((branch.items for branch in branches if branch.items), None),
    )


def _unaliased(annotation: Any) -> Any:
    while isinstance(annotation, typing.TypeAliasType):
        annotation = annotation.__value__
    return annotation
