"""Connections at Maton: `/connections` of the control plane."""

from typing import Literal, Self

from pydantic import model_validator

from .base import InAccount, View


class ManageConnection(InAccount):
    action: Literal["list", "create", "get", "delete"]
    status: Literal["ACTIVE", "PENDING", "FAILED"] | None = None
    """For list; default ACTIVE."""

    @model_validator(mode="after")
    def _name_the_target(self) -> Self:
        if self.action in ("get", "delete") and self.connection_id is None:
            raise ValueError(f"connection_id: needed for {self.action}; action list gives the ids")
        if self.action in ("list", "create") and self.connection_id is not None:
            raise ValueError(f"connection_id: {self.action} takes none; use it with get or delete")
        if self.action != "list" and self.status is not None:
            raise ValueError("status: only for action list")
        return self


class ConnectionView(View):
    """A connection without its `url`: that holds a session token and lets anybody who has it authorise."""

    connection_id: str
    status: str | None = None
    method: str | None = None
    creation_time: str | None = None
    last_updated_time: str | None = None


class PendingConnection(ConnectionView):
    """A connection that waits for a person to open its `url`."""

    url: str | None = None
