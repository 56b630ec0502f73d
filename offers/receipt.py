"""The receipt: a decision as it is stored and told, and the proof that it comes out the same again."""

from datetime import datetime
from typing import Any

import msgspec

from geo.plausibility import Plausibility
from offers.catalogue import Catalogue
from offers.decide import decide
from offers.decision import Answer, Candidate, Decision, Judgement, RecordedAnswers
from offers.hours import microseconds, rfc3339
from offers.learn.learner import Learner
from offers.moment import Moment
from offers.relevance import Evidence
from offers.shopper import Shopper
from offers.situation import GateResult, rounded_m

#: As many candidates are told, the best first.
CANDIDATES_MAX = 50


def receipt(decision: Decision, timings_ms: dict[str, float] | None = None) -> dict[str, Any]:
    """The decision as JSON-ready values, without coordinates and with distances to 10 m.

    A candidate's gates are the moment's and then its own. `timings_ms` is what the caller measured; it is the
    only part that a second decision on the same inputs may have otherwise.
    """
    told = {
        "id": decision.decision_id,
        "moment": _moment(decision),
        "outcome": decision.outcome,
        "reasons": list(decision.reasons),
        "gates": _gates(decision.gates),
        "candidates": _candidates(decision),
        "answers": [msgspec.to_builtins(answer) for answer in decision.answers],
        "propensity": decision.propensity,
        "policy": decision.policy,
        "versions": {"catalogue": decision.version},
        "decided_at": rfc3339(decision.decided_at_us),
        "timings_ms": timings_ms or {},
    }
    if decision.judgement is not None:
        told["judgement"] = _judgement(decision.judgement)
    if decision.ghost is not None:
        told["ghost"] = _choice(decision.ghost)
    if decision.chosen is not None and decision.expires_at_us is not None:
        told |= _choice(decision.chosen) | {
            "delivery": decision.delivery,
            "expires_at": rfc3339(decision.expires_at_us),
        }
    return told


def recorded_answers(told: dict[str, Any]) -> RecordedAnswers:
    """The answers that a stored receipt holds, for deciding again."""
    return RecordedAnswers(tuple(msgspec.convert(told["answers"], list[Answer])))


def redecide(
    told: dict[str, Any],
    moment: Moment,
    shopper: Shopper,
    catalogue: Catalogue,
    *,
    salt: bytes,
    learner: Learner | None = None,
) -> Decision:
    """The decision of a stored receipt, made again from the inputs of then, and from what was learned."""
    now_us = microseconds(msgspec.convert(told["decided_at"], type=datetime))
    answers = recorded_answers(told)
    return decide(moment, shopper, catalogue, answers, salt=salt, now_us=now_us, learner=learner)


def same_decision(told: dict[str, Any], decision: Decision) -> bool:
    """Whether the decision gives the stored receipt again, but for its timings."""
    return receipt(decision, told["timings_ms"]) == told


def _moment(decision: Decision) -> dict[str, Any]:
    moment = decision.moment
    return {
        "id": moment.moment_id,
        "kind": moment.kind,
        "store": moment.store or None,
        "geofence": moment.geofence or None,
        "trigger": moment.trigger,
        "shopper": moment.shopper_id,
        "device": moment.device_id,
        "at": rfc3339(moment.at_us),
        "received_at": rfc3339(moment.received_at_us),
        "distance_m": None if moment.distance_m is None else rounded_m(moment.distance_m),
        "plausibility": _plausibility(moment.plausibility),
        "intent": decision.intent,
        "evidence": [*moment.evidence, *map(_evidence, decision.evidence)],
    }


def _plausibility(judged: Plausibility) -> dict[str, Any]:
    signs = [{"code": sign.code, "detail": sign.detail} for sign in judged.signs]
    return {"score": judged.score, "signs": signs}


def _evidence(part: Evidence) -> dict[str, Any]:
    trace = part.trace
    return {
        "kind": trace.kind,
        trace.about: trace.key,
        "at": rfc3339(trace.at_us),
        "level": round(part.level, 3),
    }


def _candidates(decision: Decision) -> list[dict[str, Any]]:
    """The best ones, those that the learning policy judged with their terms."""
    judged, told = decision.judgement, list[dict[str, Any]]()
    terms = {} if judged is None else {offer: place for place, offer in enumerate(judged.offers)}
    for candidate in decision.candidates[:CANDIDATES_MAX]:
        told.append(_candidate(candidate, decision))
        if judged is not None and (place := terms.get(candidate.offer)) is not None:
            told[-1]["terms"] = {name: column[place] for name, column in judged.terms.items()}
    return told


def _candidate(candidate: Candidate, decision: Decision) -> dict[str, Any]:
    told: dict[str, Any] = {"offer": candidate.offer, "gates": _gates((*decision.gates, *candidate.gates))}
    if candidate.sku is not None:
        told["sku"] = candidate.sku
    if candidate.score is not None:
        told["score"] = round(candidate.score, 9)
    return told


def _judgement(judged: Judgement) -> dict[str, Any]:
    """All but the terms, which stand with the candidates. Numbers in full: they can be added up again."""
    return {
        "model": judged.model or None,
        "lessons": judged.lessons,
        "shadow": judged.shadow,
        "drawn": judged.drawn,
        "propensities": [{"offer": offer, "propensity": share} for offer, share in judged.propensities],
        "uniform": judged.uniform,
        "exploration": msgspec.to_builtins(judged.exploration),
        "rescale": judged.rescale,
        "held_back": list(judged.held_back),
        "intent_reasons": [msgspec.to_builtins(reason) for reason in judged.reasons],
    }


def _choice(candidate: Candidate) -> dict[str, Any]:
    told: dict[str, Any] = {"offer": candidate.offer, "spend": str(candidate.spend)}
    return told if candidate.sku is None else told | {"sku": candidate.sku}


def _gates(results: tuple[GateResult, ...]) -> list[dict[str, Any]]:
    return [{"code": gate.code, "passed": gate.passed, "detail": gate.detail} for gate in results]
