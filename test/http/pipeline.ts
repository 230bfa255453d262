import { connect } from 'node:net';

/** Sends requests over one connection without waiting for the answers before; gives the status of each. */
export function pipeline(origin: string, requests: readonly string[]): Promise<number[]> {
  const { hostname, port } = new URL(origin);
  const statuses: number[] = [];
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let rest = '';
    let asked = 0;
    const ask = (): void => {
      const batch = requests.slice(asked, asked + 100);
      asked += batch.length;
      socket.write(batch.join(''));
    };
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      rest += text;
      for (const [, status] of rest.matchAll(/HTTP\/1\.1 (\d{3}) /g)) statuses.push(Number(status));
      // What may be the beginning of a status line is looked at again.
      rest = /(HTTP\/1\.1 ?\d{0,3}|HTTP\/1\.|HTTP\/1|HTTP\/|HTTP|HTT|HT|H)$/.exec(rest)?.[0] ?? '';
      if (statuses.length < asked) return;
      if (asked < requests.length) ask();
      else socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(statuses));
    ask();
  });
}
