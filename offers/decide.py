"""The decision: which offer, or silence, for this moment. Pure; a replay of the same inputs decides the same.

    gates of the moment -> gates of each offer -> score -> holdout -> caps of retailer and store -> budget

The policy `rules` takes the candidate of the highest score, ties by id:

    score = level / (1 + level) · prior response (else 0.05) · share of the price saved (else 0.1)

The policy `learn` judges what passed every gate and draws (`offers.judge`). Whoever is in the holdout is kept
in silence only when there was an offer to send; that offer is the *ghost*, by which the effect of speaking is
measured. What only the outside knows (budget, quotas of the day) is asked last, best candidate first, and the
answers are part of the decision.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np

from offers.catalogue import Catalogue
from offers.decision import Answer, Answers, Candidate, Decision, Judgement
from offers.expiry import expires_at_us, lateness, push_expires_at_us
from offers.gates import moment_results
from offers.hours import SECOND_US
from offers.ids import derived_id
from offers.judge import Judged, judged, pilots
from offers.learn.blr import Floats
from offers.learn.kinds import helps_only, kind_of
from offers.learn.learner import Learner
from offers.moment import SILENT_TRIGGERS, Moment, MomentKind
from offers.prospects import Candidates, Prospects
from offers.shopper import Shopper
from offers.situation import GateResult, Situation

#: The response expected of an offer for which the marketer gives none; the saving where no price is known.
PRIOR_RESPONSE, UNKNOWN_SAVING = 0.05, 0.1


def decide(
    moment: Moment,
    shopper: Shopper,
    catalogue: Catalogue,
    answers: Answers,
    *,
    salt: bytes,
    now_us: int,
    learner: Learner | None = None,
) -> Decision:
    """One offer or silence. `salt` is the retailer's secret that keys the holdout and the draws; without a
    `learner` the rules decide.
    """
    at = Situation.of(moment, shopper, catalogue, now_us)
    choice = _Choice(at, moment_results(at))
    if not choice.reasons:
        role = _role(at, learner, salt)
        if learner is not None and role is not None:
            choice.judge(learner, salt, shadow=role == "shadow")
        choice.choose(answers, salt)
    return _decision(choice, at)


def in_holdout(salt: bytes, shopper_id: str, share: float) -> bool:
    """Whether the shopper is among the `share` who are kept in silence: the same answer every time."""
    digest = hashlib.sha256(salt + b".holdout." + shopper_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _role(at: Situation, learner: Learner | None, salt: bytes) -> str | None:
    """Whether the learning policy `decides`, looks on from the `shadow`, or is not asked (None)."""
    settings = at.catalogue.settings
    if learner is None or settings.policy != "learn":
        return None
    if (pilot := settings.learning.pilot) is None:
        return "decides"
    if not pilots(pilot, at.moment.store, at.shopper.shopper_id, salt):
        return None
    return "shadow" if pilot.shadow else "decides"


class _Choice:
    """A decision in the making. Offers go by their place at the store."""

    def __init__(self, at: Situation, gates: tuple[GateResult, ...]) -> None:
        self.at, self.gates = at, gates
        failed = [gate.code for gate in gates if not gate.passed]
        # Without consent nobody looks at her interests.
        self.found = None if "no_consent" in failed else Prospects(at)
        self.passed: list[int] = [] if self.found is None else self.found.passed.tolist()
        if self.found is not None and not self.passed:
            failed += self.found.failing()
        self.reasons: tuple[str, ...] = tuple(dict.fromkeys(failed))
        self.chosen: int | None = None
        self.ghost: int | None = None
        self.answers: list[Answer] = []
        self.answered: dict[int, GateResult] = {}  #: what budgets said
        self.judged: Judged | None = None
        self.shadow = False  #: whether the policy was asked, and the rules decide
        self.judgement: Judgement | None = None

    @cached_property
    def scores(self) -> Floats:
        """Of those that passed every gate: the rules', or where the policy decides, the policy's."""
        if self.judged is not None and not self.shadow:
            return self.judged.worth.score
        return np.zeros(0) if self.found is None or not self.passed else _scores(self.found)

    @property
    def best(self) -> list[int]:
        """Those that passed every gate, the best score first, ties by id."""
        return [self.passed[index] for index in np.argsort(-self.scores, kind="stable").tolist()]

    def judge(self, learner: Learner, salt: bytes, *, shadow: bool) -> None:
        """Has the learning policy judge what passed the gates."""
        assert self.found is not None
        self.judged, self.shadow = judged(self.found, learner, salt), shadow
        if shadow:
            self.judgement = self.judged.told(self.judged.drawn(), shadow=True)

    def choose(self, answers: Answers, salt: bytes) -> None:
        """Holdout, quotas and budgets, which look only at what would be sent."""
        share = self.at.catalogue.settings.holdout
        held = in_holdout(salt, self.at.shopper.shopper_id, share)
        detail = f"{'in' if held else 'not in'} the {share:.0%} kept in silence"
        self.gates = (*self.gates, GateResult(code="holdout", passed=not held, detail=detail))
        if not held and not self._within_quotas(answers):
            return
        if self.judged is not None and not self.shadow:
            best = self._drawn(self.judged, None if held else answers)
        else:
            best = self.best[0] if held else self._within_budget(answers)
        if held and best is not None:
            self.reasons, self.ghost = ("holdout",), best
        else:
            self.chosen = best

    def _within_quotas(self, answers: Answers) -> bool:
        settings, moment = self.at.catalogue.settings, self.at.moment
        quotas = (
            ("retailer_cap", "retailer", settings.retailer_per_day),
            ("store_cap", f"store:{moment.store}", settings.store_per_day),
        )
        for code, scope, cap in quotas:
            granted = cap is None or answers.quota(moment.moment_id, scope)
            detail = "no cap" if cap is None else f"{'below' if granted else 'at'} {cap} today"
            if cap is not None:
                self.answers.append(Answer(question="quota", subject=scope, granted=granted))
            self.gates = (*self.gates, GateResult(code=code, passed=granted, detail=detail))
            if not granted:
                self.reasons = (code,)
                return False
        return True

    def _within_budget(self, answers: Answers) -> int | None:
        """The best candidate for which the budget has one more coupon."""
        for place in self.best:
            if self._bears(place, answers):
                return place
        self.reasons = ("budget",)
        return None

    def _drawn(self, found: Judged, answers: Answers | None) -> int | None:
        """What the policy draws of what budgets bear; nobody is asked of whom nothing is made."""
        offers = found.found.rack.offers

        def allowed(index: int) -> bool:
            place = self.passed[index]
            return answers is None or not offers[place].bounded or self._bears(place, answers)

        drawn = found.drawn(allowed)
        self.judgement = found.told(drawn, shadow=False)
        if drawn.chosen is not None:
            return self.passed[drawn.chosen]
        self.reasons = ("nothing_drawn",) if drawn.shortlist else ("budget",)
        return None

    def _bears(self, place: int, answers: Answers) -> bool:
        candidate = self.candidate(place)
        granted = answers.budget(self.at.moment.moment_id, candidate.offer, candidate.spend)
        self.answers.append(Answer(question="budget", subject=candidate.offer, granted=granted))
        detail = f"{candidate.spend} {'reserved' if granted else 'not left'}"
        self.answered[place] = GateResult(code="budget", passed=granted, detail=detail)
        return granted

    def candidate(self, place: int) -> Candidate:
        assert self.found is not None
        answered = [self.answered[place]] if place in self.answered else []
        score = float(self.scores[self.passed.index(place)]) if place in self.passed else None
        return self.found.candidate(place, score, answered)

    def candidates(self) -> Sequence[Candidate]:
        """All of them, to be made when they are read."""
        return () if not self.found else Candidates(self.found, self.scores, self.answered)


def _scores(found: Prospects) -> Floats:
    """By the rules, of those that passed every gate."""
    few, prior = found.passed, found.rack.prior[found.passed]
    worth, levels = found.shown.column("worth")[few], found.levels[few]
    saving = np.where(np.isnan(worth), UNKNOWN_SAVING, worth / 100)
    scores: Floats = levels / (1.0 + levels) * np.where(np.isnan(prior), PRIOR_RESPONSE, prior) * saving
    return scores


def _saturated(level: float) -> float:
    return level / (1.0 + level)


def _decision(choice: _Choice, at: Situation) -> Decision:
    moment = msgspec.structs.replace(at.moment, kind=_kind(choice))
    chosen = None if choice.chosen is None else choice.candidate(choice.chosen)
    late = chosen is not None and at.now_us - moment.received_at_us > at.catalogue.settings.late_s * SECOND_US
    why = _why_no_push(at, late=late) if chosen is not None else None
    ends_us = None if chosen is None else expires_at_us(chosen, at)
    decides = choice.judgement is not None and not choice.shadow
    decision = Decision(
        decision_id=derived_id("dec", moment.moment_id),
        moment=moment,
        outcome="silence" if chosen is None else "offer",
        delivery="none" if chosen is None else "push" if why is None else "inbox_only",
        chosen=chosen,
        ghost=None if choice.ghost is None else choice.candidate(choice.ghost),
        reasons=choice.reasons if why is None else (why,),
        gates=choice.gates if chosen is None else (*choice.gates, lateness(at, late=late)),
        candidates=choice.candidates(),
        evidence=() if choice.found is None else choice.found.evidence(),
        intent=_intent(choice),
        answers=tuple(choice.answers),
        propensity=choice.judgement.propensity if choice.judgement is not None and decides else 1.0,
        policy="learn" if decides else "rules",
        judgement=choice.judgement,
        version=at.catalogue.version,
        decided_at_us=at.now_us,
        expires_at_us=ends_us,
        push_expires_at_us=None if ends_us is None else push_expires_at_us(ends_us, at),
    )
    return decision if choice.judged is None else _teaching(decision, choice, choice.judged)


def _why_no_push(at: Situation, *, late: bool) -> str | None:
    """Why an offer stays in the inbox, or None where it is pushed."""
    if late:
        return "late"
    if helps_only(at.moment.trigger):
        return "moment_kind"
    return None if at.shopper.permits("push", at.now_us) else "no_push"


def _teaching(decision: Decision, choice: _Choice, found: Judged) -> Decision:
    """The decision with what will be learned from it, and what is at once."""
    made = None if choice.chosen is None else choice.passed.index(choice.chosen)
    at, now_us = choice.at, decision.decided_at_us
    trial = found.trial(
        decision.decision_id,
        made,
        at_us=now_us,
        until_us=decision.expires_at_us or now_us + at.catalogue.settings.coupon_ttl_s * SECOND_US,
        pushed=decision.delivery == "push",
        spend=float(decision.spend),
    )
    return msgspec.structs.replace(decision, trial=trial, paced=found.paced(made, now_us))


def _kind(choice: _Choice) -> MomentKind:
    """What she is about: to know, to go, to do, or to buy."""
    found, trigger = choice.found, choice.at.moment.trigger
    if found is None or not found.traces:
        return kind_of(trigger, inside=False, cart=False, repeated=False, in_stock=False)
    wanted = found.levels > 0.0
    return kind_of(
        trigger,
        inside=trigger not in ("approach", *SILENT_TRIGGERS),
        cart=any(trace.kind == "cart" for trace, _, _ in found.traces),
        repeated=bool(found.repeated.any()),
        in_stock=bool((wanted & found.shown.named & (found.shown.column("stock") > 0)).any()),
    )


def _intent(choice: _Choice) -> int:
    if choice.judged is not None:
        return choice.judged.intent.level
    if choice.found is None or not choice.found.traces:
        return 0
    return round(100 * _saturated(float(choice.found.levels.max(initial=0.0))))
