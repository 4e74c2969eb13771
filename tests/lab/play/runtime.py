"""Where JavaScript can run: Node.js and a headless Chromium, whichever there are."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from browser import opened

from needs import MARKED

RUNTIMES = [pytest.param("node", marks=pytest.mark.node), pytest.param("chromium", marks=pytest.mark.browser)]


def evaluate(expression: str, given: Any = None, runtime: str = "") -> Any:
    """The value of a JavaScript expression in which `given` is known, for tests marked as those of `RUNTIMES`, or
    `javascript` where the runtime does not matter."""
    if runtime == "chromium" or (not runtime and MARKED["node"].missing()):
        with opened() as page:
            return json.loads(page.evaluate(f"(given) => JSON.stringify({expression})", given))
    program = f"const given = {json.dumps(given)};\nprocess.stdout.write(JSON.stringify({expression}));"
    done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
