// The API description: which operation a request is, and whether request and answer are as described.
// The schemas are OpenAPI 3.0; ajv wants JSON Schema, so they are rewritten on the way in.
import fs from 'node:fs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const here = new URL('.', import.meta.url);
const read = (name) => JSON.parse(fs.readFileSync(new URL(name, here), 'utf8'));

// ---- schemas -------------------------------------------------------------------

// `closed`: an object that lists its properties takes no others. The service ignores some and refuses some; a
// client that sends what nobody asked for is wrong either way.
function rewrite(schema, closed) {
  if (Array.isArray(schema)) return schema.map((item) => rewrite(item, closed));
  if (schema === null || typeof schema !== 'object') return schema;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') {
      out[key] = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rewrite(inner, closed)]));
    } else if (!['nullable', 'example', 'default', 'discriminator', 'description', 'deprecated'].includes(key)) {
      out[key] = key === 'enum' || key === 'required' ? value : rewrite(value, closed);
    }
  }
  if (out.$ref) out.$ref = out.$ref.replace('#/components/schemas/', closed ? 'closed/' : 'open/');
  bound(out, 'minimum', 'exclusiveMinimum');
  bound(out, 'maximum', 'exclusiveMaximum');
  if (closed && out.properties && out.additionalProperties === undefined) out.additionalProperties = false;
  return schema.nullable && Object.keys(out).length > 0 ? { anyOf: [{ type: 'null' }, out] } : out;
}

// OpenAPI 3.0 has the flag of draft 4
function bound(schema, inclusive, exclusive) {
  if (schema[exclusive] === true) {
    schema[exclusive] = schema[inclusive];
    delete schema[inclusive];
  } else if (schema[exclusive] === false) delete schema[exclusive];
}

// ---- what the service says about a bad request -----------------------------------

