"""The group `adamas`: every command lives in its own file and is imported when it is called."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import click

import adamas as package

# name on the command line -> (module, attribute, one line for the overview)
COMMANDS = {
    "compare": ("compare_command", "compare", "Race optimizers, at defaults and tuned, with statistics."),
    "sweep": ("sweep_command", "sweep", "Search hyper-parameters with Optuna: resumable, any number of workers."),
    "study": ("study_command", "study", "Put claims about Adam to the test: PASS or FAIL, with numbers and a figure."),
    "problems": (
        "problems_command",
        "problems",
        "What optimizers are raced on; --check tests the problems themselves.",
    ),
    "report": ("report_command", "report", "Write the report of a run folder again, in English or Chinese."),
    "play": ("play_command", "play", "An offline page on which Adam can be understood by hand."),
    "fit": ("fit_command", "fit_command", "Linear or logistic regression on a CSV file."),
    "minimize": ("minimize_command", "minimize", "Minimise a surface and draw the path over its contours."),
    "rules": ("rules_command", "rules", "The family's table: what each optimizer is and costs."),
    "bench": ("bench_command", "bench", "Speed of the engine beside its peers."),
    "info": ("info_command", "info", "Versions, processor, threads, cache."),
}


class LazyGroup(click.Group):
    """Imports a command only when it is needed, so that `adamas info` does not pay for matplotlib."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS or not _exists(cmd_name):
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: Any = getattr(importlib.import_module(f"{__package__}.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in self.list_commands(ctx)])


def _exists(name: str) -> bool:
    return importlib.util.find_spec(f"{__package__}.{COMMANDS[name][0]}") is not None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="\b\nExamples:\n  adamas compare\n  adamas fit data.csv --target y\n"
    "  adamas minimize rosenbrock --optimizer adam --lr 0.05",
)
@click.version_option(package.__version__, prog_name="adamas")
def adamas() -> None:
    """Adam and its family: races, regressions, surfaces, tables.

    Results go to stdout, progress to stderr. Exit codes: 0 done, 1 a run failed, 2 wrong usage.
    Completion of the shell: eval "$(_ADAMAS_COMPLETE=bash_source adamas)", or zsh_source, fish_source.
    """
