"""What a simulation is asked for: how many, how long, and how often what goes wrong."""

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the times at which something goes wrong. A fleet with such luck would be closed down."""

    crash_before_commit: float = 0.004  #: of micro-batches
    crash_after_commit: float = 0.004
    request_lost: float = 0.04  #: of requests; the phone sends again
    answer_lost: float = 0.04
    request_doubled: float = 0.04
    request_late: float = 0.04  #: by up to a quarter of an hour, behind those after it
    relay_dies: float = 0.03  #: of claims, sends and records
    relay_sleeps: float = 0.02  #: of attempts: its answer is read when the lease is over
    fcm_delivers_unsaid: float = 0.1  #: of attempts: delivered, and an error or nothing answered
    fcm_refuses: float = 0.1  #: of attempts: not delivered
    fcm_says_gone: float = 0.01
    phone_offline: float = 0.1  #: of pushes: FCM keeps them until it is back


#: Nothing goes wrong.
FAIR_WEATHER = Rates(**dict.fromkeys(Rates.__struct_fields__, 0.0))


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One simulation. The same plan gives the same simulation."""

    seed: int
    shoppers: int = 20
    days: int = 1
    rates: Rates = Rates()
    policy: str = "rules"  #: or `learn`

    @property
    def again(self) -> str:
        """The command that does the same again."""
        many = f"--shoppers {self.shoppers} --days {self.days} --policy {self.policy}"
        return f"./vicino simulate --seed {self.seed} {many}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a simulation in which every promise was kept."""

    seed: int
    shopper_days: int
    steps: int  #: things that happened, after each of which the promises were asked for
    fixes: int  #: acknowledged to phones
    batches: int
    crashes: int  #: of the engine, each followed by a recovery from checkpoint and journal
    relay_deaths: int
    decisions: int
    offers: int
    attempts: int  #: to send a push
    accepted: int  #: by FCM, copies included
    shown: int  #: on a phone's screen
    redeemed: int
    lessons: int  #: that the policy learned
