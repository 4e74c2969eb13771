"""Problems from a user's files: they are learnt, raced from the command line, and refused with the place of the fault."""

from __future__ import annotations

import csv
import gzip
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from small_race import invoke

import adamas
from adamas.lab.errors import InputError
from adamas.lab.filenames import file_stem
from adamas.lab.problems import Problem, get_problem
from adamas.lab.problems.files import ClassesProblem
from adamas.lab.problems.ratings import RatingsProblem
from adamas.lab.problems.selftest import check
from adamas.lab.problems.tables import TableProblem
from adamas.lab.race import default_folder
from adamas.lab.records import read_runs
from adamas.lab.trial import Trial, run_trial

PATTERNS = np.random.default_rng(3).integers(0, 2, (3, 6, 6)) * 200
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: np.ndarray) -> bytes:
    """Unsigned bytes in the format of MNIST."""
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """mpg = 3 weight - 2 power + 1 and a little noise."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2)) * [1.0, 5.0]
    y = x @ [3.0, -2.0] + 1 + 0.1 * rng.normal(size=60)
    return write_rows(tmp_path / "cars.csv", ("weight", "power", "mpg"), np.column_stack([x, y]).tolist())


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """Two clouds of points with the texts "left" and "right" for labels."""
    rng = np.random.default_rng(2)
    right = rng.random(120) < 0.5
    np.savez(
        tmp_path / "clouds.npz",
        x=rng.normal(size=(120, 2)) + np.where(right, 4.0, -4.0)[:, None],
        y=np.where(right, "right", "left"),
    )
    return tmp_path / "clouds.npz"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three patterns of 6 x 6 pixels with noise, as a pair of IDX files."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 150).astype(np.uint8)
    pixels = PATTERNS[labels] + rng.integers(0, 50, (150, 6, 6))
    (tmp_path / IMAGES).write_bytes(idx(pixels.astype(np.uint8)))
    (tmp_path / LABELS).write_bytes(idx(labels))
    return tmp_path / IMAGES


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """12 users of two tastes rate 10 films of two kinds, each pair once; the columns of MovieLens."""
    rows = [
        (f"u{user}", film, 4.5 if user % 2 == film % 2 else 1.5, 1_100_000_000 + 60 * user)
        for user in range(12)
        for film in range(10)
    ]
    return write_rows(tmp_path / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), rows)


def trained(problem: Problem, lr: float, steps: int) -> Trial:
    trial = run_trial(problem, adamas.Adam(lr=lr), 0, steps)
    assert trial.status == "ok"
    return trial


def test_a_table_is_fitted_to_the_least_squares_of_its_rows(table: Path) -> None:
    problem = get_problem(f"file:{table}")
    assert isinstance(problem, TableProblem)
    data = np.loadtxt(table, delimiter=",", skiprows=1)
    x, y = data[:, :2], data[:, 2]
    (*slopes, _), residual, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(60)]), y, rcond=None)
    assert slopes == pytest.approx([3, -2], abs=0.05)
    # in the units of the model every column has mean 0 and deviation 1
    best = problem.optimum()["weight"][:, 0]
    np.testing.assert_allclose(best, slopes * x.std(axis=0) / y.std(), rtol=1e-12)
    assert problem.subtracted == pytest.approx(residual[0] / (2 * 60) / y.var(), rel=1e-9)

    trial = trained(problem, 0.03, 600)
    assert trial.valid[0] == pytest.approx(0.5, abs=0.02)
    assert problem.targets == (2.5e-3, 1e-3, 5e-4, 1.5e-4, 5e-5)
    assert trial.valid[-1] < 5e-5


def test_another_column_is_the_target(table: Path) -> None:
    problem = get_problem(f"file:{table}:power")
    assert problem.title.endswith("60 rows of 2 features, target power")
    data = np.loadtxt(table, delimiter=",", skiprows=1)
    slopes = np.linalg.lstsq(np.column_stack([data[:, [0, 2]], np.ones(60)]), data[:, 1], rcond=None)[0][:2]
    best = problem.optimum()["weight"][:, 0]
    np.testing.assert_allclose(best, slopes * data[:, [0, 2]].std(axis=0) / data[:, 1].std(), rtol=1e-12)


def test_labels_of_an_npz_file_are_told_apart(arrays: Path) -> None:
    problem = get_problem(f"file:{arrays}")
    assert isinstance(problem, ClassesProblem)
    assert (len(problem.train[1]), len(problem.valid[1])) == (96, 24)
    trial = trained(problem, 0.1, 100)
    assert problem.targets == (0.62, 0.49, 0.35, 0.21, 0.14)  # shares of log 2
    assert trial.valid[0] > 0.62
    assert trial.valid[-1] < 0.02


def test_images_in_the_format_of_mnist_are_told_apart(images: Path) -> None:
    problem = get_problem(f"file:{images}")
    assert problem.start(0)["layer1.weight"].shape == (36, 32)
    assert problem.start(0)["layer2.weight"].shape == (32, 3)
    trial = trained(problem, 0.01, 60)
    assert problem.targets[-1] == 0.22  # a fifth of log 3
    assert trial.valid[-1] < 0.22

    packed = images.with_name(IMAGES + ".gz")
    packed.write_bytes(gzip.compress(images.read_bytes()))
    (images.with_name(LABELS + ".gz")).write_bytes(gzip.compress(images.with_name(LABELS).read_bytes()))
    assert trained(get_problem(f"file:{packed}"), 0.01, 60).valid == trial.valid


def test_tastes_are_found_in_ratings(ratings: Path) -> None:
    problem = get_problem(f"ratings:{ratings}")
    assert isinstance(problem, RatingsProblem)
    assert (problem.users, problem.items) == (12, 10)
    trial = trained(problem, 0.03, 200)
    assert trial.train[0] == pytest.approx(0.5, abs=0.01)
    assert trial.valid[-1] < 0.05


@pytest.mark.parametrize("kind", ["table", "arrays", "images", "ratings"])
def test_the_self_test_finds_no_defect(kind: str, request: pytest.FixtureRequest) -> None:
    prefix = "ratings" if kind == "ratings" else "file"
    assert check(get_problem(f"{prefix}:{request.getfixturevalue(kind)}")) == []


@pytest.mark.parametrize("kind", ["table", pytest.param("ratings", marks=pytest.mark.slow)])
def test_compare_without_out_makes_a_folder_of_a_plain_name(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an absolute path: neither its slashes nor the colon end up in a file name."""
    name = f"{'ratings' if kind == 'ratings' else 'file'}:{request.getfixturevalue(kind)}"
    monkeypatch.chdir(tmp_path)
    words = ("--optimizers", "adam,sgd", "--lr-grid", "0.03", "--steps", "20", "--seeds", "5", "--quiet")
    result = invoke("compare", name, *words)
    assert result.exit_code == 0, result.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith(f"{file_stem(name)}-2")
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert f"{file_stem(name)}-loss.png" in figures
    assert not any(":" in path.name for path in tmp_path.rglob("*"))
    runs = [run for run in read_runs(folder) if run.heading.optimizer == "Adam" and run.heading.lr == 0.03]
    (first,) = [run for run in runs if run.heading.seed == 0]
    assert first.heading.problem == name
    assert first.trial.valid == trained(get_problem(name), 0.03, 20).valid


