"""Every member's kernel is vectorised and contracts nothing."""

from __future__ import annotations

import ast
import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adamas.rules import MEMBERS, ROLL

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")

PROGRAM = """
import json, sys
from adamas.engine.cpu.segment import kernels
from adamas.engine.step import Shape
from adamas.rules import ROLL

def main_form(rule):
    options = {name: values[0] for name, values in rule.options.items()} | {name: False for name in rule.derived}
    return rule.resolve(options)

out = {}
for rule in ROLL.values():
    for name in ("float32", "float64")[: 1 if rule.name.endswith("W") else 2]:  # twins differ by one product
        form = main_form(rule)
        run = kernels(form, Shape(decay=rule.decay), (name,) * (2 + len(form.slots)))[0]["run"].run
        out[f"{rule.name} {name}"] = "".join(run.inspect_asm(s) for s in run.signatures)
json.dump(out, sys.stdout)
"""


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Compiled anew in an empty cache: Numba shows no assembly of cached code."""
    import os

    environment = {**os.environ, "ADAMAS_CACHE_DIR": str(tmp_path_factory.mktemp("kernels"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, cwd=Path(__file__).parent
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def uses(rule: Any) -> set[str]:
    """Which of sqrt and division the element part of a rule's main form contains."""
    options = {name: values[0] for name, values in rule.options.items()} | dict.fromkeys(rule.derived, False)
    resolved = rule.resolve(options)
    nodes = [n for _, e in resolved.program.element_lines for n in ast.walk(e)]
    nodes += [n for v in resolved.outputs.values() if v.node is not None for n in ast.walk(v.node)]
    found = set()
    if any(isinstance(n, ast.Call) and getattr(n.func, "id", "") == "sqrt" for n in nodes):
        found.add("sqrt")
    if any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) for n in nodes):
        found.add("div")
    return found


FUSED = r"v?fn?m(add|sub)\d*[ps][sd]"


def packed(operation: str, name: str, text: str) -> int:
    """How many packed instructions of an operation there are."""
    return len(re.findall(rf"\bv?{operation}p{'s' if name == 'float32' else 'd'}\b", text))


KERNELS = [
    (rule, name) for rule in ROLL.values() for name in ("float32", "float64") if rule in MEMBERS or name == "float32"
]


@pytest.mark.parametrize(("rule", "name"), KERNELS, ids=lambda v: getattr(v, "name", v))
def test_kernels_use_packed_instructions(rule: Any, name: str, assembly: dict[str, str]) -> None:
    text = assembly[f"{rule.name} {name}"]
    assert packed("mul", name, text) > 0
    for operation in uses(rule):
        assert packed(operation, name, text) > 0, operation
    assert not re.search(FUSED, text), "a fused multiply-add rounds once where NumPy rounds twice"


def test_most_members_divide_and_take_roots() -> None:
    """The table above is not empty by accident."""
    assert sum("sqrt" in uses(rule) for rule in MEMBERS) >= 11
    assert sum("div" in uses(rule) for rule in MEMBERS) >= 12
    assert uses(MEMBERS[0]) == set()  # SGD


def test_a_loop_that_is_not_vectorised_is_seen() -> None:
    """A loop whose every element waits for the one before has square roots and quotients, but no packed ones."""
    import math

    import numba

    @numba.njit("void(float32[::1])", error_model="numpy")
    def chained(x: Any) -> None:
        for i in range(1, x.size):
            x[i] = math.sqrt(x[i - 1]) / (x[i] + x[i - 1])

    (text,) = chained.inspect_asm().values()
    assert re.search(r"\bv?sqrtss\b", text)
    assert re.search(r"\bv?divss\b", text)
    assert packed("sqrt", "float32", text) == packed("div", "float32", text) == 0


def test_a_contracted_product_is_seen() -> None:
    """With contraction allowed, Numba writes fused multiply-adds where the processor has them."""
    import llvmlite.binding as llvm
    import numba

    if not llvm.get_host_cpu_features().get("fma"):
        pytest.skip("this processor has no fused multiply-add")

    @numba.njit("void(float32[::1], float32[::1])", fastmath={"contract"}, error_model="numpy")
    def contracted(x: Any, y: Any) -> None:
        for i in range(x.size):
            x[i] = x[i] * y[i] + x[i]

    (text,) = contracted.inspect_asm().values()
    assert re.search(FUSED, text)
