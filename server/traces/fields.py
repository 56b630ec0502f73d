"""The fields of a trace record, from text or JSON, by the same rules in every format."""

from server.traces.record import BadRecord, FieldRefused, TraceFix, shown
from server.traces.times import time_us

LONGEST_DEVICE_NAME = 256


def trace_fix(
    *,
    where: str,
    device: object,
    time: object,
    lat: object,
    lon: object,
    accuracy: object = None,
    speed: object = None,
    time_field: str,
    utc_if_bare: bool = False,
) -> TraceFix | BadRecord:
    """One record's raw values as a fix, or its first bad field; messages call the time `time_field`."""
    field = "device"
    try:
        device_name = _device(device)
        field = time_field
        fixed_at_us = _fixed_at_us(time, utc_if_bare=utc_if_bare)
        field = "lat"
        lat_deg = _degrees(lat, 90)
        field = "lon"
        lon_deg = _degrees(lon, 180)
        field = "accuracy_m"
        metres = _optional_number(accuracy)
        field = "speed_mps"
        mps = _optional_number(speed)
    except FieldRefused as refused:
        return BadRecord(where=where, field=field, detail=str(refused))
    return TraceFix(
        device=device_name,
        fixed_at_us=fixed_at_us,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        # Phones write 0 or a negative accuracy, and a negative speed, for "unknown".
        accuracy_m=metres if metres is not None and metres > 0 else None,
        speed_mps=mps if mps is not None and mps >= 0 else None,
    )


def _device(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise FieldRefused(
            f"{shown(value)} is no name; give the device one of 1 to {LONGEST_DEVICE_NAME} characters"
        )
    if len(value) > LONGEST_DEVICE_NAME:
        raise FieldRefused(f"{shown(value)} is longer than {LONGEST_DEVICE_NAME} characters; shorten it")
    return value


def _fixed_at_us(value: object, *, utc_if_bare: bool) -> int:
    if isinstance(value, str):
        return time_us(value, utc_if_bare=utc_if_bare)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldRefused(f"{shown(value)} is not a time; write RFC 3339 or Unix seconds")
    # repr() of a JSON number is the shortest text that means it: no digit is invented below the microsecond.
    return time_us(repr(value))


def _degrees(value: object, limit: int) -> float:
    degrees = _number(value)
    if not -limit <= degrees <= limit:
        raise FieldRefused(f"{shown(value)} degrees; it must lie between -{limit} and {limit}")
    return degrees


def _optional_number(value: object) -> float | None:
    """A finite number, or None where the field is empty or absent."""
    if value is None or value == "":
        return None
    number = _number(value)
    if not float("-inf") < number < float("inf"):
        raise FieldRefused(f"{shown(value)} is not finite; leave the field empty where it is unknown")
    return number


def _number(value: object) -> float:
    """A number from JSON, or from text as a program writes it (`60.1699`, `-1e-7`)."""
    if isinstance(value, str):
        # float() alone would also take other scripts' digits and 1_000.
        if value.isascii() and "_" not in value:
            try:
                return float(value)
            except ValueError:
                pass
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # an integer of more than 308 digits
            return float("inf")
    raise FieldRefused(f"{shown(value)} is not a number; write it like 60.1699")
