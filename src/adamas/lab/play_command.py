"""adamas play"""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path

import click

from .i18n import LANGUAGES
from .options import exits, note, quiet_option
from .roster import get_entrant

FILE_NAME = "playground.html"


@click.command(
    epilog="\b\nExamples:\n  adamas play\n  adamas play --out page --no-open --lang zh\n"
    "  adamas play --rule mine.py:heavy_ball"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Folder for {FILE_NAME}, which is replaced.  [default: a temporary folder]",
)
@click.option("--open/--no-open", "opens", default=True, help="Open the page in a browser.  [default: open]")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language at first.")
@click.option("--rule", "spec", metavar="FILE.py:NAME", help="A rule of your own that races beside the family.")
@quiet_option
@exits
def play(out: Path | None, opens: bool, lang: str, spec: str | None, quiet: bool) -> None:
    """Write the playground, one offline page on which Adam can be understood by hand, and open it.

    The page races optimizers on a surface, shows one step from the gradient to the update, and holds presets on
    which they fail. Its rules are printed from the engine's. Prints the path of the file.

    Exit code: 0; 2 if the rule cannot be used.
    """
    from .play.page import page  # imports jinja2 only when a page is written

    guest = get_entrant(spec).make.rule if spec else None
    text = page(lang, guest)
    folder = out or Path(tempfile.mkdtemp(prefix="adamas-"))
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / FILE_NAME).resolve()
    path.write_text(text, encoding="utf-8")
    click.echo(path)
    if opens and not webbrowser.open(path.as_uri()):
        note("no browser could be started; open the file yourself", quiet=quiet)
