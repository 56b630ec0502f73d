"""The features of every arm of a moment: one matrix, of which each head reads the columns it has a prior on.

Each column belongs to a block. Without the block's consent its columns are 0, which is also what a column
says of somebody of whom nothing is known: a shopper who withdraws is treated as a stranger, not as unlucky.
All values are of the order of 1.
"""

from math import cos, exp, isnan, log, log1p, pi, sin, sqrt
from typing import Literal

import msgspec
import numpy as np

from geo.compiled import compiled
from offers.learn.arms import ROW, Arms, Mask, Scene
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
_IN = {
    block: np.array([column.block == block for column in COLUMNS])
    for block in ("relational", "personal", "realtime")
}
LOGIT_5 = log(0.05 / 0.95)
#: As many pushes count as an opening rate of one half, for somebody of whom little is known.
OPENS_PRIOR = 4.0


_DEPTH, _PRICE, _PRIOR = ROW["depth"], ROW["price"], ROW["prior_response"]
_INTEREST, _REPEATED, _DISTANCE, _HEADING = (
    ROW["interest"], ROW["repeated"], ROW["distance_m"], ROW["heading"],
)  # fmt: skip
_MINUTES, _BOUGHT, _VISITS, _FAVOURITE = (
    ROW["minutes_left"], ROW["bought"], ROW["visits"], ROW["favourite"],
)  # fmt: skip


def features(scene: Scene, arms: Arms) -> Floats:
    """The matrix of shape (arms, WIDTH); columns as in `COLUMNS`."""
    matrix = np.empty((len(arms), WIDTH))
    read = np.ones(WIDTH, dtype=np.bool_)
    for block, columns in _IN.items():
        if not getattr(scene.consents, block):
            read[columns] = False
    _fill(arms.table, _of_scene(scene), read, matrix)
    return matrix


def _of_scene(scene: Scene) -> tuple[float, ...]:
    """The columns that are the same for every arm: those of `realtime`, then those of `relational`."""
    angle = 2 * pi * scene.hour / 24
    return (
        min(max(scene.closing_mps, -2.0), 2.0) / 2,
        float(scene.speed_mps > 2.5),
        log1p(scene.dwell_s / 60) / 3,
        cos(angle),
        sin(angle),
        float(scene.weekend),
        log1p(scene.redeemed),
        float(scene.tier),
        (scene.opened + OPENS_PRIOR / 2) / (scene.pushed + OPENS_PRIOR) - 0.5,
        float(min(scene.pushes_24h, 5)),
        log1p(scene.pushes_7d),
    )


@compiled
def _fill(table: Floats, scene: tuple[float, ...], read: Mask, matrix: Floats) -> None:
    for arm in range(len(matrix)):
        offer, realtime = _offer(table, arm), _realtime(table, arm, scene)
        row = offer + realtime + _relational(table, arm, scene) + _personal(table, arm)
        for column in range(len(row)):
            matrix[arm, column] = row[column] if read[column] else 0.0


@compiled
def _offer(table: Floats, arm: int) -> tuple[float, ...]:
    depth, prior = table[_DEPTH, arm], table[_PRIOR, arm]
    prior = 0.05 if isnan(prior) else min(max(prior, 1e-4), 1 - 1e-4)
    return (
        1.0,
        depth,
        sqrt(depth),
        1.0 if depth == 0.0 else 0.0,
        log(max(table[_PRICE, arm], 0.01) / 30.0) / 2,
        log(prior / (1 - prior)) - LOGIT_5,
    )


@compiled
def _realtime(table: Floats, arm: int, scene: tuple[float, ...]) -> tuple[float, ...]:
    depth, level, distance_m = table[_DEPTH, arm], table[_INTEREST, arm], table[_DISTANCE, arm]
    interest, far = log1p(level), min(distance_m, 400.0) / 100.0
    nearness = exp(-far)
    return (
        interest,
        level / (1.0 + level),
        table[_REPEATED, arm],
        far,
        max(far - 1.2, 0.0),
        1.0 if distance_m < 60.0 else 0.0,
        interest * nearness,
        depth * nearness,
        depth * depth * far,
        interest * depth,
        scene[0],
        scene[1],
        table[_HEADING, arm],
        scene[2],
        1.0 if table[_MINUTES, arm] < 30.0 else 0.0,
        scene[3],
        scene[4],
        scene[5],
        1.0 if level > 0.5 and table[_BOUGHT, arm] == 0.0 else 0.0,
    )


@compiled
def _relational(table: Floats, arm: int, scene: tuple[float, ...]) -> tuple[float, ...]:
    depth, bought = table[_DEPTH, arm], log1p(table[_BOUGHT, arm])
    return (
        log1p(table[_VISITS, arm]),
        bought,
        bought * depth,
        scene[6],
        scene[6] * depth,
        scene[7],
        scene[8],
        scene[9],
        scene[10],
    )


@compiled
def _personal(table: Floats, arm: int) -> tuple[float, ...]:
    favourite = table[_FAVOURITE, arm]
    return favourite, favourite * log1p(table[_INTEREST, arm])
