"""Python threads, forks, other libraries' threads, and processes that share or lack a cache folder."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adamas
from adamas.engine.cpu.pool import ACKNOWLEDGED, AWAKE, POOL, SEQUENCE
from snapshots import GUARD, SOURCE, bits, python

LARGE = 300_000  # elements: enough for several threads
KINDS = ("Adam", "NAdam", "Momentum", "AdamW")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = adamas.get_num_threads()
    adamas.set_num_threads(2)
    yield
    adamas.set_num_threads(before)


def data(seed: int, size: int = LARGE) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(size), rng.standard_normal(size)


def at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    """Results of functions that run in Python threads and begin together."""
    gate, results, errors = threading.Barrier(len(tasks)), [None] * len(tasks), []

    def run(k: int) -> None:
        try:
            gate.wait()
            results[k] = tasks[k]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]
    return results


def steps(name: str, seed: int, count: int, size: int = LARGE, **arguments: Any) -> Any:
    opt = adamas.get(name)(**arguments)
    p, g = data(seed, size)
    for k in range(count):
        opt.step(p, g if k % 2 else g.copy())
    return bits((p, opt.state_dict()))


@pytest.mark.parametrize("size", [10, LARGE])
def test_different_optimizers_at_once(size: int) -> None:
    """Four Python threads, each with an optimizer of its own: what each would have got alone."""
    count = 6 if size == LARGE else 300
    alone = [steps(name, k, count, size, clip_norm=1.0) for k, name in enumerate(KINDS)]
    for _ in range(3):
        together = at_once(
            [lambda k=k, name=name: steps(name, k, count, size, clip_norm=1.0) for k, name in enumerate(KINDS)]
        )
        assert together == alone


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("size", [10, LARGE])
def test_one_optimizer_by_many_threads(size: int, backend: str) -> None:
    """n threads of k steps each are n * k steps; with equal gradients the order does not matter."""
    if backend == "reference" and size == LARGE:
        size = 1000
    number, count = 4, 5 if size == LARGE else 50
    serial, p = adamas.NAdam(backend=backend), data(0, size)[0]
    g = data(0, size)[1]
    for _ in range(number * count):
        serial.step(p, g)
    opt, q = adamas.NAdam(backend=backend), data(0, size)[0]

    def run() -> None:
        for _ in range(count):
            opt.step(q, g)

    at_once([run] * number)
    assert opt.t == number * count
    assert bits((q, opt.state_dict())) == bits((p, serial.state_dict()))


def test_reading_and_assigning_beside_steps() -> None:
    """state_dict(), load_state_dict(), assignment and repr from other threads see whole steps only."""
    opt, (p, g) = adamas.SGD(lr=1.0), data(1, 2000)
    p[...], g[...] = 0.0, 1.0
    momentum, q = adamas.Momentum(lr=1.0, momentum=1.0), np.zeros(2000)
    stop = threading.Event()
    seen: list[list[tuple[int, float, float]]] = [[], []]

    def step() -> int:
        """At least 300 steps, and until each watcher has seen 20 states, whoever gets the processor."""
        count = 0
        try:
            while not stop.is_set() and (count < 300 or min(len({t for t, *_ in list(one)}) for one in seen) < 20):
                opt.step(p, g)
                momentum.step(q, g)
                count += 1
        finally:
            stop.set()
        return count

    def watch(one: list[tuple[int, float, float]]) -> None:
        try:
            while not stop.is_set():
                state = momentum.state_dict()
                v = state["state"].get("", {"v": np.zeros(1)})["v"]
                one.append((state["t"], v.min(), v.max()))
                opt.weight_decay = 0.0
                repr(momentum)
        finally:
            stop.set()  # one that fails ends the others

    count, *_ = at_once([step, lambda: watch(seen[0]), lambda: watch(seen[1])])
    assert p[0] == -count
    assert all(t == low == high for one in seen for t, low, high in one)


def test_threads_set_between_steps_change_no_bit() -> None:
    results = []
    for pattern in ((1, 1, 1, 1), (2, 1, 3, 2), (4, 4, 1, 2)):
        opt, (p, g) = adamas.Adam(clip_norm=0.5), data(2)
        for number in pattern:
            adamas.set_num_threads(number)
            opt.step(p, g)
        results.append(bits((p, opt.state_dict(), opt.last_norm)))
    assert results[0] == results[1] == results[2]


# -- fork ----------------------------------------------------------------------------------------------------
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_child(function: Callable[[], bool]) -> int:
    """Exit code of a forked child: 0 if the function says so; a child that hangs ends itself."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(GUARD))
        code = 3
        try:
            code = 0 if function() else 1
        except BaseException:
            code = 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@forking
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_step_after_fork() -> None:
    """The child goes on with two threads, with the parent's optimizer and with its own; the parent is untouched."""
    expected = [steps(name, 3, 4) for name in KINDS]
    opt, (p, g) = adamas.Adam(), data(3)
    for _ in range(2):
        opt.step(p, g)  # workers exist now
    twin, q = adamas.Adam(), data(3)[0]
    for _ in range(4):
        twin.step(q, g)

    def child() -> bool:
        for _ in range(2):
            opt.step(p, g)
        own = [steps(name, 3, 4) for name in KINDS]
        assert any(t.name.startswith("adamas") and t.is_alive() for t in threading.enumerate())  # a worker of its own
        return bits((p, opt.state_dict())) == bits((q, twin.state_dict())) and own == expected

    assert in_child(child) == 0
    assert opt.t == 2
    for _ in range(2):
        opt.step(p, g)
    assert bits((p, opt.state_dict())) == bits((q, twin.state_dict()))


