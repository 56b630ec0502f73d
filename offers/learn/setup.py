"""What a retailer decides of the learning policy: money, priors, exploration, switches, shares, a pilot."""

import msgspec

from offers.learn.explore import SHORTLIST_MOST, Exploration
from offers.learn.heads import Priors
from offers.learn.objective import Economics
from offers.problem import Problems


class Pilot(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Where the learning policy is tried; everywhere else the rules decide.

    In the shadow the rules decide there too, and what the learning policy would have done is kept beside it.
    """

    stores: tuple[str, ...] | None = None  #: None: all of them
    share: float = 1.0  #: of the shoppers, by a keyed hash
    shadow: bool = True


class Learning(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """The settings of the policy `learn`. The struct is its own JSON body; every field may be left out."""

    margin: float = 0.4  #: share of the price that is earned without any discount
    money: Economics = Economics()
    priors: Priors = Priors()  #: taken when learning begins; later a fitted model replaces them
    exploration: Exploration = Exploration()
    relational: bool = True  #: whether purchases, visits, redemptions and contacts are looked at
    personal: bool = True  #: whether what she wished for is
    realtime: bool = True  #: whether today's browsing and how she moves are
    indifference: float = 0.0  #: so much score is given up for a smaller discount
    store_share: float = 0.0  #: least share of the offers that each store shall make, as far as it can
    pilot: Pilot | None = None  #: None: the policy decides everywhere


def check_learning(problems: Problems, learning: Learning) -> None:
    """Notes every problem under `learning.` and its field."""
    money, explore, priors = learning.money, learning.exploration, learning.priors
    for field, value, least, most in (
        ("margin", learning.margin, 0.0, 1.0),
        ("indifference", learning.indifference, 0.0, 1e6),
        ("store_share", learning.store_share, 0.0, 1.0),
        ("money.push_cost", money.push_cost, 0.0, 1e6),
        ("money.lifetime_value", money.lifetime_value, 0.0, 1e9),
        ("money.saving_weight", money.saving_weight, 0.0, 1.0),
        ("money.rescale", money.rescale, 0.0, 10.0),
        ("exploration.gamma", explore.gamma, 0.0, 1e9),
        ("exploration.unit", explore.unit, 1e-6, 1e6),
        ("exploration.shortlist", explore.shortlist, 1, SHORTLIST_MOST),
        ("exploration.floor", explore.floor, 0.0, 0.1),
        ("priors.open_rate", priors.open_rate, 1e-6, 1 - 1e-6),
        ("priors.organic_rate", priors.organic_rate, 1e-6, 1 - 1e-6),
        ("priors.opt_out_rate", priors.opt_out_rate, 1e-6, 1 - 1e-6),
        ("priors.open_count", priors.open_count, 1.0, 1e9),
        ("priors.organic_count", priors.organic_count, 1.0, 1e9),
        ("priors.opt_out_count", priors.opt_out_count, 1.0, 1e9),
        ("priors.uplift", priors.uplift, -5.0, 5.0),
        ("priors.uplift_sd", priors.uplift_sd, 0.0, 5.0),
        ("priors.scale", priors.scale, 0.01, 10.0),
    ):
        told = f"must be from {least:g} to {most:g}"
        problems.check(least <= value <= most, f"learning.{field}", "out_of_range", told)
    if learning.pilot is not None:
        share = learning.pilot.share
        problems.check(0 <= share <= 1, "learning.pilot.share", "out_of_range", "must be from 0 to 1")
