"""The two ways in which a command of the laboratory ends badly, and their exit codes."""

from __future__ import annotations


class LabError(Exception):
    """A run that started and failed; the command line ends with exit code 1."""

    exit_code = 1


class InputError(LabError, ValueError):
    """What the user gave cannot be used (a name, a number, a file); exit code 2.

    The text says what was found, what is allowed and how to mend it.
    """

    exit_code = 2