def test_file_stems() -> None:
    assert file_stem("illcond-rotated-1e4") == "illcond-rotated-1e4"
    assert file_stem("file:my data/cars.csv:mpg").startswith("file-my-data-cars.csv-mpg-")
    assert file_stem("file:a/b.csv") != file_stem("file:a-b.csv")
    assert file_stem("file:数据.csv").startswith("file-数据.csv-")
    assert len(file_stem("file:/" + "long/" * 100 + "cars.csv")) < 80
    assert default_folder(["file:a/b.csv", "file:a/c.csv"]).name.startswith("race-2")


BAD_TABLES: list[tuple[str, str, str]] = [
    ("a,y\n1,2\n3,4.5\n", ":z", "cars.csv: no column 'z'; the columns are: a, y"),
    ("a,y\n1,2\nred,3\n", "", "cars.csv, line 3, column 'a': 'red' is text, not a number - write a number there, "
     "or leave out the column 'a'"),
    ("a,y\n1,2\n,3\n", "", "cars.csv, line 3, column 'a': missing value - fill it in, leave out such rows, "
     "or leave out the column 'a'"),
    ("a,y\n1,2\n3\n", "", "cars.csv, line 3: 1 values for 2 columns"),
    ("a,y\n1,2\n3,2\n4,2\n", "", "the target 'y' is 2.0 in every row; there is nothing to learn"),
    ("y\n1\n2\n", "", "no columns left to predict 'y' from"),
    ("a,y\n1,red\n2,blue\n3,red\n", "", "3 rows of 2 classes; a race needs 10 rows and 2 classes or more"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "message"), BAD_TABLES)
