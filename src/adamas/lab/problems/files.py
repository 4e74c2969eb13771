"""A user's own data as a problem: tables (CSV), arrays (NPZ), images (IDX, the format of MNIST), ratings (CSV).

file:PATH.csv            the last column is to be predicted
file:PATH.csv:COLUMN     that column is
file:PATH.npz            arrays x (rows, features) and y (rows,)
file:PATH-images-idx3-ubyte[.gz]   labels beside it, under the name with labels-idx1
ratings:PATH.csv         columns user, item, rating (or userId, movieId, rating)
"""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..csvdata import EDIT, Table, from_arrays, header_of, read_csv
from ..errors import InputError
from ..networks import DenseNetwork
from ..standardise import Scale
from .base import Problem, split
from .network_problem import NetworkProblem, Part
from .ratings import RatingsProblem, read_ratings
from .tables import LeastSquares, TableProblem

PREFIXES = ("file:", "ratings:")
MOST_CLASSES = 100
SHARES = (5e-3, 2e-3, 1e-3, 3e-4, 1e-4)
"""Targets of a regression: shares of the excess loss at the start."""


class ClassesProblem(NetworkProblem):
    """Softmax regression, or a network, on a user's classes; one part in five is held out.

    Args:
        name: As the user wrote it.
        x: Shape (rows, features).
        y: Class numbers from 0, shape (rows,).
        hidden: Units of the hidden layers.
    """

    best_known = 0.0
    evaluate_every = 10
    noise = "mini-batches of 64"
    tags = ("data", "user", "noisy")
    source = "the user's file"
    steps = 500

    def __init__(self, name: str, x: NDArray[Any], y: NDArray[np.intp], hidden: tuple[int, ...] = ()) -> None:
        classes = int(y.max(initial=-1)) + 1
        if len(y) < 10 or classes < 2:
            raise InputError(f"{name}: {len(y)} rows of {classes} classes; a race needs 10 rows and 2 classes or more")
        rest, held = split(len(y), 5)
        scale = Scale.of(x[rest].astype(np.float64))
        x = scale.apply(x).astype(np.float32)
        self.train, self.valid = (x[rest], y[rest]), (x[held], y[held])
        self.name = name
        self.network = DenseNetwork((x.shape[1], *hidden, classes))
        self.title = f"{name}: {len(y)} rows of {x.shape[1]} features, {classes} classes"
        guess = float(np.log(classes))
        self.targets = _targets(guess, (0.9, 0.7, 0.5, 0.3, 0.2))

    @property
    def parts(self) -> tuple[Part, Part]:
        return self.train, self.valid


def is_file(name: str) -> bool:
    """Whether a problem's name is a path of the user's."""
    return name.startswith(PREFIXES)


def open_file(name: str) -> Problem:
    """The problem that a file holds.

    Raises:
        InputError: No such file, or one that cannot be used; says why.
    """
    if name.startswith("ratings:"):
        path = _existing(name, name.removeprefix("ratings:"))
        return RatingsProblem(name, read_ratings(path))
    text = name.removeprefix("file:")
    if ".csv:" in text:
        stem, _, column = text.rpartition(":")
        return _of_table(name, read_csv(_existing(name, stem), column, advice=EDIT))
    path = _existing(name, text)
    if path.suffix == ".csv":
        return _of_table(name, read_csv(path, header_of(path)[-1], advice=EDIT))
    if path.suffix == ".npz":
        return _of_table(name, _read_npz(path))
    if "idx3-ubyte" in path.name:
        images, labels = read_idx(path), read_idx(_existing(name, str(_labels_beside(path))))
        if len(images) != len(labels) or labels.ndim != 1:
            raise InputError(
                f"{name}: {len(images)} images, but labels of the shape {labels.shape}; give files that belong together"
            )
        return ClassesProblem(name, images.reshape(len(images), -1) / 255.0, labels.astype(np.intp), (32,))
    raise InputError(f"{name}: give a file that ends in .csv or .npz, or an IDX file named ...idx3-ubyte[.gz]")


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An array in the IDX format: two zero bytes, type 8, number of axes, their lengths, then bytes.

    Raises:
        InputError: Another type, or a length that does not fit.
    """
    raw = path.read_bytes()
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: cannot be unpacked ({error}); the file is damaged or no gzip file") from error
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * raw[3]:
        raise InputError(f"{path}: this is no IDX file of unsigned bytes; it must begin with 00 00 08")
    shape = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    if body.size != int(np.prod(shape)):
        raise InputError(f"{path}: {body.size} bytes for the shape {shape}; the file is cut short or damaged")
    return body.reshape(shape)


def _labels_beside(path: Path) -> Path:
    return path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))


def _existing(name: str, text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise InputError(f"problem {name!r}: there is no file {text!r}; give a path that exists")
    return path


def _read_npz(path: Path) -> Table:
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("no NPZ file")
        with np.load(path, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); save numbers with numpy.savez(path, x=x, y=y)") from error
    if not {"x", "y"} <= set(found):
        raise InputError(
            f"{path}: the arrays are {', '.join(found) or 'none'}; save x (rows, features) and y (rows,) into it"
        )
    try:
        return from_arrays(found["x"], found["y"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except ValueError as error:
        raise InputError(f"{path}: x must hold numbers ({error})") from error


def _targets(loss: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Shares of a loss, of two digits: they are read in tables."""
    return tuple(float(f"{loss * share:.2g}") for share in shares)


def _of_table(name: str, table: Table) -> Problem:
    """A regression for a target of many numbers, else classes."""
    values, numbers = np.unique(table.y, return_inverse=True)
    if len(values) < 2:
        raise InputError(f"{name}: the target {table.target!r} is {values[0]} in every row; there is nothing to learn")
    whole = np.issubdtype(table.y.dtype, np.number) and not np.all(table.y == np.round(table.y))
    if not np.issubdtype(table.y.dtype, np.number) or (len(values) <= 10 and not whole):
        if len(values) > MOST_CLASSES:
            raise InputError(
                f"{name}: the target {table.target!r} holds {len(values)} different texts, {MOST_CLASSES} are allowed; "
                "name another column, as in file:PATH.csv:COLUMN"
            )
        return ClassesProblem(name, table.x, numbers.astype(np.intp))
    y = table.y[:, None].astype(np.float64)
    model = LeastSquares(Scale.of(table.x).apply(table.x), Scale.of(y).apply(y))
    excess = model.loss(model.start()) - model.loss(model.solution())
    if excess < 1e-9:
        raise InputError(f"{name}: the features tell nothing about {table.target!r}; there is nothing to learn")
    return TableProblem(
        name,
        f"least squares, {model.rows} rows of {model.x.shape[1]} features, target {table.target}",
        lambda: model,
        source="the user's file",
        batch=min(32, model.rows),
        targets=_targets(excess, SHARES),
        spread=0.01 * float(np.sqrt(excess)),
        tags=("user",),
    )
