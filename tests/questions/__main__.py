"""`python -m tests.questions`: asks all questions and prints what the answers cost."""

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
