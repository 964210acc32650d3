"""What a start loads, and what it leaves for later."""

import subprocess
import sys

from posthog_sandbox.query_endpoint.runners import RUNNERS, load_runners

LATER = (
    "posthog_sandbox.dataset.generate",
    "posthog_sandbox.dataset.prepared.loading",
    "posthog_sandbox.insights.trends.query",
    "posthog_sandbox.query_endpoint.actors",
    "hogql_lang.check",
)


def loaded(code: str) -> set[str]:
    """Return the modules of a new process that has run this code."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_a_start_loads_neither_the_generator_nor_insights() -> None:
    modules = loaded("import posthog_sandbox.__main__ as program; program._load_application()")

    assert {"posthog_sandbox.app", "posthog_sandbox.hogql", "uvicorn"} <= modules
    assert modules.isdisjoint(LATER)


def test_the_function_of_each_kind_of_query_can_be_loaded() -> None:
    load_runners()

    assert {"HogQLQuery", "TrendsQuery", "FunnelsActorsQuery", "ExperimentQuery"} <= RUNNERS.keys()
    code = "from posthog_sandbox.query_endpoint.runners import load_runners; load_runners()"
    assert set(LATER[2:4]) <= loaded(code)
