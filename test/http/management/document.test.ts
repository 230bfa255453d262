import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { managementScopes } from '../../../src/domain/scopes.js';
import { documentText } from '../../../src/http/management/document.js';
import { operations } from '../../../src/http/management/operations.js';
import { TestGateway } from '../../support/gateway.js';

interface Documented {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly security: readonly Record<string, readonly string[]>[];
  readonly responses: Record<string, { readonly description?: string; readonly $ref?: string }>;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: unknown }[];
}

const document = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
  openapi: string;
  paths: Record<string, Record<string, Documented>>;
  components: { responses: Record<string, { readonly description: string }> };
};
const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, ...operation })),
);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.boot();
});
afterAll(() => gateway.stop());

describe('docs/openapi.json', () => {
  it('is what the code says; "npm run openapi" writes it', () => {
    expect(readFileSync('docs/openapi.json', 'utf8')).toBe(documentText());
  });

  it('is served as it is, to everybody', async () => {
    const response = await gateway.fetch('/api/v2/openapi.json');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.text()).toBe(documentText());
    expect(document.openapi).toBe('3.1.0');
  });

  it('has every operation there is, each under an id of its own', () => {
    expect(documented).toHaveLength(operations.length + 1);
    expect(new Set(documented.map(({ operationId }) => operationId)).size).toBe(documented.length);
  });

  it.each(documented)('$name says who may and what it answers', ({ name, ...operation }) => {
    expect(operation.summary.length).toBeGreaterThan(5);
    expect(operation.description.length).toBeGreaterThan(5);
    const isPublic = name === 'GET /api/v2/openapi.json';
    if (isPublic) expect(operation.security).toEqual([]);
    else expect(managementScopes).toContain(operation.security[0]?.oauth2?.[0]);
    for (const { description, $ref } of Object.values(operation.responses)) {
      const named = $ref === undefined ? undefined : document.components.responses[$ref.split('/').at(-1)!];
      expect(named?.description ?? description).toMatch(/\.$/);
    }
    const ids = [...name.matchAll(/\{(\w+)\}/g)].map(([, id]) => id);
    const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
    expect(inPath.map((parameter) => parameter.name)).toEqual(ids);
  });
});

describe('an example', () => {
  it.each(operations.filter(({ body }) => body !== undefined))(
    'of the body of $id is one that is taken',
    ({ body }) => {
      expect(body!.schema.safeParse(body!.example).error).toBeUndefined();
    },
  );

  it.each(operations.filter(({ answer }) => answer.schema !== undefined))(
    'of the answer of $id has its form',
    (each) => {
      expect(each.answer.schema!.safeParse(each.answer.example).error).toBeUndefined();
    },
  );
});
