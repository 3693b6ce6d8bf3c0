"""Running commands: every call is bounded in time, and a failure says which command and why."""

from __future__ import annotations

import subprocess


class LabError(Exception):
    """Something a person can mend; the message names the thing and the mend."""


def run(*argv: str, timeout: float = 20, stdin: str | None = None, check: bool = True) -> str:
    """Run a command and return what it printed."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed: run scripts/install") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"no answer within {timeout:g} s from: {' '.join(argv)}") from None
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"failed ({done.returncode}): {' '.join(argv)}\n{said}")
    return done.stdout


def in_namespace(namespace: str, *argv: str) -> list[str]:
    """The command line that runs argv in a namespace; ip execs it, so the process id stays the same."""
    return ["ip", "netns", "exec", namespace, *argv]