@forking
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork_while_another_thread_steps() -> None:
    """Locks and workers of the other thread do not reach the child, however the fork falls."""
    expected = steps("Adam", 4, 3)
    busy, (p, g) = adamas.Adam(), data(5)
    busy.step(p, g)
    stop = threading.Event()

    def step() -> None:
        while not stop.is_set():
            busy.step(p, g)

    def child() -> bool:
        mine = adamas.Adam()
        x = np.ones(3)
        mine.step(x, x.copy())
        busy.reset()  # its lock is free here, whatever its owner did
        return steps("Adam", 4, 3) == expected

    thread = threading.Thread(target=step)
    thread.start()
    try:
        for _ in range(8):
            assert in_child(child) == 0
    finally:
        stop.set()
        thread.join(GUARD)


@forking
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_exit_code_of_a_child_that_fails_is_seen() -> None:
    """The two tests above can fail."""
    assert in_child(lambda: False) == 1
    assert in_child(lambda: bool(signal.setitimer(signal.ITIMER_REAL, 0.01) and signal.pause())) == -signal.SIGALRM


# -- beside torch --------------------------------------------------------------------------------------------
def test_beside_torch() -> None:
    """torch's OpenMP regions before, between and in another thread at once with our steps."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(2)
    expected = steps("AdamW", 6, 6)
    a = torch.arange(400_000, dtype=torch.float64)
    opt, (p, g) = adamas.AdamW(), data(6)
    for k in range(6):
        total = float((a * 2).sum())
        opt.step(p, g if k % 2 else g.copy())
        assert total == 399_999.0 * 400_000
    assert bits((p, opt.state_dict())) == expected

    def torch_work() -> float:
        return [float((a * 2).sum()) for _ in range(30)][-1]

    results = at_once([lambda: steps("AdamW", 6, 6), torch_work, lambda: steps("AdamW", 6, 6)])
    assert results == [expected, 399_999.0 * 400_000, expected]


# -- the cache -----------------------------------------------------------------------------------------------
ONE_STEP = """
import json, sys
import numpy as np
import adamas
p = np.arange(5.0)
opt = adamas.get(sys.argv[1] if len(sys.argv) > 1 else "SGD")()
opt.step(p, np.ones(5))
print(json.dumps({"p": p.tolist(), "folder": adamas.info()["cache_folder"], "kernels": adamas.info()["cached_kernels"]}))
"""


def one_step(*arguments: str, **environment: str | None) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(python(ONE_STEP, *arguments, **environment))
    return result


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time of change."""
    return {
        str(f.relative_to(folder)): (f.stat().st_size, f.stat().st_mtime_ns) for f in folder.rglob("*") if f.is_file()
    }


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    """Kernels are found in ADAMAS_CACHE_DIR: no file is added and none is written anew; another number changes nothing."""
    first = one_step(ADAMAS_CACHE_DIR=str(tmp_path))
    files = listing(tmp_path)
    assert first["folder"] == str(tmp_path)
    assert first["kernels"] == len(list(tmp_path.glob("adamas_*.py"))) >= 1
    assert any(name.endswith(".nbc") for name in files)
    assert any(name.startswith("adamas_SGD_") for name in files)
    assert one_step(ADAMAS_CACHE_DIR=str(tmp_path)) == first
    assert listing(tmp_path) == files
    one_step("Lion", ADAMAS_CACHE_DIR=str(tmp_path))  # the comparison can fail: another rule leaves other files
    assert listing(tmp_path).keys() > files.keys()


RULE = """
import adamas
@adamas.rule
def mine(p, g, v, *, lr=0.5, decay_rate=0.25):
    v = decay_rate * v + g
    return p - lr * v, v
"""


