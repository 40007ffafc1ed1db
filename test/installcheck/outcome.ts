/** What pg_regress said of each script on one machine, and where two machines differ. */

export interface Outcome {
  /** Whether each script's output was what is expected, in the order in which they were told of. */
  passed: ReadonlyMap<string, boolean>;
  /** The differences from it, as pg_regress wrote them. */
  diffs: string;
}

/** A line of pg_regress: "ok 12        + boolean      345 ms", with "-" for a script that ran alone. */
const told = /^(not )?ok \d+\s+[-+] (\S+)\s+\d+ ms/;

/** The script that a line of the console tells of. */
export function scriptOf(line: string): { name: string; passed: boolean } | undefined {
  const match = told.exec(line);
  return match === null ? undefined : { name: match[2] ?? '', passed: match[1] === undefined };
}

/** The part of regression.diffs that belongs to a script. */
export function diffOf(diffs: string, script: string): string {
  const parts = diffs.split(/^(?=diff )/m);
  return parts.filter((part) => part.slice(0, part.indexOf('\n')).endsWith(`/${script}.out`)).join('');
}

export interface Difference {
  script: string;
  what: string;
  /** What the first machine printed otherwise than expected. */
  diff: string;
}

function differs(ours: boolean | undefined, theirs: boolean | undefined): string | undefined {
  if (ours === undefined) return 'did not end here';
  if (theirs === undefined) return 'did not end there';
  if (ours === theirs) return undefined;
  return ours ? 'passes here alone' : 'passes there alone';
}

/** Scripts that fail on both are no difference: failures() has them. */
export function compare(ours: Outcome, theirs: Outcome): Difference[] {
  const scripts = [...new Set([...theirs.passed.keys(), ...ours.passed.keys()])];
  return scripts.flatMap((script) => {
    const what = differs(ours.passed.get(script), theirs.passed.get(script));
    return what === undefined ? [] : [{ script, what, diff: diffOf(ours.diffs, script) }];
  });
}

export function failures(outcome: Outcome): string[] {
  return [...outcome.passed].filter(([, passed]) => !passed).map(([script]) => script);
}
