import pytest

from maton_posthog.gateway import named
from maton_posthog.gateway.connections import Connection
from maton_posthog.gateway.errors import Refused
from maton_posthog.gateway.named import Destination, NamedTargets
from maton_posthog.gateway.projects import Project

from .fake_gateway import CONNECTION, OTHER_CONNECTION


def target(
    connection: str | None = CONNECTION, project: int = 1, *, by_default: bool = True, is_current: bool = True
) -> Destination:
    return Destination(
        Connection(connection) if connection else None, Project(project, f"P{project}"), by_default, is_current
    )


def test_what_one_caller_read_does_not_bind_another() -> None:
    targets = NamedTargets()
    targets.remember("a", target())
    targets.remember("b", target(OTHER_CONNECTION, 2))
    targets.check("a", target())
    targets.check("b", target(OTHER_CONNECTION, 2))
    targets.check("c", target(OTHER_CONNECTION, 3))
    with pytest.raises(Refused, match=f"through connection {CONNECTION}"):
        targets.check("a", target(OTHER_CONNECTION, 2))


def test_very_many_callers_do_not_fill_the_memory_and_recent_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "_MOST_CALLERS", 3)
    targets = NamedTargets()
    for caller in range(10):
        targets.remember("kept", target())
        targets.remember(caller, target())
    with pytest.raises(Refused):
        targets.check("kept", target(project=2))
    targets.check(1, target(project=2))


def test_a_project_that_was_renamed_meanwhile_is_the_same() -> None:
    targets = NamedTargets()
    targets.remember(None, target(is_current=False))
    targets.check(None, Destination(Connection(CONNECTION), Project(1, "New name"), True, False))


def test_an_unresolved_project_names_none() -> None:
    targets = NamedTargets()
    targets.remember(None, Destination(None, Project("@current"), True, True))
    targets.check(None, target())
