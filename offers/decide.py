"""The decision: which offer, or silence, for this moment. Pure; a replay of the same inputs decides the same.

    gates of the moment -> gates of each offer -> score -> holdout -> caps of retailer and store -> budget

The policy `rules` takes the candidate of the highest score, ties by id:

    score = level / (1 + level) · prior response (else 0.05) · share of the price saved (else 0.1)

Whoever is in the holdout is kept in silence only when there was an offer to send; that offer is the *ghost*,
by which the effect of speaking is measured. What only the outside knows (budget, quotas of the day) is asked
last, best candidate first, and the answers are part of the decision.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from offers.candidate_gates import Prospect, candidate_results
from offers.catalogue import Catalogue
from offers.decision import Answer, Answers, Candidate, Decision
from offers.discount import highest_cost, worth_percent
from offers.gates import moment_results
from offers.hours import MINUTE_US, SECOND_US, closes_in_us, local_time
from offers.ids import derived_id
from offers.moment import Moment
from offers.relevance import Evidence, Interest, interests_in, named_product
from offers.shopper import Contact, Shopper, with_offer
from offers.situation import GateResult, Situation

#: The response expected of an offer for which the marketer gives none; the saving where no price is known.
PRIOR_RESPONSE, UNKNOWN_SAVING = 0.05, 0.1
#: As much evidence is kept with a decision.
EVIDENCE_MAX = 20


def decide(
    moment: Moment, shopper: Shopper, catalogue: Catalogue, answers: Answers, *, salt: bytes, now_us: int
) -> Decision:
    """One offer or silence. `salt` is the retailer's secret that keys the holdout."""
    at = Situation.of(moment, shopper, catalogue, now_us)
    gates = moment_results(at)
    candidates = tuple(sorted(_candidates(at, gates), key=_rank))
    choice = _Choice(gates=gates, candidates=candidates, reasons=_reasons(gates, candidates))
    if not choice.reasons:
        choice = _chosen(choice, at, answers, salt)
    return _decision(choice, at)


