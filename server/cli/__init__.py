"""The command line: the group `vicino`, its commands loaded when they are asked for.

A command is a module of this package with a click command named `command`: `serve.py` is `vicino serve`,
`import_.py` is `vicino import`. It gets the configuration by `@click.pass_obj`, and runs what is
asynchronous by `run`. It reports failure by raising a VicinoError or click's own errors.
"""

import asyncio
import importlib
import os
import pkgutil
import signal
import sys
import tomllib
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import click

from server import logs
from server.config import REPOSITORY, Config
from server.errors import VicinoError

T = TypeVar("T")


class _Commands(click.Group):
    """A group whose commands are the modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _modules().get(cmd_name)
        if module is None:
            return None
        loaded: click.Command = importlib.import_module(f"{__name__}.{module}").command
        return loaded


def _modules() -> dict[str, str]:
    """Module names by command name; a module may end in `_` where its name is a keyword of Python."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name.removesuffix("_").replace("_", "-"): name for name in found}


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        click.echo(f"vicino {project['version']}")
        ctx.exit()


@click.group(cls=_Commands, no_args_is_help=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
@click.pass_context
def vicino(ctx: click.Context) -> None:
    """Permission-based offers, the moment a shopper is near and interested."""
    ctx.obj = Config.from_env(os.environ)
    logs.configure(ctx.obj.log, level=logs.LEVELS[ctx.obj.log_level])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; its exit status: 0, 1 for a failure, 2 for bad use, 128 + n for signal n."""
    try:
        status = vicino.main(arguments, prog_name="vicino", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except VicinoError as error:
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return 128 + signal.SIGINT
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status if isinstance(status, int) else 0


def _fail(message: str, status: int) -> int:
    click.echo("vicino: " + " ".join(message.split()), err=True)
    return status


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on a new event loop. SIGINT and SIGTERM cancel it, so that it ends in good order."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As a script's background job starts: whoever sends it all the same wants it to stop.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_until_terminated(work))


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not to be had on every system
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
