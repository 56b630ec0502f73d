"""What a decision is, and what it asks of the outside."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from offers.learn.explore import Exploration
from offers.learn.hers import Trial
from offers.learn.intent import Reason
from offers.learn.lesson import Paced
from offers.moment import Moment
from offers.problem import OffersError
from offers.relevance import Evidence, Interest
from offers.situation import GateResult


class Answers(Protocol):
    """What only the outside knows. Asked for a candidate that passed every other gate, the best one first.

    `True` reserves. What was granted for a decision that ends in silence must be given back by the caller.
    """

    def quota(self, moment_id: str, scope: str) -> bool:
        """Whether one more offer of the day is left in `retailer` or `store:<id>`; asked where capped."""

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        """Whether the offer's budget has one more coupon that costs at most `spend`."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One answer as it was given."""

    question: str  #: `quota` or `budget`
    subject: str  #: the scope, or the offer
    granted: bool


class Judgement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the learning policy said of a moment, whether or not it was asked to decide it."""

    model: str  #: the fitted model that it went on from; empty: the priors
    lessons: int  #: outcomes and decisions learned until then
    exploration: Exploration
    rescale: float  #: κ, of the objective
    uniform: float  #: the draw, from 0 to 1; follows from the moment
    propensities: tuple[
        tuple[str | None, float], ...
    ]  #: of the arms in the draw, the best first; None: nothing
    drawn: str | None  #: the offer; None: nothing
    offers: tuple[str, ...]  #: that passed every gate, the best first
    terms: dict[str, tuple[float, ...]]  #: of the objective, by name: of each of these offers
    held_back: tuple[str, ...]  #: offers left out since a smaller discount is believed to do as much
    reasons: tuple[Reason, ...]  #: of the intent
    shadow: bool = False  #: the rules decided

    @property
    def propensity(self) -> float:
        """Of what was drawn."""
        return dict(self.propensities)[self.drawn]


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An offer of the store, and what became of it."""

    offer: str
    sku: str | None  #: the product that the message would name
    price: Decimal | None
    interest: Interest
    gates: tuple[GateResult, ...]  #: its own; the moment's are with the decision
    score: float | None  #: None where a gate of its own removed it
    spend: Decimal  #: the most that its coupon can cost


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One offer or silence, with all that led to it."""

    decision_id: str  #: follows from the moment
    moment: Moment
    outcome: str  #: `offer` or `silence`
    delivery: str  #: `push`, `inbox_only` (an offer that is not pushed), or `none`
    chosen: Candidate | None  #: the offer that is made
    ghost: Candidate | None  #: the offer that would have been made but for the holdout
    reasons: tuple[
        str, ...
    ]  #: codes of the gates that silenced, in their order; why not a push, for inbox_only
    gates: tuple[GateResult, ...]  #: of the moment
    candidates: Sequence[Candidate]  #: the best score first, those without by id
    evidence: tuple[Evidence, ...]  #: of her interest in anything here, the strongest first
    intent: int  #: 0 to 100: the strongest interest, saturating
    answers: tuple[Answer, ...]
    propensity: float  #: probability that the policy gave this action
    policy: str  #: that decided: `rules` or `learn`
    judgement: Judgement | None = None  #: of the learning policy, where it was asked
    trial: Trial | None = None  #: what it will learn from; in no receipt
    paced: Paced | None = None  #: what it learns at once
    version: int  #: of the catalogue
    decided_at_us: int
    expires_at_us: int | None  #: of the coupon
    push_expires_at_us: int | None

    @property
    def offer(self) -> str | None:
        """The id of the offer that is made."""
        return self.chosen.offer if self.chosen is not None else None

    @property
    def sku(self) -> str | None:
        return self.chosen.sku if self.chosen is not None else None

    @property
    def spend(self) -> Decimal:
        return self.chosen.spend if self.chosen is not None else Decimal(0)


class AnswerMissing(OffersError):  # noqa: N818 - named for what a replay lacks
    """A replay asked what the recorded decision had not asked: it is not the same decision."""


class RecordedAnswers:
    """The answers of an earlier decision, given again in a replay. Raises AnswerMissing for any other."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self._answers = {(answer.question, answer.subject): answer.granted for answer in answers}

    def quota(self, moment_id: str, scope: str) -> bool:
        return self._answer("quota", scope, moment_id)

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        del spend
        return self._answer("budget", offer, moment_id)

    def _answer(self, question: str, subject: str, moment_id: str) -> bool:
        if (question, subject) not in self._answers:
            raise AnswerMissing(f"{moment_id} has no recorded answer on the {question} of {subject}")
        return self._answers[question, subject]
