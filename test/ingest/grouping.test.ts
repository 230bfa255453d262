import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { TestEndpoint } from './endpoint.js';

let gateway: TestGateway;
let endpoint: TestEndpoint;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme');
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  endpoint = await TestEndpoint.make(gateway, 'acme');
});

describe('the grouping labels', () => {
  it.each([
    ['nothing', '', 'a 1'],
    ['a slash alone', '/', 'a 1'],
    ['a job', '/job/app', 'a{job="app"} 1'],
    ['a slash at the end', '/job/app/', 'a{job="app"} 1'],
    ['several, given in any order', '/job/app/zone/z/bay/7', 'a{bay="7",job="app",zone="z"} 1'],
    ['escaped slashes', '/job/a%2Fb', 'a{job="a/b"} 1'],
    ['escaped UTF-8 and blanks', '/job/caf%C3%A9%20%E2%98%95', 'a{job="café ☕"} 1'],
    ['quotes and line feeds', '/job/%22%0A%5C', 'a{job="\\"\\n\\\\"} 1'],
    ['a plus, which is no blank in a path', '/job/a+b', 'a{job="a+b"} 1'],
    ['base64', '/job@base64/YS9i', 'a{job="a/b"} 1'],
    ['base64 with padding', '/job@base64/YXBw/zone@base64/YQ==', 'a{job="app",zone="a"} 1'],
    ['base64 without padding', '/job@base64/YXBw/zone@base64/YQ', 'a{job="app",zone="a"} 1'],
    ['URL-safe base64', '/job@base64/fn8_Pj4-', 'a{job="~\u007f?>>>"} 1'],
    ['an escaped @', '/job%40base64/YXBw', 'a{job="app"} 1'],
    ['an empty value, which is no label', '/job/app/zone@base64/=', 'a{job="app"} 1'],
    ['an empty segment as value', '/job/app/zone//bay/7', 'a{bay="7",job="app"} 1'],
    ['a label named like a property of objects', '/job/app/constructor/x', 'a{constructor="x",job="app"} 1'],
  ])('can be %s', async (_, group, line) => {
    await endpoint.take('PUT', group, 'a 1\n');
    expect(await endpoint.shown()).toEqual([line]);
  });

  it('name the same group in whatever order and encoding they come', async () => {
    await endpoint.take('PUT', '/job/a%2Fb/zone/z/bay/7', 'a 1\n');
    await endpoint.take('PUT', '/job@base64/YS9i/bay/7/zone@base64/eg', 'a 2\n');
    expect(await endpoint.shown()).toEqual(['a{bay="7",job="a/b",zone="z"} 2']);
    await endpoint.take('DELETE', '/job/a%2fb/zone/z/bay/7');
    expect(await endpoint.shown()).toEqual([]);
  });

  it('take the place of labels of the same name in the body', async () => {
    await endpoint.take('PUT', '/job/app/zone/z', 'a{job="mine",zone="mine",x="1"} 1\n');
    expect(await endpoint.shown()).toEqual(['a{x="1",job="app",zone="z"} 1']);
  });

  it('remove a label of the body when their value is empty', async () => {
    await endpoint.take('PUT', '/job/app/zone@base64/=', 'a{zone="mine"} 1\n');
    expect(await endpoint.shown()).toEqual(['a{job="app"} 1']);
  });

  it.each([
    ['do not begin with job', '/zone/z'],
    ['have job later', '/zone/z/job/app'],
    ['have no job value', '/job'],
    ['have an empty job', '/job/'],
    ['have an empty job in base64', '/job@base64/='],
    ['have an empty job and more', '/job//zone/z'],
    ['have a name without a value', '/job/app/zone'],
    ['have a name twice', '/job/app/zone/a/zone/b'],
    ['have job twice', '/job/app/job/b'],
    ['have a name twice, once in base64', '/job/app/zone/a/zone@base64/YQ'],
    ['have an empty name', '/job/app//z'],
    ['have a name with a dash', '/job/app/time-zone/z'],
    ['have a name that begins with a digit', '/job/app/1zone/z'],
    ['have a reserved name', '/job/app/__name__/z'],
    ['have our label', '/job/app/instance_id/z'],
    ['have our label in base64', '/job/app/instance_id@base64/eg'],
    ['have what is not base64', '/job@base64/%21%21'],
    ['have base64 of what is not UTF-8', '/job@base64/_w'],
    ['have a broken percent-escape', '/job/%zz'],
    ['have escapes of what is not UTF-8', '/job/%ff'],
  ])('are refused when they %s', async (_, group) => {
    for (const method of ['PUT', 'POST', 'DELETE'] as const) {
      expect(await endpoint.push(method, group, 'a 1\n')).toMatchObject({ status: 400, field: 'path' });
    }
    expect(await endpoint.shown()).toEqual([]);
  });
});
