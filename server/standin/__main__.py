"""`python -m server.standin`: the stand-in FCM, to see a push without a Firebase project."""

import asyncio
import signal
from pathlib import Path

import click

from server.cli import new_event_loop
from server.standin.control import add_controls
from server.standin.faults import FaultPlan
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
@click.option(
    "--fail",
    "shares",
    type=(str, float),
    multiple=True,
    metavar="KIND SHARE",
    help="Let this share of the requests fail so, as in --fail unavailable 0.1; several may be given.",
)
@click.option("--seed", default=0, show_default=True, help="Of the draw which requests fail.")
@click.option("--token-ttl-s", default=3600, show_default=True, help="How long an access token is good.")
def main(
    port: int, credentials: Path, shares: tuple[tuple[str, float], ...], seed: int, token_ttl_s: int
) -> None:
    """Runs a stand-in FCM until Ctrl-C. `POST /faults` orders further faults, `GET /phones` tells all."""
    try:
        plan = FaultPlan({kind: share for kind, share in shares}, seed=seed)  # type: ignore[misc] # noqa: C416
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(port, credentials, StandinFcm(plan=plan, token_ttl_s=token_ttl_s)))


async def _serve(port: int, credentials: Path, standin: StandinFcm) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await standin.start(port=port, extend=add_controls)
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
