"""What all inputs and views share."""

import json
import types
import typing
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .json import is_object


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


type Id = Annotated[int, Field(ge=1, le=2**63 - 1), BeforeValidator(_not_a_boolean)]
"""A numeric PostHog identifier; `"136209"` is accepted for 136209."""
type ProjectId = Id | Literal["@current"]


class Input(BaseModel):
    """Arguments of one tool. Unknown arguments are refused, null means absent; field texts are attribute docstrings."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _forgive(cls, value: Any) -> Any:
        """Null means absent; a list or object that a client sent as JSON text is read, for it has only one meaning."""
        if not is_object(value):
            return value
        containers = _containers(cls)
        return {
            name: _from_text(item) if name in containers and isinstance(item, str) else item
            for name, item in value.items()
            if item is not None or name not in cls.model_fields
        }


class View(BaseModel):
    """What a tool shows of an object. Fields not listed here are left out; null fields are not shown."""

    model_config = ConfigDict(extra="ignore", defer_build=True)


class InAccount(Input):
    """Arguments of tools that act on the account behind a connection."""

    connection_id: str | None = Field(default=None, pattern=r"^[0-9A-Za-z-]{8,64}$")


class InProject(InAccount):
    """Arguments of tools that act in one project."""

    project_id: ProjectId = "@current"


class Page(InProject):
    """Arguments of list tools. PostHog's LimitOffset pagination: `limit` rows from `offset`."""

    limit: Annotated[int, BeforeValidator(_not_a_boolean)] = Field(default=20, ge=1, le=100)
    offset: Annotated[int, BeforeValidator(_not_a_boolean)] = Field(default=0, ge=0, le=1_000_000)


class Person(View):
    """Who did something (`created_by`): PostHog's UserBasic."""

    first_name: str | None = None
    email: str | None = None


@cache
def _containers(model: type[BaseModel]) -> frozenset[str]:
    """Fields that only take a list or an object."""
    return frozenset(name for name, field in model.model_fields.items() if not _takes_text(field.annotation))


def _takes_text(annotation: Any) -> bool:
    if isinstance(annotation, typing.TypeAliasType):
        return _takes_text(annotation.__value__)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _takes_text(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return any(_takes_text(part) for part in typing.get_args(annotation) if part is not types.NoneType)
    kind = origin or annotation
    return not (kind in (list, tuple, dict) or (isinstance(kind, type) and issubclass(kind, BaseModel)))


def _from_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
