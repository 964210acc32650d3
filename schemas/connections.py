"""Connections at Maton: `/connections` of the control plane."""

from typing import Literal, Self

from pydantic import model_validator

from .base import InAccount, View


class ManageConnection(InAccount):
    action: Literal["list", "create", "get", "delete"]
    status: Literal["ACTIVE", "PENDING", "FAILED"] | None = None
    """With list only; default ACTIVE."""
    dry_run: bool = False
    confirmation: str | None = None

    @model_validator(mode="after")
    def _name_the_target(self) -> Self:
        if self.action in ("get", "delete") and self.connection_id is None:
            raise ValueError(f"action {self.action} needs `connection_id`; use action list to find it")
        if self.action in ("list", "create") and self.connection_id is not None:
            raise ValueError(f"`connection_id` is only valid with action get or delete, not with {self.action}")
        if self.action != "list" and self.status is not None:
            raise ValueError(f"`status` is only valid with action list, not with {self.action}")
        return self


class ConnectionView(View):
    """A connection without its `url`, which contains a session token and lets anyone authorize the connection."""

    connection_id: str
    status: str | None = None
    method: str | None = None
    creation_time: str | None = None
    last_updated_time: str | None = None


class PendingConnection(ConnectionView):
    """A connection that becomes active after the user opens its `url`."""

    url: str | None = None
