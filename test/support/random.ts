/** A repeatable source of chance. */
export interface Chance {
  /** A whole number from 0 up to and without `below`. */
  number(below: number): number;
  pick<T>(of: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** The same seed gives the same sequence (mulberry32). */
export function chance(seed: number): Chance {
  let state = seed;
  const number = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  };
  return {
    number,
    pick: (of) => of[number(of.length)] as (typeof of)[number],
    bytes: (length) => Buffer.from(Array.from({ length }, () => number(256))),
  };
}

const frames = [
  "{}",
  '{"stdin":{"data":"aGVsbG8K"}}',
  '{"stdin":{"data":"","close":false}}',
  '{"tty_size":{"height":24,"width":80}}',
  '{"stdin":{"data":"AAAA"},"tty_size":{"height":1,"width":1}}',
] as const;
const values = [
  "null",
  "true",
  "-1",
  "1e309",
  "65536",
  '"x"',
  "[]",
  "{}",
  '{"data":{}}',
  '"\\ud800"',
  '"===="',
  "[[[[[[[[",
  '{"__proto__":1}',
];
const members = ["stdin", "data", "close", "tty_size", "height", "width", "__proto__", "toString", ""];

/** A frame of an exec client as it should be, bent in some places; or something that never was one. */
export function oddFrame(random: Chance): string {
  let text: string = random.pick(frames);
  if (random.number(10) === 0) return random.bytes(random.number(60)).toString("latin1");
  for (let bends = random.number(4); bends > 0; bends--) {
    const at = random.number(text.length + 1);
    const cut = random.number(8);
    switch (random.number(4)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + cut);
        break;
      case 1:
        text = text.slice(0, at) + random.bytes(cut).toString("latin1") + text.slice(at);
        break;
      case 2:
        text = text.replace(/:("[^"]*"|\d+|false)/, () => `:${random.pick(values)}`);
        break;
      default:
        text = text.replace(/"\w+":/, () => `"${random.pick(members)}":`);
    }
  }
  return text;
}
