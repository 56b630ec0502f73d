"""`python -m server.standin`: the stand-in FCM, to see a push without a Firebase project."""

import asyncio
import signal
from pathlib import Path

import click

from server.standin.fcm import StandinFcm


@click.command()
@click.option("--port", default=0, show_default=True, help="TCP port on 127.0.0.1; 0 takes a free one.")
@click.option(
    "--credentials",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("standin-service-account.json"),
    show_default=True,
    help="Where to write the service-account file.",
)
def main(port: int, credentials: Path) -> None:
    """Runs a stand-in FCM until Ctrl-C."""
    asyncio.run(_serve(port, credentials))


async def _serve(port: int, credentials: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    standin = StandinFcm()
    await standin.start(port=port)
    try:
        path = standin.service_account_file(credentials)
        click.echo(f"export VICINO_FCM_ENDPOINT={standin.url}")
        click.echo(f"export VICINO_FCM_CREDENTIALS={path.resolve()}")
        click.echo(f"# What a phone shows: curl {standin.url}/phones/ADDRESS")
        await stop.wait()
    finally:
        await standin.close()


if __name__ == "__main__":
    main()
