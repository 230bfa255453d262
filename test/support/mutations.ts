import fc from 'fast-check';

type Change = (body: Buffer) => Buffer;

const change: fc.Arbitrary<Change> = fc
  .tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'cut', 'insert', 'drop'))
  .map(([place, byte, how]) => (body) => {
    const at = body.length === 0 ? 0 : place % body.length;
    const [before, after] = [body.subarray(0, at), body.subarray(at)];
    if (how === 'cut') return before;
    if (how === 'drop') return Buffer.concat([before, after.subarray(1)]);
    return Buffer.concat([before, Buffer.from([byte]), how === 'set' ? after.subarray(1) : after]);
  });

/** What may become of a body on its way: a few changes. Four for each body, which is dearer to draw than to read. */
export const mutations: fc.Arbitrary<Change[]> = fc.array(
  fc.array(change, { minLength: 1, maxLength: 5 }).map(
    (all): Change =>
      (body) =>
        all.reduce((b, each) => each(b), body),
  ),
  { minLength: 4, maxLength: 4 },
);
