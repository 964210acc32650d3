"""Run all questions and print the cost of their answers: `python -m tests.questions`."""

import sys

import anyio

from .all_questions import QUESTIONS
from .asking import ask_all, sandbox
from .report import Report
from .world import world


def main() -> None:
    """Print the report."""
    with sandbox() as url:
        answers = anyio.run(ask_all, url, QUESTIONS)
    report = Report(QUESTIONS, answers)
    inexact = report.inexact(world())
    lines = [*report.lines(), f"exact: {len(QUESTIONS) - len(inexact)} of {len(QUESTIONS)}"]
    sys.stdout.write("\n".join([*lines, *(f"not exact: {asked}" for asked in inexact)]) + "\n")


if __name__ == "__main__":
    main()
