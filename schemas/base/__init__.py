"""Types shared by all inputs and views."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ..json import is_object
from .forms import read_fields


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


type Id = Annotated[int, Field(ge=1, le=2**63 - 1), BeforeValidator(_not_a_boolean), WithJsonSchema({"type": "string"})]
"""A numeric PostHog identifier. Schemas show text, because not every client can write 2**53 and more as a number."""


def _a_text_id(value: str) -> str:
    if not re.fullmatch(r"(?=.*[0-9])[A-Za-z0-9_-]{1,200}", value):
        raise ValueError("is not an identifier; pass it exactly as a list tool returns it")
    return value


type TextId = Annotated[str, AfterValidator(_a_text_id)]
"""An identifier such as a UUID. Words without a digit are names of PostHog's list actions (`stats`)."""
type ProjectId = Id | Literal["@current"]


class Part(BaseModel):
    """An object in the arguments of a tool. Unknown fields are rejected; the others are read as `forms` explains."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _forgive(cls, value: Any) -> Any:
        return read_fields(cls, value) if is_object(value) else value


class Input(Part):
    """The arguments of one tool; fields are described by docstrings."""


class View(BaseModel):
    """The fields of an object that a tool shows. Unlisted and null fields are left out."""

    model_config = ConfigDict(extra="ignore", defer_build=True, allow_inf_nan=False)


class InAccount(Input):
    """The arguments of tools that act on the account behind a connection."""

    connection_id: str | None = Field(default=None, pattern=r"^[0-9A-Za-z-]{8,64}$")


class InProject(InAccount):
    """The arguments of tools that act in one project."""

    project_id: ProjectId = "@current"


class Write(InProject):
    """The arguments of tools that change something."""

    dry_run: bool = False


class AskedWrite(Write):
    """The arguments of tools whose changes a person may have to confirm."""

    confirmation: str | None = None


OF_THE_CALL = frozenset({"project_id", "connection_id", "dry_run", "confirmation"})
"""Arguments about the call itself, which are no fields of the object."""


OBJECTS = WithJsonSchema({"type": "array", "items": {"type": "object"}})
"""Publishes a list of objects whose fields its description names, which takes a third of the tokens of a schema."""


class Page(InProject):
    """The arguments of list tools. PostHog paginates by `limit` and `offset`."""

    limit: Annotated[int, BeforeValidator(_not_a_boolean)] = Field(default=20, ge=1, le=100)
    offset: Annotated[int, BeforeValidator(_not_a_boolean)] = Field(default=0, ge=0, le=1_000_000)


class Person(View):
    """A user in fields such as `created_by`: PostHog's UserBasic."""

    first_name: str | None = None
    email: str | None = None
