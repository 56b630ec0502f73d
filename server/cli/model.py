"""`vicino model`: what the learning policy goes on from: `list`, `fit`, `activate`, `rollback`."""

import click
import msgspec

from server.cli import run
from server.cli._opened import opened
from server.cli._traces import progress_bar
from server.clock import SystemClock, from_us
from server.config import Config
from server.models import Model, activate, active_model, fit_model, models, roll_back

RETAILER = click.option("--retailer", required=True, metavar="ID", help="Whose.")
PRIORS = "priors"  #: named in the place of a model


@click.group()
def command() -> None:
    """Fitted models of the policy `learn`: list them, fit one, put it into use, go back."""


@command.command(
    "list",
    epilog="""\b
Example:
  ./vicino model list --retailer rtl_0123456789abcdefghjkmnpqrs""",
)
@RETAILER
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_(config: Config, retailer: str, as_json: bool) -> None:
    """List the models, the newest first, with what their fits were worth on lessons they had not seen."""

    async def work() -> tuple[list[Model], str | None]:
        async with opened(config) as database, database.transaction(retailer) as connection:
            return await models(connection, retailer), await active_model(connection, retailer)

    found, active = run(work())
    if as_json:
        for model in found:
            click.echo(msgspec.json.encode(model))
        return
    for model in found:
        _tell(model)
    click.echo(f"{PRIORS:30} {'in use' if active is None else ''}".rstrip())


@command.command(
    epilog="""\b
Examples:
  ./vicino model fit --retailer rtl_0123456789abcdefghjkmnpqrs
  ./vicino model fit --retailer rtl_0123456789abcdefghjkmnpqrs --activate --json"""
)
@RETAILER
@click.option("--activate", "at_once", is_flag=True, help="Put it into use.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def fit(config: Config, retailer: str, at_once: bool, as_json: bool) -> None:
    """Fit a model to all that was learned. It is a matter of the night: a server beside it goes on."""

    async def work() -> Model:
        async with opened(config) as database:
            with progress_bar(beside_output=as_json) as progress:
                model = await fit_model(
                    database,
                    retailer,
                    from_us(SystemClock().now_us()),
                    on_head=lambda done, of: progress("fitting", done, of),
                )
            if at_once:
                async with database.transaction(retailer) as connection:
                    await activate(connection, retailer, model.model)
            return msgspec.structs.replace(model, active=at_once)

    model = run(work())
    if as_json:
        click.echo(msgspec.json.encode(model))
    else:
        _tell(model)


@command.command(
    "activate",
    epilog="""\b
Examples:
  ./vicino model activate mdl_0123456789abcdefghjkmnpqrs --retailer rtl_0123456789abcdefghjkmnpqrs
  ./vicino model activate priors --retailer rtl_0123456789abcdefghjkmnpqrs""",
)
@click.argument("model")
@RETAILER
@click.pass_obj
def activate_(config: Config, model: str, retailer: str) -> None:
    """Put a model into use, or the priors: from the next decision on, without a pause."""

    async def work() -> None:
        async with opened(config) as database, database.transaction(retailer) as connection:
            await activate(connection, retailer, None if model == PRIORS else model)

    run(work())
    click.echo(f"{model} is in use")


@command.command(
    epilog="""\b
Example:
  ./vicino model rollback --retailer rtl_0123456789abcdefghjkmnpqrs"""
)
@RETAILER
@click.pass_obj
def rollback(config: Config, retailer: str) -> None:
    """Go back to what was in use before."""

    async def work() -> str | None:
        async with opened(config) as database, database.transaction(retailer) as connection:
            return await roll_back(connection, retailer)

    click.echo(f"{run(work()) or PRIORS} is in use")


def _tell(model: Model) -> None:
    click.echo(f"{model.model:30} {'in use' if model.active else ''}".rstrip())
    click.echo(f"  {model.created_at:%Y-%m-%d %H:%M} UTC, of lessons until journal entry {model.as_of}")
    for name, told in model.heads.items():
        worth = ", ".join(f"{of} {value:.3f}" for of, value in told.auc.items()) or "not measured"
        fitted = f"AUC: {worth}" if told.fitted else "too few to fit: as learned online"
        click.echo(f"  {name:8} {told.rows:>8,} lessons, {told.happened:>7,} happened; {fitted}")
