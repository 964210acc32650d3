"""What several views share."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from .base import View
from .json import is_object


def _email_or_first_name(value: Any) -> Any:
    return value.get("email") or value.get("first_name") if is_object(value) else value


def _unless_empty(value: Any) -> Any:
    return value or None


type Author = Annotated[str | None, BeforeValidator(_email_or_first_name)]
"""PostHog's UserBasic (`created_by`, `last_modified_by`), shown as the email address or else the first name."""
type Text = Annotated[str | None, BeforeValidator(_unless_empty)]
"""A text that is not shown when it is empty."""
type Items = Annotated[list[Any] | None, BeforeValidator(_unless_empty)]
"""A list that is not shown when it is empty."""
type Fields = Annotated[dict[str, Any] | None, BeforeValidator(_unless_empty)]
"""An object that is shown as it is, and not when it is empty."""
type IfTrue = Annotated[bool | None, BeforeValidator(_unless_empty)]
"""A boolean that is only shown when it is true."""


class Whole(View):
    """Everything that PostHog says about an object, for `full: true`; secrets are redacted on the way out."""

    model_config = ConfigDict(extra="allow")
