import assert from "node:assert/strict";
import { test } from "node:test";
import { cell, csv } from "./csv.ts";

test("what a spreadsheet takes for a formula is text", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1", "＝1", "＋1", "－1", "＠x"]) assert.ok(cell(text).replace(/^"/, "").startsWith("'"), JSON.stringify(text));
  assert.equal(cell(-1.5), "-1.5", "a number is a number");
});

test("quotes, commas and line ends stay within their cell", () => {
  assert.equal(csv(["a", "b"], [['say "x"', "1,2"], [null, "l\n2"]]), 'a,b\r\n"say ""x""","1,2"\r\n,"l\n2"\r\n');
});
