import { ensurePrometheus } from '@sanctum/local-servers';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';

const run = promisify(execFile);

/** Runs promtool, or amtool; rejects, with everything that it printed, where it is not content. */
export async function promtool(
  args: readonly string[],
  options: { cwd?: string; tool?: 'promtool' | 'amtool' } = {},
): Promise<string> {
  const binaries = await ensurePrometheus({ progress: console.error });
  const { tool = 'promtool', cwd } = options;
  try {
    const { stdout, stderr } = await run(binaries[tool], [...args], {
      ...(cwd !== undefined && { cwd }),
      // It lives for seconds: by default a fifth of its time goes into collecting its garbage.
      env: { ...process.env, GOGC: '800' },
    });
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${tool} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}

/** Whether each expression is PromQL: rejects, naming the first that is not. */
export async function checkExpressions(expressions: readonly string[]): Promise<void> {
  const rules = expressions.map((expr, index) => ({ record: `expression:${index}`, expr }));
  await inFolder(async (dir) => {
    await writeFile(path.join(dir, 'rules.yml'), stringify({ groups: [{ name: 'expressions', rules }] }));
    await promtool(['check', 'rules', 'rules.yml'], { cwd: dir });
  });
}

/** What is true of series at a moment; `firing` are all alerts that fire then, and no other may. */
export interface Expectation {
  readonly at: string;
  readonly firing?: readonly string[];
  /** Expression → its value, or undefined where it has none. Label sets are dropped by the expression itself. */
  readonly values?: Readonly<Record<string, number | undefined>>;
}

export interface RuleTest {
  readonly name: string;
  /** In promtool's notation, by selector: `{ 'up{pod="a"}': '1x20' }`, one value each `intervalSeconds`. */
  readonly series: Readonly<Record<string, string>>;
  readonly intervalSeconds: number;
  readonly expectations: readonly Expectation[];
}

/** `promtool test rules` over files of rules; rejects with what it printed where an expectation does not hold. */
export async function testRules(ruleFiles: readonly string[], tests: readonly RuleTest[]): Promise<void> {
  await inFolder(async (dir) => {
    const names = ruleFiles.map((file) => path.basename(file));
    await Promise.all(ruleFiles.map((file, index) => copyFile(file, path.join(dir, names[index]!))));
    const file = {
      rule_files: names,
      evaluation_interval: `${Math.min(...tests.map(({ intervalSeconds }) => intervalSeconds))}s`,
      tests: tests.map((test) => ({
        name: test.name,
        interval: `${test.intervalSeconds}s`,
        input_series: Object.entries(test.series).map(([series, values]) => ({ series, values })),
        promql_expr_test: test.expectations.flatMap(expressionTests),
      })),
    };
    await writeFile(
      path.join(dir, 'test.yml'),
      stringify(file, { lineWidth: 0, aliasDuplicateObjects: false }),
    );
    await promtool(['test', 'rules', 'test.yml'], { cwd: dir });
  });
}

function expressionTests({ at, firing, values = {} }: Expectation): object[] {
  const alerts =
    firing === undefined
      ? []
      : [
          {
            expr: 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0',
            eval_time: at,
            exp_samples: firing.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
          },
        ];
  const samples = Object.entries(values).map(([expr, value]) => ({
    expr,
    eval_time: at,
    exp_samples: value === undefined ? [] : [{ labels: '{}', value }],
  }));
  return [...alerts, ...samples];
}

async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-promtool-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
