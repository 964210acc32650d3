"""Pictures for results. If drawing fails, only the picture is missing, never the numbers."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import anyio
from anyio.lowlevel import RunVar

from ..operation import Picture, Reply, Result
from ..processes import child_environment
from ..table import Table
from .shapes import chart_of

MOST_BYTES = 100_000
"""The largest picture."""
MOST_SECONDS = 20.0
_AT_ONCE = 2
"""Renderers that run at the same time; each takes 100 MB and a core."""
_MISSING = "not drawn: vl-convert-python is not installed; the operator installs maton-posthog-mcp[charts]"
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("maton_posthog.charts")


async def illustrated(
    result: Result,
    table: Table,
    marks: Mapping[str, Any],
    title: str,
    *,
    within_s: float,
    clean: Callable[[Any], Any] = lambda value: value,
) -> Result | Reply:
    """Return the result with its chart; `chart` describes what the picture leaves out, or why there is none.

    `clean` is applied to everything that is drawn.
    """
    chart = chart_of(table, marks, title)
    if chart is None:
        return {**result, "chart": "not drawn: there are no numbers to draw"}
    drawn = await _draw(clean(chart.spec), min(within_s, MOST_SECONDS))
    if isinstance(drawn, str):
        return {**result, "chart": drawn}
    left_out = {"chart": f"shows {'; '.join(chart.left_out)}"} if chart.left_out else {}
    return Reply({**result, **left_out}, (drawn,))


async def _draw(drawn: Mapping[str, Any], within_s: float) -> Picture | str:
    """Return the picture, or the reason why there is none."""
    if find_spec("vl_convert") is None:
        return _MISSING
    command = [sys.executable, "-I", "-m", f"{__package__}.renderer"]
    spec = json.dumps(drawn, allow_nan=False).encode()
    try:
        with anyio.fail_after(max(within_s, 0)):
            async with _turns():
                ended = await anyio.run_process(
                    command, input=spec, stderr=subprocess.DEVNULL, check=False, env=child_environment()
                )
    except TimeoutError:
        return "not drawn: it took too long; request fewer rows"
    except OSError as error:
        return f"not drawn: the renderer did not start ({error.strerror})"
    if ended.returncode or not ended.stdout:
        return "not drawn: the renderer failed"
    if len(ended.stdout) > MOST_BYTES:
        return f"not drawn: over {MOST_BYTES // 1000} kB; request fewer rows"
    return Picture(ended.stdout)


def _turns() -> anyio.CapacityLimiter:
    """Return the limiter of this event loop."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
        return limiter
