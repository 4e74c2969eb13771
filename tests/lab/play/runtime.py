"""Where JavaScript can run: Node.js and a headless Chromium, whichever there are."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from typing import Any

import pytest
from browser import chromium, opened

NODE = shutil.which("node")


def runtimes() -> list[str]:
    """Names of those found on this machine."""
    found = {"node": NODE, "chromium": find_spec("playwright") and chromium()}
    return [name for name, there in found.items() if there]


def evaluate(expression: str, given: Any = None, runtime: str = "") -> Any:
    """The value of a JavaScript expression in which `given` is known; skips visibly where nothing can run it."""
    if not runtimes():
        pytest.skip("needs Node.js, or playwright and Chromium")
    if (runtime or runtimes()[0]) == "chromium":
        with opened() as page:
            return json.loads(page.evaluate(f"(given) => JSON.stringify({expression})", given))
    assert NODE is not None
    program = f"const given = {json.dumps(given)};\nprocess.stdout.write(JSON.stringify({expression}));"
    done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
