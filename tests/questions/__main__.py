"""Run all questions and print the cost of their answers: `python -m tests.questions`."""

import sys

import anyio

from .all_questions import QUESTIONS
from .asking import ask_all, sandbox
from .report import Report


def main() -> None:
    """Print the report."""
    with sandbox() as url:
        answers = anyio.run(ask_all, url, QUESTIONS)
    sys.stdout.write("\n".join(Report(QUESTIONS, answers).lines()) + "\n")


if __name__ == "__main__":
    main()
