"""Fences in columns: all that is known of them, and no object until one is asked for."""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import islice
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import FloatArray, IndexArray
from geo.fence import Area, Circle, Fence
from geo.fences.areas import Areas
from geo.fences.roll import Roll
from geo.fix import SECOND_US

TimeArray = npt.NDArray[np.int64]

#: In place of a time that a fence without a begin or an end does not have.
ALWAYS_US, NEVER_US = -(2**63), 2**63 - 1

#: A circle, or one around an area: latitude, longitude, radius in metres, and whether it is around an area.
Shown = tuple[float, float, float, bool]

#: So many fences are put into columns at a time, …
CHUNK = 65_536
#: … and so many are read at a time.
FEW = 2_048
_NOWHERE = Circle(lat_deg=0.0, lon_deg=0.0, radius_m=0.0)


class Columns(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fences, named by their places in these columns, which are equally long."""

    number: IndexArray  #: in the roll
    lat_deg: FloatArray  #: centre of a circle, or of a circle around an area
    lon_deg: FloatArray
    radius_m: FloatArray
    dwell_us: TimeArray
    from_us: TimeArray  #: valid from then on; `ALWAYS_US` where there is no begin
    until_us: TimeArray  #: valid before then; `NEVER_US` where there is no end
    name: npt.NDArray[Any]  #: str
    area: IndexArray  #: the place among `areas`; -1 for a circle
    areas: Areas

    @classmethod
    def of(cls, fences: Iterable[Fence], roll: Roll) -> "Columns":
        """Collects the enabled ones of some fences, in their order."""
        given, parts = iter(fences), []
        # By and by, since a million fences as objects take more room than their columns.
        while chunk := list(islice(given, CHUNK)):
            parts.append(cls._of(_Given.of(chunk), roll))
        return cls.chained(parts) if parts else cls._of(_Given(), roll)

    @classmethod
    def _of(cls, given: "_Given", roll: Roll) -> "Columns":
        areas, polygon = Areas.of(given.geometry), given.polygon
        area = np.full(len(given.external_id), -1, np.int32)
        area[polygon] = np.arange(len(areas))
        lat, lon, radius = (
            np.array(values, np.float64) for values in (given.lat_deg, given.lon_deg, given.radius_m)
        )
        for column, values in zip((lat, lon, radius), areas.circles().T, strict=True):
            column[polygon] = values
        return cls(
            number=roll.numbers(given.external_id, given.store),
            lat_deg=lat,
            lon_deg=lon,
            radius_m=radius,
            dwell_us=_dwells_us(given.dwell_s),
            from_us=_times(given.valid_from_us, ALWAYS_US),
            until_us=_times(given.valid_until_us, NEVER_US),
            name=_texts(given.name),
            area=area,
            areas=areas,
        )

    def __len__(self) -> int:
        return len(self.number)

    def take(self, index: npt.NDArray[np.integer]) -> "Columns":
        """Some of the fences, in the order of `index`."""
        area = self.area[index]
        polygon = area >= 0
        areas = self.areas.take(area[polygon])
        area[polygon] = np.arange(len(areas))
        return Columns(
            number=self.number[index],
            lat_deg=self.lat_deg[index],
            lon_deg=self.lon_deg[index],
            radius_m=self.radius_m[index],
            dwell_us=_taken(self.dwell_us, index),
            from_us=_taken(self.from_us, index),
            until_us=_taken(self.until_us, index),
            name=_taken(self.name, index),
            area=area,
            areas=areas,
        )

    def joined(self, other: "Columns") -> "Columns":
        """These and then the others."""
        return self.chained([self, other])

    @classmethod
    def chained(cls, parts: Sequence["Columns"]) -> "Columns":
        """Some columns, one after the other."""
        first = np.cumsum([0, *(len(part.areas) for part in parts)])
        areas = [
            np.where(part.area >= 0, part.area + np.int32(begin), np.int32(-1))
            for part, begin in zip(parts, first.tolist(), strict=False)
        ]
        return cls(
            number=np.concatenate([part.number for part in parts]),
            lat_deg=np.concatenate([part.lat_deg for part in parts]),
            lon_deg=np.concatenate([part.lon_deg for part in parts]),
            radius_m=np.concatenate([part.radius_m for part in parts]),
            dwell_us=_chained([part.dwell_us for part in parts]),
            from_us=_chained([part.from_us for part in parts]),
            until_us=_chained([part.until_us for part in parts]),
            name=_chained([part.name for part in parts]),
            area=np.concatenate(areas),
            areas=reduce(Areas.joined, [part.areas for part in parts]),
        )

    def centred(self, radius_m: FloatArray) -> "Columns":
        """The same fences with their radii kept elsewhere, so that they need not be kept twice."""
        return msgspec.structs.replace(self, radius_m=radius_m)

    @property
    def temporary(self) -> bool:
        """Whether any fence has a begin or an end."""
        return bool((self.from_us > ALWAYS_US).any() or (self.until_us < NEVER_US).any())

    def circle(self, place: int) -> Circle:
        """A circle, or one around an area."""
        if self.area[place] >= 0:
            return self.areas.circle(int(self.area[place]))
        return Circle(
            lat_deg=float(self.lat_deg[place]),
            lon_deg=float(self.lon_deg[place]),
            radius_m=float(self.radius_m[place]),
        )

    def shown(self, places: npt.NDArray[np.integer]) -> list[Shown]:
        """The circles of some of the fences, or those around them."""
        columns = self.lat_deg[places], self.lon_deg[places], self.radius_m[places], self.area[places] >= 0
        found: list[Shown] = list(zip(*(column.tolist() for column in columns), strict=True))
        if self.areas:
            for at in columns[-1].nonzero()[0].tolist():
                around = self.circle(int(places[at]))
                found[at] = around.lat_deg, around.lon_deg, around.radius_m, True
        return found

    def fence(self, place: int, roll: Roll) -> Fence:
        """One of the fences, as it was given."""
        external_id, store = roll.name(int(self.number[place]))
        from_us, until_us, area = int(self.from_us[place]), int(self.until_us[place]), int(self.area[place])
        return Fence(
            external_id=external_id,
            store=store,
            shape=self.circle(place) if area < 0 else Area(geometry=self.areas.geometry[area]),
            name=self.name[place],
            dwell_s=int(self.dwell_us[place]) / SECOND_US,
            valid_from_us=None if from_us == ALWAYS_US else from_us,
            valid_until_us=None if until_us == NEVER_US else until_us,
        )


class _Given(msgspec.Struct, kw_only=True, eq=False):
    """The fields of enabled fences, list by list."""

    external_id: list[str] = []
    store: list[str] = []
    lat_deg: list[float] = []  #: of circles; of areas anything, like the next two
    lon_deg: list[float] = []
    radius_m: list[float] = []
    polygon: list[int] = []  #: which of the fences are areas …
    geometry: list[shapely.Polygon | shapely.MultiPolygon] = []  #: … and what they look like
    dwell_s: list[float] = []
    valid_from_us: list[int | None] = []
    valid_until_us: list[int | None] = []
    name: list[str] = []

    @classmethod
    def of(cls, fences: Sequence[Fence]) -> "_Given":
        """Reads some fences, a few at a time: from the processor's caches that takes half as long."""
        given = cls()
        for begin in range(0, len(fences), FEW):
            given._read([fence for fence in fences[begin : begin + FEW] if fence.enabled])
        return given

    def _read(self, fences: Sequence[Fence]) -> None:
        shapes = [fence.shape for fence in fences]
        for place, shape in enumerate(shapes):
            if type(shape) is Area:
                self.polygon.append(len(self.store) + place)
                self.geometry.append(shape.geometry)
                shapes[place] = _NOWHERE
        circles = cast("list[Circle]", shapes)
        self.lat_deg += [circle.lat_deg for circle in circles]
        self.lon_deg += [circle.lon_deg for circle in circles]
        self.radius_m += [circle.radius_m for circle in circles]
        self.external_id += [fence.external_id for fence in fences]
        self.store += [fence.store for fence in fences]
        self.dwell_s += [fence.dwell_s for fence in fences]
        self.valid_from_us += [fence.valid_from_us for fence in fences]
        self.valid_until_us += [fence.valid_until_us for fence in fences]
        self.name += [fence.name for fence in fences]


# Most fences have no name, dwell as long as the others and are valid for ever: a column in which all are
# alike takes no room.


def _dwells_us(given_s: list[float]) -> TimeArray:
    alike = bool(given_s) and given_s.count(given_s[0]) == len(given_s)
    dwell_s = np.array(given_s[:1] if alike else given_s, np.float64)
    dwell_us = np.rint(dwell_s * SECOND_US).astype(np.int64)
    return np.broadcast_to(dwell_us, len(given_s)) if alike else dwell_us


def _times(given: list[int | None], absent_us: int) -> TimeArray:
    """Times, with what stands for those that are absent."""
    if given.count(None) == len(given):
        return np.broadcast_to(np.array([absent_us]), len(given))
    return np.array([absent_us if time_us is None else time_us for time_us in given], np.int64)


def _texts(given: list[str]) -> npt.NDArray[Any]:
    if not any(given):
        return np.broadcast_to(np.array([""], object), len(given))
    return np.array(given, object)


def _alike(column: npt.NDArray[Any]) -> bool:
    return column.strides == (0,)


def _taken(column: npt.NDArray[Any], index: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.broadcast_to(column[:1], len(index)) if len(column) and _alike(column) else column[index]


def _chained(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    filled = [column for column in columns if len(column)]
    if filled and all(_alike(column) and column[0] == filled[0][0] for column in filled):
        return np.broadcast_to(filled[0][:1], sum(map(len, filled)))
    return np.concatenate(columns)
