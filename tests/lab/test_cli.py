"""The console script: overview, tables, missing libraries, laziness."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_race import invoke

import adamas
from adamas.lab import cli
from snapshots import GUARD

ROOT = Path(__file__).parents[2]


def test_overview_names_the_commands() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for name in ("compare", "fit", "minimize", "rules", "info"):
        assert f"\n  {name} " in result.stdout
    assert invoke("--version").stdout == f"adamas, version {adamas.__version__}\n"
    assert invoke("nosuch").exit_code == 2


def test_rules_table_comes_from_the_roll() -> None:
    rows = json.loads(invoke("rules", "--json").stdout)
    assert [row["name"] for row in rows] == list(adamas.members())
    by_name = {row["name"]: row for row in rows}
    assert by_name["Adam"] == {
        "name": "Adam", "adaptive": "yes", "momentum": "yes", "bias_correction": "yes", "hyper_parameters": 4,
        "f32_state_bytes_per_param": 8, "defaults": {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        "source": "Kingma & Ba 2015, Algorithm 1",
    }  # fmt: skip
    state = {name: by_name[name]["f32_state_bytes_per_param"] for name in by_name}
    assert state["SGD"] == 0
    assert state["Momentum"] == state["Adagrad"] == state["RMSprop"] == state["Lion"] == 4
    assert state["Adadelta"] == state["Adamax"] == state["NAdam"] == 8
    assert state["AMSGrad"] == state["AdEMAMix"] == 12
    counts = {name: by_name[name]["hyper_parameters"] for name in by_name}
    assert counts["SGD"] == 1
    assert counts["Momentum"] == 2
    assert counts["AdamW"] == 5
    assert by_name["AdamW"]["defaults"]["weight_decay"] == 0.01
    text = invoke("rules").stdout
    assert "…" not in text
    for row in rows:
        (line,) = (x for x in text.splitlines() if x.split()[:1] == [row["name"]])
        assert row["source"] in line


def test_info() -> None:
    facts = json.loads(invoke("info", "--json").stdout)
    assert facts == json.loads(json.dumps(adamas.info()))
    text = invoke("info").stdout
    assert "versions.numpy" in text
    assert str(adamas.info()["cpu"]) in text


def test_a_missing_library_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = cli.find_spec
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name in ("rich", "sklearn") else real(name))
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "adamas: the command line needs rich, scikit-learn; install with: pip install 'adamas[lab]'\n"


def test_without_any_extra_library_the_script_still_answers() -> None:
    """A fresh interpreter in which none of the extra libraries can be found or imported."""
    code = (
        "import sys\n"
        "banned = {'click', 'rich', 'matplotlib', 'jinja2', 'sklearn', 'scipy'}\n"
        "class Ban:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in banned: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Ban())\n"
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n in banned else real(n, p)\n"
        "from adamas.lab.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=GUARD, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'adamas[lab]'" in done.stderr


def test_importing_the_laboratory_loads_none_of_its_libraries() -> None:
    libraries = ["click", "rich", "matplotlib", "jinja2", "sklearn"]
    code = f"import adamas.lab, sys; print([name for name in {libraries} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=GUARD, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_resolve_and_others_do_not() -> None:
    import adamas.lab

    for name in adamas.lab.__all__:
        assert getattr(adamas.lab, name) is not None
    assert callable(adamas.lab.fit)
    assert callable(adamas.lab.compare)
    with pytest.raises(AttributeError, match="it has SURFACES"):
        _ = adamas.lab.nosuch  # type: ignore[attr-defined]


def test_nothing_outside_imports_the_laboratory() -> None:
    package = Path(adamas.__file__).parent
    files = [path for path in package.rglob("*.py") if (package / "lab") not in path.parents]
    assert len(files) > 10
    for path in files:
        text = path.read_text()
        assert "adamas.lab" not in text.replace("adamas.lab.cli", ""), path
        assert "from .lab" not in text, path
        assert "import lab" not in text, path


def test_small_files() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "src/adamas/lab").glob("*.py")}
    assert max(lengths.values()) <= 400, lengths
