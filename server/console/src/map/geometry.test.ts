import assert from "node:assert/strict";
import { test } from "node:test";
import { type Area, areaOf, type Circle, cornersFrom, cornersText, distance, gap, inside, moved, ringOf } from "./geometry.ts";

const HERE: [number, number] = [24.94, 60.17];
const circle = (east: number, radius_m: number): Circle => {
  const [lon = 0, lat = 0] = moved(HERE, east, 0);
  return { kind: "circle", lon, lat, radius_m };
};
const square = (east: number, side: number): Area => {
  const corner = (x: number, y: number) => moved(HERE, east + x, y);
  return { kind: "area", geometry: { type: "Polygon", coordinates: [[corner(0, 0), corner(side, 0), corner(side, side), corner(0, side), corner(0, 0)]] } };
};
const near = (found: number, wanted: number, by: number) => assert.ok(Math.abs(found - wanted) <= by, `${found} is not ${wanted}`);

test("moving and measuring agree", () => {
  near(distance(HERE, moved(HERE, 300, -400)), 500, 0.5);
});

test("a circle's rim is its radius away", () => {
  for (const corner of ringOf(circle(0, 60))) near(distance(HERE, corner), 60, 0.1);
});

test("areas are told in square metres, without their holes", () => {
  near(areaOf(circle(0, 100)), Math.PI * 10_000, 1);
  near(areaOf(square(0, 100)), 10_000, 60);
  const holed = square(0, 100);
  if (holed.geometry.type === "Polygon") holed.geometry.coordinates.push(square(20, 50).geometry.coordinates[0] as [number, number][]);
  near(areaOf(holed), 7_500, 80);
});

test("a gap is what lies between, and negative where shapes overlap", () => {
  near(gap(circle(0, 50), circle(200, 50)), 100, 0.5);
  assert.ok(gap(circle(0, 50), circle(80, 50)) < 0);
  near(gap(circle(-100, 50), square(0, 100)), 50, 1);
  assert.ok(gap(circle(50, 10), square(0, 100)) < 0, "inside");
  near(gap(square(0, 100), square(150, 100)), 50, 1);
  assert.ok(gap(square(0, 100), square(90, 100)) < 0);
});

test("a hole is outside", () => {
  const holed = square(0, 100);
  if (holed.geometry.type === "Polygon") holed.geometry.coordinates.push(square(20, 50).geometry.coordinates[0] as [number, number][]);
  assert.ok(inside(moved(HERE, 5, 5), holed));
  assert.ok(!inside(moved(HERE, 40, 25), holed));
});

test("corners are read back from their text, and what is wrong is told by its line", () => {
  const read = cornersFrom(cornersText(square(0, 100)));
  assert.ok(typeof read !== "string");
  near(areaOf(read), 10_000, 80);
  assert.match(String(cornersFrom("60.1, 24.9\n60.2 nonsense\n60.3, 24.8")), /^Line 2/);
  assert.match(String(cornersFrom("60.1, 24.9\n60.2, 24.8")), /three corners/);
  assert.match(String(cornersFrom("95, 24.9\n60.2, 24.8\n60, 24")), /^Line 1/);
});
