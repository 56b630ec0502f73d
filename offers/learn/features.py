"""The features of every arm of a moment: one matrix, of which each head reads the columns it has a prior on.

Each column belongs to a block. Without the block's consent its columns are 0, which is also what a column
says of somebody of whom nothing is known: a shopper who withdraws is treated as a stranger, not as unlucky.
All values are of the order of 1.
"""

from math import cos, log, log1p, pi, sin
from typing import Literal

import msgspec
import numpy as np

from offers.learn.arms import Arms, Scene
from offers.learn.blr import Floats

Block = Literal["offer", "relational", "personal", "realtime"]


class Column(msgspec.Struct, frozen=True, gc=False):
    """A feature, and why it is there."""

    name: str
    block: Block
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column("bias", "offer", "every arm"),
    Column("depth", "offer", "share of the price given away"),
    Column("depth_root", "offer", "its root: the first percents count most"),
    Column("reminder", "offer", "nothing is given away"),
    Column("price", "offer", "log of the price, around 30"),
    Column("prior", "offer", "logit of the marketer's expected response, around 5 %"),
    Column("interest", "realtime", "log1p of today's level"),
    Column("interested", "realtime", "the level, saturating"),
    Column("repeated", "realtime", "one product viewed twice within a day"),
    Column("far", "realtime", "distance in units of 100 m"),
    Column("beyond_120", "realtime", "the distance past 120 m"),
    Column("near", "realtime", "within 60 m"),
    Column("interest_near", "realtime", "interest, fading with distance"),
    Column("depth_near", "realtime", "depth, fading with distance"),
    Column("depth_far", "realtime", "square of the depth, growing with distance"),
    Column("interest_depth", "realtime", "interest times depth"),
    Column("closing", "realtime", "how fast she comes nearer"),
    Column("fast", "realtime", "faster than 2.5 m/s"),
    Column("heading", "realtime", "towards the store"),
    Column("dwell", "realtime", "log1p of the minutes in the place"),
    Column("closes_soon", "realtime", "less than half an hour left"),
    Column("morning", "realtime", "cosine of the hour"),
    Column("evening", "realtime", "sine of the hour"),
    Column("weekend", "realtime", "Saturday or Sunday"),
    Column("novel", "realtime", "interested in what she never bought"),
    Column("visits", "relational", "log1p of visits to the store"),
    Column("bought", "relational", "log1p of purchases in the category"),
    Column("bought_depth", "relational", "purchases times depth: who buys anyway"),
    Column("redeemed", "relational", "log1p of redemptions"),
    Column("redeemed_depth", "relational", "redemptions times depth: who loves a deal"),
    Column("tier", "relational", "loyalty tier"),
    Column("opens", "relational", "share of pushes opened, less a half, shrunk"),
    Column("pushes_24h", "relational", "pushes in a day"),
    Column("pushes_7d", "relational", "log1p of pushes in a week"),
    Column("favourite", "personal", "declared category"),
    Column("favourite_interest", "personal", "the same with interest today"),
)
NAMES = tuple(column.name for column in COLUMNS)
WIDTH = len(COLUMNS)
_BLOCK = {
    block: np.array([index for index, column in enumerate(COLUMNS) if column.block == block])
    for block in ("relational", "personal", "realtime")
}
LOGIT_5 = log(0.05 / 0.95)
#: As many pushes count as an opening rate of one half, for somebody of whom little is known.
OPENS_PRIOR = 4.0


def features(scene: Scene, arms: Arms) -> Floats:
    """The matrix of shape (arms, WIDTH); columns as in `COLUMNS`."""
    count = len(arms)
    rows: list[Floats | float] = [*_offer(arms), *_realtime(scene, arms), *_relational(scene, arms)]
    rows += [arms.favourite, arms.favourite * np.log1p(arms.interest)]
    matrix = np.empty((WIDTH, count))
    for index, row in enumerate(rows):
        matrix[index] = row
    for block, columns in _BLOCK.items():
        if not getattr(scene.consents, block):
            matrix[columns] = 0.0
    return np.ascontiguousarray(matrix.T)


def _offer(arms: Arms) -> list[Floats | float]:
    prior = np.where(np.isnan(arms.prior_response), 0.05, arms.prior_response)
    prior = np.minimum(np.maximum(prior, 1e-4), 1 - 1e-4)
    return [
        1.0,
        arms.depth,
        np.sqrt(arms.depth),
        arms.depth == 0.0,
        np.log(np.maximum(arms.price, 0.01) / 30.0) / 2,
        np.log(prior / (1 - prior)) - LOGIT_5,
    ]


def _realtime(scene: Scene, arms: Arms) -> list[Floats | float]:
    interest, far = np.log1p(arms.interest), np.minimum(arms.distance_m, 400.0) / 100.0
    nearness = np.exp(-far)
    angle = 2 * pi * scene.hour / 24
    return [
        interest,
        arms.interest / (1.0 + arms.interest),
        arms.repeated,
        far,
        np.maximum(far - 1.2, 0.0),
        arms.distance_m < 60.0,
        interest * nearness,
        arms.depth * nearness,
        arms.depth**2 * far,
        interest * arms.depth,
        min(max(scene.closing_mps, -2.0), 2.0) / 2,
        float(scene.speed_mps > 2.5),
        arms.heading,
        log1p(scene.dwell_s / 60) / 3,
        arms.minutes_left < 30.0,
        cos(angle),
        sin(angle),
        float(scene.weekend),
        (arms.interest > 0.5) & (arms.bought == 0.0),
    ]


def _relational(scene: Scene, arms: Arms) -> list[Floats | float]:
    bought, redeemed = np.log1p(arms.bought), log1p(scene.redeemed)
    return [
        np.log1p(arms.visits),
        bought,
        bought * arms.depth,
        redeemed,
        redeemed * arms.depth,
        scene.tier,
        (scene.opened + OPENS_PRIOR / 2) / (scene.pushed + OPENS_PRIOR) - 0.5,
        float(min(scene.pushes_24h, 5)),
        log1p(scene.pushes_7d),
    ]
