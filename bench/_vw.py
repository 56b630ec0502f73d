"""Runs Vowpal Wabbit on a bandit that `bench/regret.py` wrote down. Needs `vowpalwabbit`, nothing of ours.

python bench/_vw.py BANDIT.json --squarecb --gamma_scale 100
"""

import json
import sys
from pathlib import Path


def main() -> None:
    """Prints the regret of one setting."""
    from vowpalwabbit import Workspace  # noqa: PLC0415

    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    setting = " ".join(sys.argv[2:])
    learner = Workspace(f"--cb_explore_adf {setting} -q SA -b 20 --quiet --random_seed 7")
    actions = [
        f"|A coupon={coupon} expiration={expiration} arm={number}"
        for number, (coupon, expiration) in enumerate(told["arms"])
    ]
    actions.append("|A nothing")
    regret = 0.0
    for row, drawn, happening in told["rounds"]:
        shared = "shared |S " + " ".join(told["contexts"][row])
        chances = learner.predict([shared, *actions])
        chosen = pick(chances, drawn)
        worth = [*told["worth"][row], 0.0]
        regret += max(worth) - worth[chosen]
        reward = 0.0
        if chosen < len(told["arms"]):
            reward = told["values"][chosen] * (happening < told["chances"][row][chosen]) - told["cost"]
        lines = list(actions)
        lines[chosen] = f"{chosen}:{-reward}:{chances[chosen]} {lines[chosen]}"
        learner.learn([shared, *lines])
    print(json.dumps(regret))


def pick(chances: list[float], drawn: float) -> int:
    """The action whose part of the line from 0 to 1 has the number."""
    upto = 0.0
    for action, chance in enumerate(chances):
        upto += chance
        if drawn < upto:
            return action
    return max(range(len(chances)), key=chances.__getitem__)


if __name__ == "__main__":
    main()
