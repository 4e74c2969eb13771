"""A Chinese font for the figures: looked for among the installed ones and checked glyph by glyph."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable

from .i18n_report import TEXTS

# free and system fonts in the order of preference; the names are those that matplotlib reads from the files
FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans CJK JP",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans GB", "Heiti SC", "STHeiti",
    "Microsoft YaHei", "SimHei", "DengXian", "Arial Unicode MS", "Droid Sans Fallback", "Noto Serif CJK SC",
    "Noto Serif CJK JP", "Source Han Serif SC", "SimSun",
)  # fmt: skip


def needed_characters() -> set[str]:
    """Every character outside ASCII that a Chinese text of the report holds."""
    return {character for _, chinese in TEXTS.values() for character in chinese if ord(character) > 127}


@functools.lru_cache(maxsize=1)
def chinese_font() -> str | None:
    """Family name of an installed font that holds every character needed; None without one."""
    found = _suitable()
    if found is None and _register_new():
        found = _suitable()
    return found


def _register_new() -> bool:
    """Tell matplotlib of fonts that were installed after it made its list, which it keeps on disk."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    new = [file for file in findSystemFonts() if file not in known]
    for file in new:
        with contextlib.suppress(OSError, RuntimeError):  # not every file is a font that it can read
            fontManager.addfont(file)
    return bool(new)


def _suitable() -> str | None:
    from matplotlib.font_manager import fontManager

    installed: dict[str, str] = {}
    for entry in fontManager.ttflist:
        if entry.style == "normal" and (entry.name not in installed or entry.weight == 400):
            installed[entry.name] = entry.fname
    for family in FAMILIES:
        if family in installed and not missing_glyphs(installed[family], needed_characters()):
            return family
    return None


def missing_glyphs(file: str, characters: Iterable[str]) -> set[str]:
    """Characters for which neither a font file nor DejaVu Sans, which stands before it, has a glyph."""
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    ours = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    have = {code for name in (file, ours) for code in FT2Font(name).get_charmap()}
    return {character for character in characters if ord(character) not in have}


def figure_language(lang: str) -> str:
    """Language of the texts inside figures: English where no font could show the Chinese ones."""
    return "en" if lang == "zh" and chinese_font() is None else lang
