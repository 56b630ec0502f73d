import assert from "node:assert/strict";
import { test } from "node:test";
import { offersIn } from "./days.ts";

test("the total is of the days that may be told", () => {
  assert.equal(offersIn([{ day: "2026-11-17", offers: 40, shoppers: 35 }, { day: "2026-11-18", offers: null, shoppers: null }, { day: "2026-11-19", offers: 25, shoppers: 25 }]), 65);
});

test("of days that are all withheld nothing is told", () => {
  assert.equal(offersIn([{ day: "2026-11-18", offers: null, shoppers: null }]), null);
});
