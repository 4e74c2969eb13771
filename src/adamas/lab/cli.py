"""The console script `adamas`: checks that the extra libraries are there, then runs the commands."""

from __future__ import annotations

import sys
from importlib.util import find_spec

EXTRAS = {
    "click": "click",
    "rich": "rich",
    "matplotlib": "matplotlib",
    "jinja2": "jinja2",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "optuna": "optuna",
    "plotly": "plotly",
}


def missing_extras() -> list[str]:
    """Distributions of the `lab` extra that are not installed."""
    return [name for module, name in EXTRAS.items() if find_spec(module) is None]


def main() -> None:
    """Entry point of the console script."""
    missing = missing_extras()
    if missing:
        print(
            f"adamas: the command line needs {', '.join(missing)}; install with: pip install 'adamas[lab]'",
            file=sys.stderr,
        )
        raise SystemExit(2)
    from .commands import adamas

    adamas(prog_name="adamas")


if __name__ == "__main__":
    main()
