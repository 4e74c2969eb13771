"""Write the measured tables of the READMEs from what the commands printed.

Usage: python bench/tables.py SPEED.json SUMMARY.json TORCH.json

Each stands between a pair of marks: `<!-- bench -->`, `<!-- race -->`, `<!-- torch -->` and the same with a slash.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HEADS = {
    "README.md": {
        "bench": "| race | elements | ours | | peer | | peer / ours | bar |",
        "race": "| optimizer | adaptive | momentum | bias correction | hyper-parameters | state B/param "
        "| steps to loss 0.2 (softmax; net) | test accuracy (softmax; net) |",
        "machine": "{cpu}, {threads} threads, {vector}; {versions}. Medians; `adamas bench`.",
        "torch": "| race | elements | ours | | peer | | peer / ours (quartiles) | bar |",
        "torch machine": "{cpu}, {threads} threads, {vector}; {versions}. Medians and quartiles; `adamas bench torch`.",
    },
    "README.zh-CN.md": {
        "bench": "| 项目 | 元素数 | 我们 | | 对手 | | 对手 / 我们 | 目标 |",
        "race": "| 优化器 | 自适应 | 动量 | 偏差修正 | 超参数个数 | 状态 字节/参数 "
        "| 损失降到 0.2 的步数（softmax；小网络） | 测试准确率（softmax；小网络） |",
        "machine": "{cpu}，{threads} 线程，{vector}；{versions}。中位数；由 `adamas bench` 测得。",
        "torch": "| 项目 | 元素数 | 我们 | | 对手 | | 对手 / 我们（四分位） | 目标 |",
        "torch machine": "{cpu}，{threads} 线程，{vector}；{versions}。中位数与四分位数；`adamas bench torch`。",
    },
}


def time_text(us: float) -> str:
    """A duration with its unit."""
    return f"{us / 1000:,.1f} ms" if us >= 1000 else f"{us:.1f} us"


def bench_table(speed: dict[str, Any], head: dict[str, str]) -> str:
    lines = [head["bench"], RULE, *(row_text(row, spread=False) for row in speed["rows"])]
    return "\n".join([*lines, "", machine_text(speed, head["machine"])])


def torch_table(run: dict[str, Any], head: dict[str, str]) -> str:
    lines = [head["torch"], RULE, *(row_text(row, spread=True) for row in run["rows"])]
    return "\n".join([*lines, "", machine_text(run, head["torch machine"])])


RULE = "|---|--:|---|--:|---|--:|--:|--:|"


def row_text(row: dict[str, Any], spread: bool) -> str:
    known = row["ratio"] is not None and not math.isnan(row["ratio"])
    ratio = f"{row['ratio']:.2f}" if known else ""
    if known and spread:
        ratio += f" ({row['ratio_low']:.2f}–{row['ratio_high']:.2f})"
    bar = "" if row["bar"] is None else f"≥ {row['bar']:g}"
    bar = {"two": "≤ 10 us", "first-use": "≤ 1 s"}.get(row["case"], bar)
    missed = " (missed)" if row["met"] is False else ""
    return (
        f"| {row['case']} | {row['elements']:,} | {row['ours']} | {time_text(row['ours_us'])} "
        f"| {row['peer']} | {time_text(row['peer_us'])} | {ratio} | {bar}{missed} |"
    )


def machine_text(run: dict[str, Any], form: str) -> str:
    facts = run["machine"]
    versions = ", ".join(f"{n} {facts['versions'][n]}" for n in ("numpy", "numba", "torch") if n in facts["versions"])
    return form.format(
        cpu=facts["cpu"], threads=facts["threads"], vector=facts["vector_instructions"], versions=versions
    )


def race_table(summary: dict[str, Any], head: dict[str, str]) -> str:
    lines = [head["race"], "|---|---|---|---|--:|--:|--:|--:|"]
    softmax, net = (summary["problems"][n]["columns"]["tuned"] for n in ("digits-softmax", "digits-mlp"))
    for name, facts in summary["facts"].items():
        if name not in softmax:
            continue
        steps = "; ".join(f"{one[name]['steps_to_target']['0.2']['median'] or '–'}" for one in (softmax, net))
        accuracy = "; ".join(f"{100 * one[name]['test_accuracy']['median']:.1f} %" for one in (softmax, net))
        lines.append(
            f"| {name} | {facts['adaptive']} | {facts['momentum']} | {facts['bias_correction']} "
            f"| {facts['hyper_parameters']} | {facts['f32_state_bytes_per_param']:g} | {steps} | {accuracy} |"
        )
    return "\n".join(lines)


def fill(path: Path, tables: dict[str, str]) -> None:
    """Put each table between its marks."""
    text = path.read_text(encoding="utf-8")
    for mark, table in tables.items():
        filled = f"<!-- {mark} -->\n{table}\n<!-- /{mark} -->"
        text, found = re.subn(rf"<!-- {mark} -->.*?<!-- /{mark} -->", lambda _, t=filled: t, text, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{path.name}: <!-- {mark} --> is there {found} times; it must be there once.")
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Fill the marked places of both READMEs."""
    speed, summary, run = (json.loads(Path(a).read_text(encoding="utf-8")) for a in sys.argv[1:4])
    for name, head in HEADS.items():
        tables = {
            "bench": bench_table(speed, head), "race": race_table(summary, head), "torch": torch_table(run, head),
        }  # fmt: skip
        fill(ROOT / name, tables)


if __name__ == "__main__":
    main()
