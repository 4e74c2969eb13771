"""Write the measured tables of the READMEs from what the commands printed.

Usage: python bench/tables.py SPEED.json SUMMARY.json
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
    },
    "README.zh-CN.md": {
        "bench": "| 项目 | 元素数 | 我们 | | 对手 | | 对手 / 我们 | 目标 |",
        "race": "| 优化器 | 自适应 | 动量 | 偏差修正 | 超参数个数 | 状态 字节/参数 "
        "| 损失降到 0.2 的步数（softmax；小网络） | 测试准确率（softmax；小网络） |",
        "machine": "{cpu}，{threads} 线程，{vector}；{versions}。中位数；由 `adamas bench` 测得。",
    },
}


def time_text(us: float) -> str:
    """A duration with its unit."""
    return f"{us / 1000:,.1f} ms" if us >= 1000 else f"{us:.1f} us"


def bench_table(speed: dict[str, Any], head: dict[str, str]) -> str:
    lines = [head["bench"], "|---|--:|---|--:|---|--:|--:|--:|"]
    for row in speed["rows"]:
        known = row["ratio"] is not None and not math.isnan(row["ratio"])
        ratio = f"{row['ratio']:.2f}" if known else ""
        bar = "" if row["bar"] is None else f"≥ {row['bar']:g}"
        bar = {"two": "≤ 10 us", "first-use": "≤ 1 s"}.get(row["case"], bar)
        missed = " (missed)" if row["met"] is False else ""
        lines.append(
            f"| {row['case']} | {row['elements']:,} | {row['ours']} | {time_text(row['ours_us'])} "
            f"| {row['peer']} | {time_text(row['peer_us'])} | {ratio} | {bar}{missed} |"
        )
    facts = speed["machine"]
    versions = ", ".join(f"{n} {facts['versions'][n]}" for n in ("numpy", "numba", "torch") if n in facts["versions"])
    machine = head["machine"].format(
        cpu=facts["cpu"], threads=facts["threads"], vector=facts["vector_instructions"], versions=versions
    )
    return "\n".join([*lines, "", machine])


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


def main() -> None:
    """Fill the marked places of both READMEs."""
    speed, summary = (json.loads(Path(a).read_text(encoding="utf-8")) for a in sys.argv[1:3])
    for name, head in HEADS.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        for mark, table in (("bench", bench_table(speed, head)), ("race", race_table(summary, head))):
            text = re.sub(
                rf"<!-- {mark} -->.*?<!-- /{mark} -->",
                f"<!-- {mark} -->\n{table}\n<!-- /{mark} -->",
                text,
                flags=re.DOTALL,
            )
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
