// Reads {"schemas": {name: schema}, "cases": [{"schema": name, "value": …}]} and prints a list of true and false.
import Ajv from "ajv/dist/2020.js";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { schemas, cases } = JSON.parse(text);
const ajv = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: true });
const compiled = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));
console.log(JSON.stringify(cases.map(({ schema, value }) => compiled[schema](value))));