const typeOf = (value) => (value === undefined ? 'undefined' : value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

function messageOf(error) {
  const at = error.instancePath.slice(1).replaceAll('/', '.');
  const say = (text, path = at) => (path ? `${path}: ${text}` : text);
  const inside = (name) => (at ? `${at}.${name}` : name);
  const params = error.params;
  switch (error.keyword) {
    case 'required': {
      const wanted = error.parentSchema.properties?.[params.missingProperty]?.type ?? 'value';
      return say(`Invalid input: expected ${wanted}, received undefined`, inside(params.missingProperty));
    }
    case 'type': return say(`Invalid input: expected ${params.type}, received ${typeOf(error.data)}`);
    case 'additionalProperties': return say(`Unrecognized key: "${params.additionalProperty}"`);
    case 'enum': return say(`Invalid option: expected one of ${params.allowedValues.map((v) => `"${v}"`).join('|')}`);
    case 'pattern': return say(`Invalid string: must match pattern /${params.pattern}/`);
    case 'format': return say(`Invalid ${params.format}`);
    case 'minLength': return say(`Too small: expected string to have >=${params.limit} characters`);
    case 'maxLength': return say(`Too big: expected string to have <=${params.limit} characters`);
    case 'minimum': case 'exclusiveMinimum': return say(`Too small: expected number to be ${params.comparison}${params.limit}`);
    case 'maximum': case 'exclusiveMaximum': return say(`Too big: expected number to be ${params.comparison}${params.limit}`);
    default: return say(error.message);
  }
}

// the most telling one: what is missing or unknown rather than that no alternative fits
export function explain(errors) {
  const rank = { oneOf: 9, anyOf: 9, if: 9, type: 5 };
  const seen = new Set([...errors].sort((a, b) => (rank[a.keyword] ?? 1) - (rank[b.keyword] ?? 1))
    .filter((error) => !['oneOf', 'anyOf'].includes(error.keyword) || errors.length === 1).map(messageOf));
  return [...seen].filter((text) => !text.endsWith('expected null, received string')).slice(0, 3).join('; ') || messageOf(errors[0]);
}

// ---- operations ------------------------------------------------------------------

// A query's text as the value its schema speaks of; what cannot be one stays text and is refused
export function fromText(schema, values) {
  if (schema.type === 'array') return values.map((value) => fromText(schema.items, [value]));
  if (values.length > 1) return values;
  const [text] = values;
  if (schema.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (schema.type === 'integer' || schema.type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  return text;
}

class Operation {
  constructor(description, method, template, spec, permissions) {
    this.description = description;
    this.id = spec.operationId;
    this.method = method;
    this.template = template;
    this.scope = spec['x-oauth-scope'] ?? null;
    this.permissions = permissions ?? [];
    this.anonymous = (spec.security ?? []).length === 0;
    this.parameters = (spec.parameters ?? []).map((parameter) => ({ ...parameter }));
    this.body = spec.requestBody ?? null;
    this.success = Number(Object.keys(spec.responses).find((code) => code.startsWith('2')));
    this.answers = spec.responses[this.success].content ?? {};
    this.names = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    this.segments = template.split('/');
    this.compiled = new Map();
  }

  check(key, schema, closed, value) {
    let validate = this.compiled.get(key);
    if (!validate) {
      validate = this.description.compile(schema, closed);
      this.compiled.set(key, validate);
    }
    return validate(value) ? null : validate.errors;
  }

  // one parameter; undefined when it was not given
  parameter(spec, values) {
    if (values === undefined) {
      if (spec.required) return { error: `${spec.name}: Invalid input: expected ${spec.schema.type ?? 'string'}, received undefined` };
      return { value: undefined };
    }
    const value = fromText(spec.schema, values);
    const errors = this.check(`${spec.in} ${spec.name}`, spec.schema, true, value);
    return errors ? { error: explain(errors.map((error) => ({ ...error, instancePath: `/${spec.name}${error.instancePath}` }))) } : { value };
  }

  requestErrors(type, value) {
    const schema = this.body.content[type]?.schema;
    return schema ? this.check(`body ${type}`, schema, true, value) : null;
  }

  answerErrors(value) {
    const schema = this.answers['application/json']?.schema;
    return schema ? this.check('answer', schema, false, value) : null;
  }
}

export class Description {
  constructor() {
    this.spec = read('openapi.json');
    const permissions = read('permissions.json');
    this.ajv = new Ajv({ strict: false, allErrors: true, verbose: true, validateFormats: true });
    addFormats(this.ajv);
    for (const known of ['binary', 'int64', 'int32', 'float', 'double']) this.ajv.addFormat(known, true);
    this.operations = [];
    for (const [template, methods] of Object.entries(this.spec.paths)) {
      for (const [method, spec] of Object.entries(methods)) {
        this.operations.push(new Operation(this, method.toUpperCase(), template, spec, permissions[spec.operationId]));
      }
    }
    // a literal segment wins over a parameter
    this.operations.sort((a, b) => a.names.length - b.names.length);
    this.added = new Set();
  }

  operation(id) { return this.operations.find((op) => op.id === id); }

  // schemas are added when first referred to: compiling the 143 of them takes a second
  refer(schema, closed) {
    if (schema === null || typeof schema !== 'object') return;
    if (typeof schema.$ref === 'string') {
      const name = schema.$ref.split('/').pop();
      const key = `${closed ? 'closed' : 'open'}/${name}`;
      if (!this.added.has(key)) {
        this.added.add(key);
        const target = this.spec.components.schemas[name];
        this.refer(target, closed);
        this.ajv.addSchema(rewrite(target, closed), key);
      }
    }
    for (const inner of Object.values(schema)) this.refer(inner, closed);
  }

  compile(schema, closed) {
    this.refer(schema, closed);
    return this.ajv.compile(rewrite(schema, closed));
  }

  schema(name) { return this.spec.components.schemas[name]; }

  // the operation of a request; `known` tells a wrong method from a wrong path
  match(method, path) {
    const segments = path.split('/');
    let known = false;
    for (const op of this.operations) {
      if (op.segments.length !== segments.length) continue;
      const params = {};
      const fits = op.segments.every((segment, i) => {
        if (!segment.startsWith('{')) return segment === segments[i];
        if (segments[i] === '') return false;
        try {
          params[segment.slice(1, -1)] = decodeURIComponent(segments[i]);
        } catch {
          return false;
        }
        return true;
      });
      if (!fits) continue;
      known = true;
      if (op.method === method) return { op, params };
    }
    return { known };
  }
}

// ---- values made from a schema -----------------------------------------------------

// Something the schema allows, for documents nothing better is known of
export function sample(spec, schema, name = '') {
  if (schema.$ref) return sample(spec, spec.components.schemas[schema.$ref.split('/').pop()], name);
  if (schema.example !== undefined) return structuredClone(schema.example);
  if (schema.nullable) return null;
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice) return sample(spec, choice[0], name);
  if (schema.enum) return schema.enum[0];
  switch (schema.type) {
    case 'object': return Object.fromEntries((schema.required ?? []).map((key) => [key, sample(spec, schema.properties[key], key)]));
    case 'array': return [];
    case 'boolean': return false;
    case 'integer': case 'number': return (schema.minimum ?? 0) + (schema.exclusiveMinimum ? 1 : 0);
    case 'string': return sampleText(schema, name);
    default: return null;
  }
}

function sampleText(schema, name) {
  if (schema.format === 'uuid') return '00000000-0000-4000-8000-000000000000';
  if (schema.format === 'date-time' || /_at$/.test(name)) return '2025-03-01T12:00:00.000Z';
  if (schema.format === 'uri') return 'https://example.com/';
  return (name || 'text').padEnd(schema.minLength ?? 0, 'x').slice(0, schema.maxLength ?? 64);
}
