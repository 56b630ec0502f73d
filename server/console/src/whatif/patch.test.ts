import assert from "node:assert/strict";
import { test } from "node:test";
import { patchOf } from "./patch.ts";

test("a patch names what is other, and takes away what is gone", () => {
  const before = { name: "a", limits: { per_shopper: 1, per_shopper_per_day: 1 }, stores: ["x"] };
  const after = { name: "a", limits: { per_shopper: 2 } };
  assert.deepEqual(patchOf(before, after), { limits: { per_shopper: 2, per_shopper_per_day: null }, stores: null });
});

test("of what was not there before, all is named", () => {
  assert.deepEqual(patchOf(undefined, { name: "a" }), { name: "a" });
});