def test_two_processes_compile_one_new_rule_at_once(tmp_path: Path) -> None:
    """An empty folder, three processes, one rule: all are right, and what is left serves the next."""
    rule, folder = tmp_path / "rule.py", tmp_path / "kernels"
    rule.write_text(RULE)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "ADAMAS_CACHE_DIR": str(folder)}
    command = [sys.executable, "-W", "error", "-c", ONE_STEP, f"{rule}:mine"]
    running = [subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True) for _ in range(3)]
    ended = [process.communicate(timeout=GUARD) for process in running]
    for process, (out, err) in zip(running, ended, strict=True):
        assert process.returncode == 0, err
        assert json.loads(out)["p"] == [-0.5, 0.5, 1.5, 2.5, 3.5]
    assert not list(folder.glob("*.tmp"))
    files = listing(folder)
    assert one_step(f"{rule}:mine", ADAMAS_CACHE_DIR=str(folder))["p"] == [-0.5, 0.5, 1.5, 2.5, 3.5]
    assert listing(folder) == files


def obey_permissions() -> None:
    """In a new process, before its program starts: permissions bind root as well (Linux; others are bound anyway)."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and sys.platform == "linux":
        drop, override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE (linux/prctl.h, linux/capability.h)
        ctypes.CDLL(None).prctl(drop, override, 0, 0, 0)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's affinity")
def test_only_our_own_threads_are_placed() -> None:
    """A woken worker keeps off the caller's processor, within what the process may use; the caller stays as it was."""
    allowed = os.sched_getaffinity(0)
    start, opt = np.linspace(-1, 1, 150_000), adamas.Adam()
    opt.step(start, np.cos(start))
    assert os.sched_getaffinity(0) == allowed
    (worker,) = [t for t in threading.enumerate() if t.name == "adamas-1"]
    words = POOL.workers[0].words
    try:
        for here in sorted(allowed):
            while words[AWAKE] or words[SEQUENCE] != words[ACKNOWLEDGED]:
                time.sleep(0.001)  # until the worker sleeps: only one that is woken is placed
            os.sched_setaffinity(0, {here})
            opt.step(start, np.cos(start))
            assert os.sched_getaffinity(0) == {here}
            assert os.sched_getaffinity(worker.native_id or 0) == (allowed - {here} or allowed)
    finally:
        os.sched_setaffinity(0, allowed)


def test_nowhere_to_write(tmp_path: Path) -> None:
    """HOME and the named folder cannot be had: kernels go to a temporary folder, and info() says so."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")  # no folder can be made below it, whoever asks
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    variables: dict[str, str | None] = {
        "HOME": str(blocked / "home"),
        "XDG_CACHE_HOME": None,
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    expected = one_step()["p"]
    for named in (None, str(blocked / "cache")):
        got = one_step(**variables, ADAMAS_CACHE_DIR=named)
        assert got["p"] == expected
        assert Path(got["folder"]).parent == temporary
        assert Path(got["folder"]).name.startswith("adamas-")


def test_folder_that_cannot_be_had_falls_back_to_the_users(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    home = tmp_path / "home"
    home.mkdir()
    got = one_step(ADAMAS_CACHE_DIR=str(tmp_path / "file" / "x"), HOME=str(home), XDG_CACHE_HOME=None)
    if sys.platform == "linux":
        assert got["folder"] == str(home / ".cache" / "adamas")


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be made read-only by mode")
def test_read_only_package_and_home(tmp_path: Path) -> None:
    """A package and a home that cannot be written to: it runs, leaves no file there, and compiles elsewhere."""
    package, home, temporary = tmp_path / "package", tmp_path / "home", tmp_path / "temporary"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    temporary.mkdir()
    environment = {n: v for n, v in os.environ.items() if n not in ("ADAMAS_CACHE_DIR", "XDG_CACHE_HOME")}
    environment |= {"PYTHONPATH": str(package), "HOME": str(home), "TMPDIR": str(temporary)}

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=GUARD,
            preexec_fn=obey_permissions,
        )  # fmt: skip

    folders = [f for top in (package, home) for f in (top, *top.rglob("*")) if f.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        if run(f"open({str(home / 'x')!r}, 'w')").returncode == 0:
            pytest.skip("permissions do not bind this user")
        before = listing(package), listing(home)
        done = run(ONE_STEP)
        assert done.returncode == 0, done.stderr
        assert Path(json.loads(done.stdout)["folder"]).parent == temporary
        assert (listing(package), listing(home)) == before
    finally:
        for folder in folders:
            folder.chmod(0o755)
