import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyWeek, scheduleOf, weekOf } from "./week.ts";

test("a week and its text say the same", () => {
  for (const text of ["", "Mo-Fr 09:00-18:00", "Mo 00:00-24:00", "Mo-We 08:00-12:00,13:00-17:00; Sa-Su 10:00-16:00"]) {
    const week = weekOf(text);
    assert.ok(week);
    assert.equal(scheduleOf(week), text);
  }
});

test("no days means every day, and a later rule replaces an earlier one", () => {
  const week = weekOf("09:00-18:00; Su 12:00-16:00");
  assert.ok(week);
  assert.equal(scheduleOf(week), "Mo-Sa 09:00-18:00; Su 12:00-16:00");
});

test("days may go over the end of the week", () => {
  const week = weekOf("Sa-Mo 10:00-12:00");
  assert.ok(week);
  assert.deepEqual(week.map((hours) => hours.includes(true)), [true, false, false, false, false, true, true]);
});

test("what the grid cannot show is left to the text", () => {
  for (const text of ["Mo-Fr 09:30-18:00", "PH off", "Mo-Fr 22:00-06:00", "sunrise-sunset", "Xx 09:00-10:00"]) assert.equal(weekOf(text), null, text);
});

test("nothing on is the empty text: at any time", () => assert.equal(scheduleOf(emptyWeek()), ""));