def in_holdout(salt: bytes, shopper_id: str, share: float) -> bool:
    """Whether the shopper is among the `share` who are kept in silence: the same answer every time."""
    digest = hashlib.sha256(salt + b".holdout." + shopper_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def remembered(shopper: Shopper, decision: Decision) -> Shopper:
    """The shopper after the decision: an offer is a contact, silence is not."""
    if decision.chosen is None:
        return shopper
    contact = Contact(
        decision_id=decision.decision_id,
        at_us=decision.decided_at_us,
        store=decision.moment.store,
        offer=decision.chosen.offer,
        sku=decision.chosen.sku,
        entered_at_us=decision.moment.entered_at_us,
        cause_us=decision.moment.at_us,
        ahead=decision.moment.trigger == "approach",
    )
    return with_offer(shopper, contact)


class _Choice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A decision in the making."""

    gates: tuple[GateResult, ...]
    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...] = ()
    chosen: Candidate | None = None
    ghost: Candidate | None = None
    answers: tuple[Answer, ...] = ()


def _candidates(at: Situation, gates: tuple[GateResult, ...]) -> Iterator[Candidate]:
    """Every offer of the store with its gates. Without consent nobody looks at her interests."""
    if any(gate.code == "no_consent" and not gate.passed for gate in gates):
        return
    store, catalogue = at.moment.store, at.catalogue
    personal = at.shopper.permits("personalisation", at.now_us)
    interests = interests_in(at.shopper.interests, catalogue, store, at.now_us) if personal else {}
    for offer in catalogue.offers_at(store) if at.store is not None else ():
        interest = interests.get(offer.external_id, Interest())
        product = named_product(offer, interest, catalogue, store)
        prospect = Prospect(offer=offer, interest=interest, product=product)
        results = candidate_results(at, prospect)
        dearest = prospect.price if product is not None else catalogue.highest_price(offer)
        yield Candidate(
            offer=offer.external_id,
            sku=product.sku if product is not None else None,
            price=prospect.price,
            interest=interest,
            gates=results,
            score=_score(prospect) if all(result.passed for result in results) else None,
            spend=highest_cost(offer.discount, dearest),
        )


def _score(prospect: Prospect) -> float:
    worth = worth_percent(prospect.offer.discount, prospect.price)
    saving = UNKNOWN_SAVING if worth is None else float(worth) / 100
    return _saturated(prospect.interest.level) * (prospect.offer.prior_response or PRIOR_RESPONSE) * saving


def _saturated(level: float) -> float:
    return level / (1.0 + level)


def _rank(candidate: Candidate) -> tuple[bool, float, str]:
    return candidate.score is None, -(candidate.score or 0.0), candidate.offer


def _reasons(gates: tuple[GateResult, ...], candidates: tuple[Candidate, ...]) -> tuple[str, ...]:
    """The codes for which there is nothing to choose from, in the order of the gates; none when there is."""
    failed = [gate.code for gate in gates if not gate.passed]
    if all(candidate.score is None for candidate in candidates):
        own = {gate.code for candidate in candidates for gate in candidate.gates if not gate.passed}
        in_order = [gate.code for gate in candidates[0].gates] if candidates else []
        failed += [code for code in in_order if code in own]
    return tuple(dict.fromkeys(failed))


def _chosen(choice: _Choice, at: Situation, answers: Answers, salt: bytes) -> _Choice:
    """The choice after holdout, quotas and budgets, which look only at what would be sent."""
    best = choice.candidates[0]
    share = at.catalogue.settings.holdout
    held = in_holdout(salt, at.shopper.shopper_id, share)
    detail = f"{'in' if held else 'not in'} the {share:.0%} kept in silence"
    gates = (*choice.gates, GateResult(code="holdout", passed=not held, detail=detail))
    choice = msgspec.structs.replace(choice, gates=gates)
    if held:
        return msgspec.structs.replace(choice, reasons=("holdout",), ghost=best)
    choice = _within_quotas(choice, at, answers)
    return choice if choice.reasons else _within_budget(choice, at, answers)


def _within_quotas(choice: _Choice, at: Situation, answers: Answers) -> _Choice:
    settings, store = at.catalogue.settings, at.moment.store
    quotas = (
        ("retailer_cap", "retailer", settings.retailer_per_day),
        ("store_cap", f"store:{store}", settings.store_per_day),
    )
    for code, scope, cap in quotas:
        granted = cap is None or answers.quota(at.moment.moment_id, scope)
        detail = "no cap" if cap is None else f"{'below' if granted else 'at'} {cap} today"
        asked = () if cap is None else (Answer(question="quota", subject=scope, granted=granted),)
        choice = msgspec.structs.replace(
            choice,
            gates=(*choice.gates, GateResult(code=code, passed=granted, detail=detail)),
            answers=choice.answers + asked,
            reasons=() if granted else (code,),
        )
        if not granted:
            break
    return choice


def _within_budget(choice: _Choice, at: Situation, answers: Answers) -> _Choice:
    """Takes the best candidate whose budget is granted; those refused before it keep their refusal."""
    candidates, asked = list(choice.candidates), list(choice.answers)
    chosen = None
    for position, candidate in enumerate(candidates):
        if candidate.score is None:
            break
        granted = answers.budget(at.moment.moment_id, candidate.offer, candidate.spend)
        asked.append(Answer(question="budget", subject=candidate.offer, granted=granted))
        detail = f"{candidate.spend} {'reserved' if granted else 'not left'}"
        gate = GateResult(code="budget", passed=granted, detail=detail)
        candidates[position] = msgspec.structs.replace(candidate, gates=(*candidate.gates, gate))
        if granted:
            chosen = candidates[position]
            break
    reasons = () if chosen is not None else ("budget",)
    return msgspec.structs.replace(
        choice, candidates=tuple(candidates), answers=tuple(asked), chosen=chosen, reasons=reasons
    )


def _decision(choice: _Choice, at: Situation) -> Decision:
    moment, settings = at.moment, at.catalogue.settings
    late = choice.chosen is not None and at.now_us - moment.received_at_us > settings.late_s * SECOND_US
    expires_at_us = _expires_at_us(choice.chosen, at) if choice.chosen is not None else None
    strongest = max((candidate.interest.level for candidate in choice.candidates), default=0.0)
    return Decision(
        decision_id=derived_id("dec", moment.moment_id),
        moment=moment,
        outcome="offer" if choice.chosen is not None else "silence",
        delivery="none" if choice.chosen is None else "inbox_only" if late else "push",
        chosen=choice.chosen,
        ghost=choice.ghost,
        reasons=("late",) if late else choice.reasons,
        gates=(*choice.gates, _lateness(at, late=late)) if choice.chosen is not None else choice.gates,
        candidates=choice.candidates,
        evidence=_evidence(choice.candidates),
        intent=round(100 * _saturated(strongest)),
        answers=choice.answers,
        propensity=1.0,
        policy="rules",
        version=at.catalogue.version,
        decided_at_us=at.now_us,
        expires_at_us=expires_at_us,
        push_expires_at_us=None if expires_at_us is None else _push_expires_at_us(expires_at_us, at),
    )


def _lateness(at: Situation, *, late: bool) -> GateResult:
    waited_s = (at.now_us - at.moment.received_at_us) / SECOND_US
    detail = f"decided {waited_s:.1f} s after it came, limit {at.catalogue.settings.late_s:g} s"
    return GateResult(code="late", passed=not late, detail=detail)


def _expires_at_us(chosen: Candidate, at: Situation) -> int:
    """When the coupon ends: after its time to live, to a full minute, not past the offer or closing time."""
    ends_us = at.now_us + at.catalogue.settings.coupon_ttl_s * SECOND_US
    limits = [-(-ends_us // MINUTE_US) * MINUTE_US, at.catalogue.offers[chosen.offer].valid_until_us]
    hours = at.store.opening_hours if at.store is not None else None
    if (open_us := closes_in_us(hours, at.store_local)) is not None:
        limits.append(at.now_us + open_us)
    return min(limits)


def _push_expires_at_us(coupon_ends_us: int, at: Situation) -> int:
    """When the push ends: after its time to live, not past its coupon, and before quiet hours begin."""
    local = local_time(at.now_us, at.shopper_zone)
    quiet_in_us = [one.begins_in_us(local) for one in at.quiet_hours if one is not None]
    ends_us = [at.now_us + one for one in quiet_in_us if one is not None]
    return min(at.now_us + at.catalogue.settings.push_ttl_s * SECOND_US, coupon_ends_us, *ends_us)


def _evidence(candidates: tuple[Candidate, ...]) -> tuple[Evidence, ...]:
    """What spoke for any offer here, each trace once."""
    found = {part.trace: part for candidate in candidates for part in candidate.interest.evidence}
    return tuple(sorted(found.values(), key=lambda part: (-part.level, part.trace.key)))[:EVIDENCE_MAX]
