"""What would have had to be otherwise for an offer to go out, read off a receipt. Pure.

A receipt has every gate's answer, also behind one that failed. So what stood in the way of a candidate is all
its failed gates together; what came after the choice (holdout, caps, budgets) stood in the way of the best
that passed its gates.
"""

from typing import Any

#: As many are told, those with the least in their way first.
MOST = 5


def counterfactuals(receipt: dict[str, Any]) -> list[dict[str, Any]]:
    """`[{"offer", "sku"?, "if": [{"code", "detail"}]}]`: it would have been sent if none of these had failed.

    Without candidates `offer` is None: something could have been sent. Empty for an offer.
    """
    if receipt["outcome"] != "silence":
        return []
    nothing = {"offer": None, "gates": receipt["gates"]}
    found = [_told(candidate) for candidate in receipt["candidates"] or [nothing]]
    passed = [one for one in found if not one["if"] and one["offer"]]
    late = [{"code": code, "detail": _AFTER[code]} for code in receipt["reasons"] if code in _AFTER]
    if passed:
        # The best candidate that passed all gates was chosen, and then something else stood in its way.
        return [passed[0] | {"if": late}] if late else []
    return sorted(found, key=lambda one: len(one["if"]))[:MOST]


_AFTER = {
    "holdout": "she is in the control group: the silence is what offers are measured against",
    "retailer_cap": "the retailer's offers of the day are used up",
    "store_cap": "the store's offers of the day are used up",
    "budget": "no budget bears another coupon",
}


def _told(candidate: dict[str, Any]) -> dict[str, Any]:
    missing: dict[str, dict[str, Any]] = {}
    for gate in candidate["gates"]:
        if not gate["passed"]:
            missing.setdefault(gate["code"], {"code": gate["code"], "detail": gate["detail"]})
    told: dict[str, Any] = {"offer": candidate["offer"], "if": list(missing.values())}
    return told if "sku" not in candidate else told | {"sku": candidate["sku"]}