def test_bad_tables(text: str, column: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cars.csv"
    path.write_text(text)
    refused(f"file:{path}{column}", message)
    assert "--" not in str(error_of(f"file:{path}{column}")), "a race has no --drop and no --skip-missing"


def cut_short(raw: bytes) -> bytes:
    return raw[:-5]


def other_magic(raw: bytes) -> bytes:
    return b"\0\0\x0d" + raw[3:]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_short, "5395 bytes for the shape (150, 6, 6); the file is cut short or damaged"),
        (lambda raw: raw + b"\0", "5401 bytes for the shape (150, 6, 6)"),
        (other_magic, "this is no IDX file of unsigned bytes; it must begin with 00 00 08"),
        (lambda raw: raw[:9], "this is no IDX file"),
        (lambda raw: b"", "this is no IDX file"),
        (lambda raw: idx(np.zeros((149, 6, 6), np.uint8)), "149 images, but labels of the shape (150,)"),
        (lambda raw: idx(np.zeros((0, 6, 6), np.uint8)), "0 images, but labels of the shape (150,)"),
    ],
)
def test_bad_images(spoil: Callable[[bytes], bytes], message: str, images: Path) -> None:
    images.write_bytes(spoil(images.read_bytes()))
    refused(f"file:{images}", message)


def test_images_without_labels_or_badly_packed(images: Path) -> None:
    packed = images.with_name(IMAGES + ".gz")
    packed.write_bytes(gzip.compress(images.read_bytes())[:-20])
    refused(f"file:{packed}", "cannot be unpacked")
    packed.write_bytes(images.read_bytes())
    refused(f"file:{packed}", "the file is damaged or no gzip file")
    images.with_name(LABELS).write_bytes(images.read_bytes())
    refused(f"file:{images}", "150 images, but labels of the shape (150, 6, 6)")
    images.with_name(LABELS).unlink()
    refused(f"file:{images}", f"there is no file '{images.with_name(LABELS)}'")


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"x": np.ones((20, 2))}, "the arrays are x; save x (rows, features) and y (rows,) into it"),
        (
            {"x": np.ones((20, 2)), "y": np.arange(19)},
            "x has shape (20, 2), y (19,): give (rows, features) and (rows,)",
        ),
        ({"x": np.full((20, 2), np.nan), "y": np.arange(20)}, "x[0, 0] = nan: values must be finite"),
        ({"x": np.full((20, 2), "a"), "y": np.arange(20)}, "x must hold numbers (could not convert string to float"),
        ({"x": np.array([None] * 20), "y": np.arange(20)}, "cannot be read (Object arrays cannot be loaded"),
        ({"x": np.ones((20, 2)), "y": np.linspace(0, 1, 20)}, "the features tell nothing about 'y'"),
    ],
)
def test_bad_arrays(saved: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **saved)
    refused(f"file:{tmp_path / 'data.npz'}", message)


def test_an_npz_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"a,y\n1,2\n")
    refused(f"file:{tmp_path / 'data.npz'}", "cannot be read (no NPZ file); save numbers with numpy.savez")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,film,rating\n1,2,3\n", "no column 'item'; the columns are: user, film, rating"),
        ("user,item,rating\n1,2,3\n1,3,good\n", "line 3: rating 'good' is no finite number; correct it"),
        ("user,item,rating\n1,2,3\n1,3\n", "line 3: rating None is no finite number"),
        ("user,item,rating\n1,2,3\n1,3,4\n", "2 ratings; a race needs 20 or more, and not all the same"),
        ("user,item,rating\n" + "1,2,3\n" * 30, "30 ratings; a race needs 20 or more, and not all the same"),
    ],
)
def test_bad_ratings(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    refused(f"ratings:{path}", message)


def test_files_that_are_not_there_or_of_no_known_kind(tmp_path: Path) -> None:
    refused("file:nowhere.csv", "problem 'file:nowhere.csv': there is no file 'nowhere.csv'; give a path that exists")
    (tmp_path / "data.xlsx").write_bytes(b"")
    refused(f"file:{tmp_path / 'data.xlsx'}", "give a file that ends in .csv or .npz, or an IDX file")


def error_of(name: str) -> InputError:
    with pytest.raises(InputError) as caught:
        get_problem(name)
    return caught.value


def refused(name: str, message: str) -> None:
    """From Python and from the command line, before anything is written."""
    assert message in str(error_of(name))
    result = invoke("compare", name, "--out", "never-made")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not Path("never-made").exists()
