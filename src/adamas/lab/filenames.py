"""Names of problems as names of files: a user's problem is a path, which no file name may hold."""

from __future__ import annotations

import re
import zlib

LONGEST = 60


def file_stem(problem: str) -> str:
    """A name for files about a problem, fit for every system; two problems have two.

    Names of the registry stay as they are; "file:data/cars.csv:mpg" becomes "file-data-cars.csv-mpg" and a checksum of
    what was replaced; of a long path the end is kept.

    Args:
        problem: Name of the problem.
    """
    plain = re.sub(r"[^\w.]+", "-", problem).strip("-.")[-LONGEST:]
    return problem if plain == problem else f"{plain}-{zlib.crc32(problem.encode()):08x}"
