import assert from "node:assert/strict";
import { test } from "node:test";
import { metricsFrom, quantile, sum } from "./metrics.ts";

const TEXT = `# HELP a_total Something
a_total{result="accepted"} 40.0
a_total{result="too_old"} 2.0
plain 7.5
t_bucket{le="0.1"} 90.0
t_bucket{le="1.0"} 99.0
t_bucket{le="+Inf"} 100.0
`;

test("metrics are summed, by a label where one is given", () => {
  const metrics = metricsFrom(TEXT);
  assert.equal(sum(metrics, "a_total"), 42);
  assert.equal(sum(metrics, "a_total", "result", "accepted"), 40);
  assert.equal(sum(metrics, "plain"), 7.5);
  assert.equal(sum(metrics, "nothing"), 0);
});

test("a quantile is the end of the bucket that holds it", () => {
  const metrics = metricsFrom(TEXT);
  assert.equal(quantile(metrics, "t", 0.5), 0.1);
  assert.equal(quantile(metrics, "t", 0.99), 1);
  assert.equal(quantile(metrics, "t", 0.999), null, "beyond the last bound nothing is known");
  assert.equal(quantile(metrics, "other", 0.5), null);
});
