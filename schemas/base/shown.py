"""Field types shared by several views."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from ..json import is_object
from . import View


def _email_or_first_name(value: Any) -> Any:
    return value.get("email") or value.get("first_name") if is_object(value) else value


def _unless_empty(value: Any) -> Any:
    return value or None


type Author = Annotated[str | None, BeforeValidator(_email_or_first_name)]
"""PostHog's UserBasic (`created_by`, `last_modified_by`), shown as the email address or else the first name."""
type Text = Annotated[str | None, BeforeValidator(_unless_empty)]
"""A text that is left out if empty."""
type Items = Annotated[list[Any] | None, BeforeValidator(_unless_empty)]
"""A list that is left out if empty."""
type Fields = Annotated[dict[str, Any] | None, BeforeValidator(_unless_empty)]
"""An object that is shown unchanged, or left out if empty."""
type IfTrue = Annotated[bool | None, BeforeValidator(_unless_empty)]
"""A boolean that is shown only if true."""


class Whole(View):
    """All fields of an object, for `full: true`; secrets are redacted in the result."""

    model_config = ConfigDict(extra="allow")

    def present(self) -> dict[str, Any]:
        """Return the fields that are not null. They are JSON already; `model_dump` takes 20 ms for each megabyte."""
        return {name: value for name, value in (self.model_extra or {}).items() if value is not None}
